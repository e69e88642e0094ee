"""No physics engine: geometry decides what can be lifted, where it fits, whether it would stand.

It plans with the very search that the physical backends use; where they would push, slip or topple
it gives the event that this leads to. Thousands of steps a second, on any Python.
"""

import numpy as np
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.library import Pack
from refergym.assets.robots import kinematics
from refergym.assets.spec import Pose, SceneSpec
from refergym.envs.backends.base import BackendBase
from refergym.envs.geometry import heightmap, supports
from refergym.envs.skills import ways
from refergym.envs.types import Event, SkillResult, State

Array = NDArray[np.float64]

LEAST_GRASP_RATE = 0.5
"""an asset whose measured grasp rate at this scale is lower slips out of the fingers"""


class KinematicBackend(BackendBase):
    """See `envs.types.Backend`."""

    kind = "kinematic"

    def __init__(self, pack: Pack | None = None) -> None:
        """Make a backend without a scene; None opens the pack that ships."""
        super().__init__(pack)
        self._objects = np.zeros((0, 7))
        self._joints = np.zeros(9)
        self._held = -1

    def settle(self, spec: SceneSpec) -> tuple[Pose, ...]:
        """See the Protocol. Composed poses rest by geometry already."""
        self._check_open()
        return tuple(poses.as_pose(poses.as_row(o.pose)) for o in spec.objects)

    def reset(self, spec: SceneSpec) -> None:
        """See the Protocol."""
        self._check_open()
        start = spec.poses(self.kind)
        self._objects = np.array([(*p.position, *p.orientation) for p in start]).reshape(-1, 7)
        self._joints = np.array([*spec.robot.parked, kinematics.FINGER_MAX, kinematics.FINGER_MAX])
        self._spec, self._held = spec, -1

    def restore(self, spec: SceneSpec, state: State) -> None:
        """Start from any state of a scene in which nothing is held, without settled poses."""
        self._check_open()
        self._objects, self._joints = state.objects.copy(), state.joints.copy()
        self._spec, self._held = spec, -1

    def state(self) -> State:
        """See the Protocol."""
        _ = self.spec
        return State(objects=self._objects.copy(), joints=self._joints.copy(), held=self._held)

    def pick(self, point_w: Array) -> SkillResult:
        """See the Protocol."""
        spec, before = self.spec, self.state()
        plan = self._plan_pick(before, point_w)
        if isinstance(plan, SkillResult):
            return plan
        thing = spec.objects[plan.object]
        info = self._pack[thing.asset]
        if self._is_too_heavy(plan.object):
            return SkillResult(event=Event.NOTHING_HELD, object=plan.object, detail="too heavy")
        if info.grasps and info.grasp_rate(thing.scale) < LEAST_GRASP_RATE:
            return SkillResult(event=Event.NOTHING_HELD, object=plan.object, detail="slips out")
        parked = np.array(spec.robot.parked)
        motion = ways.tcp(spec, parked) @ np.linalg.inv(ways.tcp(spec, plan.down[-1]))
        self._carry(before, plan.object, motion)
        self._held = plan.object
        self.hand_yaw = ways.closing_yaw(spec, plan.down[-1])
        self._joints[7:] = plan.grasp.width / 2
        return SkillResult(event=Event.PICKED, object=plan.object)

    def place(self, point_w: Array, yaw: float | None = None) -> SkillResult:
        """See the Protocol."""
        before = self.state()
        plan = self._plan_place(before, point_w, yaw)
        if isinstance(plan, SkillResult):
            return plan
        held = before.held
        motion = poses.matrix(plan.pose) @ np.linalg.inv(poses.matrix(before.objects[held]))
        self._carry(before, held, motion)
        self._held = -1
        self._joints[7:] = kinematics.FINGER_MAX
        if plan.balanced:
            return SkillResult(event=Event.PLACED, object=held)
        self._topple(held)
        return SkillResult(
            event=Event.UNSTABLE, object=held, detail="its weight lies beside its contacts"
        )

    def close(self) -> None:
        """See the Protocol."""
        self._closed = True

    def _carry(self, before: State, index: int, motion: Array) -> None:
        """Move an object and what rests on it."""
        riders = supports.resting_on(self._caster, self.spec, before, index)
        for i in (index, *riders):
            self._objects[i] = poses.moved(before.objects[i], motion)

    def _topple(self, index: int) -> None:
        """Lay an object on its side and let it down on what is there."""
        spec = self.spec
        side = poses.matrix(np.array([0, 0, 0, np.sqrt(0.5), np.sqrt(0.5), 0, 0]))
        row = self._objects[index]
        row[3:] = poses.quaternion(side[:3, :3] @ poses.rotation(row[3:]))
        row[2] += 1.0
        state = self.state()
        belly = heightmap.underside(self._caster, spec, state, index)
        nx, ny = belly.heights.shape
        end = belly.origin + heightmap.RESOLUTION * (np.array([nx, ny]) - 1)
        view = heightmap.overhead(
            self._caster, spec, state, belly.origin, end, skip=index, align=belly.origin
        )
        row[2] -= float((belly.heights - view.heights[:nx, :ny]).min())
