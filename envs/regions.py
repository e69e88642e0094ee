"""From words to places: the polygon on its support that a region of a program means.

Frame: world, metres. A region is where the words hold, whatever stands there; what is free of it,
visible and in reach is for the task to find out.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from refergym.assets.records import Record
from refergym.assets.spec import Positive
from refergym.envs import areas, rows
from refergym.envs.errors import TaskError
from refergym.envs.programs import (
    Beside,
    Between,
    Corner,
    Direction,
    Edge,
    Into,
    Meets,
    Missing,
    Onto,
    Region,
    Select,
    Turn,
)
from refergym.envs.referents import Clarity, Reading, read
from refergym.envs.relations.bodies import facing_axes, sided
from refergym.envs.relations.places import corners_of
from refergym.envs.seen import Placed as View
from refergym.envs.task_spec import Area
from refergym.envs.types import ID_SUPPORT, Array, Side

WHOLE = 0.98
"""share of a place that its largest part must have for one polygon to stand for it"""
_FAR = 3.0
"""m: farther than any table reaches"""


class Limits(Record, frozen=True, kw_only=True):
    """How large the places are that words mean."""

    tolerance: Positive = 0.05
    """m round an exact point, and half the width of the strip between two objects"""
    beside: Positive = 0.2
    """m beyond an object's outline that still count as beside it"""
    edge: Positive = 0.12
    """m from a table's edge"""
    corner: Positive = 0.2
    """m from a table's corner, along both its edges"""
    gap: Positive = 0.05
    """m, least free length between two objects"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a region means in a view."""

    polygon: BaseGeometry
    """seen from above, m, world"""
    goal: Array | None
    """[2] m, world: the exact point that is meant; None where any of the polygon is as good"""
    height: float
    """m, world"""
    shows: int
    """what its pixels show: an object's index, or ID_SUPPORT"""
    anchors: tuple[Reading, ...]
    """what it is described by, in the order of the words"""


def locate(region: Region, view: View, clarity: Clarity, limits: Limits) -> Place:
    """Find the place that a region means.

    Raises:
        TaskError: if an anchor is not clear, has no such direction, or there is no such place.
    """
    find = _FINDERS[type(region)]
    return find(region, view, clarity, limits)


def area_in(place: Place, view: View, free: BaseGeometry) -> Area:
    """Make a record of a place on a support, with a goal where it is free.

    Raises:
        TaskError: if it is in several parts, or nothing of it is free, or its exact point is not.
    """
    if areas.largest(place.polygon).area < WHOLE * place.polygon.area:
        raise TaskError("the place is in several parts")
    if place.goal is not None and not shapely.contains_xy(free, *place.goal):
        raise TaskError("the place is taken or off the table")
    goal = place.goal
    if goal is None:
        inner = areas.largest(place.polygon.intersection(free))
        goal = shapely.get_coordinates(shapely.maximum_inscribed_circle(inner, 0.01))[0]
    return areas.area_of(place.polygon, view, goal, place.height)


def toward(view: View, anchor: int, side: Side, frame: str = "viewer", facing: str = "") -> Array:
    """Return a side of an object as a unit vector [2] on the table, world.

    Raises:
        TaskError: if the object has no such level direction.
    """
    body = view.bodies[anchor]
    if frame == "object":
        ahead = body.facing(facing)
        if ahead is None:
            raise TaskError(f"a {body.category} has no level direction {facing!r}")
        return sided(facing_axes(ahead), side)
    return sided(view.axes if frame == "viewer" else view.onlooker.robot_axes, side)


def _beside(region: Beside, view: View, clarity: Clarity, limits: Limits) -> Place:
    anchor = _standing(region.anchor, view, clarity)
    to = toward(view, anchor.index, region.side, region.frame, region.facing)
    sector = areas.sector(view, view.thing(anchor.index), to, limits.beside)
    return _on_table(view, sector, None, anchor)


def _direction(region: Direction, view: View, clarity: Clarity, limits: Limits) -> Place:
    anchor = _standing(region.anchor, view, clarity)
    to = toward(view, anchor.index, region.side, region.frame, region.facing)
    goal = view.thing(anchor.index).centre + to * region.distance
    return _exact(view, goal, limits, anchor)


def _turn(region: Turn, view: View, clarity: Clarity, limits: Limits) -> Place:
    anchor, other = (_standing(s, view, clarity) for s in (region.anchor, region.toward))
    a, b = (view.thing(r.index).centre for r in (anchor, other))
    if np.linalg.norm(b - a) < limits.gap:
        raise TaskError("the anchors are too close together")
    angle = math.atan2(*(b - a)[::-1]) + math.radians(region.angle)
    goal = a + region.distance * np.array([math.cos(angle), math.sin(angle)])
    return _exact(view, goal, limits, anchor, other)


def _between(region: Between, view: View, clarity: Clarity, limits: Limits) -> Place:
    first, second = (_standing(s, view, clarity) for s in (region.a, region.b))
    if first.index == second.index:
        raise TaskError("both anchors are one object")
    a, b = view.thing(first.index), view.thing(second.index)
    line = shapely.LineString([a.centre, b.centre])
    middle = line.difference(a.footprint).difference(b.footprint)
    if middle.geom_type != "LineString" or middle.length < limits.gap:
        raise TaskError("the anchors are too close together")
    strip = areas.between(view, a, b, limits.tolerance)
    goal = shapely.get_coordinates(middle.interpolate(0.5, normalized=True))[0]
    return _on_table(view, strip, np.asarray(goal), first, second)


def _onto(region: Onto, view: View, clarity: Clarity, limits: Limits) -> Place:
    anchor = read(region.anchor, view, clarity)
    thing = view.thing(anchor.index)
    if not thing.flat_top or view.above(anchor.index):
        raise TaskError(f"nothing can stand on this {thing.category}")
    return Place(polygon=thing.footprint, goal=thing.centre, height=thing.top,
                 shows=anchor.index, anchors=(anchor,))  # fmt: skip


def _into(region: Into, view: View, clarity: Clarity, limits: Limits) -> Place:
    anchor = read(region.anchor, view, clarity)
    hollow = view.bodies[anchor.index].hollow
    if hollow is None or view.above(anchor.index):
        raise TaskError(f"nothing goes into this {view.thing(anchor.index).category}")
    mouth = shapely.Point(hollow.centre).buffer(hollow.radius, quad_segs=8)
    return Place(polygon=mouth, goal=np.array(hollow.centre), height=hollow.floor,
                 shows=anchor.index, anchors=(anchor,))  # fmt: skip


def _meets(region: Meets, view: View, clarity: Clarity, limits: Limits) -> Place:
    where: BaseGeometry = view.table
    anchors: list[Reading] = []
    for part in region.parts:
        anchor = _standing(part.anchor, view, clarity)
        if any(anchor.index == a.index for a in anchors):
            raise TaskError("two directions from one object")
        to = toward(view, anchor.index, part.side, part.frame, part.facing)
        where = where.intersection(areas.sector(view, view.thing(anchor.index), to, _FAR))
        anchors.append(anchor)
    return _on_table(view, where, None, *anchors)


def _edge(region: Edge, view: View, clarity: Clarity, limits: Limits) -> Place:
    table = view.table
    to = view.direction(region.side)
    shifted = shapely.transform(table, lambda xy: xy - to * limits.edge)
    return _on_table(view, table.difference(shifted), None)


def _corner(region: Corner, view: View, clarity: Clarity, limits: Limits) -> Place:
    table = view.table
    if not len(corners_of(table)):
        raise TaskError("the table has no corners")
    side, depth = view.direction(region.side), view.direction(region.depth)
    where = table
    for to in (side, depth):
        shifted = shapely.transform(table, lambda xy, to=to: xy - to * limits.corner)
        where = where.difference(shifted)
    return _on_table(view, where, None)


def _missing(region: Missing, view: View, clarity: Clarity, limits: Limits) -> Place:
    members = [
        t.index
        for t in view.things
        if t.category == region.category
        and (region.colour is None or t.colour == region.colour)
        and view.is_on_table(t.index)
    ]
    goal = rows.missing(view, members, region.place)
    return _exact(view, goal, limits)


def _standing(select: Select, view: View, clarity: Clarity) -> Reading:
    reading = read(select, view, clarity)
    if not view.is_on_table(reading.index):
        raise TaskError("an anchor stands in or on something")
    return reading


def _exact(view: View, goal: Array, limits: Limits, *anchors: Reading) -> Place:
    disc = shapely.Point(goal).buffer(limits.tolerance, quad_segs=8)
    return _on_table(view, disc, goal, *anchors)


def _on_table(view: View, polygon: BaseGeometry, goal: Array | None, *anchors: Reading) -> Place:
    where = polygon.intersection(view.table)
    if where.area < 1e-4:
        raise TaskError("no such place on the table")
    return Place(
        polygon=where,
        goal=goal,
        height=view.table_top,
        shows=ID_SUPPORT,
        anchors=anchors,
    )


_FINDERS: dict[type[Region], Callable[..., Place]] = {
    Beside: _beside,
    Direction: _direction,
    Turn: _turn,
    Between: _between,
    Onto: _onto,
    Into: _into,
    Meets: _meets,
    Edge: _edge,
    Corner: _corner,
    Missing: _missing,
}
