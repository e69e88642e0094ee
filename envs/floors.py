"""The floor round the furniture: which side of it a place is on, and where a mobile base may stand.

Pure functions over a `Layout`; the scene's second support is the floor. World frame, metres.
"""

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
    support_polygon,
)
from refergym.assets.spec import SupportSpec
from refergym.envs.areas import polygon_of
from refergym.envs.errors import TaskError
from refergym.envs.task_spec import Area
from refergym.envs.types import Side
from refergym.envs.view import Layout

FLOOR = 1
"""index of the floor in SceneSpec.supports"""
PLAIN = "table"
"""what the first support is called where no furniture is seen in its place"""
ARM = 0.2
"""m round the arm's base that its pedestal takes"""
BASE_HEIGHT = 1.5
"""m above the floor: what hangs higher is not in a base's way"""
LEAST = 1e-4
"""m2 of floor that still count"""
_DETAIL = 0.002
"""m"""


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


def obstacles(layout: Layout) -> list[Polygon]:
    """Return what a base on the floor would run into, each convex, seen from above."""
    scene, low = layout.scene, floor_of(layout).top
    found = [furniture(layout, k) for k in range(len(scene.supports)) if k != FLOOR]
    low_things = [t.footprint for t in layout.things if t.bottom < low + BASE_HEIGHT]
    found += [f for f in low_things if not any(taken.covers(f) for taken in found)]
    found.append(shapely.Point(scene.robot.base.position[:2]).buffer(ARM, quad_segs=4))
    for fixture in scene.fixtures:
        if abs(fixture.pose.position[2] - low) < BASE_HEIGHT + fixture.size[2] / 2:
            found.append(fixture_polygon(fixture))
    return found


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


def area_beside(layout: Layout, index: int, side: Side, radius: float, reach: float) -> Area:
    """Return where a base may stand on one side of furniture; any such place is the goal.

    Raises:
        TaskError: if there is no room, or no floor.
    """
    floor = floor_of(layout)
    inside = free_region(support_polygon(floor), (), edge=radius)
    outer = side_of(layout, index, side, reach).intersection(inside)
    if not isinstance(outer, Polygon) or outer.is_empty:
        raise TaskError("no floor on that side")
    grown = [_grown(shape, radius) for shape in obstacles(layout)]
    height = _short(floor.top)
    area = Area(
        ring=_ring(outer),
        without=tuple(_ring(g) for g in grown if g.intersects(outer)),
        height=height,
        goal=(0.0, 0.0, height),
    )
    free = polygon_of(area)
    if free.area < LEAST:
        raise TaskError("no free floor on that side")
    inner = free.representative_point()
    return msgspec.structs.replace(area, goal=(_short(inner.x), _short(inner.y), height))


def _grown(shape: Polygon, radius: float) -> Polygon:
    """A convex shape grown all round, with few corners: they survive being rounded."""
    grown: Polygon = shape.simplify(_DETAIL).buffer(radius, quad_segs=4).simplify(_DETAIL)
    return grown


def _ring(shape: BaseGeometry) -> tuple[tuple[float, float], ...]:
    corners = shapely.get_coordinates(shape.exterior)[:-1].tolist()
    return tuple((_short(x), _short(y)) for x, y in corners)


def _short(value: float) -> float:
    return round(float(value), 5) + 0.0
