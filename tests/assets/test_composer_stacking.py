import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from refergym.assets import records
from refergym.assets.composers.stacking import LIFT, bottoms, rest_height, tops
from refergym.assets.library import VERSION, AssetInfo, Manifest, Pack

Box = tuple[tuple[float, float, float], tuple[float, float, float]]


def boxes(*parts: Box) -> list[np.ndarray]:
    return [np.array(list(itertools.product(*zip(low, high, strict=True)))) for low, high in parts]


def ball(radius: float) -> list[np.ndarray]:
    rows = [(math.pi * i / 16, math.pi * j / 12) for i in range(1, 16) for j in range(24)]
    shell = [(math.sin(a) * math.cos(b), math.sin(a) * math.sin(b), math.cos(a)) for a, b in rows]
    return [np.array([*shell, (0, 0, 1), (0, 0, -1)]) * radius + (0, 0, radius)]


SHAPES = {
    "block": boxes(((-0.02, -0.02, 0), (0.02, 0.02, 0.04))),
    "slab": boxes(((-0.1, -0.05, 0), (0.1, 0.05, 0.02))),
    "ball": ball(0.03),
    "tray": boxes(
        ((-0.1, -0.1, 0), (0.1, 0.1, 0.01)),
        ((-0.1, -0.1, 0), (-0.09, 0.1, 0.06)),
        ((0.09, -0.1, 0), (0.1, 0.1, 0.06)),
        ((-0.1, -0.1, 0), (0.1, -0.09, 0.06)),
        ((-0.1, 0.09, 0), (0.1, 0.1, 0.06)),
    ),
}


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """A pack of boxes and a ball, with convex parts only."""
    import hashlib

    folder: Path = tmp_path_factory.mktemp("shapes")
    assets = []
    for name, parts in SHAPES.items():
        text = "".join(
            f"o part{k}\n" + "".join(f"v {x:.9f} {y:.9f} {z:.9f}\n" for x, y, z in part)
            for k, part in enumerate(parts)
        )
        (folder / f"{name}.obj").write_text(text)
        size = np.ptp(np.concatenate(parts), axis=0)
        assets.append(
            AssetInfo(
                name=name,
                category=name,
                plural=f"{name}s",
                shape=name,
                factory="test",
                factory_seed=0,
                size=(float(size[0]), float(size[1]), float(size[2])),
                mass=0.1,
                com=(0, 0, 0),
                inertia=(1, 1, 1, 0, 0, 0),
                colour=None,
                colour_share=0,
                friction=1,
                triangles=0,
                visual="none.glb",
                visual_sha256="",
                collision=f"{name}.obj",
                collision_sha256=hashlib.sha256(text.encode()).hexdigest(),
                licence="",
                attribution="",
            )
        )
    manifest = Manifest(version=VERSION, name="shapes", generator="test", assets=tuple(assets))
    (folder / "manifest.json").write_bytes(records.canonical_json(manifest))
    return Pack(folder)


def test_heights_are_those_of_the_parts(pack: Pack) -> None:
    points = np.array([(0.0, 0.0), (0.095, 0.0), (0.2, 0.0)])
    assert tops(pack, "tray", points) == pytest.approx([0.01, 0.06, -np.inf])
    assert bottoms(pack, "tray", points) == pytest.approx([0, 0, np.inf])
    assert bottoms(pack, "ball", np.zeros((1, 2))) == pytest.approx([0], abs=1e-9)
    assert tops(pack, "ball", np.zeros((1, 2))) == pytest.approx([0.06])


@pytest.mark.parametrize("child", ["block", "ball"])
@pytest.mark.parametrize("scale", [0.7, 1.0, 1.3])
def test_a_thing_rests_on_a_floor_or_a_top(pack: Pack, child: str, scale: float) -> None:
    on_slab = rest_height(pack, "slab", scale, child, 1.0, (0.03, 0.01), 0.4)
    assert on_slab == pytest.approx(0.02 * scale + LIFT)
    in_tray = rest_height(pack, "tray", 1.0, child, scale, (-0.03, 0.02), 2.0)
    assert in_tray == pytest.approx(0.01 + LIFT)


def test_a_thing_that_would_tip_has_no_rest(pack: Pack) -> None:
    assert rest_height(pack, "slab", 1.0, "block", 1.0, (0.115, 0.0)) is None
    # half on the tray's wall: it would lean
    assert rest_height(pack, "tray", 1.0, "block", 1.0, (0.078, 0.0)) is None
    assert rest_height(pack, "slab", 1.0, "block", 1.0, (0.5, 0.0)) is None
    # across the whole tray it lies on the walls
    on_walls = rest_height(pack, "tray", 1.0, "slab", 1.0)
    assert on_walls == pytest.approx(0.06 + LIFT)
