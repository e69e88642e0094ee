"""What all backends share: the caster, and refusing use before reset or after close."""

from refergym.assets.library import Pack, open_pack
from refergym.assets.spec import SceneSpec
from refergym.envs.errors import BackendError, ClosedError
from refergym.envs.geometry.caster import Caster


class BackendBase:
    """Keeps the pack, the caster and the scene; subclasses do the rest."""

    kind = ""

    def __init__(self, pack: Pack | None) -> None:
        """Open the pack; no world yet."""
        self._pack = pack or open_pack()
        self._caster = Caster(self._pack)
        self._spec: SceneSpec | None = None
        self._closed = False

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

    def _check_held(self, held: int) -> None:
        if held < 0:
            raise BackendError("place needs something in the gripper; call pick first")

    def _check_free(self, held: int) -> None:
        if held >= 0:
            raise BackendError("pick needs an empty gripper; call place first")
