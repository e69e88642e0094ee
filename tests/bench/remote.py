"""What the process boundary adds to a step: wall clock, and CPU of both processes together.

python tests/bench/remote.py [steps=300] [python=PATH]

Each row is the same backend in this process and behind `remote`, turn by turn so that load hits
both alike; medians of the difference. A step is the state asked for and a 224x224 RGB-D picture
with ids: drawn here from the state, as the environment does it, or taken by the backend's own
camera, so that it crosses the boundary. Exit status 1 if a step's own way costs 3 ms or more.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))

import os

import remote_parts

from refergym.assets.composers.base import Wants
from refergym.assets.composers.tabletop import Tabletop
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.backends.remote import RemoteBackend
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.types import Frame
from refergym.rollouts.contract_checks import settled

GOAL_MS = 3.0


def cpu_of(pid: int) -> float:
    """CPU of another process so far, s, to the nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def cost(step: Callable[[], object], pid: int | None) -> tuple[float, float]:
    """Wall clock and CPU of one call, ms; the worker's, too."""

    def spent() -> float:
        return time.process_time() + (0.0 if pid is None else cpu_of(pid))

    cpu, wall = spent(), time.perf_counter()
    step()
    return 1e3 * (time.perf_counter() - wall), 1e3 * (spent() - cpu)


def row(
    name: str, here: Callable[[], object], there: Callable[[], object], pid: int, n: int
) -> float:
    """Print one row; returns what the boundary adds to the wall clock, ms."""
    for step in (here, there):
        step()
    costs = np.array([[cost(here, None), cost(there, pid)] for _ in range(n)])
    inside, outside = np.median(costs, axis=0)
    added = np.median(costs[:, 1] - costs[:, 0], axis=0)
    print(
        f"{name:<34} in process {inside[0]:7.3f} ms wall {inside[1]:7.3f} CPU   "
        f"remote {outside[0]:7.3f} {outside[1]:7.3f}   adds {added[0]:+.3f} {added[1]:+.3f}",
        flush=True,
    )
    return float(added[0])


def main(steps: int, python: str | None) -> int:
    """Measure all rows."""
    os.environ["PYTHONPATH"] = remote_parts.PATH
    scene = settled(KinematicBackend(), Tabletop().compose(11, 0, Wants(graspable=2)))
    assert (scene.camera.width, scene.camera.height) == (224, 224)
    own, shown = KinematicBackend(), remote_parts.Showing()
    plain = RemoteBackend(
        {"_target_": "refergym.envs.backends.kinematic.KinematicBackend"}, python=python
    )
    camera = RemoteBackend(remote_parts.node("Showing"), python=python)
    for backend in (own, shown, plain, camera):
        backend.reset(scene)
    renderer = EmbreeRenderer()
    nothing = np.array([-3.0, 0.0, 2.0])

    def drawn(backend: KinematicBackend | RemoteBackend) -> Callable[[], Frame]:
        def step() -> Frame:
            backend.pick(nothing)
            return renderer.render(scene, backend.state())

        return step

    def taken(backend: remote_parts.Showing | RemoteBackend) -> Callable[[], Frame]:
        def step() -> Frame:
            backend.pick(nothing)
            backend.state()
            return backend.look()

        return step

    assert plain.pid is not None
    assert camera.pid is not None
    added = [
        row("reset", lambda: own.reset(scene), lambda: plain.reset(scene), plain.pid, steps),
        row("state", own.state, plain.state, plain.pid, steps),
        row("pick, state; drawn here", drawn(own), drawn(plain), plain.pid, steps),
        row("pick, state; picture over it", taken(shown), taken(camera), camera.pid, steps),
    ]
    for backend in (plain, camera):
        backend.close()
    met = max(added[2:]) < GOAL_MS
    print(f"a 224x224 RGB-D step: goal < {GOAL_MS} ms, {'met' if met else 'NOT met'}")
    return int(not met)


if __name__ == "__main__":
    given = dict(a.split("=") for a in sys.argv[1:])
    sys.exit(main(int(given.get("steps", 300)), given.get("python")))
