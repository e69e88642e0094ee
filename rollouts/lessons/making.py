"""Lessons from generated tasks, made by any number of workers and handed out in their order.

Those of tasks that move things come from whole episodes, some of them disturbed, so that every turn
is among them: holding something, after a failed grasp, after a place that was blocked.
"""

import contextlib
import functools
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from refergym.agents.narrator import NarratorPolicy
from refergym.assets.library import open_pack
from refergym.assets.records import Record
from refergym.assets.seeding import generator
from refergym.assets.tints import colour_name
from refergym.envs.dialects.base import Dialect
from refergym.envs.disparity import relative_inverse_depth
from refergym.envs.feedback import FEEDBACK
from refergym.envs.starts import Start, make_starts
from refergym.envs.task_spec import part_for
from refergym.envs.types import Event
from refergym.rollouts import crew, generation
from refergym.rollouts.lessons.lesson import Lesson, Question


class Plan(Record, frozen=True, kw_only=True):
    """What a worker needs."""

    tasks: generation.Plan
    """which scenes and tasks"""
    dialect: dict[str, Any]
    """config of the dialect that answers are written in"""
    played: int = 1
    """tasks of a scene that are played to their end, of those that move things"""
    disturbed: float = 0.3
    """share of the turns of an episode that are spoiled by a random point first"""


def lessons(plan: Plan, first: int, workers: int) -> Generator[list[Lesson]]:
    """Yield the lessons of each scene, in the order of their numbers, without end.

    Args:
        plan: what to make.
        first: number of the first scene.
        workers: processes; 0 works in this one.

    Raises:
        PoolError: if a worker dies.
    """
    return crew.in_order(functools.partial(_Maker, plan), first, workers)


class _Maker:
    def __init__(self, plan: Plan) -> None:
        from hydra.utils import instantiate

        self.plan = plan
        self.env = generation.make_env(plan.tasks, remembered=2)
        self.pack = open_pack(plan.tasks.pack)
        dialect: Dialect = instantiate(plan.dialect, _convert_="all")
        self.narrator = NarratorPolicy(dialect)

    def make(self, index: int) -> list[Lesson]:
        env, plan = self.env, self.plan.tasks
        made, _, _ = make_starts(
            env.scenes, env.task, env.backend, env.renderer, plan.seed, index, tasks=plan.per_scene
        )
        starts = [s for s in made if plan.only.reason(s, self.pack) is None]
        if not starts:
            return []
        rng = generator(plan.seed, "lessons", index)
        first: list[Question] = []
        later: list[Lesson] = []
        shown: dict[str, Any] = {}
        played = 0
        for start in starts:
            part = part_for(env.task, start.task.kind)
            moves = part is not None and part.moves
            turns = self._play(start, rng, played < self.plan.played and moves)
            played += moves
            with contextlib.suppress(StopIteration):
                shown, question = next(turns)
                first.append(question)
            later += [self._lesson(seen, (asked,), start) for seen, asked in turns]
        return [self._lesson(shown, tuple(first), starts[0]), *later] if first else later

    def close(self) -> None:
        self.env.close()

    def _play(
        self, start: Start, rng: np.random.Generator, to_the_end: bool
    ) -> Iterator[tuple[dict[str, Any], Question]]:
        """Yield the turns of an episode, as a perfect policy answers them."""
        env = self.env
        seen, info = env.reset(options={"episode": start})
        while True:
            truth = info["truth"]
            if truth["point_uv"] is None:
                return
            shown = {"rgb": seen["rgb"], "depth": seen["depth"], "ids": env.frame.ids}
            words = " ".join(w for w in (seen["instruction"], FEEDBACK[Event(seen["event"])]) if w)
            size = (seen["rgb"].shape[1], seen["rgb"].shape[0])
            answer = self.narrator.words(truth, size)
            yield shown, Question(words=words, answer=answer, kind=start.task.kind)
            if not to_the_end:
                return
            point = rng.random(2) if rng.random() < self.plan.disturbed else truth["point_uv"]
            seen, _, terminated, truncated, info = env.step(np.array(point, np.float64))
            if terminated or truncated:
                return

    def _lesson(
        self, shown: dict[str, Any], questions: tuple[Question, ...], start: Start
    ) -> Lesson:
        things = [(o.asset, colour_name(self.pack, o.asset, o.tint)) for o in start.scene.objects]
        return Lesson(
            rgb=shown["rgb"],
            disparity=relative_inverse_depth(shown["depth"])[..., 0],
            ids=shown["ids"].astype(np.int32),
            names=tuple((self.pack[asset].category, colour or "") for asset, colour in things),
            questions=questions,
        )
