"""Scenes and the tasks in them, made by any number of workers and handed out in their order."""

import functools
import re
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from omegaconf import OmegaConf

from refergym.assets.library import open_pack
from refergym.assets.records import Record
from refergym.envs import building, grammar
from refergym.envs.proofs import prove
from refergym.envs.refer_env import ReferEnv
from refergym.envs.splits import Only
from refergym.envs.starts import Start, make_starts
from refergym.envs.task_spec import part_for
from refergym.rollouts import crew, taskfile
from refergym.rollouts.taskfile import Entry


class Plan(Record, frozen=True, kw_only=True):
    """What a worker needs."""

    env: dict[str, dict[str, Any]]
    pack: str | None
    seed: int
    per_scene: int
    prove: bool
    """play tasks that move things before they are taken"""
    only: Only
    folder: str | None
    """where pictures go; none writes none"""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What one scene gave."""

    index: int
    entries: tuple[Entry, ...]
    reasons: Counter[str]


def make_env(plan: Plan, remembered: int = 0) -> ReferEnv:
    """Make an environment that remembers pictures; EnvError names the key that is wrong."""
    groups = {**plan.env, "pack": plan.pack, "max_steps": None, "pictures": True}
    return building.build_env(OmegaConf.create(groups), remembered=remembered)


def scenes(plan: Plan, first: int, workers: int) -> Generator[Scene]:
    """Yield what each scene gives, in the order of their numbers, without end.

    Args:
        plan: what to make.
        first: number of the first scene.
        workers: processes; 0 works in this one.

    Raises:
        PoolError: if a worker dies.
    """
    return crew.in_order(functools.partial(_Maker, plan), first, workers)


class _Maker:
    """Makes scenes and their tasks in one process."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.env = make_env(plan)
        self.pack = open_pack(plan.pack)

    def make(self, index: int) -> Scene:
        env, plan = self.env, self.plan
        made, frame, reasons = make_starts(
            env.scenes, env.task, env.backend, env.renderer, plan.seed, index, tasks=plan.per_scene
        )
        causes = _causes(reasons)
        starts = [s for start in made if (s := self._checked(start, causes)) is not None]
        name = f"{index:08d}"
        if starts and frame is not None and plan.folder is not None:
            taskfile.write_pictures(Path(plan.folder), name, frame)
        entries = tuple(
            Entry(
                id=f"{name}-{k}",
                picture=name if plan.folder is not None else None,
                steps=grammar.steps(start.task.program),
                start=start,
            )
            for k, start in enumerate(starts)
        )
        return Scene(index=index, entries=entries, reasons=causes)

    def close(self) -> None:
        self.env.close()

    def _checked(self, start: Start, causes: Counter[str]) -> Start | None:
        """The start, proved where it moves things; None, and why is noted, if it is not taken."""
        reason = self.plan.only.reason(start, self.pack)
        part = part_for(self.env.task, start.task.kind)
        if reason is None and self.plan.prove and part is not None and part.moves:
            proof = prove(self.env, start)
            if isinstance(proof, str):
                reason = proof
            else:
                certificate = msgspec.structs.replace(start.task.certificate, proof=proof)
                task = msgspec.structs.replace(start.task, certificate=certificate)
                start = msgspec.structs.replace(start, task=task)
        if reason is not None:
            causes[reason] += 1
        return start if reason is None else None


def _causes(reasons: Counter[str]) -> Counter[str]:
    """Take the counts apart that an error lists: "task: no ... (3 x a tie, 2 x hidden)"."""
    causes: Counter[str] = Counter()
    for reason, n in reasons.items():
        inner = re.findall(r"(\d+) x ([^,()]+)", reason)
        for count, cause in inner:
            causes[cause.strip()] += n * int(count)
        if not inner:
            causes[reason] += n
    return causes
