"""Newton, the physics engine of Isaac Lab 3: the scene's USD stage, on the CPU or a GPU."""

from collections.abc import Sequence

from refergym.assets.library import Pack
from refergym.assets.spec import CameraSpec, Pose, SceneSpec
from refergym.envs.backends.arm import ArmBackend
from refergym.envs.backends.newton_camera import NewtonCamera
from refergym.envs.backends.newton_model import device_named
from refergym.envs.backends.newton_world import NewtonWorld, Place
from refergym.envs.backends.newton_worlds import Seat, Worlds
from refergym.envs.errors import BackendError
from refergym.envs.types import Frame


class NewtonBackend(ArmBackend):
    """See `envs.types.Backend`. On the CPU a start repeats bit by bit, on a GPU it need not."""

    kind = "newton"

    def __init__(
        self,
        device: str | None = None,
        camera: bool = False,
        together: bool | None = None,
        pack: Pack | None = None,
        seat: Seat | None = None,
    ) -> None:
        """Make a backend without a world.

        Args:
            device: Warp's name of where it runs, "cpu" or "cuda:0"; None takes a GPU where there
                is one.
            camera: whether it has Newton's own, see `look`.
            together: whether several worlds of one process are solved in one model, by MuJoCo
                Warp; None does so on a GPU.
            pack: the asset pack; None opens the one that ships.
            seat: one of several worlds; None has one alone.

        Raises:
            BackendError: if Newton is missing, or naming the argument that is wrong.
        """
        if not isinstance(camera, bool):
            raise BackendError(f"camera: expected true or false, got {camera!r}")
        if not isinstance(together, bool | None):
            raise BackendError(f"together: expected true, false or null, got {together!r}")
        device = device_named(device)
        super().__init__(pack)
        self._place: Place = (seat or Worlds(1).seat(0)).take(self._pack, device, together)
        self._camera = NewtonCamera(self._pack, device) if camera else None
        self._world: NewtonWorld | None = None

    @property
    def world(self) -> NewtonWorld:
        """The world of the last scene."""
        self._check_open()
        if self._world is None:
            raise BackendError("backend 'newton' has no scene yet; call reset(spec) first")
        return self._world

    def look(self, camera: CameraSpec | None = None) -> Frame:
        """Take a picture with Newton's camera; None is the scene's.

        Raises:
            BackendError: before reset, or if it was made without a camera.
        """
        spec = self.spec
        if self._camera is None:
            raise BackendError("backend 'newton' has no camera of its own; backend.camera=true")
        return self._camera.look(spec, self.state(), camera)

    def close(self) -> None:
        """See the Protocol."""
        self._world, self._camera = None, None
        self._closed = True

    def _build(self, spec: SceneSpec, start: Sequence[Pose], *, settling: bool) -> None:
        self._place.open(spec)
        self._world = NewtonWorld(self._place, spec=spec, start=start, pack=self._pack)
