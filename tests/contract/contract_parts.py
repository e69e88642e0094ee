"""Backends and helpers of the contract suite. A new backend is a new line in BACKENDS."""

import functools
import resource
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np

from refergym.assets.spec import SceneSpec
from refergym.envs.backends.bullet import BulletBackend
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.backends.remote import RemoteBackend
from refergym.envs.geometry import heightmap
from refergym.envs.geometry.caster import Caster
from refergym.envs.types import Backend, State

KINEMATIC = "refergym.envs.backends.kinematic.KinematicBackend"
BULLET = "refergym.envs.backends.bullet.BulletBackend"
BACKENDS: dict[str, Callable[..., Backend]] = {
    "kinematic": KinematicBackend,
    "bullet": BulletBackend,
    "bullet-magic": functools.partial(BulletBackend, grasp="magic"),
    "remote-kinematic": functools.partial(RemoteBackend, {"_target_": KINEMATIC}),
    "remote-bullet": functools.partial(RemoteBackend, {"_target_": BULLET, "grasp": "contact"}),
}
"""each takes `pack`"""


def resident_mb() -> float:
    """Resident memory of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def settled(backend: Backend, spec: SceneSpec) -> SceneSpec:
    return msgspec.structs.replace(
        spec, settled={**spec.settled, backend.kind: backend.settle(spec)}
    )


def top_of(caster: Caster, spec: SceneSpec, state: State, index: int) -> np.ndarray:
    """A point on top of an object, near the middle of what an overhead view sees of it."""
    low, high = heightmap.bounds(caster, spec, state, index)
    view = heightmap.overhead(caster, spec, state, low[:2], high[:2])
    cells = np.argwhere(view.ids == index)
    middle = cells[np.argmin(((cells - cells.mean(axis=0)) ** 2).sum(axis=1))]
    return np.array([*view.centres(middle), view.heights[tuple(middle)]])


def graspable(caster: Caster, spec: SceneSpec) -> list[int]:
    """Indices of the objects within reach that the gripper is known to lift."""
    return [
        i
        for i, o in enumerate(spec.objects)
        if caster.pack[o.asset].grasp_rate(o.scale) >= 0.8 and np.hypot(*o.pose.position[:2]) <= 0.7
    ]
