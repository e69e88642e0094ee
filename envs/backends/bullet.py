"""PyBullet: real contacts, or fast "magic" grasps that skip the arm's motion."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.library import Pack
from refergym.assets.spec import Pose, SceneSpec
from refergym.envs.backends.base import BackendBase
from refergym.envs.backends.bullet_world import BulletWorld
from refergym.envs.errors import BackendError
from refergym.envs.geometry import supports
from refergym.envs.skills import execute, ways
from refergym.envs.skills import pick as picking
from refergym.envs.skills import place as placing
from refergym.envs.types import Event, SkillResult, State

Array = NDArray[np.float64]
_SETTLE_SECONDS = 3.0


class BulletBackend(BackendBase):
    """See `envs.types.Backend`."""

    kind = "bullet"

    def __init__(self, grasp: str = "contact", pack: Pack | None = None) -> None:
        """Make a backend without a world.

        Args:
            grasp: "contact" closes the fingers and lets friction hold; "magic" fixes the object
                to the hand where a grasp was planned and carries it without simulating the arm.
            pack: the asset pack; None opens the one that ships.
        """
        if grasp not in ("contact", "magic"):
            raise BackendError(f"grasp: expected 'contact' or 'magic', got {grasp!r}")
        super().__init__(pack)
        self._magic = grasp == "magic"
        self._world: BulletWorld | None = None
        self._constraint = -1

    @property
    def world(self) -> BulletWorld:
        """The physics world, connected on first use."""
        self._check_open()
        if self._world is None:
            self._world = BulletWorld(self._pack)
        return self._world

    @property
    def recorder(self) -> Callable[[State], None] | None:
        """Called with the state about 15 times a simulated second during skills."""
        return self.world.recorder

    @recorder.setter
    def recorder(self, hook: Callable[[State], None] | None) -> None:
        self.world.recorder = hook

    def settle(self, spec: SceneSpec) -> tuple[Pose, ...]:
        """See the Protocol. Bounded by 3 s of simulated time."""
        self.world.build(spec, [o.pose for o in spec.objects], asleep=False)
        self._spec = None
        self.world.rest(_SETTLE_SECONDS)
        return tuple(poses.as_pose(row) for row in self.world.state().objects)

    def reset(self, spec: SceneSpec) -> None:
        """See the Protocol."""
        self.world.build(spec, spec.poses(self.kind))
        self._spec = spec
        self._constraint = -1

    def state(self) -> State:
        """See the Protocol."""
        _ = self.spec
        return self.world.state()

    def pick(self, point_w: Array) -> SkillResult:
        """See the Protocol."""
        spec, before = self.spec, self.world.state()
        plan = self._plan_pick(before, point_w)
        if isinstance(plan, SkillResult):
            return plan
        if self._magic:
            result = self._pick_magic(plan, before)
        else:
            result = execute.pick(self.world, spec, plan)
            if result.event is not Event.PICKED:
                self.world.held = -1
        self.hand_yaw = ways.closing_yaw(spec, plan.down[-1])
        return result

    def place(self, point_w: Array, yaw: float | None = None) -> SkillResult:
        """See the Protocol."""
        spec, before = self.spec, self.world.state()
        plan = self._plan_place(before, point_w, yaw)
        if isinstance(plan, SkillResult):
            return plan
        if self._magic:
            return self._place_magic(plan, before)
        result = execute.place(self.world, spec, plan, before.held)
        self.world.held = -1
        return result

    def close(self) -> None:
        """See the Protocol."""
        if self._world is not None:
            self._world.close()
            self._world = None
        self._closed = True

    def _pick_magic(self, plan: picking.PickPlan, before: State) -> SkillResult:
        spec, world = self.spec, self.world
        if self._is_too_heavy(plan.object):
            return SkillResult(event=Event.NOTHING_HELD, object=plan.object, detail="too heavy")
        grasped = ways.tcp(spec, plan.down[-1])
        parked = ways.tcp(spec, np.array(spec.robot.parked))
        riders = supports.resting_on(self._caster, spec, before, plan.object)
        carry(world, before, [plan.object, *riders], parked @ np.linalg.inv(grasped))
        self._constraint = world.attach(plan.object)
        world.held = plan.object
        world.rest(0.5)
        return SkillResult(event=Event.PICKED, object=plan.object)

    def _place_magic(self, plan: placing.PlacePlan, before: State) -> SkillResult:
        world = self.world
        world.detach(self._constraint)
        riders = supports.resting_on(self._caster, self.spec, before, before.held)
        lifted = plan.pose + np.array([0, 0, placing.GAP, 0, 0, 0, 0])
        motion = poses.matrix(lifted) @ np.linalg.inv(poses.matrix(before.objects[before.held]))
        carry(world, before, [before.held, *riders], motion)
        world.held = -1
        world.rest(execute.REST_SECONDS)
        return execute.judge_rest(*world.box(before.held), plan, before.held)


def carry(world: BulletWorld, before: State, indices: Sequence[int], motion: Array) -> None:
    """Move objects rigidly by a world motion [4, 4]."""
    for i in indices:
        world.set_pose(i, poses.moved(before.objects[i], motion))
