"""What is round the things: the table, the floor, walls with windows and doors, the light."""

import math

import numpy as np
import shapely
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.composers.infinigen_params import InfinigenParams
from refergym.assets.composers.layout import Place, joined
from refergym.assets.composers.solved_table import SolvedTable, moved
from refergym.assets.library import Pack
from refergym.assets.solved import Opening
from refergym.assets.spec import FixtureSpec, LightSpec, Pose, SupportSpec, Vec3

Array = NDArray[np.float64]

WALL = 0.05
"""m, thickness of walls"""
PLATE = 0.03
"""m, thickness of the plates that stand for windows and doors"""
PROUD = 0.01
"""m that these stand out of the wall"""
FLOOR = 0.1
"""m, thickness of the floor"""
PAINTS = ((0.90, 0.88, 0.84), (0.84, 0.86, 0.88), (0.88, 0.84, 0.76), (0.80, 0.84, 0.80))
"""[3] sRGB each, of walls without texture"""
SKY = (0.86, 0.93, 1.0)
"""[3] sRGB, of windows"""
DOOR = (0.45, 0.31, 0.20)
"""[3] sRGB"""
GLOW = 0.9


def supports(
    pack: Pack,
    table: SolvedTable,
    table_at: Place,
    params: InfinigenParams,
    rng: np.random.Generator,
) -> tuple[SupportSpec, SupportSpec]:
    """Return the table, seen as its furniture, and the floor.

    Args:
        pack: where textures are.
        table: with its room.
        table_at: the table's frame, world.
        params: `texture_scale`.
        rng: draws the floor's texture.
    """
    outline = np.array(table.top.outline)
    thickness = round(table.top.thickness, 4)
    slab = SupportSpec(
        id="table",
        pose=_pose(joined(table_at, Place(x=0.0, y=0.0, z=-thickness / 2, yaw=0.0))),
        size=(*_extents(outline), thickness),
        outline=_ring(outline),
        asset=table.info.name,
    )
    room_at = joined(table_at, table.room_at)
    corners = np.array(table.room.floor)
    low, high = corners.min(axis=0), corners.max(axis=0)
    middle = (low + high) / 2
    x, y = middle.tolist()
    polygon = shapely.Polygon(corners)
    is_convex = polygon.convex_hull.area - polygon.area < 1e-4
    floor = SupportSpec(
        id="floor",
        pose=_pose(joined(room_at, Place(x=x, y=y, z=-FLOOR / 2, yaw=0.0))),
        size=(*_extents(corners - middle), FLOOR),
        outline=_ring(corners - middle) if is_convex else None,
        texture=_texture(pack, "floor", rng),
        texture_scale=round(float(rng.uniform(*params.texture_scale)), 3),
    )
    return slab, floor


def fixtures(
    pack: Pack,
    table: SolvedTable,
    table_at: Place,
    eye: Vec3,
    targets: Array,
    params: InfinigenParams,
    rng: np.random.Generator,
) -> tuple[FixtureSpec, ...]:
    """Return walls, windows and doors; walls between an eye and its targets are cut away.

    Args:
        pack: where textures are.
        table: with its room.
        table_at: the table's frame, world.
        eye: [3] m, world.
        targets: [N, 2] m, world.
        params: `texture_scale`.
        rng: draws the walls' texture or paint.
    """
    room, room_at = table.room, joined(table_at, table.room_at)
    texture = _texture(pack, "wall", rng)
    paint = PAINTS[int(rng.integers(len(PAINTS)))]
    texture_scale = round(float(rng.uniform(*params.texture_scale)), 3)
    lines = shapely.linestrings([[eye[:2], target] for target in targets.tolist()])
    corners = np.array(room.floor)
    ends = np.roll(corners, -1, axis=0)
    convex = _convex(corners)
    there, found = set(), []
    for k, (a, b) in enumerate(zip(corners, ends, strict=True)):
        foot = shapely.LineString(moved(room_at, np.stack([a, b])))
        if shapely.intersects(foot, lines).any():
            continue
        there.add(k)
        beyond = WALL * convex[k], WALL * convex[(k + 1) % len(corners)]
        at, length = _wall(a, b, beyond, room.height)
        found.append(
            FixtureSpec(
                id=f"wall_{k}",
                pose=_pose(joined(room_at, at)),
                size=(round(length, 4), WALL, round(room.height, 4)),
                texture=texture,
                texture_scale=texture_scale,
                colour=(1.0, 1.0, 1.0) if texture else paint,
            )
        )
    plates = [(f"window_{k}", o, SKY, GLOW) for k, o in enumerate(room.windows)]
    plates += [(f"door_{k}", o, DOOR, 0.0) for k, o in enumerate(room.doors)]
    found += [
        _plate(opening, corners, room_at, name, colour, glow)
        for name, opening, colour, glow in plates
        if opening.wall in there
    ]
    return tuple(found)


def light(
    table: SolvedTable, table_at: Place, params: InfinigenParams, rng: np.random.Generator
) -> LightSpec:
    """Return light from the largest window, as the table's middle sees it; from anywhere without.

    Args:
        table: with its room.
        table_at: the table's frame, world.
        params: `light`, `light_elevation`.
        rng: draws the strengths, and the direction where there is no window.
    """
    low, high = params.light_elevation
    turn, drawn = float(rng.uniform(-math.pi, math.pi)), float(rng.uniform(low, high))
    if table.room.windows:
        window = max(table.room.windows, key=lambda o: o.size[0] * o.size[1])
        x, y, z = window.centre
        seen = joined(joined(table_at, table.room_at), Place(x=x, y=y, z=z, yaw=0.0))
        dx, dy = seen.x - table_at.x, seen.y - table_at.y
        turn = math.atan2(dy, dx)
        drawn = min(max(math.degrees(math.atan2(seen.z, math.hypot(dx, dy))), low), high)
    up = math.radians(drawn)
    direction = (
        round(math.cos(up) * math.cos(turn), 6),
        round(math.cos(up) * math.sin(turn), 6),
        round(math.sin(up), 6),
    )
    return LightSpec(
        direction=direction,
        intensity=round(float(rng.uniform(*params.light)), 4),
        ambient=round(float(rng.uniform(*params.light)), 4),
    )


def _wall(a: Array, b: Array, beyond: tuple[float, float], height: float) -> tuple[Place, float]:
    """Middle of the wall outside the edge from a to b, room's frame, and its length, m.

    It reaches beyond the corners, as far as is told, to meet its neighbours.
    """
    dx, dy = (b - a).tolist()
    length = math.hypot(dx, dy)
    ux, uy = dx / length, dy / length
    along = (length + beyond[1] - beyond[0]) / 2
    x = float(a[0]) + ux * along + uy * WALL / 2
    y = float(a[1]) + uy * along - ux * WALL / 2
    at = Place(x=x, y=y, z=height / 2, yaw=math.atan2(dy, dx))
    return at, length + beyond[0] + beyond[1]


def _plate(
    opening: Opening,
    corners: Array,
    room_at: Place,
    name: str,
    colour: tuple[float, float, float],
    glow: float = 0.0,
) -> FixtureSpec:
    """A plate in a wall, standing out of it a little."""
    a, b = corners[opening.wall], corners[(opening.wall + 1) % len(corners)]
    dx, dy = (b - a).tolist()
    length = math.hypot(dx, dy)
    back = PLATE / 2 - PROUD
    x, y, z = opening.centre
    at = Place(x=x + dy / length * back, y=y - dx / length * back, z=z, yaw=math.atan2(dy, dx))
    size = round(opening.size[0], 4), PLATE, round(opening.size[1], 4)
    return FixtureSpec(
        id=name, pose=_pose(joined(room_at, at)), size=size, colour=colour, glow=glow
    )


def _convex(corners: Array) -> list[bool]:
    """Whether the room's corners [K, 2] point outwards."""
    before, after = corners - np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0) - corners
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    convex: list[bool] = (cross > 0).tolist()
    return convex


def _ring(corners: Array) -> tuple[tuple[float, float], ...]:
    return tuple((round(x, 6) + 0.0, round(y, 6) + 0.0) for x, y in corners.tolist())


def _extents(corners: Array) -> tuple[float, float]:
    """Size of the smallest box about the origin that holds rounded corners."""
    x, y = np.abs(np.array(_ring(corners))).max(axis=0).tolist()
    return 2 * x, 2 * y


def _pose(place: Place) -> Pose:
    return poses.as_pose(np.array([place.x, place.y, place.z, *poses.about_z(place.yaw)]))


def _texture(pack: Pack, use: str, rng: np.random.Generator) -> str | None:
    names = pack.textures(use)
    return names[int(rng.integers(len(names)))] if names else None
