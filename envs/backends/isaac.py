"""Isaac Sim: the scene's USD stage, in a process of its own under Isaac's Python (3.12).

This is our end of it; `isaac_inside` is the other. Nothing of Isaac is imported here.
"""

from refergym.assets.library import Pack
from refergym.envs.backends import isaac_found
from refergym.envs.backends.remote import RemoteBackend
from refergym.envs.errors import BackendError


class IsaacBackend(RemoteBackend):
    """See `envs.types.Backend`; `look` takes a picture by Isaac's own camera."""

    inside = "refergym.envs.backends.isaac_inside.IsaacInside"
    """the class at the other end"""

    def __init__(
        self,
        python: str | None = None,
        headless: bool = True,
        renderer: str = "RealTimePathTracing",
        device: str = "cpu",
        start_s: float = 600.0,
        call_s: float = 300.0,
        stop_s: float = 60.0,
        precheck: bool = True,
        pack: Pack | None = None,
    ) -> None:
        """Make a backend without a process.

        Args:
            python: the interpreter that has Isaac Sim (its python.sh, or that of its virtual
                environment); None is this one.
            headless: whether it runs without a window.
            renderer: what SimulationApp calls `renderer`.
            device: where physics runs: "cpu" or "cuda:0".
            start_s: s that starting may take; the first time, shaders are compiled.
            call_s: s that a reset or a skill may take.
            stop_s: s that Isaac gets to shut down.
            precheck: whether to look first if Isaac Sim is installed and its licence accepted.
                False leaves that to Isaac, which cannot ask: it has no terminal.
            pack: the asset pack; None opens the one that ships.

        Raises:
            BackendError: naming the key that is wrong.
        """
        node = {
            "_target_": self.inside,
            "headless": headless,
            "renderer": renderer,
            "device": device,
        }
        super().__init__(node, python, start_s, call_s, stop_s, pack)
        self._precheck = precheck

    @property
    def kind(self) -> str:
        """Always "isaac"; needs no process."""
        return "isaac"

    @property
    def _name(self) -> str:
        return "isaac"

    def _check_startable(self) -> None:
        """Raise BackendError, saying what to do, where Isaac Sim cannot start."""
        if self._precheck and (text := isaac_found.lacking(self._python)):
            raise BackendError(f"backend=isaac: {text}")
