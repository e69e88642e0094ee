"""Arrange all objects of a kind in an evenly spaced row."""

from collections.abc import Sequence
from typing import Literal, Unpack

import numpy as np
import shapely

from refergym.assets.composers.base import Wants
from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec
from refergym.envs import areas, goals
from refergym.envs.errors import TaskError
from refergym.envs.language import instruct
from refergym.envs.programs import Arrange
from refergym.envs.referents import Reading
from refergym.envs.task_spec import Act, RowGoal, TaskSpec
from refergym.envs.tasks.carrying import Carrying, Common, rounded
from refergym.envs.tasks.common import Describer, see, task_spec
from refergym.envs.tasks.several import movable_families
from refergym.envs.types import Array, Frame, State, Verdict
from refergym.envs.view import View

Axis = Literal["left-right", "front-back"]
PLACES = 200
"""rows tried for one kind of things"""
HAND = 0.05
"""m between neighbours, for the fingers"""


class ArrangeRow(Carrying):
    """Bring all objects of a kind into a row: from left to right, or from front to back."""

    kind = "arrange_row"

    def __init__(
        self,
        *,
        straight: float,
        even: float,
        angle: float,
        tolerance: float,
        most: int,
        pack: Pack | None = None,
        **common: Unpack[Common],
    ) -> None:
        """Set what counts as a row; see `RowGoal`.

        Args:
            straight: m that a thing may be off the line.
            even: share by which a gap may differ from the mean gap.
            angle: degrees between the row and the viewer's axis, at most.
            tolerance: m from its place within which a thing need not be moved.
            most: things in a row.
            pack: assets; None takes the package's own.
            **common: see `Common`.

        Raises:
            TaskError: if a value is out of range.
        """
        super().__init__(**common, pack=pack)
        if most < goals.LEAST_ROW:
            raise TaskError(f"most: expected {goals.LEAST_ROW} or more, got {most}")
        self.straight, self.even, self.angle = straight, even, angle
        self.tolerance, self.most = tolerance, most
        self.wants = Wants(
            graspable=goals.LEAST_ROW * self._graspable,
            alike=goals.LEAST_ROW * self._graspable,
            duplicates=True,
        )

    def sample(
        self, scene: SceneSpec, state: State, frame: Frame, rng: np.random.Generator
    ) -> TaskSpec:
        """Choose a kind of things and a row; raises TaskError where there is none."""
        view = see(scene, state, frame, self._pack)
        words = Describer(view, self.clarity, rng)
        families = movable_families(self, view, words, goals.LEAST_ROW, self.most)
        for k in rng.permutation(len(families)):
            what, members = families[k]
            axes: list[Axis] = ["left-right", "front-back"]
            for n in rng.permutation(2):
                try:
                    goal = self._goal(view, members, axes[n], rng)
                    proof = self.prove(goal, view)
                except TaskError as e:
                    words.refuse(str(e))
                    continue
                program = Arrange(what=what, axis=axes[n])
                return task_spec(
                    view,
                    kind=self.kind,
                    instruction=instruct("move", program, rng, self.voice),
                    program=program,
                    goal=goal,
                    subgoals=tuple(f"line up {name}" for name in goal.objects),
                    names=[members],
                    targets=[view.scene.index(o) for o in goal.objects],
                    places=[areas.pixels_of(view, areas.disc(view, np.array(s), self.tolerance))
                            for s in goal.slots],
                    proof=proof,
                )  # fmt: skip
        raise words.error(self.kind)

    def is_over(
        self, spec: TaskSpec, scene: SceneSpec, acts: Sequence[Act], verdict: Verdict
    ) -> bool:
        """They stand in a row; what went wrong may be tried again."""
        return verdict.success

    def _goal(
        self, view: View, members: Sequence[Reading], axis: Axis, rng: np.random.Generator
    ) -> RowGoal:
        """A row on free table, the things in the order in which they stand along it."""
        along = view.direction("right" if axis == "left-right" else "behind")
        things = sorted((view.thing(m.index) for m in members), key=lambda t: t.centre @ along)
        widest = max(t.radius for t in things)
        spacing = 2 * widest + HAND
        offsets = (np.arange(len(things)) - (len(things) - 1) / 2) * spacing
        free = areas.free(view, widest, self.room.clearance)
        shapely.prepare(free)
        low_x, low_y, high_x, high_y = free.bounds if not free.is_empty else (0, 0, 0, 0)
        for _ in range(PLACES):
            middle = rng.uniform((low_x, low_y), (high_x, high_y))
            slots = middle + offsets[:, None] * along
            if self._is_open(view, free, slots):
                goal = RowGoal(
                    objects=tuple(view.scene.objects[t.index].id for t in things),
                    along=rounded(along),
                    slots=tuple(rounded(s) for s in slots),
                    straight=self.straight,
                    even=self.even,
                    angle=self.angle,
                    tolerance=self.tolerance,
                )
                if goals.longest_row(goal, view) == len(things):
                    raise TaskError("they stand in a row already")
                return goal
        raise TaskError("no room for a row")

    def _is_open(self, view: View, free: shapely.Geometry, slots: Array) -> bool:
        """Whether all places of a row are free, in reach and visible."""
        if not shapely.contains_xy(free, slots[:, 0], slots[:, 1]).all():
            return False
        if not all(self.room.holds(s) for s in slots):
            return False
        return all(
            areas.goal_pixel(view, areas.disc(view, s, self.tolerance)) is not None for s in slots
        )
