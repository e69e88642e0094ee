"""Friction, falls, stacks and settling in PyBullet and Newton, beside closed forms.

python tests/bench/physics.py [backends=bullet,newton] [scenes=20]

`newton together` is one of two worlds that MuJoCo Warp solves; on a CPU it takes minutes.
"""

import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))

import msgspec
import numpy as np
import physics_parts as parts

from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.spec import ObjectSpec, SceneSpec
from refergym.envs.backends.arm import ArmBackend

SLIDES = [(mu, speed) for mu in (0.3, 0.6, 1.0) for speed in (0.5, 1.0, 1.5)]
SHARES = (0.6, 0.8, 0.95, 1.05, 1.2)
DROPS = [("block", height, scale) for height in (0.05, 0.3) for scale in (0.2, 10)]
OVERHANGS = (0.40, 0.45, 0.48, 0.49, 0.51, 0.52, 0.55, 0.60)
OWN, BELOW, TABLE = 0.4, 0.5, 1.0
"""frictions of a block, of the slab that it slides on, and of the table"""


def main() -> None:
    given = dict(a.split("=") for a in sys.argv[1:])
    names = given.get("backends", "bullet,newton").split(",")
    columns = {}
    with tempfile.TemporaryDirectory() as folder:
        pack = parts.make_pack(Path(folder))
        for name in names:
            made = parts.BACKENDS[name](pack)
            columns[name] = figures(made, pack)
            made.close()
    print(f"{'':<52}{'closed form':>14}" + "".join(f"{name:>17}" for name in names))
    for row, (expected, _) in columns[names[0]].items():
        print(f"{row:<52}{expected:>14}" + "".join(f"{columns[n][row][1]:>17}" for n in names))
    settle(int(given.get("scenes", 20)))


def figures(backend: ArmBackend, pack: parts.Pack) -> dict[str, tuple[str, str]]:
    """What is expected and what was measured, by the name of the row."""
    rows: dict[str, tuple[str, str]] = {}
    for s in parts.slides(backend, pack, SLIDES):
        name = f"slide, friction {s.friction:.2f}, {s.speed} m/s"
        rows[f"{name}: mm"] = f"{s.expected * 1e3:.1f}", f"{s.distance * 1e3:.1f}"
        rows[f"{name}: hop, mm"] = "0", f"{s.hop * 1e3:.1f}"
    combined = OWN * BELOW if backend.kind == "bullet" else max(OWN, BELOW) * TABLE
    s = parts.slide_on_another(
        backend, pack, upper=OWN, lower=BELOW, table_friction=TABLE, mu=combined
    )
    product = s.speed**2 / (2 * OWN * BELOW * parts.G)
    rows["slide on another, product 0.20, 0.8 m/s: mm"] = (
        f"{product * 1e3:.1f}",
        f"{s.distance * 1e3:.1f}",
    )
    for b in parts.inclines(backend, pack, SHARES):
        name = f"slope of {math.degrees(b.slope):.0f} deg, friction {b.share} of its tangent"
        if b.share < 1:
            rows[f"{name}: m/s2"] = f"{b.expected:.3f}", f"{b.acceleration:.3f}"
        else:
            rows[f"{name}: mm"] = "0", f"{b.moved * 1e3:.2f}"
    for d in parts.drops(backend, pack, DROPS):
        name = f"drop, {d.height * 1e3:.0f} mm, {d.mass:.2f} kg"
        rows[f"{name}: fall, ms"] = f"{d.expected * 1e3:.1f}", f"{d.fall * 1e3:.1f}"
        rows[f"{name}: sinks, mm"] = "0", f"{d.sink * 1e3:.2f}"
        rows[f"{name}: rebound, % of height"] = "0", f"{100 * d.rebound / d.height:.2f}"
        rows[f"{name}: rests above the table, mm"] = "0", f"{d.rest * 1e3:.3f}"
        rows[f"{name}: at rest after, ms"] = "", f"{d.calm * 1e3:.0f}"
    for t in parts.stacks(backend, pack):
        masses = " : ".join(f"{m / t.masses[0]:g}" for m in t.masses)
        said = f"{t.drift * 1e3:.2f}" if t.stands else "falls"
        rows[f"stack {masses}: drift in 3 s, mm"] = "0", said
    for o in parts.overhangs(backend, pack, OVERHANGS):
        expected = "stays" if o.share < 0.5 else "topples"
        rows[f"overhang {o.share:.2f}"] = expected, "stays" if o.stayed else "topples"
    return rows


def settle(count: int) -> None:
    """Print how far apart composed scenes come to rest in the two."""
    scenes = [Tabletop().compose(5, index=i) for i in range(count)]
    one, other = (parts.BACKENDS[name](None) for name in ("bullet", "newton"))
    for lift in (0.0, 0.02, 0.1):
        apart = parts.settling(one, other, [lifted(scene, lift) for scene in scenes])
        middle, most, worst = np.quantile(apart.distance, (0.5, 0.95, 1.0)) * 1e3
        print(
            f"{count} scenes let go {lift * 1e3:.0f} mm high, {len(apart.distance)} things: apart "
            f"{middle:.2f} mm median, {most:.2f} mm 95 %, {worst:.1f} mm worst; "
            f"tipped or rolled in one alone: {apart.tipped}"
        )
    one.close()


def lifted(scene: SceneSpec, by: float) -> SceneSpec:
    def higher(thing: ObjectSpec) -> ObjectSpec:
        x, y, z = thing.pose.position
        pose = msgspec.structs.replace(thing.pose, position=(x, y, z + by))
        return msgspec.structs.replace(thing, pose=pose)

    things: Sequence[ObjectSpec] = [higher(thing) for thing in scene.objects]
    return msgspec.structs.replace(scene, objects=tuple(things))


if __name__ == "__main__":
    main()
