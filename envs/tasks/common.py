"""What the tasks share: a certificate's figures, and errors that say what was tried."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

import refergym
from refergym.assets.library import Pack, open_pack
from refergym.assets.spec import SceneSpec
from refergym.envs.errors import TaskError
from refergym.envs.programs import Select
from refergym.envs.referents import Clarity, describe, read
from refergym.envs.task_spec import Act, Certificate, TaskSpec
from refergym.envs.tasks.judging import judge
from refergym.envs.types import Frame, State, Verdict
from refergym.envs.view import View


class Refusals:
    """Why things in a view were passed over, for the error when nothing is left."""

    def __init__(self, view: View) -> None:
        """Count nothing yet."""
        self.view = view
        self.reasons: Counter[str] = Counter()

    def refuse(self, reason: str) -> None:
        """Note why something was passed over."""
        self.reasons[reason] += 1

    def error(self, kind: str) -> TaskError:
        """Say what was tried and why nothing came of it."""
        tried = ", ".join(f"{n} x {r}" for r, n in sorted(self.reasons.items())) or "nothing to try"
        return TaskError(f"{kind}: no task in this scene of {len(self.view)} objects ({tried})")


class Describer(Refusals):
    """Descriptions of a view's objects, each worked out once, and why some have none."""

    def __init__(self, view: View, clarity: Clarity, rng: np.random.Generator) -> None:
        """Describe nothing yet."""
        super().__init__(view)
        self.clarity = clarity
        self._rng = rng
        self._known: dict[int, Select | None] = {}

    def __call__(self, index: int) -> Select | None:
        """Return words that mean exactly this object, or None."""
        if index not in self._known:
            self._known[index] = describe(index, self.view, self.clarity, self._rng)
            if self._known[index] is None:
                self.reasons["no clear and unique description"] += 1
        return self._known[index]

    def shuffled(self, items: Sequence[int]) -> list[int]:
        """Return the items in random order."""
        return [items[i] for i in self._rng.permutation(len(items))]


class OnePoint:
    """What tasks share that one point decides; the robot stays parked."""

    moves = False
    max_steps = 1

    def __init__(self, pack: Pack | None) -> None:
        """Keep the assets; None takes the package's own."""
        self._pack = pack

    def judge(
        self, spec: TaskSpec, scene: SceneSpec, start: State, state: State, acts: Sequence[Act]
    ) -> Verdict:
        """Judge the point."""
        return judge(spec, scene, start, state, acts, self._pack)

    def is_over(
        self, spec: TaskSpec, scene: SceneSpec, acts: Sequence[Act], verdict: Verdict
    ) -> bool:
        """One point decides."""
        return bool(acts)


def see(scene: SceneSpec, state: State, frame: Frame, pack: Pack | None) -> View:
    """Return the view of a frame; several tasks in one picture share it."""
    global _seen
    pack = pack or open_pack()
    same = _seen is not None and _seen.scene is scene and _seen.state is state
    if _seen is None or not same or _seen.frame is not frame or _seen.pack is not pack:
        _seen = View(scene, state, frame, pack)
    return _seen


_seen: View | None = None


def certify(
    view: View,
    clarity: Clarity,
    selects: Iterable[Select],
    *,
    chance: float,
    target: int | None = None,
    anchors: Sequence[int] = (),
    area_pixels: int | None = None,
) -> Certificate:
    """Measure what makes a task askable; `starts` adds the backend's and the renderer's names."""
    margins = [read(s, view, clarity).margin for s in selects]
    least = min(margins, default=float("inf"))
    return Certificate(
        target_pixels=None if target is None else int(view.pixels[target]),
        anchor_pixels=tuple(int(view.pixels[a]) for a in anchors),
        area_pixels=area_pixels,
        margin=None if least == float("inf") else round(least, 4),
        chance=round(chance, 6),
        backend="",
        renderer="",
        version=refergym.__version__,
    )
