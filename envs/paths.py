"""Straight paths of a round base over the floor: what is in their way, and what they cannot get to.

Pure functions of polygons, seen from above; metres, world. Obstacles are convex and grown by the
base's radius, so that the base is a point.
"""

import numpy as np
import shapely
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from refergym.envs.types import Array

AIR = 0.02
"""m between where a base starts and what it would touch"""
_DETAIL = 0.002
"""m"""


def grown(shape: Polygon, radius: float) -> Polygon:
    """Return a convex shape grown all round, with few corners: they survive being rounded."""
    out: Polygon = shape.simplify(_DETAIL).buffer(radius, quad_segs=4).simplify(_DETAIL)
    return out


def nearest_start(free: BaseGeometry, to: Array) -> Array | None:
    """Return the place [2] m of a region, off its edges, that is nearest to a point [2] m.

    None if there is none.
    """
    inner = free.buffer(-AIR)
    if inner.is_empty:
        return None
    line = shapely.shortest_line(inner, shapely.Point(to))
    nearest: Array = shapely.get_coordinates(line)[0]
    return nearest


def shadow(obstacle: Polygon, start: Array, within: Polygon) -> Polygon:
    """Return where no straight path from a start leads because of an obstacle, itself included.

    Args:
        obstacle: convex.
        start: [2] m, outside it.
        within: a convex region; what lies outside it is left out.

    Returns:
        A convex polygon, empty if nothing of the region is in the shadow.
    """
    corners = shapely.get_coordinates(obstacle.exterior)
    near = obstacle.distance(shapely.Point(start))
    if near <= 0:
        raise ValueError(f"start: expected outside the obstacle, got {start.tolist()} in it")
    reach = np.hypot(*(shapely.get_coordinates(within) - start).T).max()
    # even the nearest corner is carried past the region
    far = start + (corners - start) * (1 + reach / near)
    whole = shapely.convex_hull(shapely.multipoints(np.concatenate([corners, far])))
    cut = whole.intersection(within)
    return cut if isinstance(cut, Polygon) else Polygon()
