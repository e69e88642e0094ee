"""What RefSpatial would ask in a task's picture: where an object is, and where a free place is.

A task that points is one question, in its own words. A task that moves things is two for each move:
where the object is, and where its place is, both in the picture before anything moved.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from refergym.assets import camera as pinhole
from refergym.envs import areas, programs, truth
from refergym.envs.language import floor, instruct, noun_phrase, spot
from refergym.envs.programs import Move, Moves, Node, Select
from refergym.envs.task_spec import (
    HoldGoal,
    PointAreaGoal,
    PointObjectGoal,
    PutGoal,
    RowGoal,
    SeveralGoal,
    TaskSpec,
)
from refergym.envs.view import View
from refergym.rollouts.errors import DataError

log = logging.getLogger(__name__)

FEATURES = (
    "Identifying key object features, ranking objects based on those features, and then "
    "determining which specific object is being referenced."
)
TABLE = "Identifying and selecting objects positioned along the edges of a tabletop."
DISTANCES = "Identifying object distances from a reference object."
DIRECTION = (
    "Perceiving the orientation and distance from an anchor object, and then determining the "
    "specific location of a point along that direction at the given distance."
)
EDGES = "Localizing the positions of desktop edges."
BETWEEN = "Determining the spatial position of a point located between two reference objects."
SEVERAL = (
    "Labeling points that simultaneously satisfy directional relationships with respect to "
    "multiple anchor objects."
)
MISSING = (
    "Understanding the equidistant arrangement of objects and identifying the position where an "
    "object is missing."
)
ON_OR_IN = "Localizing the top of an object or the inside of a container."
FLOOR = "Localizing the free floor beside or under a piece of furniture."
"""the released question types; the last two are ours, for what the release does not ask"""
PLACES: dict[type[object], str] = {
    programs.Direction: DIRECTION,
    programs.Turn: DIRECTION,
    programs.Beside: DIRECTION,
    programs.Between: BETWEEN,
    programs.Meets: SEVERAL,
    programs.Edge: EDGES,
    programs.Corner: EDGES,
    programs.Missing: MISSING,
    programs.Onto: ON_OR_IN,
    programs.Into: ON_OR_IN,
    programs.Floor: FLOOR,
}


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question with its ground truth."""

    kind: Literal["location", "placement"]
    task: TaskSpec
    """about this alone: its program names the object or the place"""
    text: str
    """a sentence"""
    target: str
    """what is to be pointed at, in canonical words"""
    mask: NDArray[np.bool_]
    """[H, W] pixels that are right"""
    point: tuple[float, float]
    """(u, v) in three decimals, in the mask"""


def questions(task: TaskSpec, view: View) -> list[Question]:
    """Derive the questions of a task at its start.

    Args:
        task: of any kind but rows and gathered objects, which ask for no single point.
        view: of the start.

    Raises:
        DataError: if there is no question, or nothing right can be pointed at in any.
    """
    found, problems = [], []
    for asked in _asked(task):
        try:
            found.append(_question(asked, view))
        except DataError as e:
            problems.append(str(e))
    if not found:
        raise DataError(problems[0])
    for problem in problems:
        log.info("one question less: %s", problem)
    return found


def question_type(program: Node) -> str:
    """Say what a question asks for, in the release's sentences where one of them fits."""
    if not isinstance(program, Select):
        return PLACES[type(program)]
    relations = {w.relation for w in program.where}
    if relations & {"edge", "corner"}:
        return TABLE
    is_ranked = program.rank is not None and program.rank.axis == "distance"
    return DISTANCES if is_ranked or relations & {"distance", "far_from"} else FEATURES


def answer_point(point: tuple[float, float], mask: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Round a point to three decimals so that it stays in the mask; None if no such one is near.

    Of the points of the grid of 0.001 within 0.004, the nearest whose pixel, int(u * W) and
    int(v * H), is in the mask.
    """
    near = np.arange(-4, 5)
    us, vs = (np.round(np.round(p * 1000) + near).astype(int) for p in point)
    pairs = sorted(
        ((u, v) for u in us for v in vs),
        key=lambda p: (p[0] / 1000 - point[0]) ** 2 + (p[1] / 1000 - point[1]) ** 2,
    )
    height, width = mask.shape
    for u, v in pairs:
        if u < 0 or v < 0:
            continue
        x, y = int(u / 1000 * width), int(v / 1000 * height)
        if x < width and y < height and mask[y, x]:
            return float(u / 1000), float(v / 1000)
    return None


def _asked(task: TaskSpec) -> Iterator[TaskSpec]:
    """Yield a task about one object or one place for each question."""
    goal, program = task.goal, task.program
    if isinstance(goal, PointObjectGoal | PointAreaGoal):
        yield task
    elif isinstance(goal, HoldGoal):
        yield _about(task, "", PointObjectGoal(object=goal.object))
    elif isinstance(goal, PutGoal) and isinstance(program, Move):
        yield from _of_move(task, "", goal, others=set())
    elif isinstance(goal, SeveralGoal) and isinstance(program, Moves):
        for k, part in enumerate(goal.parts):
            others = {p.object for p in goal.parts if p is not part}
            yield from _of_move(task, f"parts[{k}]", part, others)
    else:
        what = "rows" if isinstance(goal, RowGoal) else "several objects at once"
        raise DataError(f"{task.kind}: {what} ask for no single point")


def _of_move(task: TaskSpec, path: str, goal: PutGoal, others: set[str]) -> Iterator[TaskSpec]:
    yield _about(task, programs.joined(path, "what"), PointObjectGoal(object=goal.object))
    # a place beside what moves first is not there yet
    if not others & set(goal.anchors):
        yield _about(task, programs.joined(path, "where"), goal)


def _about(task: TaskSpec, path: str, goal: PointObjectGoal | PutGoal) -> TaskSpec:
    """Cut a task down to one node of its program."""
    program = dict(programs.walk(task.program))[path]
    below = path + "." if path else ""
    bound = tuple(
        msgspec.structs.replace(b, path=b.path.removeprefix(path).removeprefix("."))
        for b in task.bound
        if b.path == path or b.path.startswith(below)
    )
    text = instruct("point", program)  # type: ignore[arg-type]
    return msgspec.structs.replace(
        task, program=program, goal=goal, bound=bound, subgoals=(), instruction=text
    )


def _question(task: TaskSpec, view: View) -> Question:
    program = task.program
    if isinstance(task.goal, PutGoal):
        area, shows = areas.place_of(task.goal, view)
        mask = np.zeros(view.frame.ids.shape, bool)
        xy = areas.pixels_of(view, area, shows)
        mask[xy[:, 1], xy[:, 0]] = True
        pixel = areas.goal_pixel(view, area, shows)
        point = None if pixel is None else pinhole.point_of_pixel(view.scene.camera, *pixel)
    else:
        mask, point = truth.mask_of(task, view), truth.point_of(task, view)
    rounded = None if point is None else answer_point(point, mask)
    if rounded is None:
        raise DataError(f"{task.kind}: nothing right can be seen ({task.instruction})")
    return Question(
        kind="location" if isinstance(program, Select) else "placement",
        task=task,
        text=task.instruction,
        target=_target(program),
        mask=mask,
        point=rounded,
    )


def _target(program: Node) -> str:
    if isinstance(program, Select):
        return noun_phrase(program)
    if isinstance(program, programs.Floor):
        return floor(program)
    return spot(program)  # type: ignore[arg-type]
