"""A backend in a process of its own, under any Python that has refergym.

For simulators that need another Python than ours, that may crash, or that want a process to
themselves. Results are those of the backend inside, bit by bit. What goes wrong with the process is
one BackendError; the next reset or settle starts a new one.
"""

import logging
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

import refergym
from refergym.assets.library import Pack
from refergym.assets.spec import CameraSpec, Pose, SceneSpec
from refergym.envs.backends import wire
from refergym.envs.backends.worker_process import WorkerProcess
from refergym.envs.errors import BackendError, ClosedError
from refergym.envs.types import Frame, SkillResult, State

Array = NDArray[np.float64]
WORKER = "refergym.envs.backends.remote_worker"
_T = TypeVar("_T")
_M = TypeVar("_M", bound=msgspec.Struct)
_log = logging.getLogger(__name__)


class RemoteBackend:
    """See `envs.types.Backend`. The process is started when it is first needed."""

    def __init__(
        self,
        inside: Mapping[str, Any],
        python: str | None = None,
        start_s: float = 60.0,
        call_s: float = 120.0,
        stop_s: float = 10.0,
        pack: Pack | None = None,
    ) -> None:
        """Make a backend without a process.

        Args:
            inside: config node of the backend inside, with its `_target_`.
            python: interpreter that runs it, a path or a name on PATH; None is this one.
            start_s: s that starting may take, up to the backend being made.
            call_s: s that anything else may take: a reset, a skill.
            stop_s: s that it gets to end by itself at close.
            pack: the asset pack; None opens the one that ships.

        Raises:
            BackendError: naming the key that is wrong.
        """
        if "_target_" not in inside:
            raise BackendError("inside._target_: missing; name the backend's class")
        for key, value in (("start_s", start_s), ("call_s", call_s), ("stop_s", stop_s)):
            if not value > 0:
                raise BackendError(f"{key}: expected > 0, got {value!r}")
        self._node = dict(inside)
        self._python = _interpreter(python)
        self._start_s, self._call_s, self._stop_s = start_s, call_s, stop_s
        self._pack = pack
        self._worker: WorkerProcess | None = None
        self._made: wire.Made | None = None
        self._closed = False
        self._recorder: Callable[[State], None] | None = None
        self.hand_yaw = 0.0
        """rad, world: the closing axis at the last grasp"""

    @property
    def kind(self) -> str:
        """Kind of the backend inside, which owns the settled poses; starts it if need be."""
        return self._started().kind

    @property
    def pid(self) -> int | None:
        """Of the process; None where there is none."""
        return None if self._worker is None else self._worker.pid

    @property
    def recorder(self) -> Callable[[State], None] | None:
        """As the backend's inside; there is no such attribute where it has none."""
        if not self._started().has_recorder:
            raise AttributeError(f"backend {self.kind!r} has no recorder")
        return self._recorder

    @recorder.setter
    def recorder(self, hook: Callable[[State], None] | None) -> None:
        self._recorder = hook

    def settle(self, spec: SceneSpec) -> tuple[Pose, ...]:
        """See the Protocol."""
        self._started()
        return self._ask(wire.Settle(spec=spec), wire.Poses, lambda m: m.poses)

    def reset(self, spec: SceneSpec) -> None:
        """See the Protocol."""
        self._started()
        self._ask(wire.Reset(spec=spec), wire.Done, lambda _: None)

    def state(self) -> State:
        """See the Protocol."""
        return self._ask(wire.Ask(), wire.Told, wire.state_of)

    def pick(self, point_w: Array) -> SkillResult:
        """See the Protocol."""
        point = wire.tensor(np.asarray(point_w, np.float64))
        request = wire.Pick(point=point, moments=self._recorder is not None)
        return self._ask(request, wire.Ended, self._result)

    def place(self, point_w: Array, yaw: float | None = None) -> SkillResult:
        """See the Protocol."""
        point = wire.tensor(np.asarray(point_w, np.float64))
        turn = None if yaw is None else float(yaw)
        request = wire.Place(point=point, yaw=turn, moments=self._recorder is not None)
        return self._ask(request, wire.Ended, self._result)

    def look(self, camera: CameraSpec | None = None) -> Frame:
        """Take a picture with the camera of the backend inside.

        Args:
            camera: where from; None is the scene's.

        Raises:
            BackendError: if the backend inside has none.
        """
        return self._ask(wire.Look(camera=camera), wire.Seen, wire.frame_of)

    def close(self) -> None:
        """See the Protocol."""
        self._closed = True
        if self._worker is not None:
            self._worker.stop(wire.Close(), self._stop_s)
            self._worker = None

    def _result(self, message: wire.Ended) -> SkillResult:
        self.hand_yaw = message.hand_yaw
        return wire.result_of(message)

    def _tell(self, moment: wire.Moment) -> None:
        if self._recorder is not None:
            self._recorder(wire.state_of(moment.state))

    def _ask(self, request: wire.Request, kind: type[_M], read: Callable[[_M], _T]) -> _T:
        self._check_open()
        worker = self._worker
        if worker is None:
            raise BackendError(f"backend {self._name!r} has no scene yet; call reset(spec) first")
        try:
            return worker.ask(request, kind, read, self._call_s, moment=self._tell)
        finally:
            if not worker.is_alive:
                self._worker = None

    def _started(self) -> wire.Made:
        """Start a worker that has made its backend, where there is none."""
        self._check_open()
        if self._worker is None or self._made is None:
            self._worker, self._made = self._start()
        return self._made

    def _check_startable(self) -> None:
        """Raise BackendError where it is known beforehand that a worker cannot start."""

    def _start(self) -> tuple[WorkerProcess, wire.Made]:
        self._check_startable()
        begun = time.monotonic()
        command = [self._python, "-m", WORKER]
        worker = WorkerProcess(command, name=f"worker {self._python}", start_s=self._start_s)
        try:
            _check_versions(worker.hello, self._python)
            pack = self._pack
            request = wire.Make(
                node=self._node,
                pack=None if pack is None else str(pack.folder.resolve()),
                digest=None if pack is None else pack.digest,
            )
            left = max(0.1, self._start_s - (time.monotonic() - begun))
            made = worker.ask(request, wire.Made, lambda m: m, left, key="start_s")
        except BaseException:
            worker.kill()
            raise
        _log.debug("worker %d runs backend %s", worker.pid, made.kind)
        return worker, made

    @property
    def _name(self) -> str:
        return "remote" if self._made is None else self._made.kind

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"backend {self._name!r} was closed; make a new one")


def _interpreter(python: str | None) -> str:
    """Path of an interpreter; raises BackendError if there is none."""
    if python is None:
        return sys.executable
    found = shutil.which(python)
    if found is None:
        raise BackendError(f"python: no interpreter {python!r} is there")
    return found


def _check_versions(hello: wire.Hello, python: str) -> None:
    ours, theirs = refergym.__version__, hello.version
    if hello.protocol != wire.PROTOCOL or theirs != ours:
        raise BackendError(
            f"python: {python} has refergym {theirs} (protocol {hello.protocol}), here it is {ours}"
            f" (protocol {wire.PROTOCOL}); install the same there"
        )
