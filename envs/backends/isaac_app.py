"""SimulationApp: one for a process, for good; closing it ends the process.

Whatever else Isaac has can only be imported once it runs. It is imported when called, and only in a
worker's process.
"""

from typing import Any

from refergym.envs.errors import BackendError

PLAY_SIMULATIONS = "/app/player/playSimulations"
"""setting: whether an update of the app advances physics, too"""
_running: list[Any] = []


class IsaacApp:
    """Isaac's application. Whoever holds it is the process's only one."""

    def __init__(self, *, headless: bool, renderer: str) -> None:
        """Start it.

        Args:
            headless: whether it runs without a window.
            renderer: what SimulationApp calls `renderer`.

        Raises:
            BackendError: if this process had one before, or Isaac cannot be imported.
        """
        if _running:
            raise BackendError("Isaac Sim runs once in a process; use backend=isaac, which has its")
        try:
            from isaacsim import SimulationApp
        except EOFError as e:  # its question about the licence finds no terminal
            raise BackendError(
                "Isaac Sim asks for its licence, which only you can accept; see NVIDIA's guide"
            ) from e
        except ImportError as e:
            raise BackendError(f"Isaac Sim cannot be imported here ({e})") from e
        self._app = SimulationApp({"headless": headless, "renderer": renderer})
        _running.append(self._app)

    def draw(self, frames: int = 1) -> None:
        """Let it render, while physics stands still."""
        self._app.set_setting(PLAY_SIMULATIONS, False)
        try:
            for _ in range(frames):
                self._app.update()
        finally:
            self._app.set_setting(PLAY_SIMULATIONS, True)

    def close(self) -> None:
        """Shut it down; as a rule this ends the process."""
        self._app.close(wait_for_replicator=False)
