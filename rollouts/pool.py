"""Worker processes that run episodes; a dead or hung one is replaced and its episodes repeated.

Only plain data crosses: the plan, jobs, episodes.
"""

import logging
import time
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import msgspec

from refergym.assets.records import Record
from refergym.rollouts import processes
from refergym.rollouts.episodes import Episode
from refergym.rollouts.errors import PoolError
from refergym.rollouts.frames import tape_of
from refergym.rollouts.plan import Job, Plan
from refergym.rollouts.runner import Runner, error_episode

log = logging.getLogger(__name__)
RETRIES = 2
"""further attempts, each in a fresh process, at an episode whose worker died or hung"""
START_TRIES = 3
"""workers that may die in a row before they are ready"""


class Message(Record, frozen=True, kw_only=True):
    """What a worker says."""

    ready: bool = False
    error: str = ""
    """why the worker cannot go on at all"""
    episode: Episode | None = None


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    since: float
    """monotonic s when it was started"""
    is_ready: bool = False
    jobs: dict[tuple[str, int, int], tuple[Job, float]] = field(default_factory=dict)
    """jobs in its hands, and the time by which each must be done"""


def play(plan: Plan, jobs: Sequence[Job], workers: int, timeout_s: float) -> Generator[Episode]:
    """Run episodes in worker processes, or in this one without any; yields each when it ends.

    Args:
        plan: what to run.
        jobs: the episodes.
        workers: number of processes; 0 runs in this one, without protection from crashes and hangs.
        timeout_s: s until an episode's worker is given up.

    Raises:
        PoolError: if no worker can start.
    """
    if workers and jobs:
        yield from Pool(plan, workers, timeout_s).run(jobs)
        return
    runner = Runner(plan, tape=tape_of(plan))
    try:
        yield from runner.run(jobs)
    finally:
        runner.close()


class Pool:
    """A fixed number of worker processes."""

    def __init__(self, plan: Plan, workers: int, timeout_s: float) -> None:
        """Remember the plan; processes start with `run`.

        Args:
            plan: what to run.
            workers: number of processes, >= 1.
            timeout_s: s until an episode's worker is given up, counted from handing it out.
        """
        self._plan = plan
        self._size = workers
        self._timeout_s = timeout_s
        self._workers: list[_Worker] = []
        self._early_deaths = 0
        self._losses: Counter[tuple[str, int, int]] = Counter()

    def run(self, jobs: Iterable[Job]) -> Iterator[Episode]:
        """Run jobs; yields each episode when it ends, in any order.

        Raises:
            PoolError: if workers cannot start.
        """
        waiting = deque(jobs)
        try:
            while waiting or any(w.jobs for w in self._workers):
                # idle workers beyond the number of jobs are not worth starting
                outstanding = len(waiting) + sum(len(w.jobs) for w in self._workers)
                while len(self._workers) < min(self._size, outstanding):
                    self._workers.append(self._spawn())
                self._hand_out(waiting)
                yield from self._listen(waiting)
        finally:
            self.close()

    def close(self) -> None:
        """End every worker; idempotent."""
        for worker in self._workers:
            processes.end(worker.process, worker.pipe)
        self._workers = []

    def _spawn(self) -> _Worker:
        process, pipe = processes.start(_work, msgspec.json.encode(self._plan))
        return _Worker(process=process, pipe=pipe, since=time.monotonic())

    def _hand_out(self, waiting: deque[Job]) -> None:
        for worker in self._workers:
            while worker.is_ready and waiting and len(worker.jobs) < self._plan.batch:
                job = waiting.popleft()
                worker.jobs[_key(job)] = (job, time.monotonic() + self._timeout_s)
                try:
                    worker.pipe.send_bytes(msgspec.json.encode(job))
                except OSError:
                    break  # it died; _listen finds out

    def _listen(self, waiting: deque[Job]) -> Iterator[Episode]:
        """Wait for the next word, death or time-out."""
        now = time.monotonic()
        soonest = min((self._deadline(w) for w in self._workers), default=now)
        ready = wait([w.pipe for w in self._workers], timeout=max(0.0, soonest - now) + 0.01)
        for worker in list(self._workers):
            if worker.pipe in ready:
                yield from self._hear(worker, waiting)
            elif time.monotonic() > self._deadline(worker):
                cause = f"no answer within timeout_s={self._timeout_s:g}"
                yield from self._lose(worker, waiting, cause)

    def _deadline(self, worker: _Worker) -> float:
        if not worker.is_ready:
            return worker.since + self._timeout_s
        return min((deadline for _, deadline in worker.jobs.values()), default=float("inf"))

    def _hear(self, worker: _Worker, waiting: deque[Job]) -> Iterator[Episode]:
        try:
            message = msgspec.json.decode(worker.pipe.recv_bytes(), type=Message)
        except (EOFError, OSError):
            yield from self._lose(worker, waiting, processes.epitaph(worker.process))
            return
        if message.error:
            raise PoolError(f"a worker cannot run: {message.error}")
        if message.ready:
            worker.is_ready = True
            self._early_deaths = 0
        if message.episode is not None:
            episode = message.episode
            worker.jobs.pop((episode.policy, episode.id.index, episode.id.member))
            yield episode

    def _lose(self, worker: _Worker, waiting: deque[Job], cause: str) -> Iterator[Episode]:
        """Replace a worker; its episodes are repeated, or given up after RETRIES."""
        processes.end(worker.process, worker.pipe)
        self._workers.remove(worker)
        if not worker.is_ready:
            self._early_deaths += 1
            if self._early_deaths >= START_TRIES:
                raise PoolError(f"{START_TRIES} workers in a row did not start: {cause}")
        for job, _ in worker.jobs.values():
            log.warning("episode %d of %s: %s", job.index, job.policy, cause)
            self._losses[_key(job)] += 1
            if self._losses[_key(job)] > RETRIES:
                yield error_episode(self._plan, job, f"worker: {cause}")
            else:
                waiting.appendleft(msgspec.structs.replace(job, attempt=job.attempt + 1))


def _work(pipe: Connection, plan_json: bytes) -> None:
    """Body of a worker process; ends when the pipe does."""
    try:
        plan = msgspec.json.decode(plan_json, type=Plan)
        runner = Runner(plan, tape=tape_of(plan))
        _send(pipe, Message(ready=True))
        while True:
            while runner.has_room and (not runner.is_busy or pipe.poll()):
                runner.start(msgspec.json.decode(pipe.recv_bytes(), type=Job))
            for episode in runner.advance():
                _send(pipe, Message(episode=episode))
    except (EOFError, BrokenPipeError):
        pass  # the run is over
    except Exception as e:
        _send(pipe, Message(error=f"{type(e).__name__}: {e}"))
        raise


def _send(pipe: Connection, message: Message) -> None:
    pipe.send_bytes(msgspec.json.encode(message))


def _key(job: Job) -> tuple[str, int, int]:
    return (job.policy, job.index, job.member)
