"""What the tasks share: a task's record with its certificate, and errors that say what failed."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import refergym
from refergym.assets.library import Pack, open_pack
from refergym.assets.spec import SceneSpec
from refergym.envs.binding import bind, frame_of
from refergym.envs.errors import TaskError
from refergym.envs.judging import judge
from refergym.envs.programs import Program, Select
from refergym.envs.referents import Clarity, Reading, describe
from refergym.envs.task_spec import Act, Certificate, Goal, Proof, RowGoal, SeveralGoal, TaskSpec
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
        return judge(spec.goal, scene, start, state, acts, self._pack)

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


def task_spec(
    view: View,
    *,
    kind: str,
    instruction: str,
    program: Program,
    goal: Goal,
    subgoals: tuple[str, ...],
    names: Sequence[Reading | Sequence[Reading]],
    targets: Sequence[int] = (),
    places: Sequence[NDArray[np.int64]] = (),
    anchors: Sequence[int] = (),
    proof: Proof | None = None,
) -> TaskSpec:
    """Put a task on record, with what can be measured of it in its view.

    `starts` adds the backend's and the renderer's names.

    Args:
        view: of the start.
        kind: of the task.
        instruction: the words.
        program: their meaning.
        goal: what is judged.
        subgoals: what has to be reached one after the other.
        names: what the program's outermost names mean, in the order of `binding.names_in`.
        targets: indices of the objects to point at or to move, in order; none for a place alone.
        places: pixels [K, 2] (x, y) that are right for each point that is not on a target.
        anchors: visible pixels of what else is named: furniture.
        proof: of tasks that move things.
    """
    named = [r for n in names for one in _listed(n) for r in one.named()]
    others = [r.index for r in named if r.index not in targets]
    return TaskSpec(
        scene=view.scene.digest,
        kind=kind,
        instruction=instruction,
        program=program,
        goal=goal,
        subgoals=subgoals,
        bound=bind(program, names, view),
        frame=frame_of(program),
        certificate=Certificate(
            target_pixels=int(view.pixels[targets[0]]) if targets else None,
            anchor_pixels=tuple(int(view.pixels[a]) for a in others) + tuple(anchors),
            area_pixels=len(places[0]) if places else None,
            margin=_least_margin(named),
            distractors=_distractors(view, targets or others),
            objects=len(view),
            chance=float(f"{_chance(view, targets, places):.4g}"),
            center=_has_center(view, goal, targets, places),
            proof=proof,
            backend="",
            renderer="",
            version=refergym.__version__,
        ),
    )


def _listed(names: Reading | Sequence[Reading]) -> Sequence[Reading]:
    return [names] if isinstance(names, Reading) else names


def _least_margin(named: Sequence[Reading]) -> float | None:
    least = min((r.margin for r in named), default=float("inf"))
    return None if least == float("inf") else round(least, 4)


def _distractors(view: View, indices: Sequence[int]) -> int:
    """Count the other objects of the categories of some."""
    kinds = {view.thing(i).category for i in indices}
    return sum(t.category in kinds and t.index not in indices for t in view.things)


def _chance(view: View, targets: Sequence[int], places: Sequence[NDArray[np.int64]]) -> float:
    """Probability that uniformly random points, one for each step, are all right."""
    right = [len(xy) for xy in places] + [int(view.pixels[t]) for t in targets]
    return math.prod(n / view.frame.ids.size for n in right)


def _has_center(
    view: View, goal: Goal, targets: Sequence[int], places: Sequence[NDArray[np.int64]]
) -> bool:
    """Tell whether the picture's middle is a right first point."""
    x, y = view.scene.camera.width // 2, view.scene.camera.height // 2
    if targets:
        is_free = isinstance(goal, RowGoal) or (isinstance(goal, SeveralGoal) and not goal.ordered)
        return int(view.frame.ids[y, x]) in (targets if is_free else targets[:1])
    return bool(places) and bool((places[0] == (x, y)).all(1).any())
