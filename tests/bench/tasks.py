"""Tasks a second and their memory: three steps against five, and against scenes of one task each.

Times are CPU seconds of this process, on one core, medians of several rounds; variants take turns.
Pictures (RGB, depth, ids, 224x224) are drawn and written.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

from speed import ROUNDS, say, versus

from refergym.envs import make_env
from refergym.envs.starts import make_starts
from refergym.rollouts import taskfile

SCENES = 6
GOAL, MEGABYTES, REJECTED = 40, 400, 90
MEMORY = """
import sys
from refergym.rollouts import generate
generate.generate(["count=" + sys.argv[1], "steps=[3,3]", "workers=0", "out=" + sys.argv[2]])
lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(lines["VmHWM"].split()[0]) / 1024)
"""


class Maker:
    """Makes tasks of one number of steps, scene after scene."""

    def __init__(self, steps: int, per_scene: int, folder: Path) -> None:
        self.env = make_env("point_at_object", "kinematic",
                            overrides=[f"task.steps=[{steps},{steps}]"])  # fmt: skip
        self.per_scene, self.folder = per_scene, folder
        self.index = self.tried = self.made = 0
        self.reasons: Counter[str] = Counter()

    def run(self) -> float:
        """Make some scenes' tasks; returns the tasks a CPU second."""
        env, begin, before = self.env, time.process_time(), self.made
        for _ in range(SCENES):
            starts, frame, reasons = make_starts(
                env.scenes, env.task, env.backend, env.renderer, 5, self.index,
                tasks=self.per_scene,
            )  # fmt: skip
            if frame is not None:
                taskfile.write_pictures(self.folder, str(self.index), frame)
            self.reasons.update(reasons)
            self.index += 1
            self.tried += self.per_scene
            self.made += len(starts)
        return (self.made - before) / (time.process_time() - begin)


def main() -> int:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        three, one, five = (
            Maker(s, n, Path(folder) / f"{s}-{n}") for s, n in ((3, 8), (3, 1), (5, 8))
        )
        rates: list[list[float]] = [[], [], []]
        for maker in (three, one, five):
            maker.run()
        for _ in range(ROUNDS):
            for maker, list_ in zip((three, one, five), rates, strict=True):
                list_.append(maker.run())
        a, b, c = (statistics.median(r) for r in rates)
        met = say("tasks of 3 steps, 8 tried in a scene, pictures", a, "/s", GOAL, at_least=True)
        versus("one tried in a scene", b, "/s", a / b)
        versus("5 steps", c, "/s", a / c)
        share = 100 * (1 - three.made / three.tried)
        met &= say("tries of 3 steps that come to nothing", share, "%", REJECTED, at_least=False)
        for reason, n in three.reasons.most_common(3):
            print(f"      {n} x {reason[:90]}")
        few, many = (peak(n, Path(folder)) for n in (200, 2000))
        met &= say("peak memory of a run of 2,000 tasks", many, "MB", MEGABYTES, at_least=False)
        versus("of 200 tasks", few, "MB", few / many)
    return int(not met)


def peak(count: int, folder: Path) -> float:
    """MB that a run takes at most."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(count), str(folder / f"run{count}")],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    sys.exit(main())
