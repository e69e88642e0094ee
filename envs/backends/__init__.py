"""Simulators behind one Protocol (`envs.types.Backend`); a new one is a new file here."""

import functools
import importlib
import importlib.util
import logging
import sys
from typing import TYPE_CHECKING, Literal

from refergym.envs.errors import BackendError
from refergym.envs.types import Backend

if TYPE_CHECKING:
    from refergym.assets.library import Pack

_log = logging.getLogger(__name__)
Choice = Literal["isaac", "newton", "bullet", "kinematic"]


def auto(grasp: str = "contact", python: str | None = None, pack: "Pack | None" = None) -> Backend:
    """Make the best backend that this machine has; one line in the log says which, and why.

    Isaac Sim where it is installed and the user accepted its licence (which is looked at, never
    asked for), else Newton on a GPU, else PyBullet, else the kinematic one.

    Args:
        grasp: of PyBullet's: "contact" or "magic".
        python: the interpreter that may have Isaac Sim; None is this one.
        pack: the asset pack; None opens the one that ships.
    """
    choice, why = choose(python)
    _say(choice, why)
    if choice == "isaac":
        from refergym.envs.backends.isaac import IsaacBackend

        return IsaacBackend(python=python, pack=pack)
    if choice == "newton":
        from refergym.envs.backends.newton import NewtonBackend

        return NewtonBackend(pack=pack)
    if choice == "bullet":
        from refergym.envs.backends.bullet import BulletBackend

        return BulletBackend(grasp=grasp, pack=pack)
    from refergym.envs.backends.kinematic import KinematicBackend

    return KinematicBackend(pack=pack)


def choose(python: str | None = None) -> tuple[Choice, str]:
    """Decide what `auto` makes.

    Args:
        python: as there.

    Returns:
        The name of the choice, and why it is none of those before it.
    """
    no_isaac = _no_isaac(python)
    if not no_isaac:
        return "isaac", "Isaac Sim is installed and its licence accepted"
    no_newton = _no_newton()
    if not no_newton:
        return "newton", f"{no_isaac}; Newton is installed, with a GPU"
    if _is_there("pybullet"):
        return "bullet", f"{no_isaac}; {no_newton}; PyBullet is installed"
    return "kinematic", f"{no_isaac}; {no_newton}; PyBullet is not installed"


def _no_isaac(python: str | None) -> str:
    """Why it is not Isaac Sim; empty if it is."""
    if python is None and not _is_there("isaacsim"):
        return "Isaac Sim is not installed"
    from refergym.envs.backends import isaac_found

    try:
        return isaac_found.lacking(python or sys.executable)
    except BackendError as e:
        return f"no Isaac Sim ({e})"


def _no_newton() -> str:
    """Why it is not Newton; empty if it is."""
    if not (_is_there("newton") and _is_there("warp")):
        return "Newton is not installed"
    return "" if _has_gpu() else "no GPU for Newton"


def _has_gpu() -> bool:
    """Ask torch where it is installed, else Warp; imports what it asks."""
    if _is_there("torch"):
        import torch

        return bool(torch.cuda.is_available())
    warp = importlib.import_module("warp")
    return bool(warp.get_cuda_device_count())


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):
        return False


@functools.cache
def _say(choice: str, why: str) -> None:
    """Say it once in a process."""
    level = logging.WARNING if choice == "kinematic" else logging.INFO
    _log.log(level, "backend=auto: %s (%s)", choice, why)
