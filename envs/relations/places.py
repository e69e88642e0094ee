"""Relations of a body to other bodies, to the table's outline, and to what is free.

Each function gives a signed margin: positive where the relation holds, by so much.
"""

import math
from collections.abc import Sequence

import numpy as np
import shapely
from shapely import Polygon

from refergym.envs.errors import TaskError
from refergym.envs.relations.bodies import Body
from refergym.envs.types import Array

SECTOR = 45.0
"""degrees either side of a direction that still count as that side (RefSpatial: sectors of 90)"""
SHARP = 135.0
"""degrees: an outline's corner is at most this wide"""


def distance(a: Body, b: Body, length: float, tolerance: float) -> float:
    """How well the middles of two bodies are a length (m) apart, seen from above, m.

    Args:
        a: one body.
        b: the other.
        length: m.
        tolerance: m that may be missing or too much.
    """
    return tolerance - abs(apart(a, b) - length)


def apart(a: Body, b: Body) -> float:
    """Distance of two middles seen from above, m."""
    return float(np.linalg.norm(a.centre - b.centre))


def gap(a: Body, b: Body) -> float:
    """Free distance of two bodies, m, each taken as the upright prism over its footprint."""
    level = float(shapely.distance(a.footprint, b.footprint))
    vertical = max(0.0, a.bottom - b.top, b.bottom - a.top)
    return math.hypot(level, vertical)


def touch(a: Body, b: Body, within: float = 0.005) -> float:
    """By how much nearer than `within` (m) two bodies are, m."""
    return within - gap(a, b)


def far_from(a: Body, b: Body, least: float = 0.2) -> float:
    """By how much more than `least` (m) two bodies are apart, m."""
    return gap(a, b) - least


def between(a: Body, b: Body, c: Body, width: float = 0.06) -> float:
    """How deep the middle of `a` lies in the strip that joins two bodies, m, seen from above.

    Args:
        a: what is between.
        b: one end.
        c: the other end.
        width: m, half the width of the strip.
    """
    line = shapely.LineString([b.centre, c.centre])
    gap_line = line.difference(b.footprint).difference(c.footprint)
    if gap_line.is_empty or gap_line.geom_type != "LineString":
        return -min(apart(a, b), apart(a, c))
    start, end = shapely.get_coordinates(gap_line)[[0, -1]]
    span = end - start
    length = float(np.linalg.norm(span))
    along = float((a.centre - start) @ span) / length
    off = abs(float(span[0] * (a.centre - start)[1] - span[1] * (a.centre - start)[0])) / length
    return min(along, length - along, width - off)


def face(a: Body, b: Body, side: str) -> float:
    """How far `a` is inside the sector that `b` faces with a direction, degrees.

    Args:
        a: what stands there.
        b: what faces it.
        side: `b`'s direction: "handle", "spine".

    Raises:
        TaskError: if `b` has no such level direction, or both stand in one place.
    """
    return SECTOR - _off(a, b, side, 1.0)


def back(a: Body, b: Body, side: str) -> float:
    """How far `a` is inside the sector opposite to where `b` faces, degrees; see `face`."""
    return SECTOR - _off(a, b, side, -1.0)


def edge(a: Body, table: Polygon, near: float = 0.1) -> float:
    """By how much nearer than `near` (m) a body is to a table's edge, m."""
    return near - to_edge(a, table)


def to_edge(a: Body, table: Polygon) -> float:
    """Distance of a body's outline from the nearest edge of a table, m; 0 where it sticks out."""
    if not table.covers(a.footprint):
        return 0.0
    return float(shapely.distance(a.footprint, table.exterior))


def corner(a: Body, table: Polygon, near: float = 0.2) -> float:
    """By how much nearer than `near` (m) a body's outline is to a table's corner, m.

    A table without corners (a round one) has none to be near to: -inf.
    """
    points = corners_of(table)
    if not len(points):
        return -math.inf
    return near - float(shapely.distance(shapely.points(points), a.footprint).min())


def corners_of(table: Polygon) -> Array:
    """Corners [K, 2] m of an outline that are at most `SHARP` degrees wide."""
    ring = shapely.get_coordinates(table.simplify(0.005).exterior)[:-1]
    if shapely.is_ccw(table.simplify(0.005).exterior):
        ring = ring[::-1]
    before, after = np.roll(ring, 1, axis=0) - ring, np.roll(ring, -1, axis=0) - ring
    turn = np.degrees(
        np.arctan2(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0], (before * after).sum(1))
    )
    # turned clockwise, the inside lies to the right: its angle is positive where it is convex
    return np.asarray(ring[(turn > 0) & (turn <= SHARP)])


def free(
    point: Array, radius: float, table: Polygon, others: Sequence[Body], clearance: float = 0.0
) -> float:
    """How much more room than a disc needs there is round a point of a table, m.

    Args:
        point: [2] m.
        radius: m, of the disc.
        table: its outline.
        others: what stands on it.
        clearance: m that must stay free round the disc.
    """
    at = shapely.Point(point)
    room = float(shapely.distance(at, table.exterior))
    room = room if table.covers(at) else -room
    taken = [_signed(at, b.footprint) for b in others]
    return min([room, *(t - clearance for t in taken)]) - radius


def inside(a: Body, b: Body) -> float:
    """How deep the middle of `a` is inside a container, m.

    In the cylinder of its hollow where that is known, else in its oriented box, without the lid.
    """
    if b.hollow is not None:
        h = b.hollow
        level = h.radius - float(np.linalg.norm(a.centre - np.array(h.centre)))
        return min(level, h.rim - a.bottom, a.bottom - h.floor + 0.01)
    local = b.rotation.T @ (a.middle - b.middle)
    return float((b.half - np.abs(local)).min())


def outside(a: Body, b: Body) -> float:
    """By how much `a` is outside a container, m; see `inside`."""
    return -inside(a, b)


def _off(a: Body, b: Body, side: str, sign: float) -> float:
    """Angle between where a body faces and where another stands, degrees."""
    facing = b.facing(side)
    if facing is None:
        raise TaskError(f"{b.name}: has no level direction {side!r}")
    to = a.centre - b.centre
    length = float(np.linalg.norm(to))
    if length < 1e-9:
        raise TaskError(f"{a.name} and {b.name} stand in one place")
    return math.degrees(math.acos(max(-1.0, min(1.0, sign * float(facing @ to) / length))))


def _signed(point: shapely.Point, outline: Polygon) -> float:
    distance = float(shapely.distance(point, outline.exterior))
    return -distance if outline.covers(point) else distance
