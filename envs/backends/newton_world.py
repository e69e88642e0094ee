"""The arm in one world of Newton, and what it moves."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.library import Pack
from refergym.assets.robots.kinematics import FINGER_MAX
from refergym.assets.spec import Pose, SceneSpec
from refergym.envs.backends.newton_model import STEP
from refergym.envs.backends.newton_physics import NewtonPhysics
from refergym.envs.skills.execute import between_fingers
from refergym.envs.skills.pacing import paced
from refergym.envs.types import State

Array = NDArray[np.float64]

_CALM_SPEED, _CALM_TURN = 0.005, 0.05
"""m/s, rad/s"""
_FINGER_SPEED = 0.1
"""m/s of each finger; what is light is knocked away by faster ones"""
_CHECK_EVERY = round(0.1 / STEP)
_RECORD_EVERY = round(1 / 15 / STEP)
_LAG = round(0.05 / STEP)
"""steps that the arm gets to arrive at its last target"""


class Place(Protocol):
    """Where a world is simulated: `newton_worlds.OwnWorld`, or one of several."""

    @property
    def physics(self) -> NewtonPhysics:
        """Has the world; another one after another scene was opened."""
        ...

    @property
    def index(self) -> int:
        """The world's number there."""
        ...

    def open(self, spec: SceneSpec) -> None:
        """Have a model of this scene; its objects may stand anywhere."""
        ...

    def run(self, targets: Array) -> None:
        """Step it through targets [n, 9] rad and m of its drives."""
        ...


class NewtonWorld:
    """One world. Poses in and out are those of the assets' own frames."""

    def __init__(
        self,
        place: Place,
        *,
        spec: SceneSpec,
        start: Sequence[Pose],
        pack: Pack,
    ) -> None:
        """Put everything where it starts, at rest.

        Args:
            place: where a model of the scene is open.
            spec: the scene.
            start: pose of each object.
            pack: where its assets are.
        """
        self._place = place
        self._points = [
            np.concatenate(pack.hulls(thing.asset)) * thing.scale for thing in spec.objects
        ]
        self._target = np.array([*spec.robot.parked, FINGER_MAX, FINGER_MAX])
        self._ticks = 0
        self.held = -1
        self.recorder: Callable[[State], None] | None = None
        """called about every 1/15 s of simulated time while things move"""
        rows = np.array([poses.as_row(p) for p in start]).reshape(-1, 7)
        place.physics.put(place.index, rows, self._target)

    @property
    def physics(self) -> NewtonPhysics:
        """What it is one of the worlds of."""
        return self._place.physics

    def state(self) -> State:
        """Read all poses and joints."""
        return State(
            objects=self.physics.objects(self._place.index),
            joints=self.physics.joints(self._place.index),
            held=self.held,
        )

    def box(self, index: int) -> tuple[Array, Array]:
        """See `execute.ArmWorld`."""
        row = self.physics.objects(self._place.index)[index]
        points = self._points[index] @ poses.rotation(row[3:]).T + row[:3]
        return points.min(axis=0), points.max(axis=0)

    def set_pose(self, index: int, pose: Array) -> None:
        """Put an object at a pose [7], at rest."""
        self.physics.place(self._place.index, index, pose)

    def set_velocity(self, index: int, linear: Array, angular: Array) -> None:
        """Give an object a velocity [3] m/s of its centre of mass, and [3] rad/s."""
        velocity = np.concatenate([linear, angular])
        self.physics.set_velocity(self._place.index, index, velocity)

    def step(self, n: int = 1) -> None:
        """Advance by n steps, telling the recorder."""
        if n:
            self._run(np.tile(self._target, (n, 1)))

    def follow(self, way: Sequence[Array], speed: float) -> None:
        """See `execute.ArmWorld`."""
        arm = list(paced(self._target[:7].copy(), way, speed, STEP))
        if arm:
            fingers = np.tile(self._target[7:], (len(arm), 1))
            self._target[:7] = arm[-1]
            self._run(np.column_stack([arm, fingers]))
        self.step(_LAG)

    def grip(self, finger: float, seconds: float) -> None:
        """See `execute.ArmWorld`."""
        steps = round(seconds / STEP)
        way = finger - self._target[7:]
        ramp = min(steps, int(np.ceil(np.abs(way).max() / _FINGER_SPEED / STEP)))
        if ramp:
            shares = np.arange(1, ramp + 1)[:, None] / ramp
            arm = np.tile(self._target[:7], (ramp, 1))
            self._run(np.column_stack([arm, self._target[7:] + shares * way]))
        self._target[7:] = finger
        self.step(steps - ramp)

    def gripped(self) -> int:
        """See `execute.ArmWorld`."""
        self.held = between_fingers(lambda: self.physics.touched(self._place.index), self.step)
        return self.held

    def rest(self, seconds: float) -> None:
        """See `execute.ArmWorld`."""
        for _ in range(round(seconds / STEP / _CHECK_EVERY)):
            self.step(_CHECK_EVERY)
            if self._calm():
                break

    def _run(self, targets: Array) -> None:
        if self.recorder is None:
            self._place.run(targets)
            return
        while len(targets):
            few = _RECORD_EVERY - self._ticks % _RECORD_EVERY
            now, targets = targets[:few], targets[few:]
            self._place.run(now)
            self._ticks += len(now)
            if self._ticks % _RECORD_EVERY == 0:
                self.recorder(self.state())

    def _calm(self) -> bool:
        speeds = np.abs(self.physics.speeds(self._place.index))
        free = np.arange(len(speeds)) != self.held
        fast = speeds[free, :3].max(initial=0.0) > _CALM_SPEED
        turning = speeds[free, 3:].max(initial=0.0) > _CALM_TURN
        return not (fast or turning)
