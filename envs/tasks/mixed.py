"""Several kinds of tasks in one environment: a scene gets one of them, drawn by weight."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from refergym.assets.composers.base import Wants
from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec
from refergym.envs.errors import TaskError
from refergym.envs.task_spec import Act, Task, TaskSpec
from refergym.envs.types import Frame, State, Verdict


class Mixed:
    """Plays the kinds of tasks that it is made of; `draw` chooses one for a scene."""

    kind = "mixed"

    def __init__(
        self,
        *,
        parts: Mapping[str, Any],
        weights: Mapping[str, float],
        steps: tuple[int, int] | None,
        pack: Pack | None = None,
    ) -> None:
        """Make the parts.

        Args:
            parts: configs of tasks, with `_target_`, by any names.
            weights: how often each is drawn, against the others; 0 only plays it.
            steps: least and most steps of reasoning, of those parts that take them; a part whose
                least steps are more keeps its own least. None leaves theirs.
            pack: assets; None takes the package's own.

        Raises:
            TaskError: if a weight is wrong, or two parts are of one kind.
        """
        from hydra.utils import instantiate

        unknown = sorted(set(weights) - set(parts))
        if unknown or any(not w >= 0 for w in weights.values()) or not sum(weights.values()) > 0:
            raise TaskError(
                f"weights: expected numbers >= 0, some of them > 0, of {', '.join(parts)}; "
                f"got {dict(weights)}"
            )
        made: dict[str, Task] = {}
        for name, config in parts.items():
            given = {**config, **_steps_of(config, steps)}
            made[name] = instantiate(given, pack=pack, _convert_="all")
        self.parts: dict[str, Task] = {t.kind: t for t in made.values()}
        if len(self.parts) < len(made):
            raise TaskError(f"parts: several of one kind among {', '.join(made)}")
        self._drawn = [made[n] for n in sorted(weights)]
        shares = np.array([weights[n] for n in sorted(weights)], float)
        self._limits = np.cumsum(shares / shares.sum())
        self.wants = Wants()
        self.moves = any(t.moves for t in made.values())
        self.max_steps = max(t.max_steps for t in made.values())

    def draw(self, rng: np.random.Generator) -> Task:
        """Choose a kind of task."""
        k = int(np.searchsorted(self._limits, rng.random(), "right"))
        return self._drawn[min(k, len(self._drawn) - 1)]

    def sample(
        self, scene: SceneSpec, state: State, frame: Frame, rng: np.random.Generator
    ) -> TaskSpec:
        """Choose a kind, and a task of it; raises TaskError where there is none."""
        return self.draw(rng).sample(scene, state, frame, rng)

    def judge(
        self, spec: TaskSpec, scene: SceneSpec, start: State, state: State, acts: Sequence[Act]
    ) -> Verdict:
        """Judge as the part of the task's kind does."""
        return self.parts[spec.kind].judge(spec, scene, start, state, acts)

    def is_over(
        self, spec: TaskSpec, scene: SceneSpec, acts: Sequence[Act], verdict: Verdict
    ) -> bool:
        """Tell as the part of the task's kind does."""
        return self.parts[spec.kind].is_over(spec, scene, acts, verdict)


def _steps_of(config: Mapping[str, Any], steps: tuple[int, int] | None) -> dict[str, list[int]]:
    """The steps for one part; those that put something somewhere take two at least."""
    if steps is None or "steps" not in config:
        return {}
    least = 2 if "relations" in config else 1
    return {"steps": [max(steps[0], least), max(steps[1], least)]}
