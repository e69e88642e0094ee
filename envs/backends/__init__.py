"""Simulators behind one Protocol (`envs.types.Backend`); a new one is a new file here."""

import importlib.util
import logging
from typing import TYPE_CHECKING

from refergym.envs.types import Backend

if TYPE_CHECKING:
    from refergym.assets.library import Pack

_log = logging.getLogger(__name__)


def auto(grasp: str = "contact", pack: "Pack | None" = None) -> Backend:
    """Return a BulletBackend where PyBullet is installed, else a KinematicBackend."""
    if importlib.util.find_spec("pybullet") is not None:
        from refergym.envs.backends.bullet import BulletBackend

        return BulletBackend(grasp=grasp, pack=pack)
    _log.warning("PyBullet is not installed: falling back from backend=bullet to backend=kinematic")
    from refergym.envs.backends.kinematic import KinematicBackend

    return KinematicBackend(pack=pack)
