"""Solved scenes: a table with things on it in a room, as Infinigen's Indoors solver left it.

Plain data in the pack, in the room's frame: z up, metres, floor at z = 0. The composer `infinigen`
makes SceneSpecs from them.
"""

from typing import Annotated

import msgspec

from refergym.assets import records
from refergym.assets.errors import PackError
from refergym.assets.library import Pack
from refergym.assets.records import Record
from refergym.assets.spec import Pose, Positive

VERSION = 1


class SolvedItem(Record, frozen=True, kw_only=True):
    """One thing."""

    asset: str
    """name in the pack; at scale 1"""
    pose: Pose
    """of the asset's frame"""
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
    """Read a solved scene of a pack.

    Raises:
        PackError: naming the scene or the file that is missing, damaged or of another version.
    """
    scene = records.decode(pack.scene_data(name), SolvedScene)
    if scene.version != VERSION:
        raise PackError(f"scene {name!r}: version: expected {VERSION}, got {scene.version}")
    return scene
