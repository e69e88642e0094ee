"""What the tasks share that move something: which things may be asked for, and the rehearsal."""

from collections.abc import Iterator, Sequence
from typing import TypedDict

import numpy as np

from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec
from refergym.envs import rehearsal
from refergym.envs.areas import Room
from refergym.envs.errors import TaskError
from refergym.envs.judging import judge
from refergym.envs.language import Voice
from refergym.envs.referents import Clarity
from refergym.envs.rehearsal import Carried
from refergym.envs.task_spec import Act, Proof, PutGoal, TaskSpec
from refergym.envs.tasks.common import Describer
from refergym.envs.types import Event, State, Verdict
from refergym.envs.view import View


class Common(TypedDict):
    """Keys that all of these tasks take.

    clarity: margins of descriptions. voice: which words are chosen. room: how much room a place
    needs, and where the arm gets to. min_grasp_rate: least measured grasp rate of what is moved;
    None takes any object. min_place_rate: least measured rate of also standing where it was put;
    None likewise. rehearsed: only ask what works kinematically at the right points. max_steps:
    steps until truncation.
    """

    clarity: Clarity
    voice: Voice
    room: Room
    min_grasp_rate: float | None
    min_place_rate: float | None
    rehearsed: bool
    max_steps: int


class Carrying:
    """What tasks share that move something."""

    moves = True

    def __init__(
        self,
        clarity: Clarity,
        voice: Voice,
        room: Room,
        *,
        min_grasp_rate: float | None,
        min_place_rate: float | None,
        rehearsed: bool,
        max_steps: int,
        pack: Pack | None,
    ) -> None:
        """Keep the limits; see `Common`. `pack`: assets, None takes the package's own."""
        if max_steps < 1:
            raise TaskError(f"max_steps: expected >= 1, got {max_steps}")
        self.clarity = clarity
        self.voice = voice
        self.room = room
        self.min_grasp_rate = min_grasp_rate
        self.min_place_rate = min_place_rate
        self.rehearsed = rehearsed
        self.max_steps = max_steps
        self._graspable = 0 if min_grasp_rate is None else 1
        self._pack = pack

    def judge(
        self, spec: TaskSpec, scene: SceneSpec, start: State, state: State, acts: Sequence[Act]
    ) -> Verdict:
        """Judge what came of it."""
        return judge(spec.goal, scene, start, state, acts, self._pack)

    def targets(self, view: View, words: Describer) -> Iterator[int]:
        """Yield the objects that the arm should be able to move, in random order."""
        for i in words.shuffled(range(len(view))):
            reason = self.hindrance(view, i)
            if reason is None:
                yield i
            else:
                words.refuse(reason)

    def hindrance(self, view: View, index: int) -> str | None:
        """Say why the arm should not be asked to move an object; None if it may."""
        thing = view.thing(index)
        least, stays = self.min_grasp_rate, self.min_place_rate
        if least is not None and thing.info.grasp_rate(thing.scale) < least:
            return f"grasp rate below {least}"
        if stays is not None and thing.info.place_rate(thing.scale) < stays:
            return f"place rate below {stays}"
        if not self.room.holds(thing.centre):
            return "out of reach"
        if view.below[index] >= 0 or view.above(index):
            return "stands in or under something"
        return None

    def prove(self, goal: Carried, view: View) -> Proof | None:
        """Rehearse a task, where that is asked for.

        Raises:
            TaskError: if the arm could not carry it out even at the right points.
        """
        if not self.rehearsed:
            return None
        proof = rehearsal.rehearse(goal, view)
        if isinstance(proof, str):
            raise TaskError(proof)
        return proof


def is_put_down(goal: PutGoal, scene: SceneSpec, acts: Sequence[Act]) -> bool:
    """Tell whether the last step put an object down, wherever that is."""
    if not acts:
        return False
    last = acts[-1]
    let_go = (Event.PLACED, Event.UNSTABLE)
    return last.object == scene.index(goal.object) and last.event in let_go


def rounded(xy: np.ndarray) -> tuple[float, float]:
    """Return a point or vector [2] with five decimals."""
    return round(float(xy[0]), 5) + 0.0, round(float(xy[1]), 5) + 0.0
