"""Solved scenes: a table with things on it in a room, as Infinigen's Indoors solver left it.

Plain data in the pack, in the room's frame: z up, metres, floor at z = 0. The composer `infinigen`
makes SceneSpecs from them.
"""

import math
from typing import Annotated

import msgspec
import shapely

from refergym.assets import records
from refergym.assets.errors import PackError
from refergym.assets.footprints import UPRIGHT
from refergym.assets.library import Pack
from refergym.assets.records import Record
from refergym.assets.spec import Pose, Positive

VERSION = 1


class SolvedItem(Record, frozen=True, kw_only=True):
    """One thing."""

    asset: str
    """name in the pack; at scale 1"""
    pose: Pose
    """of the asset's frame; upright"""
    on: Annotated[int, msgspec.Meta(ge=-1)] = -1
    """index of the item that it stands in or on; -1 the table"""


class Opening(Record, frozen=True, kw_only=True):
    """A window or a door in a wall: an upright rectangle."""

    wall: int
    """index of the floor's corner at which the wall begins"""
    centre: tuple[float, float, float]
    """[3] m, on the wall's inner face"""
    size: tuple[Positive, Positive]
    """[2] m, along the wall and upwards"""


class Room(Record, frozen=True, kw_only=True):
    """A room's inside."""

    kind: str
    """"dining room" """
    floor: tuple[tuple[float, float], ...]
    """[K, 2] m, corners, counter-clockwise, not necessarily convex"""
    height: Positive
    """m"""
    windows: tuple[Opening, ...] = ()
    doors: tuple[Opening, ...] = ()


class SolvedScene(Record, frozen=True, kw_only=True):
    """A table, what stands on it, and the room round it."""

    version: int = VERSION
    name: str
    kind: str
    """"dining table", "desk", "kitchen counter", "coffee table" """
    solver: str
    """name and version of what solved it"""
    seed: int
    """given to the solver"""
    table: str
    """furniture of the pack, with a `top`"""
    table_pose: Pose
    """of its frame; upright"""
    items: tuple[SolvedItem, ...]
    room: Room


def load_solved(pack: Pack, name: str) -> SolvedScene:
    """Read and check a solved scene of a pack.

    Raises:
        PackError: naming the scene and the file or the field that is missing, damaged, of another
            version, or at odds with the pack.
    """
    scene = records.decode(pack.scene_data(name), SolvedScene, error=PackError)
    try:
        check_solved(scene, pack)
    except PackError as e:
        raise PackError(f"scene {name!r}: {e}") from e
    return scene


def check_solved(scene: SolvedScene, pack: Pack) -> None:
    """Check what types alone cannot: version, assets, supports, upright poses, the room's shape.

    Raises:
        PackError: naming the field, what was expected and what was found.
    """
    if scene.version != VERSION:
        raise PackError(f"version: expected {VERSION}, got {scene.version}")
    if pack[scene.table].use != "furniture" or pack[scene.table].top is None:
        raise PackError(f"table: expected furniture with a top, got {scene.table!r}")
    _check_upright(scene.table_pose, "table_pose")
    for i, item in enumerate(scene.items):
        if pack[item.asset].use != "item":
            raise PackError(f"items[{i}].asset: expected an item, got furniture {item.asset!r}")
        _check_upright(item.pose, f"items[{i}].pose")
        _check_on(scene.items, i)
    floor = scene.room.floor
    outline = shapely.Polygon(floor) if len(floor) > 2 else shapely.Polygon()
    if not outline.is_valid or outline.is_empty or not outline.exterior.is_ccw:
        raise PackError("room.floor: expected the counter-clockwise corners of a simple polygon")
    for kind in ("windows", "doors"):
        for i, opening in enumerate(getattr(scene.room, kind)):
            if not 0 <= opening.wall < len(floor):
                where = f"room.{kind}[{i}].wall"
                raise PackError(f"{where}: expected 0 to {len(floor) - 1}, got {opening.wall}")


def _check_upright(pose: Pose, path: str) -> None:
    w, x, y, z = pose.orientation
    if abs(math.hypot(w, x, y, z) - 1) > 1e-4 or abs(x) > UPRIGHT or abs(y) > UPRIGHT:
        got = list(pose.orientation)
        raise PackError(
            f"{path}.orientation: expected a turn about z alone, unit length, got {got}"
        )


def _check_on(items: tuple[SolvedItem, ...], index: int) -> None:
    """Walk down from an item to the table."""
    below, steps = items[index].on, 0
    while below >= 0:
        if below >= len(items) or steps > len(items):
            raise PackError(f"items[{index}].on: {items[index].on} does not lead to the table")
        below, steps = items[below].on, steps + 1
