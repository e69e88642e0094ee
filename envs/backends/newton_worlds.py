"""The worlds that backends of one process simulate: each by itself, or all in one model.

On the CPU each has its own model, and MuJoCo's own code solves it. In one model they are solved
together by MuJoCo Warp, which is what a GPU is for: then skills, each in a thread of its own, meet
here whenever they advance their world.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec
from refergym.envs.backends.newton_model import WorldModel, structure, world_model
from refergym.envs.backends.newton_physics import NewtonPhysics
from refergym.envs.backends.newton_world import Place
from refergym.envs.errors import BackendError

Array = NDArray[np.float64]
T = TypeVar("T")
KEPT = 8
"""models of scenes that are kept; making one takes about a second"""

DIVERGED = "Newton: the simulation diverged; reset the scene"


class Models:
    """Models of scenes, the last ones kept."""

    def __init__(self, pack: Pack) -> None:
        """Make none yet."""
        self._pack = pack
        self._kept: OrderedDict[str, WorldModel] = OrderedDict()

    def of(self, spec: SceneSpec) -> WorldModel:
        """Return the model of a scene; its objects may stand anywhere."""
        return remembered(self._kept, structure(spec), lambda: world_model(spec, self._pack))


class OwnWorld:
    """One world, alone in its model."""

    def __init__(self, models: Models, device: str) -> None:
        """Build nothing yet.

        Args:
            models: makes the models of scenes.
            device: of Warp.
        """
        self._models, self._device = models, device
        self._kept: OrderedDict[str, NewtonPhysics] = OrderedDict()
        self._physics: NewtonPhysics | None = None

    @property
    def physics(self) -> NewtonPhysics:
        """Of the open scene."""
        assert self._physics is not None, "opened"
        return self._physics

    @property
    def index(self) -> int:
        """The world's number in `physics`."""
        return 0

    def open(self, spec: SceneSpec) -> None:
        """Have a model of this scene."""
        self._physics = remembered(
            self._kept,
            structure(spec),
            lambda: NewtonPhysics([self._models.of(spec)], self._device),
        )

    def run(self, targets: Array) -> None:
        """Step it through targets [n, 9] rad and m of its drives."""
        if self.physics.advance({0: targets}):
            raise BackendError(DIVERGED)


class JointWorlds:
    """Worlds that are solved together."""

    def __init__(self, count: int, models: Models, device: str) -> None:
        """Build nothing yet.

        Args:
            count: how many worlds.
            models: makes the models of scenes.
            device: of Warp.
        """
        self._models, self._device = models, device
        self._open: list[WorldModel | None] = [None] * count
        self._scenes: list[str] = [""] * count
        self.physics: NewtonPhysics | None = None
        self._turns: dict[int, Turn] = {}
        self._asked: dict[int, SceneSpec] = {}
        self._jobs: dict[int, Array] = {}
        self._failed: dict[int, Exception] = {}

    def place(self, index: int) -> "JointWorld":
        """Return one of the worlds."""
        return JointWorld(self, index)

    def together(self, calls: Mapping[int, Callable[[], T]]) -> dict[int, T]:
        """Run a call for each of some worlds; wherever they advance, they do it together.

        One call works at a time, until it waits for the simulator; so nothing that they share needs
        to know of threads.

        Args:
            calls: by the number of the world that each call is about.

        Returns:
            What each returned; what one raises is raised when all have ended.

        Raises:
            KeyboardInterrupt: if it was interrupted; the calls end where they are.
        """
        try:
            for k, call in calls.items():
                self._turns[k] = Turn(k, call)
            while running := [turn for turn in self._turns.values() if not turn.is_over]:
                for turn in running:
                    if not self._is_waiting(turn.index):
                        turn.resume()
                if self._asked or self._jobs:
                    self._work()
            return {k: turn.result() for k, turn in self._turns.items()}
        finally:
            for turn in self._turns.values():
                turn.stop()
            for left in (self._turns, self._asked, self._jobs, self._failed):
                left.clear()

    def open(self, index: int, spec: SceneSpec) -> None:
        """Have a model in which one world is this scene; the others keep what they are."""
        if self._scenes[index] != structure(spec):
            self._asked[index] = spec
            self._wait(index)

    def run(self, index: int, targets: Array) -> None:
        """Step one world through targets [n, 9] rad and m of its drives."""
        self._jobs[index] = targets
        self._wait(index)

    def _wait(self, index: int) -> None:
        """Return when what was asked for is done; outside of `together` it is done at once."""
        if index in self._turns:
            self._turns[index].pause()
        try:
            while self._is_waiting(index):
                self._work()
        finally:
            self._asked.pop(index, None)
            self._jobs.pop(index, None)
        if index in self._failed:
            raise self._failed.pop(index)

    def _is_waiting(self, index: int) -> bool:
        return index in self._asked or index in self._jobs

    def _work(self) -> None:
        """Open what is asked for, else advance those that wait by as much as all of them want."""
        asked, jobs = dict(self._asked), dict(self._jobs)
        try:
            if asked:
                self._asked.clear()
                self._rebuild(asked)
                return
            assert self.physics is not None, "a world that runs was opened"
            few = min(len(targets) for targets in jobs.values())
            bad = self.physics.advance({k: targets[:few] for k, targets in jobs.items()})
            self._jobs = {k: t[few:] for k, t in jobs.items() if len(t) > few and k not in bad}
            self._failed.update({k: BackendError(DIVERGED) for k in bad})
        except Exception as e:  # noqa: BLE001 (raised again by the calls that asked)
            self._failed.update(dict.fromkeys(asked or jobs, e))
            if not asked:
                self._jobs.clear()

    def _rebuild(self, asked: Mapping[int, SceneSpec]) -> None:
        """Make a model of all worlds; what is in those that were not asked for is carried over."""
        old, made = self.physics, {}
        for k, spec in asked.items():
            try:
                made[k] = self._models.of(spec)
            except Exception as e:  # noqa: BLE001 (raised again by the call that asked)
                self._failed[k] = e
        if not made:
            return
        wanted = [made.get(k, model) for k, model in enumerate(self._open)]
        stand_in = next(iter(made.values()))
        new = NewtonPhysics([m or stand_in for m in wanted], self._device, together=True)
        for k, model in enumerate(self._open):
            if old is not None and model is not None and k not in made:
                new.take(k, old)
        self.physics, self._open = new, wanted
        for k in made:
            self._scenes[k] = structure(asked[k])


class _Stopped(BaseException):
    """Ends a call that was stopped, past whatever it would do about errors."""


class Turn:
    """A call in a thread of its own that works only when it is its turn."""

    def __init__(self, index: int, call: Callable[[], Any]) -> None:
        """Start it; it waits for `resume`.

        Args:
            index: of the world that it is about.
            call: what it does.
        """
        self.index = index
        self._mine, self._others = threading.Semaphore(0), threading.Semaphore(0)
        self._future: Future[Any] = Future()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, args=[call], daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether it has returned or raised."""
        return self._future.done()

    def result(self) -> Any:
        """Return what it returned; raises what it raised."""
        return self._future.result()

    def resume(self) -> None:
        """Let it work until it pauses, or is over."""
        self._mine.release()
        self._others.acquire()

    def pause(self) -> None:
        """End its turn; called by what it does. Returns at the next one."""
        if not self._is_stopped:
            self._others.release()
        self._await()

    def stop(self) -> None:
        """End it at its next pause, if it is not over; returns when its thread has ended."""
        self._is_stopped = True
        self._mine.release()
        self._thread.join()

    def _await(self) -> None:
        if not self._is_stopped:
            self._mine.acquire()
        if self._is_stopped:
            raise _Stopped

    def _run(self, call: Callable[[], Any]) -> None:
        try:
            self._await()
            self._future.set_result(call())
        except BaseException as e:  # noqa: BLE001 (raised again by result)
            self._future.set_exception(e)
        finally:
            self._others.release()


class JointWorld:
    """One of several worlds that are solved together; see `OwnWorld`."""

    def __init__(self, worlds: JointWorlds, index: int) -> None:
        """Take a world by its number."""
        self._worlds, self.index = worlds, index

    @property
    def physics(self) -> NewtonPhysics:
        """Of all the worlds."""
        assert self._worlds.physics is not None, "opened"
        return self._worlds.physics

    def open(self, spec: SceneSpec) -> None:
        """Have a model of this scene."""
        self._worlds.open(self.index, spec)

    def run(self, targets: Array) -> None:
        """Step it through targets [n, 9] rad and m of its drives."""
        self._worlds.run(self.index, targets)


class Worlds:
    """The worlds of several backends in one process."""

    def __init__(self, count: int) -> None:
        """Say how many there are; the first backend that takes a seat says how they are solved."""
        self._count = count
        self._joint: JointWorlds | None = None
        self._models: Models | None = None
        self._terms: tuple[str, str, bool] | None = None

    def seat(self, index: int) -> "Seat":
        """Return a seat for one backend."""
        return Seat(self, index)

    def together(self, calls: Mapping[int, Callable[[], T]]) -> dict[int, T]:
        """Run calls that each are about one world; see `JointWorlds.together`."""
        if self._joint is None:
            return {k: call() for k, call in calls.items()}
        return self._joint.together(calls)

    def take(self, index: int, pack: Pack, device: str, together: bool | None) -> Place:
        """Return where a backend's world is simulated.

        Args:
            index: of the backend.
            pack: its assets.
            device: of Warp.
            together: whether all are in one model; None is yes, but for the CPU.

        Raises:
            BackendError: if another seat was taken with other arguments.
        """
        terms = pack.digest, device, device != "cpu" if together is None else together
        if self._models is None:
            self._models, self._terms = Models(pack), terms
            if terms[2]:
                self._joint = JointWorlds(self._count, self._models, device)
        if terms != self._terms:
            raise BackendError("seats of one process: expected one pack, device and together")
        if self._joint is not None:
            return self._joint.place(index)
        return OwnWorld(self._models, device)


class Seat:
    """What makes a backend one of several in a process."""

    def __init__(self, worlds: Worlds, index: int) -> None:
        """See `Worlds.seat`."""
        self._worlds, self._index = worlds, index

    def take(self, pack: Pack, device: str, together: bool | None) -> Place:
        """See `Worlds.take`."""
        return self._worlds.take(self._index, pack, device, together)


def remembered(kept: OrderedDict[str, T], key: str, make: Callable[[], T]) -> T:
    """Return what is kept under a key, or make it; of the others, the last used ones stay."""
    if key not in kept:
        kept[key] = make()
        while len(kept) > KEPT:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]
