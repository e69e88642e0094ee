"""Isaac's backend over the stand-in, in a process of its own as it would be."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
from isaac_binding import installed
from isaac_standin import Standin

from refergym.assets.library import Pack
from refergym.envs.backends import isaac_stage
from refergym.envs.backends.isaac import IsaacBackend
from refergym.envs.backends.isaac_inside import IsaacInside
from refergym.envs.types import SkillResult

_kept: list[Any] = []


class StandinInside(IsaacInside):
    """What runs in the worker; closing it ends the process as SimulationApp does."""

    def __init__(
        self, headless: bool, renderer: str, device: str, pack: Pack | None = None
    ) -> None:
        isaac_stage.WRITER = "isaac_standin"
        context = installed(Standin(exits=True))
        context.__enter__()
        _kept.append(context)
        super().__init__(headless, renderer, device, pack)


class FaultyInside(StandinInside):
    """Goes wrong in `pick`, as the file beside it says."""

    def pick(self, point_w: np.ndarray) -> SkillResult:
        fault = Path(os.environ["ISAAC_FAULT"]).read_text()
        if fault == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if fault == "hang":
            time.sleep(600)
        return super().pick(point_w)


class StandinBackend(IsaacBackend):
    """Our end. Isaac Sim need not be there."""

    inside = "isaac_parts.StandinInside"

    def __init__(self, pack: Pack | None = None, **arguments: Any) -> None:
        super().__init__(precheck=False, pack=pack, **arguments)


class FaultyBackend(StandinBackend):
    """Our end of the faulty one."""

    inside = "isaac_parts.FaultyInside"
