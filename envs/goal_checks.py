"""Does a goal ask for what the words of its task mean? What `verifying` asks of goals.

Frame: world, metres, degrees.
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from refergym.envs import areas, floors, goals
from refergym.envs.binding import bound_objects
from refergym.envs.errors import TaskError
from refergym.envs.programs import (
    Arrange,
    Facing,
    Floor,
    Gather,
    Into,
    Move,
    Moves,
    Onto,
    Program,
    Region,
    Select,
    anchors_of,
)
from refergym.envs.referents import Clarity, read
from refergym.envs.regions import Limits, Place, locate
from refergym.envs.task_spec import (
    Area,
    Goal,
    HoldGoal,
    PointAreaGoal,
    PointObjectGoal,
    PutGoal,
    RowGoal,
    SeveralGoal,
    Task,
    TaskSpec,
)
from refergym.envs.types import Array
from refergym.envs.view import View

LEEWAY = 0.001
"""m that a place's best point may lie outside of it"""
LEVEL = 0.01
"""m that an area may be too high or too low"""
ALIKE = 0.9
"""of two places: least share of what either covers that both cover"""
MOVED = 0.02
"""m that an anchor may be off where the goal says that it stood"""
TURNED = 3.0
"""degrees that a direction may be off"""
KINDS: Mapping[str, tuple[type[Program], type[Goal]]] = {
    "point_at_object": (Select, PointObjectGoal),
    "point_at_waypoint": (Floor, PointAreaGoal),
    "pick": (Select, HoldGoal),
    "pick_place": (Move, PutGoal),
    "place_turned": (Move, PutGoal),
    "sequence": (Moves, SeveralGoal),
    "put_all": (Gather, SeveralGoal),
    "arrange_row": (Arrange, RowGoal),
}
"""of the kinds of tasks that have but one"""


def check_form(task: TaskSpec) -> Iterator[str]:
    """Say whether program and goal are such as the task's kind has, and areas are polygons."""
    program, goal = KINDS.get(task.kind, (None, None))
    if task.kind == "point_at_free_space":
        fits = isinstance(task.program, Region) and isinstance(task.goal, PointAreaGoal)
    else:
        fits = program is None or (type(task.program) is program and type(task.goal) is goal)
    if not fits:
        yield (f"task.kind: {task.kind} has no {type(task.goal).__name__} for a "
               f"{type(task.program).__name__}")  # fmt: skip
    parts = _parts(task.goal)
    if not all(_is_ring(ring) for p in parts for ring in (p.area.ring, *p.area.without)):
        yield "goal.area: no polygon"
    if isinstance(task.program, Floor):
        return
    places = list(_places_in(task.program, len(parts)))
    if fits and len(places) != len(parts):
        yield f"goal: {len(parts)} places, {len(places)} in the program"
    for (region, _), put in zip(places, parts, strict=False):
        yield from _check_put(region, put)


def moved(goal: Goal) -> tuple[str, ...]:
    """Return the ids of what is to be pointed at or to be moved."""
    if isinstance(goal, PointObjectGoal | HoldGoal | PutGoal):
        return (goal.object,)
    if isinstance(goal, SeveralGoal):
        return tuple(p.object for p in goal.parts)
    return goal.objects if isinstance(goal, RowGoal) else ()


def check_objects(task: TaskSpec) -> Iterator[str]:
    """Say which object of the goal is not what the words mean."""
    bound = bound_objects(task)
    program = task.program
    paths = {Select: [""], Moves: [f"parts[{k}].what" for k in range(len(moved(task.goal)))]}
    meant = tuple(n for p in paths.get(type(program), ["what"]) for n in bound.get(p, ()))
    asked = moved(task.goal)
    if isinstance(program, Gather | Arrange):
        meant, asked = tuple(sorted(meant)), tuple(sorted(asked))
    if meant != asked and not isinstance(program, Region | Floor):
        yield f"goal: about {_listed(asked)}, the words mean {_listed(meant)}"
    if isinstance(task.goal, SeveralGoal) and task.goal.ordered != isinstance(program, Moves):
        yield "goal.ordered: not what the words say"
    subgoals = _subgoals(task.goal)
    if task.kind in {*KINDS, "point_at_free_space"} and task.subgoals != subgoals:
        yield f"task.subgoals: {_listed(task.subgoals)}, the goal has {_listed(subgoals)}"


def named(goal: Goal) -> set[str]:
    """Return the ids of all objects that a goal names."""
    anchors = {a for p in _parts(goal) for a in p.anchors}
    is_floor = isinstance(goal, PointAreaGoal) and goal.support == floors.FLOOR
    return {*moved(goal), *(() if is_floor else anchors)}


def check_places(part: Task, task: TaskSpec, view: View) -> Iterator[str]:
    """Say which of the goal's areas is not where the words say, or not free."""
    if isinstance(task.goal, RowGoal):
        yield from _check_row(part, task, view)
        return
    if isinstance(task.program, Floor):
        yield from _check_floor(part, task, view)
        return
    free = areas.free(view, 0.0, 0.0, without=[view.scene.index(n) for n in moved(task.goal)])
    parts = _parts(task.goal)
    places = _places_in(task.program, len(parts))
    for (region, facing), put in zip(places, parts, strict=True):
        place = locate(region, view, clarity_of(part), limits_of(part))
        yield from _check_area(place.polygon, place.height, put.area)
        yield from _check_anchors(place, put, view, free)
        if isinstance(put, PutGoal):
            yield from _check_limits(part, put, "tolerance")
            yield from _check_turn(part, facing, put, view)


def clarity_of(part: Task) -> Clarity:
    """Return how clear a task's words must be."""
    found = getattr(part, "clarity", None)
    return found if isinstance(found, Clarity) else Clarity()


def limits_of(part: Task) -> Limits:
    """Return how large the places are that a task's words mean."""
    found = getattr(part, "limits", None)
    return found if isinstance(found, Limits) else Limits()


def _subgoals(goal: Goal) -> tuple[str, ...]:
    """What the tasks that ship put on record as the parts of a goal."""
    if isinstance(goal, HoldGoal):
        return ("hold",)
    if isinstance(goal, PutGoal):
        return ("hold", "put") if goal.turn is None else ("hold", "put", "turn")
    if isinstance(goal, SeveralGoal):
        return tuple(f"put {p.object}" for p in goal.parts)
    return tuple(f"line up {o}" for o in goal.objects) if isinstance(goal, RowGoal) else ("point",)


def _places_in(program: Program, count: int) -> Iterator[tuple[Region, Facing | None]]:
    """The places of a program, each with how a thing is turned there."""
    if isinstance(program, Region):
        yield program, None
    elif isinstance(program, Move):
        yield program.where, program.facing
    elif isinstance(program, Moves):
        yield from ((m.where, m.facing) for m in program.parts)
    elif isinstance(program, Gather):
        yield from [(program.where, None)] * count


def _check_area(meant: BaseGeometry, height: float, area: Area) -> Iterator[str]:
    if _alike(meant, areas.polygon_of(area)) < ALIKE:
        yield "goal: the area is not where the words say"
    elif not shapely.intersects_xy(meant.buffer(LEEWAY), *area.goal[:2]):
        yield "goal: its best point is not where the words say"
    if max(abs(h - height) for h in (area.height, area.goal[2])) > LEVEL:
        yield "goal: the area is at another height than the words say"


def _check_anchors(
    place: Place, put: PointAreaGoal | PutGoal, view: View, free: BaseGeometry
) -> Iterator[str]:
    anchors = tuple(view.scene.objects[r.index].id for r in place.anchors)
    if anchors != put.anchors:
        yield f"goal.anchors: {_listed(put.anchors)}, the words mean {_listed(anchors)}"
    is_table = isinstance(put, PointAreaGoal) or put.relation == "table"
    if is_table and not shapely.contains_xy(free, *put.area.goal[:2]):
        yield "goal: the place is taken or off the table"
    if isinstance(put, PutGoal) and anchors == put.anchors:
        stood = np.array(put.anchors_xy).reshape(-1, 2)
        now = np.array([view.thing(r.index).centre for r in place.anchors]).reshape(-1, 2)
        if (np.abs(stood - now) > MOVED).any():
            yield "goal.anchors_xy: the anchors do not stand there"


def _check_put(region: Region, put: PointAreaGoal | PutGoal) -> Iterator[str]:
    relation = {Onto: "onto", Into: "into"}.get(type(region), "table")
    if isinstance(put, PutGoal) and put.relation != relation:
        yield f"goal.relation: {put.relation}, the words mean {relation}"
    count = len(anchors_of(region))
    listed = [put.anchors, put.anchors_xy] if isinstance(put, PutGoal) else [put.anchors]
    if any(len(one) != count for one in listed):
        yield f"goal.anchors: {_listed(put.anchors)}, the words name {count}"


def _check_limits(part: Task, goal: PutGoal | RowGoal, *keys: str) -> Iterator[str]:
    """Say where a goal is content with less than its environment."""
    for key in keys:
        stated, most = getattr(goal, key), getattr(part, key, None)
        if isinstance(most, int | float) and stated > most:
            yield f"goal.{key}: {stated}, more than the {most} of this environment"


def _check_turn(part: Task, facing: Facing | None, put: PutGoal, view: View) -> Iterator[str]:
    turn = put.turn
    if turn is None or facing is None:
        if (turn is None) != (facing is None):
            yield "goal.turn: stands in only one of program and goal"
        return
    if turn.side != facing.side:
        yield f"goal.turn.side: {turn.side}, the words mean {facing.side}"
    to = _way(facing, put, view, clarity_of(part))
    if abs(goals.angle_between(np.array(turn.to), to)) > TURNED:
        yield "goal.turn.to: not the way that the words say"
    most = getattr(part, "turn", None)
    if isinstance(most, float) and turn.tolerance > most:
        yield f"goal.turn.tolerance: {turn.tolerance}, more than the {most} of this environment"


def _way(facing: Facing, put: PutGoal, view: View, clarity: Clarity) -> Array:
    """The direction [2] that something is to be turned."""
    if facing.to is not None:
        return view.direction(facing.to)
    assert facing.toward is not None, "checked by the program"
    index = read(facing.toward, view, clarity).index
    if facing.angle is None:
        way: Array = view.thing(index).centre - np.array(put.area.goal[:2])
        return way
    ahead = view.bodies[index].facing(facing.side)
    if ahead is None:
        raise TaskError(f"a {view.thing(index).category} has no direction {facing.side!r}")
    turn = math.atan2(ahead[1], ahead[0]) + math.radians(facing.angle)
    return np.array([math.cos(turn), math.sin(turn)])


def _check_floor(part: Task, task: TaskSpec, view: View) -> Iterator[str]:
    goal, program = task.goal, task.program
    base, beside = getattr(part, "base", None), getattr(part, "beside", None)
    if not (isinstance(goal, PointAreaGoal) and isinstance(program, Floor)):
        return
    if not (isinstance(base, floors.Base) and isinstance(beside, float)):
        return
    meant = [k for k, name in floors.names(view).items() if name == program.furniture]
    if len(meant) != 1:
        yield f"task.program.furniture: {len(meant)} are called {program.furniture!r}"
        return
    name = view.scene.supports[meant[0]].id
    if goal.anchors != (name,) or goal.support != floors.FLOOR:
        yield f"goal: on support {goal.support} by {_listed(goal.anchors)}, the words mean {name}"
    start = floors.start_of(view, base)
    if goal.start is None or math.dist(goal.start, start) > MOVED:
        yield "goal.start: the base waits somewhere else"
    area = floors.area_at(view, meant[0], program.side, base, beside, start)
    yield from _check_area(areas.polygon_of(area), area.height, goal.area)


def _check_row(part: Task, task: TaskSpec, view: View) -> Iterator[str]:
    goal, program = task.goal, task.program
    if not isinstance(goal, RowGoal) or not isinstance(program, Arrange):
        return
    yield from _check_limits(part, goal, "straight", "even", "angle", "tolerance")
    along = view.direction("right" if program.axis == "left-right" else "behind")
    if abs(goals.angle_between(np.array(goal.along), along)) > TURNED:
        yield f"goal.along: not {program.axis}"
    if len(goal.slots) != len(goal.objects):
        yield f"goal.slots: {len(goal.slots)} for {len(goal.objects)} objects"
    elif not goals.is_row(goal, [np.array(s) for s in goal.slots]):
        yield "goal.slots: no such row"


def _parts(goal: Goal) -> list[PointAreaGoal | PutGoal]:
    """The places of a goal that words tell."""
    if isinstance(goal, SeveralGoal):
        return list(goal.parts)
    return [goal] if isinstance(goal, PointAreaGoal | PutGoal) else []


def _is_ring(ring: tuple[tuple[float, float], ...]) -> bool:
    return len(ring) >= 3 and bool(shapely.Polygon(ring).is_valid)


def _alike(a: BaseGeometry, b: BaseGeometry) -> float:
    union = a.union(b).area
    return float(a.intersection(b).area / union) if union > 0 else 0.0


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nothing"
