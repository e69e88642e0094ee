"""World-steps per second of Newton at 1, 8 and 64 worlds, beside PyBullet on the same machine.

A world-step is one step of one world: 1/480 s of Newton's, 1/240 s of PyBullet's. All worlds have
the same scene of eight objects, as branches of one start have, and all arms move. Simulated seconds
per second of wall clock are beside them, since the steps differ. `worlds=1024` takes a GPU.
"""

import argparse
import os
import resource
import time
from collections.abc import Callable

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import msgspec
import numpy as np

from refergym.assets import poses
from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.library import open_pack
from refergym.assets.robots.kinematics import FINGER_MAX
from refergym.assets.spec import SceneSpec
from refergym.envs.backends import bullet_world, newton_model
from refergym.envs.backends.newton_physics import NewtonPhysics
from refergym.envs.skills.pacing import paced

WORLD_STEPS = 3840
"""at least, in each measurement on a CPU"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, nargs="+", default=None)
    args = parser.parse_args()
    device = newton_model.device_named(None)
    counts = args.worlds or [1, 8, 64, *([1024] if device != "cpu" else [])]
    scene = settled(Tabletop(counts=(8, 8)).compose(0))
    print(f"scene of {len(scene.objects)} objects, {device}")
    base = rate(bullet(scene), bullet_world.STEP)
    say("bullet, 1 world", base, base)
    model = newton_model.world_model(scene, open_pack())
    alone = NewtonPhysics([model], "cpu")
    say("newton, 1 world, MuJoCo", rate(newton(alone, 1, scene), newton_model.STEP), base)
    for n in counts:
        began = time.perf_counter()
        physics = NewtonPhysics([model] * n, device, together=True)
        run = newton(physics, n, scene)
        run(2)
        made = time.perf_counter() - began
        found = rate(run, newton_model.STEP, n)
        say(f"newton, {n} worlds, MuJoCo Warp", found, base, f"made in {made:.0f} s, {memory()}")


def settled(scene: SceneSpec) -> SceneSpec:
    """Return the scene with the poses at which PyBullet lets it rest."""
    from refergym.envs.backends.bullet import BulletBackend

    backend = BulletBackend()
    rest = backend.settle(scene)
    backend.close()
    return msgspec.structs.replace(scene, settled={"bullet": rest})


def way(scene: SceneSpec, step: float, n: int) -> np.ndarray:
    """Targets [n, 9] of an arm that swings to and fro."""
    parked = np.array(scene.robot.parked)
    aside = parked + np.array([0.4, 0.2, 0.2, 0.3, 0.2, 0.2, 0.4])
    once = list(paced(parked, [aside, parked], 1.0, step))
    arm = np.array([once[k % len(once)] for k in range(n)])
    return np.column_stack([arm, np.full((n, 2), FINGER_MAX)])


def bullet(scene: SceneSpec) -> Callable[[int], int]:
    world = bullet_world.BulletWorld(open_pack())
    world.build(scene, scene.settled["bullet"], asleep=False)

    def run(n: int) -> int:
        for target in way(scene, bullet_world.STEP, n):
            world._target[:] = target
            world._drive()
            world.step()
        return n

    return run


def newton(physics: NewtonPhysics, worlds: int, scene: SceneSpec) -> Callable[[int], int]:
    rows = np.array([poses.as_row(p) for p in scene.settled["bullet"]])
    joints = np.array([*scene.robot.parked, FINGER_MAX, FINGER_MAX])
    for k in range(worlds):
        physics.put(k, rows, joints)

    def run(n: int) -> int:
        physics.advance(dict.fromkeys(range(worlds), way(scene, newton_model.STEP, n)))
        return n * worlds

    return run


def rate(run: Callable[[int], int], step: float, worlds: int = 1) -> tuple[float, float]:
    """World-steps, and simulated seconds of worlds, per second of wall clock."""
    run(2)
    n = max(WORLD_STEPS // worlds, 60)
    began = time.perf_counter()
    done = run(n)
    per_second = done / (time.perf_counter() - began)
    return per_second, per_second * step


def memory() -> str:
    import warp

    device = warp.get_preferred_device()
    if device.is_cuda:
        used = (device.total_memory - device.free_memory) / 2**20
        return f"{used:.0f} MiB of the GPU"
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB at most"


def say(what: str, found: tuple[float, float], base: tuple[float, float], beside: str = "") -> None:
    steps, seconds = found
    print(
        f"{what:<34}{steps:>8.0f} world-steps/s{seconds:>8.2f} simulated s/s"
        f"{steps / base[0]:>7.2f} of bullet's steps  {beside}",
        flush=True,
    )


if __name__ == "__main__":
    main()
