"""Key steps: the ground truth of the reasoning that a task's program asks for.

Each is `[Perception] [target]: value` as RoboRefer (arXiv 2506.04308, section 3.3) writes the steps
of its answers: a position in the picture, a direction in the camera's frame, or a size.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from refergym.assets import camera as pinhole
from refergym.assets.records import Record
from refergym.envs import areas, goals
from refergym.envs.aiming import middle_pixel
from refergym.envs.binding import bound_objects
from refergym.envs.language import floor, noun_phrase, spot
from refergym.envs.programs import (
    Arrange,
    Beside,
    Direction,
    Facing,
    Floor,
    Gather,
    Node,
    Region,
    Select,
    Where,
    children,
    joined,
    walk,
)
from refergym.envs.relations.bodies import Body
from refergym.envs.task_spec import PointAreaGoal, PutGoal, TaskSpec
from refergym.envs.types import Array
from refergym.envs.view import View

Perception = Literal["Position", "Orientation", "Size"]
_MEASURES: Mapping[str, Callable[[Body], float]] = MappingProxyType(
    {"height": lambda b: b.height, "width": lambda b: b.width, "size": lambda b: b.size}
)
_COMPARED = {"tall": "height", "short": "height", "big": "size", "small": "size",
             "wide": "width", "thin": "width"}  # fmt: skip
"""relation -> what it compares"""


class KeyStep(Record, frozen=True, kw_only=True):
    """One fact that has to be seen on the way to the answer."""

    perception: Perception
    target: str
    """what it is about, in canonical words: "the handle of the red cup" """
    value: tuple[float, ...]
    """Position: (u, v) in [0, 1], one pair after the other where several things are meant;
    Orientation: unit vector [3] in the camera's frame (x right,
    y down, z forward); Size: (m,)"""

    @property
    def text(self) -> str:
        """The step as an answer writes it: "[Position] [the cup]: [(0.245, 0.147)]"."""
        numbers = [f"{v + 0.0:.3f}" for v in self.value]
        if self.perception == "Position":
            points = zip(numbers[::2], numbers[1::2], strict=True)
            value = f"[{', '.join(f'({u}, {v})' for u, v in points)}]"
        elif self.perception == "Orientation":
            value = f"({', '.join(numbers)})"
        else:
            # of small things a centimetre is more than a size may be off
            value = f"{self.value[0]:.{2 if self.value[0] >= 0.1 else 3}f}"
        return f"[{self.perception}] [{self.target}]: {value}"


def key_steps(task: TaskSpec, view: View) -> tuple[KeyStep, ...]:
    """Work out the key steps of a task in the current state, in the order of the reasoning.

    What is not in the picture any more (a cup that the gripper carried out of it) has no position.
    """
    tracer = _Tracer(task, view)
    tracer.trace(task.program, "")
    seen: dict[tuple[str, str], KeyStep] = {}
    for step in tracer.steps:
        seen.setdefault((step.perception, step.target), step)
    return tuple(seen.values())


class _Tracer:
    """Goes through a program as its evaluation does: anchors first, then what they tell."""

    def __init__(self, task: TaskSpec, view: View) -> None:
        self.task, self.view = task, view
        self.steps: list[KeyStep] = []
        self._bound = bound_objects(task)

    def trace(self, node: Node, path: str) -> None:
        """Note the steps of a node, those of its parts first."""
        if isinstance(node, Select):
            self._named(node, path)
            return
        for step, child in children(node):
            self.trace(child, joined(path, step))
        if isinstance(node, Facing):
            self._turned(node, path)
        elif isinstance(node, Floor):
            self._spot(floor(node), None)
        elif isinstance(node, Region):
            self._ahead(node, path)
            self._spot(spot(node), path)

    def _named(self, select: Select, path: str) -> None:
        phrase = noun_phrase(select, is_set=self._is_set(path))
        for k, clause in enumerate(select.where):
            inner = joined(path, f"where[{k}]")
            for n, anchor in enumerate(clause.anchors):
                self._named(anchor, f"{inner}.anchors[{n}]")
            self._related(clause, inner, phrase, path)
        rank = select.rank
        if rank is not None:
            if rank.anchor is not None:
                self._named(rank.anchor, joined(path, "rank.anchor"))
            if rank.axis in _MEASURES:
                self._size(phrase, path, rank.axis)
        self._position(phrase, path)

    def _related(self, clause: Where, inner: str, phrase: str, path: str) -> None:
        """Note the directions and sizes that a relation compares."""
        anchors = [(noun_phrase(a), f"{inner}.anchors[{n}]") for n, a in enumerate(clause.anchors)]
        if clause.side:
            for name, where in anchors[:1]:
                self._direction(name, where, clause.side)
        if clause.relation == "horizontal_rotate":
            self._direction(phrase, path, clause.side)
        if clause.relation == "vertical_rotate":
            self._orientation(f"the upright axis of {phrase}", path, lambda b: b.up)
        measure = _COMPARED.get(clause.relation)
        if measure is not None:
            for name, where in [*anchors, (phrase, path)]:
                self._size(name, where, measure)

    def _ahead(self, region: Region, path: str) -> None:
        """Note the direction that a place is told by: an object's own, or of another."""
        if isinstance(region, Beside | Direction) and region.facing:
            anchor = joined(path, "anchor")
            self._direction(noun_phrase(region.anchor), anchor, region.facing)

    def _turned(self, facing: Facing, path: str) -> None:
        """Note the direction of what is moved, and of what it is turned against."""
        move = path.rpartition(".facing")[0] if ".facing" in path else path.removesuffix("facing")
        what = joined(move, "what")
        name = noun_phrase(self._node(what))
        self._direction(name, what, facing.side)
        if facing.angle is not None and facing.toward is not None:
            self._direction(noun_phrase(facing.toward), joined(path, "toward"), facing.side)

    def _is_set(self, path: str) -> bool:
        """Tell whether a name means all that fit."""
        return path == "what" and isinstance(self.task.program, Gather | Arrange)

    def _node(self, path: str) -> Select:
        found = next(n for p, n in walk(self.task.program) if p == path)
        assert isinstance(found, Select), "what is moved has a name"
        return found

    def _bodies(self, path: str) -> list[Body]:
        return [self.view.bodies[i] for i in self._indices(path)]

    def _indices(self, path: str) -> list[int]:
        return [self.view.scene.index(o) for o in self._bound[path]]

    def _position(self, phrase: str, path: str) -> None:
        camera = self.view.scene.camera
        pixels = [middle_pixel(self.view, i) for i in self._indices(path)]
        points = [pinhole.point_of_pixel(camera, *p) for p in pixels if p is not None]
        if points:
            self._note("Position", phrase, [v for point in points for v in point])

    def _size(self, phrase: str, path: str, measure: str) -> None:
        for body in self._bodies(path)[:1]:
            self._note("Size", phrase, [_MEASURES[measure](body)])

    def _direction(self, phrase: str, path: str, side: str) -> None:
        self._orientation(f"the {side} of {phrase}", path, lambda b: b.directions[side])

    def _orientation(self, target: str, path: str, way: Callable[[Body], Array]) -> None:
        turn = pinhole.pose_matrix(self.view.scene.camera.pose)[:3, :3]
        for body in self._bodies(path)[:1]:
            self._note("Orientation", target, (turn.T @ way(body)).tolist())

    def _spot(self, phrase: str, path: str | None) -> None:
        """Note the point of a place."""
        goal = self._place(path)
        if goal is None:
            return
        pixel = areas.goal_pixel(self.view, *areas.place_of(goal, self.view), within=math.inf)
        if pixel is not None:
            self._note("Position", phrase, pinhole.point_of_pixel(self.view.scene.camera, *pixel))

    def _place(self, path: str | None) -> PointAreaGoal | PutGoal | None:
        """The goal that a place of the program belongs to."""
        goal = self.task.goal
        if isinstance(goal, PointAreaGoal | PutGoal) or path is None:
            return goal if isinstance(goal, PointAreaGoal | PutGoal) else None
        parts = goals.parts_of(goal, self.view)
        for k, part in enumerate(parts):
            if path.startswith(f"parts[{k}]"):
                return part
        return goals.next_part(goal, self.view) or (parts[0] if parts else None)

    def _note(self, perception: Perception, target: str, value: Sequence[float]) -> None:
        numbers = tuple(round(float(v), 4) + 0.0 for v in value)
        self.steps.append(KeyStep(perception=perception, target=target, value=numbers))
