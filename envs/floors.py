"""The floor round the furniture and under it: where a mobile base may stand, and gets to straight.

Pure functions over a `Layout`; the scene's second support is the floor. World frame, metres. The
base is a cylinder that waits where it is nearest to the viewer: where it can stand, beside all
furniture, nearest to the floor straight below the camera. A place is right if it can stand there,
and drive there from its start on a straight line, touching nothing; it passes under what hangs
higher than it is.
"""

from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
import shapely
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from refergym.assets.footprints import (
    fixture_polygon,
    footprint,
    free_region,
    furniture_pose,
    low_parts,
    support_polygon,
)
from refergym.assets.spec import SupportSpec
from refergym.envs import paths
from refergym.envs.areas import polygon_of
from refergym.envs.errors import TaskError
from refergym.envs.task_spec import Area
from refergym.envs.types import SIDES, Array, Side
from refergym.envs.view import Layout

FloorSide = Side | Literal["under"]
FLOOR_SIDES: tuple[FloorSide, ...] = (*SIDES, "under")
FLOOR = 1
"""index of the floor in SceneSpec.supports"""
PLAIN = "table"
"""what the first support is called where no furniture is seen in its place"""
ARM = 0.2
"""m round the arm's base that its pedestal takes"""
LEAST = 1e-4
"""m2 of floor that still count"""


@dataclass(frozen=True, kw_only=True)
class Base:
    """A mobile base: an upright cylinder."""

    radius: float
    """m"""
    height: float
    """m above the floor: what hangs higher is not in its way"""


def floor_of(layout: Layout) -> SupportSpec:
    """Return the floor; raises TaskError in a scene without one."""
    if len(layout.scene.supports) <= FLOOR:
        raise TaskError("the scene has no floor (its second support)")
    return layout.scene.supports[FLOOR]


def names(layout: Layout) -> dict[int, str]:
    """Return what each piece of furniture is called, by its index in `supports`.

    What cannot be told apart by its name, or has none, is left out.
    """
    found: dict[int, str] = {}
    for k, support in enumerate(layout.scene.supports):
        if support.asset is not None:
            found[k] = layout.pack[support.asset].category
        elif k == 0:
            found[k] = PLAIN
    told = list(found.values())
    alike = {n for n in told if sum(m == n or m.endswith(" " + n) for m in told) > 1}
    return {k: n for k, n in found.items() if n not in alike and k != FLOOR}


def furniture(layout: Layout, index: int) -> Polygon:
    """Return what a support takes of the floor, with the furniture seen in its place: convex."""
    support = layout.scene.supports[index]
    slab = support_polygon(support)
    if support.asset is None:
        return slab
    whole = footprint(layout.pack, support.asset, furniture_pose(layout.pack, support))
    return slab.union(whole).convex_hull


def obstacles(layout: Layout, height: float) -> list[Polygon]:
    """Return what a base of some height (m) would run into, each convex, seen from above."""
    scene = layout.scene
    limit = floor_of(layout).top + height
    found: list[Polygon] = []
    for k, support in enumerate(scene.supports):
        if k == FLOOR:
            continue
        if support.top - support.size[2] < limit:
            found.append(support_polygon(support))
        if support.asset is not None:
            pose = furniture_pose(layout.pack, support)
            found += low_parts(layout.pack, support.asset, pose, limit)
    low_things = [t.footprint for t in layout.things if t.bottom < limit]
    found += [f for f in low_things if not any(taken.covers(f) for taken in found)]
    found.append(shapely.Point(scene.robot.base.position[:2]).buffer(ARM, quad_segs=4))
    for fixture in scene.fixtures:
        middle, half = fixture.pose.position[2], fixture.size[2] / 2
        if middle - half < limit and middle + half > limit - height:
            found.append(fixture_polygon(fixture))
    return found


def start_of(layout: Layout, base: Base) -> Array:
    """Return where a base waits, [2] m: the place to stand that is nearest to the viewer.

    Raises:
        TaskError: if it can stand nowhere, or there is no floor.
    """
    taken = [*obstacles(layout, base.height), *_furniture(layout)]
    free = free_region(
        support_polygon(floor_of(layout)),
        [paths.grown(shape, base.radius) for shape in taken],
        edge=base.radius,
    )
    foot = np.array(layout.scene.camera.pose.position[:2])
    start = paths.nearest_start(free, foot)
    if start is None:
        raise TaskError("no floor where the base could start")
    return np.round(start, 5) + 0.0


def side_of(layout: Layout, index: int, side: Side, reach: float) -> Polygon:
    """Return the floor on one side of a piece of furniture, as the viewer sees it.

    The four sides begin at the furniture's bounding rectangle along the viewer's axes and part at
    its corners, half-way between two directions.

    Args:
        layout: what stands where.
        index: of the support.
        side: the viewer's.
        reach: m from the rectangle.
    """
    toward = layout.direction(side)
    across = np.array([-toward[1], toward[0]])
    corners = shapely.get_coordinates(furniture(layout, index))
    edge = float((corners @ toward).max())
    low, high = float((corners @ across).min()), float((corners @ across).max())
    steps = ((edge, low), (edge + reach, low - reach), (edge + reach, high + reach), (edge, high))
    return Polygon([a * toward + b * across for a, b in steps])


def area_at(
    layout: Layout, index: int, side: FloorSide, base: Base, reach: float, start: Array
) -> Area:
    """Return where a base may go beside furniture or under it; any such place is the goal.

    Args:
        layout: what stands where.
        index: of the support.
        side: the viewer's, or "under" its upper face.
        base: what has to have room there and on a straight way there.
        reach: m from the furniture, beside it.
        start: [2] m, where the base waits; see `start_of`.

    Raises:
        TaskError: if there is no room, or no floor.
    """
    floor = floor_of(layout)
    inside = free_region(support_polygon(floor), (), edge=base.radius)
    if side == "under":
        where = support_polygon(layout.scene.supports[index])
    else:
        where = side_of(layout, index, side, reach)
    outer = where.intersection(inside)
    if not isinstance(outer, Polygon) or outer.is_empty:
        raise TaskError("no floor on that side")
    near = shapely.box(*outer.buffer(base.radius).bounds)
    shapes = [paths.grown(shape, base.radius) for shape in obstacles(layout, base.height)]
    without = [paths.shadow(shape, start, near) for shape in shapes]
    if side != "under":
        without += [paths.grown(shape, base.radius) for shape in _furniture(layout)]
    height = _short(floor.top)
    area = Area(
        ring=_ring(outer),
        without=tuple(_ring(shape) for shape in without if shape.intersects(outer)),
        height=height,
        goal=(0.0, 0.0, height),
    )
    free = polygon_of(area)
    if free.area < LEAST:
        raise TaskError("no floor there that the base gets straight to")
    inner = free.representative_point()
    return msgspec.structs.replace(area, goal=(_short(inner.x), _short(inner.y), height))


def _furniture(layout: Layout) -> list[Polygon]:
    return [furniture(layout, k) for k in range(len(layout.scene.supports)) if k != FLOOR]


def _ring(shape: BaseGeometry) -> tuple[tuple[float, float], ...]:
    corners = shapely.get_coordinates(shape.exterior)[:-1].tolist()
    return tuple((_short(x), _short(y)) for x, y in corners)


def _short(value: float) -> float:
    return round(float(value), 5) + 0.0
