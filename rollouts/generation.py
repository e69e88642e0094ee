"""Scenes and the tasks in them, made by any number of workers and handed out in their order."""

import contextlib
import itertools
import re
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import msgspec
from omegaconf import OmegaConf

from refergym.assets.errors import AssetError
from refergym.assets.library import open_pack
from refergym.assets.records import Record
from refergym.envs import building, grammar
from refergym.envs.errors import EnvError
from refergym.envs.proofs import prove
from refergym.envs.refer_env import ReferEnv
from refergym.envs.splits import Only
from refergym.envs.starts import Start, make_starts
from refergym.envs.task_spec import part_for
from refergym.rollouts import processes, taskfile
from refergym.rollouts.errors import PoolError, RolloutError
from refergym.rollouts.taskfile import Entry

AHEAD = 4
"""scenes in hand or waiting for their turn, for each worker"""


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


def make_env(plan: Plan) -> ReferEnv:
    """Make an environment; raises EnvError naming the key that is wrong."""
    groups = {**plan.env, "pack": plan.pack, "max_steps": None, "pictures": True}
    return building.build_env(OmegaConf.create(groups))


def scenes(plan: Plan, first: int, workers: int) -> Generator[Scene]:
    """Yield what each scene gives, in the order of their numbers, without end.

    Args:
        plan: what to make.
        first: number of the first scene.
        workers: processes; 0 works in this one.

    Raises:
        PoolError: if a worker dies.
    """
    if workers == 0:
        maker = _Maker(plan)
        try:
            yield from map(maker.make, itertools.count(first))
        finally:
            maker.env.close()
        return
    crew: list[_Worker] = []
    done: dict[int, Scene] = {}
    given = first
    try:
        for _ in range(workers):
            crew.append(_Worker(*processes.start(_work, plan)))
        for index in itertools.count(first):
            while index not in done:
                for worker in crew:
                    if not worker.is_busy and given < index + AHEAD * workers:
                        worker.give(given)
                        given += 1
                ready = wait([worker.pipe for worker in crew])
                done |= {s.index: s for s in (w.take() for w in crew if w.pipe in ready)}
            yield done.pop(index)
    finally:
        for worker in crew:
            processes.end(worker.process, worker.pipe)


@dataclass
class _Worker:
    """A process, which makes one scene at a time."""

    process: BaseProcess
    pipe: Connection
    is_busy: bool = False

    def give(self, index: int) -> None:
        self.is_busy = True
        with contextlib.suppress(OSError):  # it died; `take` finds out
            self.pipe.send(index)

    def take(self) -> Scene:
        try:
            made = self.pipe.recv()
        except (EOFError, OSError) as e:
            raise PoolError(f"{processes.epitaph(self.process)}; resume=true goes on") from e
        self.is_busy = False
        if isinstance(made, Exception):
            raise made
        assert isinstance(made, Scene), "what `_work` sends"
        return made


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


def _work(pipe: Connection, plan: Plan) -> None:
    """Body of a worker process; ends when the pipe does."""
    try:
        maker = _Maker(plan)
        while True:
            pipe.send(maker.make(pipe.recv()))
    except (EOFError, ConnectionError):
        pass  # the run is over
    except (RolloutError, EnvError, AssetError) as e:
        pipe.send(e)  # it explains itself
    except Exception as e:
        pipe.send(PoolError(f"a worker cannot go on: {type(e).__name__}: {e}"))
        raise


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
