"""The backend that runs in Isaac's process; `isaac` is the one that a user chooses."""

import logging
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.library import Pack
from refergym.assets.spec import CameraSpec, Pose, SceneSpec
from refergym.envs.backends import isaac_stage
from refergym.envs.backends.base import BackendBase
from refergym.envs.backends.isaac_app import IsaacApp
from refergym.envs.backends.isaac_camera import IsaacCameras
from refergym.envs.backends.isaac_world import IsaacWorld
from refergym.envs.errors import BackendError
from refergym.envs.skills import execute, ways
from refergym.envs.types import Event, Frame, SkillResult, State

Array = NDArray[np.float64]
_SETTLE_SECONDS = 3.0
_log = logging.getLogger(__name__)


class IsaacInside(BackendBase):
    """See `envs.types.Backend`. One for a process; closing it ends the process."""

    kind = "isaac"

    def __init__(
        self,
        headless: bool = True,
        renderer: str = "RealTimePathTracing",
        device: str = "cpu",
        pack: Pack | None = None,
    ) -> None:
        """Start Isaac Sim; see `IsaacBackend` for the arguments.

        Raises:
            BackendError: if it cannot be imported, or this process had it before.
        """
        super().__init__(pack)
        self._device = device
        self._app = IsaacApp(headless=headless, renderer=renderer)
        self._folder = tempfile.TemporaryDirectory(prefix="refergym-isaac-")
        self._world: IsaacWorld | None = None
        self._cameras: IsaacCameras | None = None
        self._recorder: Callable[[State], None] | None = None

    @property
    def recorder(self) -> Callable[[State], None] | None:
        """Called with the state about 15 times a simulated second during skills."""
        return self._recorder

    @recorder.setter
    def recorder(self, hook: Callable[[State], None] | None) -> None:
        self._recorder = hook
        if self._world is not None:
            self._world.recorder = hook

    def settle(self, spec: SceneSpec) -> tuple[Pose, ...]:
        """See the Protocol. Bounded by 3 s of simulated time."""
        self._spec = None
        world = self._open(spec, tuple(o.pose for o in spec.objects), None)
        world.rest(_SETTLE_SECONDS)
        return tuple(poses.as_pose(row) for row in world.state().objects)

    def reset(self, spec: SceneSpec) -> None:
        """See the Protocol. The stage is written and opened anew."""
        self._check_open()
        self._spec = None
        self._open(spec, spec.poses(self.kind), self.kind)
        self._spec = spec

    def state(self) -> State:
        """See the Protocol."""
        _ = self.spec
        return self._there.state()

    def pick(self, point_w: Array) -> SkillResult:
        """See the Protocol."""
        spec, before = self.spec, self.state()
        plan = self._plan_pick(before, point_w)
        if isinstance(plan, SkillResult):
            return plan
        result = execute.pick(self._there, spec, plan)
        if result.event is not Event.PICKED:
            self._there.held = -1
        self.hand_yaw = ways.closing_yaw(spec, plan.down[-1])
        return result

    def place(self, point_w: Array, yaw: float | None = None) -> SkillResult:
        """See the Protocol."""
        spec, before = self.spec, self.state()
        plan = self._plan_place(before, point_w, yaw)
        if isinstance(plan, SkillResult):
            return plan
        result = execute.place(self._there, spec, plan, before.held)
        self._there.held = -1
        return result

    def look(self, camera: CameraSpec | None = None) -> Frame:
        """Take a picture with Isaac's camera; None is the scene's.

        Raises:
            BackendError: before reset; if its pixels are not square, or no picture comes.
        """
        spec = self.spec
        assert self._cameras is not None, "reset"
        return self._cameras.look(spec.camera if camera is None else camera)

    def close(self) -> None:
        """See the Protocol. As a rule this ends the process."""
        if self._closed:
            return
        self._closed = True
        self._world, self._cameras = None, None
        self._folder.cleanup()
        self._app.close()

    @property
    def _there(self) -> IsaacWorld:
        if self._world is None:
            raise BackendError("backend 'isaac' has no scene yet; call reset(spec) first")
        return self._world

    def _open(self, spec: SceneSpec, start: tuple[Pose, ...], kind: str | None) -> IsaacWorld:
        self._check_open()
        self._world, self._cameras = None, None
        kept = Path(self._folder.name)
        before = list(kept.iterdir())
        stage = isaac_stage.write(spec, self._pack, Path(tempfile.mkdtemp(dir=kept)), kind)
        self._world = IsaacWorld(spec, stage, start, pack=self._pack, device=self._device)
        for folder in before:  # not earlier: their stage was still open
            shutil.rmtree(folder, ignore_errors=True)
        self._world.recorder = self._recorder
        self._cameras = IsaacCameras(self._app, stage)
        return self._world
