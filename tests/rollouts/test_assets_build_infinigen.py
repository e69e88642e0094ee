"""The real builder: Infinigen in its own environment, which is made if it is missing (2.2 GB)."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from refergym.assets.builder import environment
from refergym.assets.library import Pack
from refergym.rollouts import assets, assets_build

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

ARGUMENTS = ("category=[fork,apple]", "seeds=[0,1]", "tries=0")


@pytest.fixture(scope="module")
def home() -> Path:
    folder = Path(os.environ.get("REFERGYM_INFINIGEN", environment.default_folder()))
    environment.ensure(folder)
    return folder


def test_shapes_are_the_same_in_two_builds(home: Path, tmp_path: Path) -> None:
    packs = []
    for name in ("a", "b"):
        out = tmp_path / name
        assert assets_build.main([f"out={out}", f"environment={home}", *ARGUMENTS]) == 0
        assert assets.main(["check", str(out)]) == 0
        packs.append(Pack(out))
    first, second = packs
    assert [a.name for a in first.manifest.assets] == [
        "apple_000", "apple_000_yellow", "apple_001", "fork_000", "fork_001",
    ]  # fmt: skip
    for a in first.manifest.assets:
        b = second[a.name]
        np.testing.assert_allclose(a.size, b.size, atol=1e-4)
        assert a.mass == pytest.approx(b.mass, rel=0.02)
        assert a.colour == b.colour


def test_a_real_build_that_was_killed_goes_on(home: Path, tmp_path: Path) -> None:
    out = tmp_path / "pack"
    arguments = [f"out={out}", f"environment={home}", "jobs=1", *ARGUMENTS]
    code = "import sys; from refergym.rollouts import assets_build as a; a.main(sys.argv[1:])"
    process = subprocess.Popen([sys.executable, "-c", code, *arguments])
    raw = tmp_path / "pack.work" / "raw"
    until = time.monotonic() + 900
    while not list(raw.glob("*/done.json")):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {p: p.stat().st_mtime_ns for p in raw.glob("*/done.json")}
    assert not out.exists()
    assert assets_build.main(arguments) == 0
    assert len(Pack(out).manifest.assets) == 5
    assert all(p.stat().st_mtime_ns == when for p, when in kept.items())


def test_a_table_top_is_solved_and_its_things_stay(home: Path, tmp_path: Path) -> None:
    from refergym.assets.builder import solving
    from refergym.assets.builder.workshop import Shelf
    from refergym.assets.library import open_pack

    todo = [j for j in solving.jobs(open_pack()) if j["kind"] == "dining table"][:1]
    scenes, failed = solving.solve(
        todo,
        Shelf(tmp_path),
        environment.ensure(home),
        processes=1,
        log=tmp_path / "log.txt",
    )
    assert not failed
    scene = scenes[0]
    assert len(scene.items) >= 6
    assert scene.room.windows or scene.room.doors
    heights = {i.pose.position[2] for i in scene.items}
    assert heights == {round(open_pack()[scene.table].top.height, 5)}  # type: ignore[union-attr]
