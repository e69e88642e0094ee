"""Pick up the object that a description means."""

from collections.abc import Sequence
from typing import Unpack

import numpy as np

from refergym.assets.composers.base import Wants
from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec
from refergym.envs.errors import TaskError
from refergym.envs.language import instruct
from refergym.envs.programs import Select
from refergym.envs.proposals import Proposer, check_steps
from refergym.envs.referents import read
from refergym.envs.task_spec import Act, HoldGoal, TaskSpec
from refergym.envs.tasks.carrying import Carrying, Common
from refergym.envs.tasks.common import Describer, see, task_spec
from refergym.envs.types import Event, Frame, State, Verdict
from refergym.envs.view import View

PROPOSALS = 20
"""descriptions tried in one scene"""


class Pick(Carrying):
    """Pick up the object that is meant."""

    kind = "pick"

    def __init__(
        self,
        *,
        steps: tuple[int, int] | None = None,
        category: str | None = None,
        pack: Pack | None = None,
        **common: Unpack[Common],
    ) -> None:
        """Set what may be asked.

        Args:
            steps: least and most steps of a description, each as often; None takes the shortest.
            category: ask for the only thing of it, by its noun alone; None asks for anything.
            pack: assets; None takes the package's own.
            **common: see `Common`.

        Raises:
            TaskError: if both `steps` and `category` are given.
        """
        super().__init__(**common, pack=pack)
        self.steps = check_steps(steps)
        if category is not None and steps is not None:
            raise TaskError(
                f"category: {category!r} is named by its noun alone; steps must be null"
            )
        self.category = category
        if category is None:
            self.wants = Wants(graspable=self._graspable, duplicates=True)
        else:
            self.wants = Wants(graspable=1, alike=1, category=category)

    def sample(
        self, scene: SceneSpec, state: State, frame: Frame, rng: np.random.Generator
    ) -> TaskSpec:
        """Choose an object to pick; raises TaskError where there is none."""
        view = see(scene, state, frame, self._pack)
        words = Describer(view, self.clarity, rng)
        if self.steps is not None:
            return self._programmed(view, words, rng)
        for i in self.targets(view, words):
            program = words(i) if self.category is None else Select(category=self.category)
            if program is None:
                continue
            try:
                return self._task(view, program, rng)
            except TaskError as e:
                words.refuse(str(e))
        raise words.error(self.kind)

    def hindrance(self, view: View, index: int) -> str | None:
        """Say why an object should not be asked for; None if it may."""
        if self.category is not None and view.thing(index).category != self.category:
            return f"no {self.category}"
        return super().hindrance(view, index)

    def is_over(
        self, spec: TaskSpec, scene: SceneSpec, acts: Sequence[Act], verdict: Verdict
    ) -> bool:
        """Something was picked: the right object or a wrong one."""
        return verdict.success or (bool(acts) and acts[-1].event == Event.PICKED)

    def _programmed(self, view: View, words: Describer, rng: np.random.Generator) -> TaskSpec:
        assert self.steps is not None, "asked only then"
        count = int(rng.integers(self.steps[0], self.steps[1] + 1))
        proposer = Proposer(view, self.clarity, rng)
        targets = list(self.targets(view, words))
        for _ in range(PROPOSALS):
            program = proposer.object(count, among=targets)
            if program is None:
                break
            try:
                return self._task(view, program, rng)
            except TaskError as e:
                proposer.refused[str(e)] += 1
        proposer.refused.update(words.reasons)
        raise proposer.error(self.kind, count)

    def _task(self, view: View, program: Select, rng: np.random.Generator) -> TaskSpec:
        reading = read(program, view, self.clarity)
        goal = HoldGoal(object=view.scene.objects[reading.index].id)
        proof = self.prove(goal, view)
        return task_spec(
            view,
            kind=self.kind,
            instruction=instruct("pick", program, rng, self.voice),
            program=program,
            goal=goal,
            subgoals=("hold",),
            names=[reading],
            targets=[reading.index],
            proof=proof,
        )
