"""PyBullet: real contacts, or fast "magic" grasps that skip the arm's motion."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.library import Pack
from refergym.assets.spec import Pose, SceneSpec
from refergym.envs.backends.arm import ArmBackend
from refergym.envs.backends.bullet_world import BulletWorld
from refergym.envs.errors import BackendError
from refergym.envs.geometry import supports
from refergym.envs.skills import execute, ways
from refergym.envs.skills.pick import PickPlan
from refergym.envs.skills.place import GAP, PlacePlan
from refergym.envs.types import Event, SkillResult, State

Array = NDArray[np.float64]


class BulletBackend(ArmBackend):
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

    def _build(self, spec: SceneSpec, start: Sequence[Pose], *, settling: bool) -> None:
        self.world.build(spec, start, asleep=not settling)
        self._constraint = -1

    def close(self) -> None:
        """See the Protocol."""
        if self._world is not None:
            self._world.close()
            self._world = None
        self._closed = True

    def _carry_out_pick(self, plan: PickPlan, before: State) -> SkillResult:
        if not self._magic:
            return super()._carry_out_pick(plan, before)
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

    def _carry_out_place(self, plan: PlacePlan, before: State) -> SkillResult:
        if not self._magic:
            return super()._carry_out_place(plan, before)
        world = self.world
        world.detach(self._constraint)
        riders = supports.resting_on(self._caster, self.spec, before, before.held)
        lifted = plan.pose + np.array([0, 0, GAP, 0, 0, 0, 0])
        motion = poses.matrix(lifted) @ np.linalg.inv(poses.matrix(before.objects[before.held]))
        carry(world, before, [before.held, *riders], motion)
        world.held = -1
        world.rest(execute.REST_SECONDS)
        return execute.judge_rest(*world.box(before.held), plan, before.held)


def carry(world: BulletWorld, before: State, indices: Sequence[int], motion: Array) -> None:
    """Move objects rigidly by a world motion [4, 4]."""
    for i in indices:
        world.set_pose(i, poses.moved(before.objects[i], motion))
