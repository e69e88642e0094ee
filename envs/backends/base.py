"""What all backends share: planning on the caster, and refusing use before reset or after close."""

import numpy as np
from numpy.typing import NDArray

from refergym.assets.library import Pack, open_pack
from refergym.assets.robots import kinematics
from refergym.assets.spec import SceneSpec
from refergym.envs.errors import BackendError, ClosedError
from refergym.envs.geometry.caster import Caster
from refergym.envs.skills import pick as picking
from refergym.envs.skills import place as placing
from refergym.envs.skills.pick import PickPlan
from refergym.envs.skills.place import PlacePlan
from refergym.envs.types import SkillResult, State

Array = NDArray[np.float64]


class BackendBase:
    """Keeps the pack, the caster and the scene; subclasses do the rest."""

    kind = ""

    def __init__(self, pack: Pack | None) -> None:
        """Open the pack; no world yet."""
        self._pack = pack or open_pack()
        self._caster = Caster(self._pack)
        self._spec: SceneSpec | None = None
        self._closed = False
        self.hand_yaw = 0.0
        """rad, world: the closing axis at the last grasp"""

    @property
    def spec(self) -> SceneSpec:
        """The scene of the last reset.

        Raises:
            ClosedError: after close.
            BackendError: before the first reset.
        """
        self._check_open()
        if self._spec is None:
            raise BackendError(f"backend {self.kind!r} has no scene yet; call reset(spec) first")
        return self._spec

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"backend {self.kind!r} was closed; make a new one")

    def _is_too_heavy(self, index: int) -> bool:
        thing = self.spec.objects[index]
        mass = self._pack[thing.asset].mass * thing.scale**3 * thing.mass_scale
        return mass > kinematics.PAYLOAD

    def _plan_pick(self, before: State, point_w: Array) -> PickPlan | SkillResult:
        if before.held >= 0:
            raise BackendError("pick needs an empty gripper; call place first")
        return picking.plan(self._caster, self.spec, before, np.asarray(point_w, np.float64))

    def _plan_place(
        self, before: State, point_w: Array, yaw: float | None
    ) -> PlacePlan | SkillResult:
        if before.held < 0:
            raise BackendError("place needs something in the gripper; call pick first")
        point = np.asarray(point_w, np.float64)
        return placing.plan(
            self._caster, self.spec, before, point, hand_yaw=self.hand_yaw, turn=yaw
        )
