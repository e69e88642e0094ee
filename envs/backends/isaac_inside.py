"""The backend that runs in Isaac's process; `isaac` is the one that a user chooses."""

import logging
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refergym.assets.library import Pack
from refergym.assets.spec import CameraSpec, Pose, SceneSpec
from refergym.envs.backends import isaac_stage
from refergym.envs.backends.arm import ArmBackend
from refergym.envs.backends.isaac_app import IsaacApp
from refergym.envs.backends.isaac_camera import IsaacCameras
from refergym.envs.backends.isaac_world import IsaacWorld
from refergym.envs.errors import BackendError
from refergym.envs.types import Frame

Array = NDArray[np.float64]
_log = logging.getLogger(__name__)


class IsaacInside(ArmBackend):
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
    def world(self) -> IsaacWorld:
        """What is in the open stage."""
        if self._world is None:
            raise BackendError("backend 'isaac' has no scene yet; call reset(spec) first")
        return self._world

    def _build(self, spec: SceneSpec, start: Sequence[Pose], *, settling: bool) -> None:
        """Write the stage and open it anew."""
        self._world, self._cameras = None, None
        kept = Path(self._folder.name)
        before = list(kept.iterdir())
        folder = Path(tempfile.mkdtemp(dir=kept))
        stage = isaac_stage.write(spec, self._pack, folder, None if settling else self.kind)
        self._world = IsaacWorld(spec, stage, start, pack=self._pack, device=self._device)
        for folder in before:  # not earlier: their stage was still open
            shutil.rmtree(folder, ignore_errors=True)
        self._cameras = IsaacCameras(self._app, stage)
