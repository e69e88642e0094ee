"""What a goal asks for now: its parts, which of them is next, and whether one is fulfilled.

Pure functions over a `Layout`. World frame, metres, degrees.
"""

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import shapely

from refergym.envs import areas
from refergym.envs.task_spec import Area, Goal, PutGoal, RowGoal, SeveralGoal
from refergym.envs.types import Array
from refergym.envs.view import Layout, Thing

LEAST_ROW = 3
"""things that make a row"""
RESTS = 0.02
"""m: how far a bottom may be from the table for the object to stand on it"""


def parts_of(goal: Goal, layout: Layout) -> tuple[PutGoal, ...]:
    """Return the places that objects are to be brought to, in the order of the words."""
    if isinstance(goal, PutGoal):
        return (goal,)
    if isinstance(goal, SeveralGoal):
        return goal.parts
    if isinstance(goal, RowGoal):
        return tuple(
            _slot(goal, name, slot, layout.scene.supports[0].top)
            for name, slot in zip(goal.objects, goal.slots, strict=True)
        )
    return ()


def next_part(goal: Goal, layout: Layout) -> PutGoal | None:
    """Return the part to work on: the held object's, or the first that is not fulfilled."""
    parts = parts_of(goal, layout)
    held = layout.state.held
    for part in parts:
        if held >= 0 and layout.scene.index(part.object) == held:
            return part
    return next((p for p in parts if not is_fulfilled(p, layout)), None)


def is_fulfilled(goal: PutGoal, layout: Layout) -> bool:
    """Tell whether an object rests in its place, as upright and turned as it is asked."""
    target = layout.scene.index(goal.object)
    if layout.state.held == target or not is_in_place(goal, layout):
        return False
    upright = goal.upright is None or tilt(layout, target) <= goal.upright
    return upright and is_turned(goal, layout)


def is_in_place(goal: PutGoal, layout: Layout) -> bool:
    """Tell whether an object rests on the right thing and inside its area."""
    thing = layout.thing(layout.scene.index(goal.object))
    area, _ = areas.place_of(goal, layout)
    centre = shapely.Point(thing.centre)
    if goal.relation in ("onto", "into"):
        anchor = layout.thing(layout.scene.index(goal.anchors[0]))
        if not anchor.footprint.covers(centre):
            return False
        # A cavity's recorded floor is that of its widest cylinder; narrow things go deeper.
        return anchor.bottom - 0.005 < thing.bottom < anchor.top + RESTS
    if not stands(layout, thing):
        return False
    near = math.dist(thing.centre, area.goal[:2]) <= goal.tolerance
    return near or bool(shapely.Polygon(area.ring).covers(centre))


def stands(layout: Layout, thing: Thing) -> bool:
    """Tell whether a thing's bottom is on the table."""
    return abs(thing.bottom - layout.scene.supports[0].top) <= RESTS


def is_turned(goal: PutGoal, layout: Layout) -> bool:
    """Tell whether an object is turned as it is asked."""
    return goal.turn is None or turn_off(goal, layout) <= goal.turn.tolerance


def turn_off(goal: PutGoal, layout: Layout) -> float:
    """By how many degrees an object is turned wrongly; 180 if it has no such direction."""
    assert goal.turn is not None, "asked of goals with a turn"
    facing = layout.bodies[layout.scene.index(goal.object)].facing(goal.turn.side)
    if facing is None:
        return 180.0
    return abs(angle_between(facing, np.array(goal.turn.to)))


def angle_between(a: Array, b: Array) -> float:
    """Signed angle from one level direction [2] to another, degrees, counter-clockwise."""
    cross = float(a[0] * b[1] - a[1] * b[0])
    return math.degrees(math.atan2(cross, float(a @ b)))


def tilt(layout: Layout, index: int) -> float:
    """Angle in rad between an object's own z axis and the world's."""
    _, x, y, _ = layout.state.objects[index, 3:]
    return math.acos(max(-1.0, min(1.0, 1 - 2 * (float(x) ** 2 + float(y) ** 2))))


def longest_row(goal: RowGoal, layout: Layout) -> int:
    """Return how many of the objects, at most, stand in one row as it is asked; 1 if no two do."""
    things = [layout.thing(layout.scene.index(o)) for o in goal.objects]
    held = layout.state.held
    points = [t.centre for t in things if t.index != held and stands(layout, t)]
    for count in range(len(points), 1, -1):
        if any(is_row(goal, chosen) for chosen in combinations(points, count)):
            return count
    return min(1, len(points))


def is_row(goal: RowGoal, points: Sequence[Array]) -> bool:
    """Tell whether points [2] m are a straight, even row along the goal's direction."""
    rows = np.array(points)
    along = np.array(goal.along)
    off = rows - rows.mean(0)
    axis = np.linalg.svd(off)[2][0]
    angle = math.degrees(math.acos(min(1.0, abs(float(axis @ along)))))
    aside = np.abs(off @ np.array([-axis[1], axis[0]])).max()
    if angle > goal.angle or aside > goal.straight:
        return False
    gaps = np.diff(np.sort(off @ axis))
    return bool(np.abs(gaps - gaps.mean()).max() <= goal.even * gaps.mean())


def _slot(goal: RowGoal, name: str, slot: tuple[float, float], top: float) -> PutGoal:
    circle = shapely.Point(slot).buffer(goal.tolerance, quad_segs=4)
    ring = tuple((float(x), float(y)) for x, y in shapely.get_coordinates(circle.exterior)[:-1])
    area = Area(ring=ring, height=top, goal=(*slot, top))
    return PutGoal(object=name, relation="table", anchors=(), anchors_xy=(), area=area,
                   tolerance=goal.tolerance)  # fmt: skip
