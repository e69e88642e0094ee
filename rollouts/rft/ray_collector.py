"""The collector that spreads over workers: Ray actors that play, and one that answers them all.

A thread, the keeper, hands out and watches. A worker that crashed, or whose step or answer takes
too long, is replaced; what it had in hand is begun anew in another process (see `queue`). After too
many times a group is lost as a whole: nothing of it is learned from. The policy's server is watched
in the same way; its workers live on.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from refergym.assets import records
from refergym.rollouts.errors import ConfigError, OutputError, PoolError
from refergym.rollouts.plan import Plan
from refergym.rollouts.rft.clock import IDLE
from refergym.rollouts.rft.cluster import connect, kill, kind_of, options, said
from refergym.rollouts.rft.faults import Faults
from refergym.rollouts.rft.groups import POLICY, Group, Lost, Request
from refergym.rollouts.rft.queue import Part, Queue
from refergym.rollouts.rft.settings import Rollout
from refergym.rollouts.rft.watched import Trouble, Watched
from refergym.rollouts.runner import ENVIRONMENT
from refergym.rollouts.runner import POLICY as ANSWERING

log = logging.getLogger(__name__)
LOOK_S = 0.2
"""s between two looks at all actors"""
SOON_S = 0.02
"""s until work that came in is handed to a worker that is free, while others play"""
START_TRIES = 3
"""actors that may fail in a row to start"""
REST_S = 60.0
"""s without new workers after that, while others go on"""


@dataclass
class _Worker(Watched):
    parts: list[Part] = field(default_factory=list)
    """in its hands"""
    reference: Any = None
    """of what it plays"""
    server: Any = None
    """that it asks"""
    given: float = 0.0
    """monotonic s when it was given that"""


class RayCollector:
    """Plays groups by workers; see Collector.

    Attributes:
        spent: s of all workers by whose turn it was.
        replaced: actors that were replaced, by what befell them.
    """

    def __init__(
        self,
        plans: Mapping[str, Plan],
        temperatures: Mapping[str, float],
        settings: Rollout,
        threads: int = 1,
    ) -> None:
        """Start the actors, on a cluster that runs or on this machine.

        Args:
            plans: by the kind of request.
            temperatures: the same.
            settings: how.
            threads: of torch, for the server.

        Raises:
            ConfigError: if Ray is missing, its cluster is not there, or it has too little.
            PoolError: if Ray does not start on this machine.
        """
        self._plans = msgspec.json.encode(dict(plans))
        self._node = next(iter(plans.values())).policies[POLICY]
        self._temperatures, self._settings, self._threads = dict(temperatures), settings, threads
        self._faults = None
        if settings.faults is not None:
            self._faults = records.convert(
                settings.faults, Faults, error=ConfigError, path="rollout.faults"
            )
        # the lock is for what both threads touch; no call of Ray that may take long is made in it
        self._change = threading.Condition()
        self._queue = Queue(plans, next(iter(plans.values())).batch, settings.retries)
        self._weights: Any = None
        self._version = 0
        self._error: Exception | None = None
        self._is_over = False
        # the rest is the keeper's own
        self._workers: list[_Worker] = []
        self._early: Counter[str] = Counter()
        self._rest_until = self._looked = 0.0
        self.spent: dict[str, float] = {}
        self.replaced: Counter[str] = Counter()
        self._owns = connect(settings)
        self._keeper = threading.Thread(target=self._keep, name="collector", daemon=True)
        try:
            self._server = self._new_server()
            self._keeper.start()
        except BaseException:
            self.close()
            raise

    def submit(self, request: Request) -> None:
        """Ask for a group; see Collector."""
        with self._change:
            self._queue.submit(request, self._version)
            self._change.notify_all()

    def take(self, kind: str) -> Group | Lost:
        """Wait for the first group that was asked for; see Collector.

        Raises:
            PoolError: if actors cannot start, or raise what no retry mends.
        """
        with self._change:
            ask = self._queue.first(kind)
            while ask.found is None:
                self._check()
                self._change.wait(1.0)
            return ask.found

    def update(self, weights: Mapping[str, Any], version: int) -> None:
        """Let the server answer by other weights; returns when it does. See Collector.

        Raises:
            PoolError: if the server cannot take them.
        """
        import ray

        from refergym.rollouts.rft.weights import pack

        put = ray.put(pack(weights))
        with self._change:
            self._weights, self._version = put, version
            server = self._server
        done = server.actor.update.remote(put, version)
        while not ray.wait([done], timeout=1.0)[0]:
            with self._change:
                self._check()
        try:
            ray.get(done)
        except ray.exceptions.RayTaskError as e:
            raise PoolError(f"the policy's server does not take weights: {said(e.cause)}") from e
        except ray.exceptions.RayActorError:
            # it died; the keeper finds out and begins another one, with these weights or newer ones
            with self._change:
                while self._server is server:
                    self._check()
                    self._change.wait(1.0)

    def close(self) -> None:
        """End all actors, and Ray where it was started here; see Collector."""
        import ray

        with self._change:
            if self._is_over:
                return
            self._is_over = True
            self._change.notify_all()
        if self._keeper.ident is not None:
            self._keeper.join()
        for watched in (*self._workers, getattr(self, "_server", None)):
            if watched is not None:
                kill(watched.actor)
        self._workers = []
        if self._owns:
            ray.shutdown()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
        if self._is_over:
            raise PoolError("the collector was closed")

    def _keep(self) -> None:
        """Body of the thread."""
        try:
            while not self._is_over:
                self._hand_out()
                self._rest()
                self._listen()
                if time.monotonic() - self._looked > LOOK_S:
                    self._looked = time.monotonic()
                    self._watch()
        except Exception as e:  # noqa: BLE001 - it is raised where groups are taken
            with self._change:
                self._error = e if isinstance(e, PoolError) else PoolError(said(e))
                self._change.notify_all()

    def _rest(self) -> None:
        """Wait until something may have changed."""
        import ray

        busy = [w.reference for w in self._workers if w.reference is not None]
        idle = sum(w.is_up for w in self._workers) - len(busy)
        if busy:
            ray.wait(busy, num_returns=1, timeout=SOON_S if idle else LOOK_S)
            return
        with self._change:
            if self._is_over or (len(self._queue) and idle):
                return
            if self._change.wait(LOOK_S) and not self._is_over:
                # what is asked for in one go is handed out in one go
                self._change.wait(SOON_S)

    def _hand_out(self) -> None:
        while len(self._workers) < self._settings.workers and time.monotonic() > self._rest_until:
            self._workers.append(self._new_worker())
        idle = [w for w in self._workers if w.is_up and w.reference is None]
        while idle:
            with self._change:
                parts = self._queue.pick(len(idle))
            if not parts:
                return
            worker = idle.pop()
            jobs = [job for part in parts for job in part.jobs]
            worker.parts, worker.server = parts, self._server
            worker.given = time.monotonic()
            worker.reference = worker.actor.play.remote(
                self._server.actor, parts[0].ask.request.kind, jobs
            )

    def _listen(self) -> None:
        """Take what workers have finished."""
        import ray

        busy = {w.reference: w for w in self._workers if w.reference is not None}
        ready, _ = ray.wait(list(busy), num_returns=len(busy), timeout=0) if busy else ([], None)
        for reference in ready:
            worker = busy[reference]
            worker.reference = None
            try:
                played = ray.get(reference)
            except ray.exceptions.RayTaskError as e:
                self._raised(worker, e.cause)
                continue
            except ray.exceptions.RayError as e:
                self._lose(worker, Trouble(kind=kind_of(e), cause=said(e)))
                continue
            for whose, seconds in played.spent.items():
                self.spent[whose] = self.spent.get(whose, 0.0) + seconds
            self._early["worker"] = 0
            parts, worker.parts = worker.parts, []
            with self._change:
                self._queue.played(parts, played.recordings)
                self._change.notify_all()

    def _raised(self, worker: _Worker, cause: Exception) -> None:
        """Begin anew what a worker could not play to its end.

        Raises:
            PoolError: if the cause is a mistake that no retry mends.
        """
        from refergym.rollouts.rft.worker import ServerGoneError

        if isinstance(cause, ConfigError | OutputError):
            raise PoolError(f"a worker cannot go on: {said(cause)}")
        if not isinstance(cause, ServerGoneError):
            self._lose(worker, Trouble(kind=type(cause).__name__, cause=said(cause)))
            return
        self._begin_anew(worker, f"server: {said(cause)}")
        if worker.server is self._server:
            self._replace_server(Trouble(kind="crash", cause=said(cause)))

    def _begin_anew(self, worker: _Worker, error: str) -> None:
        parts, worker.parts = worker.parts, []
        with self._change:
            self._queue.broke(parts, error)
            self._change.notify_all()

    def _lose(self, worker: _Worker, trouble: Trouble) -> None:
        """Replace a worker; what it had in hand is begun anew."""
        log.warning("a worker is replaced: %s: %s", trouble.kind, trouble.cause)
        self.replaced[trouble.kind] += 1
        kill(worker.actor)
        self._workers.remove(worker)
        if not worker.is_up:
            self._early["worker"] += 1
            if self._early["worker"] >= START_TRIES:
                self._give_up(trouble)
        self._begin_anew(worker, f"{trouble.kind}: {trouble.cause}")

    def _give_up(self, trouble: Trouble) -> None:
        """Go on with the workers that there are, if any, and try for more later.

        Raises:
            PoolError: if there is none.
        """
        told = f"{START_TRIES} workers in a row did not start: {trouble.cause}"
        left = sum(w.is_up for w in self._workers)
        if not left:
            raise PoolError(told)
        log.warning("%s; %d go on", told, left)
        self._early["worker"] = 0
        self._rest_until = time.monotonic() + REST_S

    def _watch(self) -> None:
        """Find out who hangs."""
        settings = self._settings
        trouble = self._server.look(settings.start_timeout_s, settings.pulse_timeout_s)
        limit = settings.answer_timeout_s
        if trouble is None and self._server.whose == ANSWERING and self._server.age > limit:
            trouble = Trouble(kind="hang", cause=f"no answer within answer_timeout_s={limit:g}")
        if trouble is not None:
            self._replace_server(trouble)
        for worker in list(self._workers):
            trouble = worker.look(settings.start_timeout_s, settings.pulse_timeout_s)
            if trouble is None and worker.reference is not None:
                trouble = self._late(worker)
            if trouble is not None:
                self._lose(worker, trouble)

    def _late(self, worker: _Worker) -> Trouble | None:
        """Say what takes a worker that plays too long, if anything does."""
        limit = self._settings.step_timeout_s
        if worker.whose == ENVIRONMENT and worker.age > limit:
            return Trouble(kind="hang", cause=f"a step took more than step_timeout_s={limit:g}")
        # environments are made at first, before any step begins
        limit = self._settings.start_timeout_s
        if worker.whose == IDLE and min(worker.age, time.monotonic() - worker.given) > limit:
            return Trouble(kind="hang", cause=f"it did not begin within start_timeout_s={limit:g}")
        # the server's own limit is for each batch; here for a request that it never got
        limit = self._settings.answer_timeout_s
        idle = self._server.is_up and self._server.whose == IDLE and self._server.age > limit
        if worker.whose == ANSWERING and worker.age > limit and idle:
            return Trouble(kind="hang", cause=f"no answer within answer_timeout_s={limit:g}")
        return None

    def _replace_server(self, trouble: Trouble) -> None:
        """Begin another server, with the last weights; who asked the old one begins anew.

        Raises:
            PoolError: if several in a row did not start.
        """
        log.warning("the policy's server is replaced: %s: %s", trouble.kind, trouble.cause)
        self.replaced[f"server_{trouble.kind}"] += 1
        kill(self._server.actor)
        self._early["server"] = 0 if self._server.is_up else self._early["server"] + 1
        if self._early["server"] >= START_TRIES:
            raise PoolError(
                f"the policy's server did not start {START_TRIES} times in a row: {trouble.cause}"
            )
        with self._change:
            self._server = self._new_server()
            self._change.notify_all()

    def _new_worker(self) -> _Worker:
        import ray

        from refergym.rollouts.rft.worker import RolloutWorker

        taken = options(self._settings, self._settings.cpus, 0.0)
        actor = ray.remote(RolloutWorker).options(max_concurrency=2, **taken)
        return _Worker(actor=actor.remote(self._plans, self._faults))

    def _new_server(self) -> Watched:
        import ray

        from refergym.rollouts.rft.server import PolicyServer

        settings = self._settings
        taken = options(settings, settings.server_cpus, settings.server_gpus)
        actor = ray.remote(PolicyServer).options(max_concurrency=1000, **taken)
        made = actor.remote(
            self._node, self._temperatures, settings.wait_ms / 1000, self._threads,
            self._weights, self._version,
        )  # fmt: skip
        return Watched(actor=made)
