"""Speed of opening a pack and of loading its assets, each beside a named variant, in one run.

The manifest is the shipped pack's, its assets repeated under new names up to 150, every field of
the record filled; assets are loaded from cold: no mesh of the pack is in memory.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from refergym.assets import meshes, records
from refergym.assets.library import AssetInfo, Pack, StablePose, open_pack

ROUNDS = 9
ASSETS = 150


def main() -> int:
    shipped = open_pack()
    with tempfile.TemporaryDirectory() as folder:
        met = opening(Path(folder), shipped)
    met &= loading(shipped)
    return int(not met)


def opening(folder: Path, shipped: Pack) -> bool:
    """Open a manifest of 150 assets; decode it as plain JSON only."""
    given = shipped.manifest.assets
    assets = tuple(_filled(given[k % len(given)], k) for k in range(ASSETS))
    manifest = msgspec.structs.replace(shipped.manifest, assets=assets)
    data = msgspec.json.format(records.canonical_json(manifest), indent=1)
    (folder / "manifest.json").write_bytes(data)
    whole = median(lambda: Pack(folder))
    plain = median(lambda: msgspec.json.decode((folder / "manifest.json").read_bytes()))
    met = say(f"open a manifest of {ASSETS} assets, {len(data) / 1e3:.0f} kB", whole, 50)
    versus("its JSON alone, unchecked", plain, whole)
    again = median(lambda: open_pack(folder))
    versus("opened again in the same process", again, whole)
    return met


def loading(shipped: Pack) -> bool:
    """Load each asset's mesh and convex parts from cold; and by trimesh's reader."""
    names = [info.name for info in shipped.manifest.assets]
    files = [(shipped.folder / info.visual).read_bytes() for info in shipped.manifest.assets]
    first = once(lambda: load(Pack(shipped.folder), names[0]))
    cold, warm = [[] for _ in names], []
    for _ in range(ROUNDS):
        pack = Pack(shipped.folder)
        for times, name in zip(cold, names, strict=True):
            times.append(once(lambda p=pack, n=name: load(p, n)))
            warm.append(once(lambda p=pack, n=name: load(p, n)))
    each = [statistics.median(times) for times in cold]
    whole = statistics.median(each)
    met = say("load an asset's mesh and parts (median)", whole, 20)
    met &= say("  the slowest asset", max(each), 20)
    met &= say("  the first of a process, with the manifest", first, 70)
    versus("from memory", statistics.median(warm), whole)
    import trimesh  # noqa: F401

    first = once(lambda: meshes._any(files[0]))
    versus("its mesh alone by trimesh, the first of a process", first, whole)
    others = statistics.median(once(lambda d=data: meshes._any(d)) for data in files)
    versus("its mesh alone by trimesh (median)", others, whole)
    own = statistics.median(once(lambda d=data: meshes._own(d)) for data in files)
    versus("its mesh alone by our reader (median)", own, whole)
    return met


def load(pack: Pack, name: str) -> None:
    pack.mesh(name)
    pack.hulls(name)


def once(call: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    begin = time.process_time()
    call()
    return time.process_time() - begin


def median(call: Callable[[], object]) -> float:
    return statistics.median(once(call) for _ in range(ROUNDS))


def say(what: str, seconds: float, goal: float) -> bool:
    """Print a figure in ms with its goal; returns whether the goal is met."""
    met = 1000 * seconds <= goal
    verdict = "" if met else "  NOT MET"
    print(f"{what:<52}{1000 * seconds:9.2f} ms  goal <= {goal:g}{verdict}", flush=True)
    return met


def versus(variant: str, seconds: float, other: float) -> None:
    """Print a variant's figure and the ratio of its cost to that of the figure above."""
    ratio = seconds / max(other, 1e-9)
    print(f"    {variant:<48}{1000 * seconds:9.3f} ms  {ratio:.3g} x the cost", flush=True)


def _filled(info: AssetInfo, number: int) -> AssetInfo:
    pose = StablePose(orientation=(1.0, 0.0, 0.0, 0.0), probability=0.2)
    return msgspec.structs.replace(
        info,
        name=f"{info.name}_{number}",
        material="ceramic",
        directions={"handle": (1.0, 0.0, 0.0), "opening": (0.0, 0.0, 1.0)},
        stable_poses=(pose,) * 4,
    )


if __name__ == "__main__":
    sys.exit(main())
