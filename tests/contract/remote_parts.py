"""Backends that go wrong in a worker of their own, or have a camera; and other Pythons."""

import functools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from refergym.assets.library import Pack
from refergym.assets.spec import CameraSpec
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.types import Frame, SkillResult

ROOT = Path(__file__).parents[2] / ".pkg"
PATH = os.pathsep.join(map(str, (ROOT, Path(__file__).parent)))
"""PYTHONPATH of a worker that is to find this module"""
NEEDED = "import refergym.envs.backends.remote_worker, refergym.envs.building"


class Faulty(KinematicBackend):
    """Goes wrong in `pick`, in one of several ways."""

    def __init__(self, fault: str, pack: Pack | None = None) -> None:
        super().__init__(pack)
        self.fault = fault

    def pick(self, point_w: np.ndarray) -> SkillResult:
        match self.fault:
            case "signal":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "exit":
                print("the physics engine has lost its mind", flush=True)  # noqa: T201
                os._exit(3)
            case "hang":
                child = subprocess.Popen(["sleep", "600"])
                print(f"child {child.pid}", flush=True)  # noqa: T201
                time.sleep(600)
            case "bug":
                raise KeyError("no such body")
            case "noise":
                for _ in range(200):
                    os.write(1, b"rgym\x00garbage\xff" * 5000)
                    os.write(2, b"[Warning] nothing\n" * 100)
        return super().pick(point_w)


class Unmade(KinematicBackend):
    """Cannot be made."""

    def __init__(self) -> None:
        raise RuntimeError("no GPU here")


class Seeing(KinematicBackend):
    """Has a camera of its own: our renderer."""

    def __init__(self, pack: Pack | None = None) -> None:
        super().__init__(pack)
        self._renderer = EmbreeRenderer()
        self._kept: Frame | None = None

    def look(self, camera: CameraSpec | None = None) -> Frame:
        return self._renderer.render(self.spec, self.state(), camera)


class Showing(Seeing):
    """Shows one picture again and again: what is left to measure is the way that it takes."""

    def look(self, camera: CameraSpec | None = None) -> Frame:
        if self._kept is None:
            self._kept = super().look(camera)
        return self._kept


def node(name: str, **arguments: Any) -> Mapping[str, Any]:
    """Config node of a class of this module."""
    return {"_target_": f"{__name__}.{name}", **arguments}


@functools.cache
def other_python() -> str | None:
    """A Python on PATH of another version than this one, with what refergym needs; or None."""
    for version in ("3.12", "3.11"):
        if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
            continue
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            python = shutil.which(f"python{version}", path=folder)
            if python is None:
                continue
            environment = {**os.environ, "PYTHONPATH": PATH}
            done = subprocess.run([python, "-c", NEEDED], env=environment, capture_output=True)
            if done.returncode == 0:
                return python
    return None
