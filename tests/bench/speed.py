"""Speed and memory of the parts, each beside a named variant of itself, in one run.

Times are CPU seconds of this process, on one core, medians of several rounds; variants take turns.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

import msgspec
import starts

from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.errors import ComposeError
from refergym.assets.spec import SceneSpec
from refergym.envs.refer_env import ReferEnv
from refergym.envs.starts import Start, make_start, settle

ROUNDS = 5
MEMORY = """
import json, os, sys
import starts
env = starts.environment("pick_place", sys.argv[1])
_, info = env.reset(seed=0)
for _ in range(4):
    _, _, terminated, truncated, info = env.step(starts.solving_point(info))
    if terminated or truncated:
        _, info = env.reset()
lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({k: int(lines[k].split()[0]) / 1024 for k in ("VmRSS", "VmHWM")}))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    met = [stepping(), composing(), drawing()]
    if find_spec("pybullet"):
        met += [resetting(), grasping()]
    met += [memory()]
    return int(not all(met))


def stepping() -> bool:
    """One reset and one step, kinematic, stored scenes, no pictures; and with them."""

    def make(task: str, pictures: str) -> tuple[Callable[[], object], ReferEnv]:
        env = starts.environment(task, "kinematic", f"pictures={pictures}")
        stored = starts.collect(env, 6)
        points = [starts.solving_point(env.reset(options={"episode": s})[1]) for s in stored]

        def loop() -> None:
            for start, point in zip(stored, points, strict=True):
                env.reset(options={"episode": start})
                env.step(point)

        return loop, env

    met = True
    for task in ("point_at_object", "pick", "pick_place"):
        (plain, env), (drawn, env2) = make(task, "false"), make(task, "true")
        a, b = compare(plain, drawn, per=6, repeat=(8, 1))
        env.close()
        env2.close()
        met &= say(f"kinematic {task}: reset + step, no pictures", 1 / a, "/s", 500, at_least=True)
        versus("with RGB + depth + ids 224x224", 1 / b, "/s", b / a)
    return met


def composing() -> bool:
    """Scenes with a certified task in them; and scenes alone."""
    composer = Tabletop()
    met = True
    for name in ("point_at_object", "pick_place"):
        env = starts.environment(name, "kinematic")
        task, backend, renderer = env.task, env.backend, env.renderer
        count = iter(range(10**6))

        def certified(task=task, backend=backend, renderer=renderer, count=count) -> None:
            make_start(composer, task, backend, renderer, 1, next(count))

        def alone(task=task, count=count) -> None:
            try:
                composer.compose(2, next(count), task.wants)
            except ComposeError as e:
                print(f"  (compose: {e})")

        a, b = compare(certified, alone, per=1, repeat=12)
        env.close()
        met &= say(f"scenes certified for {name}", 1 / a, "/s", 30, at_least=True)
        versus("composed only", 1 / b, "/s", b / a)
    return met


def drawing() -> bool:
    """A frame of a known view; the first frame of a view; no shadows."""
    env = starts.environment("point_at_object", "kinematic")
    start = starts.collect(env, 1)[0]
    state = env.backend.state()
    renderer = env.renderer
    plain = starts.environment("point_at_object", "kinematic", "renderer.shadows=false").renderer
    camera = start.scene.camera
    count = iter(range(1, 10**6))

    def warm() -> None:
        renderer.render(start.scene, state)

    def fresh() -> None:
        moved = msgspec.structs.replace(camera, fx=camera.fx * (1 + 1e-6 * next(count)))
        renderer.render(start.scene, state, moved)

    def unshaded() -> None:
        plain.render(start.scene, state)

    a, b = compare(warm, fresh, per=1, repeat=6)
    c, _ = compare(unshaded, warm, per=1, repeat=6)
    say("embree frame 224x224 with shadows", 1000 * a, "ms", None)
    versus("the first frame of a view", 1000 * b, "ms", b / a)
    versus("without shadows", 1000 * c, "ms", c / a)
    return True


def resetting() -> bool:
    """Reset of a stored scene with eight objects."""
    composer = Tabletop(counts=[8, 8])
    bullet = starts.environment("pick_place", "bullet").backend
    kinematic = starts.environment("pick_place", "kinematic").backend
    scene = settle(settle(eight(composer), bullet), kinematic)
    bullet.reset(scene)
    a, b = compare(lambda: bullet.reset(scene), lambda: kinematic.reset(scene), per=1, repeat=3)
    met = say("bullet reset, 8 objects", 1000 * a, "ms", 100, at_least=False)
    versus("kinematic", 1000 * b, "ms", b / a)
    return met


def eight(composer: Tabletop) -> SceneSpec:
    """A scene with eight objects."""
    for index in range(50):
        try:
            return composer.compose(3, index)
        except ComposeError:
            continue
    raise RuntimeError("no scene with eight objects in 50 tries")


def grasping() -> bool:
    """One pick and one place at the oracle's points, without pictures."""
    contact = starts.environment("pick_place", "bullet", "pictures=false")
    magic = starts.environment("pick_place", "bullet", "pictures=false", "backend.grasp=magic")
    stored = starts.collect(contact, 6)
    times: dict[str, list[float]] = {"contact": [], "magic": []}
    for start in stored:
        for name, env in (("contact", contact), ("magic", magic)):
            cpu = pick_and_place(env, start)
            if cpu is not None:
                times[name].append(cpu)
    a, b = (statistics.mean(times[name]) for name in ("contact", "magic"))
    met = say("bullet pick and place, contact (mean)", a, "s", 1.0, at_least=False)
    versus("grasp=magic", b, "s", b / a)
    done = {name: len(values) for name, values in times.items()}
    print(f"      (of {len(stored)} starts, picked and placed: {done})")
    return met


def pick_and_place(env: ReferEnv, start: Start) -> float | None:
    """CPU seconds of the first pick and the first place, or None if the pick failed."""
    _, info = env.reset(options={"episode": start})
    cpu = 0.0
    for _ in range(2):
        point = starts.solving_point(info)
        begin = time.process_time()
        observation, _, terminated, truncated, info = env.step(point)
        cpu += time.process_time() - begin
        if terminated or truncated:
            return cpu
        if not observation["holding"]:
            return None
    return cpu


def memory() -> bool:
    """A process that holds one environment and has played."""
    backends = ["bullet", "kinematic"] if find_spec("pybullet") else ["kinematic"]
    used = {}
    for backend in backends:
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, backend],
            env=os.environ | {"PYTHONPATH": os.path.dirname(os.path.abspath(__file__))},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        used[backend] = json.loads(done.stdout.splitlines()[-1])
    if "bullet" not in used:
        return say("process with a kinematic environment", used["kinematic"]["VmRSS"], "MB", None)
    held, peak = used["bullet"]["VmRSS"], used["bullet"]["VmHWM"]
    met = say("process with a bullet environment", held, "MB", 300, at_least=False)
    versus("its peak", peak, "MB", peak / held)
    other = used["kinematic"]["VmRSS"]
    versus("kinematic", other, "MB", other / held)
    return met


def compare(
    one: Callable[[], object],
    other: Callable[[], object],
    *,
    per: int,
    repeat: int | tuple[int, int],
) -> tuple[float, float]:
    """CPU seconds of each (divided by `per`), taking turns; medians."""
    repeats = (repeat, repeat) if isinstance(repeat, int) else repeat
    taken: tuple[list[float], list[float]] = ([], [])
    one()
    other()
    for _ in range(ROUNDS):
        for call, list_, times in zip((one, other), taken, repeats, strict=True):
            begin = time.process_time()
            for _ in range(times):
                call()
            list_.append((time.process_time() - begin) / times / per)
    return statistics.median(taken[0]), statistics.median(taken[1])


def say(what: str, value: float, unit: str, goal: float | None, at_least: bool = True) -> bool:
    """Print a figure with its goal; returns whether the goal is met."""
    line = (
        f"{what:<48}{value:9.1f} {unit:<4}" if value >= 10 else f"{what:<48}{value:9.3f} {unit:<4}"
    )
    if goal is None:
        print(line, flush=True)
        return True
    met = value >= goal if at_least else value <= goal
    sign = ">=" if at_least else "<="
    print(f"{line} goal {sign} {goal:g}{'' if met else '  NOT MET'}", flush=True)
    return met


def versus(variant: str, value: float, unit: str, ratio: float) -> None:
    """Print a variant's figure and the ratio of its cost to that of the figure above."""
    figure = f"{value:9.1f}" if value >= 10 else f"{value:9.3f}"
    print(f"    {variant:<44}{figure} {unit:<4} {ratio:.2f} x the cost", flush=True)


if __name__ == "__main__":
    sys.exit(main())
