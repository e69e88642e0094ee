"""Backends and helpers of the contract suite. A new backend is a new line in BACKENDS."""

import functools
import resource
from collections.abc import Callable
from pathlib import Path

from isaac_parts import StandinBackend

from refergym.envs.backends.bullet import BulletBackend
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.backends.newton import NewtonBackend
from refergym.envs.backends.remote import RemoteBackend
from refergym.envs.types import Backend

KINEMATIC = "refergym.envs.backends.kinematic.KinematicBackend"
BULLET = "refergym.envs.backends.bullet.BulletBackend"
BACKENDS: dict[str, Callable[..., Backend]] = {
    "kinematic": KinematicBackend,
    "bullet": BulletBackend,
    "bullet-magic": functools.partial(BulletBackend, grasp="magic"),
    "remote-kinematic": functools.partial(RemoteBackend, {"_target_": KINEMATIC}),
    "remote-bullet": functools.partial(RemoteBackend, {"_target_": BULLET, "grasp": "contact"}),
    "bullet-as-isaac": StandinBackend,
    "newton": functools.partial(NewtonBackend, device="cpu"),
}
"""each takes `pack`"""
EXACT = 0.0
"""tolerance of all of these: they repeat a start bit by bit"""


def resident_mb() -> float:
    """Resident memory of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6
