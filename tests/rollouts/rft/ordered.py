"""A backend that breaks on order: a file named by the scene's digest holds what is to happen."""

import os
import signal
import time
from pathlib import Path

from refergym.envs.backends.kinematic import KinematicBackend


class Ordered(KinematicBackend):
    """At a reset of a scene, the first line of its file is taken off and obeyed."""

    def __init__(self, folder, pack=None):
        super().__init__(pack)
        self._folder = Path(folder)

    def reset(self, spec):
        file = self._folder / spec.digest
        orders = file.read_text().split() if file.exists() else []
        if orders:
            file.write_text("\n".join(orders[1:]))
            match orders[0]:
                case "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "sleep":
                    time.sleep(3600)
                case "raise":
                    raise RuntimeError("the simulator exploded")
        super().reset(spec)
