"""CPU seconds of writing a scene of eight objects as a USD stage: first, and with assets cached.

Each export is made in this process; what importing OpenUSD takes is said beside it.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.library import PACK_DIR, Pack
from refergym.assets.mjcf import write_mjcf
from refergym.assets.urdf import write_urdf

FIRST, CACHED = 1.5, 0.2
"""CPU seconds, goals"""
ROUNDS = 7


def main() -> int:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    began = time.process_time()
    from refergym.assets.usd.checks import check_stage
    from refergym.assets.usd.reading import read_stage
    from refergym.assets.usd.stage import pack_stage, write_stage

    loaded = time.process_time() - began
    print(f"importing OpenUSD{loaded:>41.3f} s")
    met = True
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        scenes = [Tabletop(counts=(8, 8)).compose(k) for k in range(ROUNDS)]
        packs = [Pack(PACK_DIR) for _ in scenes]  # nothing of theirs was read yet
        write_stage(scenes[0], packs[0], root / "warm", cached=root / "warm_cache")
        packs[0] = Pack(PACK_DIR)

        def all_of(what: Callable[[int], object]) -> float:
            return statistics.median(timed(what, k) for k in range(ROUNDS))

        def first(k: int) -> object:
            return write_stage(scenes[k], packs[k], root / f"a{k}", cached=root / f"c{k}")

        def again(k: int) -> object:
            return write_stage(scenes[k], Pack(PACK_DIR), root / f"b{k}", cached=root / f"c{k}")

        met &= say("stage of 8 objects, nothing cached", all_of(first), FIRST)
        met &= say("the same, assets and robot cached", all_of(again), CACHED)
        say("reading one back", all_of(lambda k: read_stage(root / f"a{k}" / "scene.usda")))
        say("checking one", all_of(lambda k: check_stage(root / f"a{k}" / "scene.usda")))

        def package(k: int) -> object:
            return pack_stage(root / f"a{k}" / "scene.usda", root / f"{k}.usdz")

        say("usdz of one", all_of(package))
        say("URDF files", all_of(lambda k: write_urdf(scenes[k], packs[k], root / f"u{k}")))
        say("MJCF model", all_of(lambda k: write_mjcf(scenes[k], packs[k], root / f"m{k}")))
        sizes = [sum(f.stat().st_size for f in (root / f"a{k}").rglob("*") if f.is_file())
                 for k in range(ROUNDS)]  # fmt: skip
        print(f"size of a stage with all its files{statistics.median(sizes) / 1e6:>24.1f} MB")
    return int(not met)


def timed(part: Callable[[int], object], k: int) -> float:
    began = time.process_time()
    part(k)
    return time.process_time() - began


def say(what: str, value: float, goal: float | None = None) -> bool:
    met = goal is None or value < goal
    told = "" if goal is None else f"  (goal < {goal} s: {'met' if met else 'MISSED'})"
    print(f"{what:<40}{value:>18.3f} s{told}")
    return met


if __name__ == "__main__":
    sys.exit(main())
