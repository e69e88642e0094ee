"""The worlds that backends of one process simulate: each by itself, or all in one model.

On the CPU each has its own model, and MuJoCo's own code solves it. In one model they are solved
together by MuJoCo Warp, which is what a GPU is for: then skills, each in a thread of its own, meet
here whenever they advance their world.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec
from refergym.envs.backends.newton_model import WorldModel, engine, structure, world_model
from refergym.envs.backends.newton_physics import NewtonPhysics

Array = NDArray[np.float64]
T = TypeVar("T")
KEPT = 8
"""models of scenes that are kept; making one takes about a second"""


def best_device() -> str:
    """Return the GPU that Warp would take, else the CPU."""
    engine()
    import warp

    return str(warp.get_preferred_device())


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
        self.physics.advance({0: targets})


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
        self.physics: NewtonPhysics | None = None
        self._lock = threading.Condition()
        self._running = 0
        self._asked: dict[int, WorldModel] = {}
        self._jobs: dict[int, Array] = {}
        self._failed: dict[int, Exception] = {}

    def seat(self, index: int) -> "Seat":
        """Return one of the worlds."""
        return Seat(self, index)

    def together(self, calls: Mapping[int, Callable[[], T]]) -> dict[int, T]:
        """Run a call for each of some worlds; wherever they advance, they do it together.

        Args:
            calls: by the number of the world that each call is about.

        Returns:
            What each returned; what one raises is raised when all have ended.
        """
        if not calls:
            return {}
        self._running = len(calls)
        with ThreadPoolExecutor(len(calls)) as pool:
            made = {k: pool.submit(self._call, call) for k, call in calls.items()}
            while self._serve():
                pass
        return {k: future.result() for k, future in made.items()}

    def open(self, index: int, spec: SceneSpec) -> None:
        """Have a model in which one world is this scene; the others keep what they are."""
        model = self._models.of(spec)
        if self._open[index] is model:
            return
        self._wait(index, lambda: self._asked.__setitem__(index, model))

    def run(self, index: int, targets: Array) -> None:
        """Step one world through targets [n, 9] rad and m of its drives."""
        self._wait(index, lambda: self._jobs.__setitem__(index, targets))

    def _call(self, call: Callable[[], T]) -> T:
        try:
            return call()
        finally:
            with self._lock:
                self._running -= 1
                self._lock.notify_all()

    def _wait(self, index: int, ask: Callable[[], None]) -> None:
        """Ask, and wait until it is done; outside of `together` it is done at once."""
        with self._lock:
            ask()
            if not self._running:
                self._work()
            else:
                self._lock.notify_all()
                self._lock.wait_for(lambda: index not in self._asked and index not in self._jobs)
            if index in self._failed:
                raise self._failed.pop(index)

    def _serve(self) -> bool:
        """Wait until every call waits here, then do what can be done; False once all have ended."""
        with self._lock:
            self._lock.wait_for(lambda: len(self._asked) + len(self._jobs) >= self._running)
            if not self._running:
                return False
            self._work()
            self._lock.notify_all()
            return True

    def _work(self) -> None:
        """Open what is asked for, else advance those that wait by as much as all of them want."""
        asked, jobs = dict(self._asked), dict(self._jobs)
        try:
            if asked:
                self._rebuild(asked)
                self._asked.clear()
                return
            assert self.physics is not None, "a world that runs was opened"
            few = min(len(targets) for targets in jobs.values())
            self.physics.advance({k: targets[:few] for k, targets in jobs.items()})
            self._jobs = {k: t[few:] for k, t in jobs.items() if len(t) > few}
        except Exception as e:  # noqa: BLE001 (raised again by the call that asked)
            self._failed.update(dict.fromkeys([*asked, *jobs], e))
            self._asked.clear()
            self._jobs.clear()

    def _rebuild(self, asked: Mapping[int, WorldModel]) -> None:
        """Make a model of all worlds; what is in those that were not asked for is carried over."""
        before, old = list(self._open), self.physics
        wanted = [asked.get(k, model) for k, model in enumerate(before)]
        stand_in = next(iter(asked.values()))
        self.physics = NewtonPhysics([m or stand_in for m in wanted], self._device, together=True)
        self._open = wanted
        for k, model in enumerate(before):
            if old is not None and model is not None and k not in asked:
                self.physics.take(k, old)


class Seat:
    """One of several worlds; see `OwnWorld`."""

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


def remembered(kept: OrderedDict[str, T], key: str, make: Callable[[], T]) -> T:
    """Return what is kept under a key, or make it; of the others, the last used ones stay."""
    if key not in kept:
        kept[key] = make()
        while len(kept) > KEPT:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]
