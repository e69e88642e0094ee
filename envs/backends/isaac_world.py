"""The world that Isaac Sim simulates: the scene's stage, its bodies, the arm's joints.

Uses the "core experimental" API of Isaac Sim 6. Bound to the published signatures in tests; not
executed on Isaac Sim here (docs/isaac.md).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refergym.assets import poses
from refergym.assets.library import Pack
from refergym.assets.robots.kinematics import FINGER_MAX
from refergym.assets.spec import Pose, SceneSpec
from refergym.envs.backends.isaac_stage import ROBOT, Stage
from refergym.envs.errors import BackendError
from refergym.envs.skills.execute import between_fingers
from refergym.envs.skills.pacing import paced
from refergym.envs.types import State

Array = NDArray[np.float64]

STEP = 1 / 240
"""s"""
DOFS = (*(f"panda_joint{k}" for k in range(1, 8)), "panda_finger_joint1", "panda_finger_joint2")
"""in the order of a State's joints"""
FINGERS = ("panda_leftfinger", "panda_rightfinger")
_TOUCH = 0.05
"""N, the least force that counts as a touch"""
_CALM_SPEED, _CALM_TURN = 0.005, 0.05
"""m/s, rad/s"""
_CHECK_EVERY = 24
_RECORD_EVERY = 16
_LAG = 12
"""steps that the arm gets to arrive at its last target"""


class IsaacWorld:
    """What is in the open stage. Poses in and out are those of the assets' own frames.

    A world is made anew for each stage: prims of a stage that was closed are of no use.
    """

    def __init__(
        self,
        spec: SceneSpec,
        stage: Stage,
        start: Sequence[Pose],
        *,
        pack: Pack,
        device: str = "cpu",
    ) -> None:
        """Open a stage and put everything where it starts, at rest.

        Args:
            spec: the scene.
            stage: it, as a stage on disk.
            start: pose of each object.
            pack: where its assets are.
            device: where physics runs: "cpu", "cuda:0".

        Raises:
            BackendError: if Isaac cannot open the stage, or the robot in it is none that we know.
        """
        import isaacsim.core.experimental.utils.app as app_utils
        import isaacsim.core.experimental.utils.stage as stage_utils
        from isaacsim.core.experimental.prims import Articulation, RigidPrim
        from isaacsim.core.simulation_manager import SimulationManager

        app_utils.stop(commit=True)
        is_open, _ = stage_utils.open_stage(str(stage.file))
        if not is_open:
            raise BackendError(f"{stage.file}: Isaac Sim cannot open the stage")
        while stage_utils.is_stage_loading():
            app_utils.update_app(steps=1)
        self._physics: Any = SimulationManager
        self._physics.setup_simulation(dt=STEP, device=device)
        self._physics.enable_fabric(True)  # else the renderer would not see what moves
        self._robot = Articulation(ROBOT)
        self._objects = RigidPrim(list(stage.objects)) if stage.objects else None
        self._fingers = [
            self._finger(RigidPrim, f"{ROBOT}/{name}", stage.objects) for name in FINGERS
        ]
        app_utils.play(commit=True)
        self._check_robot()
        self._dofs = _numbers(self._robot.get_dof_indices(list(DOFS))).astype(np.int64).tolist()
        self._points = [
            np.concatenate(pack.hulls(thing.asset)) * thing.scale for thing in spec.objects
        ]
        self._target = np.array([*spec.robot.parked, FINGER_MAX, FINGER_MAX])
        self._count = len(stage.objects)
        self._ticks = 0
        self.held = -1
        self.recorder: Callable[[State], None] | None = None
        """called about every 1/15 s of simulated time while things move"""
        self._stand(np.array([poses.as_row(p) for p in start]).reshape(-1, 7))

    def state(self) -> State:
        """Read all poses and joints."""
        joints = _numbers(self._robot.get_dof_positions(dof_indices=self._dofs)).reshape(9)
        return State(objects=self._rows(), joints=joints, held=self.held)

    def box(self, index: int) -> tuple[Array, Array]:
        """See `execute.ArmWorld`."""
        row = self._rows()[index]
        points = self._points[index] @ poses.rotation(row[3:]).T + row[:3]
        return points.min(axis=0), points.max(axis=0)

    def set_pose(self, index: int, pose: Array) -> None:
        """Put an object at a pose [7], at rest."""
        assert self._objects is not None, "there is an object"
        self._objects.set_world_poses(
            positions=_row(pose[:3]), orientations=_row(pose[3:]), indices=[index]
        )
        self._objects.set_velocities(
            linear_velocities=_row(np.zeros(3)),
            angular_velocities=_row(np.zeros(3)),
            indices=[index],
        )

    def step(self, n: int = 1) -> None:
        """Advance by n steps, telling the recorder."""
        while n > 0:
            few = min(n, _RECORD_EVERY - self._ticks % _RECORD_EVERY)
            self._physics.step(steps=few, update_fabric=True)
            self._ticks += few
            n -= few
            if self.recorder is not None and self._ticks % _RECORD_EVERY == 0:
                self.recorder(self.state())

    def follow(self, way: Sequence[Array], speed: float) -> None:
        """See `execute.ArmWorld`."""
        for target in paced(self._target[:7].copy(), way, speed, STEP):
            self._target[:7] = target
            self._drive()
            self.step()
        self.step(_LAG)

    def grip(self, finger: float, seconds: float) -> None:
        """See `execute.ArmWorld`."""
        self._target[7:] = finger
        self._drive()
        self.step(round(seconds / STEP))

    def gripped(self) -> int:
        """See `execute.ArmWorld`."""
        left, right = self._fingers
        self.held = between_fingers(
            lambda: (self._touching(left), self._touching(right)), self.step
        )
        return self.held

    def rest(self, seconds: float) -> None:
        """See `execute.ArmWorld`."""
        for _ in range(round(seconds / STEP / _CHECK_EVERY)):
            self.step(_CHECK_EVERY)
            if self._calm():
                break

    def _finger(self, kind: Any, path: str, objects: Sequence[str]) -> Any:
        """Wrap one finger, its contacts with each object reported.

        One prim each: with as many prims as filters, Isaac would pair them off.
        """
        finger = kind([path], contact_filter_paths=list(objects) or None)
        finger.set_enabled_contact_tracking([True], threshold=0.0)
        return finger

    def _check_robot(self) -> None:
        names = list(self._robot.dof_names)
        if missing := [name for name in DOFS if name not in names]:
            have = ", ".join(names) or "none"
            raise BackendError(f"{ROBOT}: no joint {missing[0]!r} in the stage (has: {have})")

    def _stand(self, rows: Array) -> None:
        """Put the arm in its posture and the objects at poses [N, 7], everything at rest."""
        self._robot.set_dof_positions(_row(self._target), dof_indices=self._dofs)
        self._robot.set_dof_velocities(_row(np.zeros(9)), dof_indices=self._dofs)
        self._drive()
        if self._objects is not None:
            still = np.zeros((len(rows), 3), np.float32)
            self._objects.set_world_poses(
                positions=rows[:, :3].astype(np.float32),
                orientations=rows[:, 3:].astype(np.float32),
            )
            self._objects.set_velocities(linear_velocities=still, angular_velocities=still)

    def _drive(self) -> None:
        self._robot.set_dof_position_targets(_row(self._target), dof_indices=self._dofs)

    def _rows(self) -> Array:
        """Poses [N, 7] of the objects, canonical."""
        if self._objects is None:
            return np.zeros((0, 7))
        positions, turns = map(_numbers, self._objects.get_world_poses())
        unit = turns / np.linalg.norm(turns, axis=1, keepdims=True)
        return np.column_stack([positions, [poses.canonical(q) for q in unit]])

    def _touching(self, finger: Any) -> set[int]:
        """Indices of the objects that a finger touches."""
        if not self._count:
            return set()
        forces = _numbers(finger.get_contact_force_matrix(dt=STEP)).reshape(self._count, 3)
        return set(np.flatnonzero(np.linalg.norm(forces, axis=1) > _TOUCH).tolist())

    def _calm(self) -> bool:
        if self._objects is None:
            return True
        linear, angular = map(_numbers, self._objects.get_velocities())
        free = np.arange(self._count) != self.held
        fast = np.abs(linear[free]).max(initial=0.0) > _CALM_SPEED
        turning = np.abs(angular[free]).max(initial=0.0) > _CALM_TURN
        return not (fast or turning)


def _row(values: ArrayLike) -> NDArray[np.float32]:
    """One row of the single precision that Isaac's tensors have."""
    return np.asarray(values, np.float32).reshape(1, -1)


def _numbers(held: Any) -> Array:
    """Copy one of Isaac's arrays (Warp's, on any device)."""
    return np.array(held.numpy() if hasattr(held, "numpy") else held, np.float64)
