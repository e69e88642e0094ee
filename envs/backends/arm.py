"""What backends share whose arm moves joint by joint: reset, settle, and the two skills."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.library import Pack
from refergym.assets.spec import Pose, SceneSpec
from refergym.envs.backends.base import BackendBase
from refergym.envs.skills import execute, ways
from refergym.envs.skills.pick import PickPlan
from refergym.envs.skills.place import PlacePlan
from refergym.envs.types import Event, SkillResult, State

Array = NDArray[np.float64]
_SETTLE_SECONDS = 3.0


class World(execute.ArmWorld, Protocol):
    """A simulated world with an arm in it."""

    held: int
    """index of the held object, or -1"""
    recorder: Callable[[State], None] | None
    """called about every 1/15 s of simulated time while things move"""

    def state(self) -> State:
        """Read all poses and joints."""
        ...


class ArmBackend(BackendBase):
    """See `envs.types.Backend`. Subclasses build worlds, and say which one it is."""

    def __init__(self, pack: Pack | None) -> None:
        """Open the pack; no world yet."""
        super().__init__(pack)
        self._recorder: Callable[[State], None] | None = None

    @property
    def world(self) -> World:
        """The world; raises BackendError where there is none yet."""
        raise NotImplementedError

    def _build(self, spec: SceneSpec, start: Sequence[Pose], *, settling: bool) -> None:
        """Make the world of a scene, its objects at poses, at rest.

        Args:
            spec: the scene.
            start: pose of each object.
            settling: whether they are about to come to rest, and do not stand there yet.
        """
        raise NotImplementedError

    @property
    def recorder(self) -> Callable[[State], None] | None:
        """Called with the state about 15 times a simulated second during skills."""
        return self._recorder

    @recorder.setter
    def recorder(self, hook: Callable[[State], None] | None) -> None:
        self._recorder = hook
        if self._spec is not None:
            self.world.recorder = hook

    def settle(self, spec: SceneSpec) -> tuple[Pose, ...]:
        """See the Protocol. Bounded by 3 s of simulated time."""
        self._start(spec, [o.pose for o in spec.objects], settling=True)
        self.world.rest(_SETTLE_SECONDS)
        return tuple(poses.as_pose(row) for row in self.world.state().objects)

    def reset(self, spec: SceneSpec) -> None:
        """See the Protocol."""
        self._check_open()
        self._start(spec, spec.poses(self.kind), settling=False)
        self._spec = spec

    def state(self) -> State:
        """See the Protocol."""
        _ = self.spec
        return self.world.state()

    def pick(self, point_w: Array) -> SkillResult:
        """See the Protocol."""
        spec, before = self.spec, self.state()
        plan = self._plan_pick(before, point_w)
        if isinstance(plan, SkillResult):
            return plan
        result = self._carry_out_pick(plan, before)
        self.hand_yaw = ways.closing_yaw(spec, plan.down[-1])
        return result

    def place(self, point_w: Array, yaw: float | None = None) -> SkillResult:
        """See the Protocol."""
        before = self.state()
        plan = self._plan_place(before, point_w, yaw)
        if isinstance(plan, SkillResult):
            return plan
        return self._carry_out_place(plan, before)

    def _start(self, spec: SceneSpec, start: Sequence[Pose], *, settling: bool) -> None:
        self._check_open()
        self._spec = None
        self._build(spec, start, settling=settling)
        self.world.recorder = self._recorder

    def _carry_out_pick(self, plan: PickPlan, before: State) -> SkillResult:
        result = execute.pick(self.world, self.spec, plan)
        if result.event is not Event.PICKED:
            self.world.held = -1
        return result

    def _carry_out_place(self, plan: PlacePlan, before: State) -> SkillResult:
        result = execute.place(self.world, self.spec, plan, before.held)
        self.world.held = -1
        return result
