"""`refergym assets build` with a stand-in for Infinigen: stages, failures, a kill."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from refergym.assets.builder import environment, spawning
from refergym.assets.errors import AssetError
from refergym.assets.library import Pack
from refergym.rollouts import assets_build

FAKE = """
import json, sys, time
from pathlib import Path
import numpy as np
from PIL import Image

CORNERS = np.array([[(k >> 2 & 1) - 0.5, (k >> 1 & 1) - 0.5, (k & 1) - 0.5] for k in range(8)])
BOX = np.array([
    [1, 3, 0], [4, 1, 0], [0, 3, 2], [2, 4, 0], [1, 7, 3], [5, 1, 4],
    [5, 7, 1], [3, 7, 2], [6, 4, 2], [2, 7, 6], [6, 5, 4], [7, 5, 6],
])

for line in sys.stdin:
    job = json.loads(line)
    seed, folder = job["seed"], Path(job["folder"])
    with Path(__file__).with_name("spawned.txt").open("a") as f:
        f.write(job["name"] + "\\n")
    time.sleep({delay})
    answer = {{"name": job["name"], "error": None, "figures": {{}}}}
    if seed == 13:
        answer["error"] = "ValueError: the factory made no mesh"
    else:
        size = (0.06, 0.08 + 0.01 * seed, 0.12)
        vertices, faces = (CORNERS * size)[BOX].reshape(-1, 3), np.arange(36)
        np.savez(folder / "mesh.npz", vertices=vertices, uv=np.tile([[0, 0], [1, 0], [0, 1]],
                 (12, 1)) * 0.5 + 0.2, faces=faces.reshape(-1, 3))
        shade = 3 if seed == 14 else 200
        if seed != 15:
            Image.new("RGB", (16, 16), (shade, 20 if seed == 14 else 30, 25)).save(
                folder / "texture.png")
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a stand-in for Infinigen's environment and script."""
    home = tmp_path / "environment"
    (home / "bin").mkdir(parents=True)
    python = home / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (home / f".complete-{environment.INFINIGEN}").touch()
    script = tmp_path / "spawn.py"
    script.write_text(textwrap.dedent(FAKE.format(delay=0)))
    monkeypatch.setattr(spawning, "SPAWN", script)
    return tmp_path


def arguments(folder: Path, seeds: str, *more: str) -> list[str]:
    return [
        f"out={folder / 'pack'}",
        f"environment={folder / 'environment'}",
        "category=[food_box]",
        f"seeds={seeds}",
        *(more or ("tries=0", "jobs=1")),
    ]


def spawned(folder: Path) -> list[str]:
    return (folder / "spawned.txt").read_text().split()


def test_an_empty_folder_becomes_a_pack(workshop: Path) -> None:
    assert assets_build.main(arguments(workshop, "[0,1,2]", "tries=0", "jobs=2")) == 0
    pack = Pack(workshop / "pack")
    assert [a.name for a in pack.manifest.assets] == [f"food_box_00{k}" for k in range(3)]
    info = pack["food_box_002"]
    assert info.category == "box"
    assert info.factory_seed == 2
    assert info.size == pytest.approx((0.06, 0.10, 0.12), abs=1e-5)
    assert info.mass == pytest.approx(150 * 0.06 * 0.10 * 0.12, rel=1e-3)
    assert info.colour == "red"
    assert info.symmetry == 2
    assert len(pack.mesh("food_box_000").faces) == 12


def test_one_kind_and_seed_need_no_list_and_a_kind_may_have_several_factories(
    workshop: Path,
) -> None:
    assert assets_build.main([*arguments(workshop, "3"), "category=bottle"]) == 0
    made = {(a.name, a.category) for a in Pack(workshop / "pack").manifest.assets}
    assert made == {("bottle_003", "bottle"), ("square_bottle_003", "bottle")}


def test_a_second_build_makes_nothing_anew_and_gives_the_same_pack(workshop: Path) -> None:
    assets_build.main(arguments(workshop, "[0,1]"))
    first = Pack(workshop / "pack").digest
    assets_build.main(arguments(workshop, "[0,1]"))
    assert Pack(workshop / "pack").digest == first
    assert len(spawned(workshop)) == 2


def test_failures_are_reported_by_name_and_cause_and_left_out(workshop: Path) -> None:
    assert assets_build.main(arguments(workshop, "[0,13,14,15]")) == 0
    assert [a.name for a in Pack(workshop / "pack").manifest.assets] == ["food_box_000"]
    report = json.loads((workshop / "pack.work" / "report.json").read_text())
    assert report["failed"]["food_box_013"] == "ValueError: the factory made no mesh"
    assert "failed bake" in report["failed"]["food_box_014"]
    assert "texture is missing" in report["failed"]["food_box_015"]


def test_if_nothing_can_be_made_no_pack_appears(workshop: Path) -> None:
    with pytest.raises(AssetError, match=r"no asset could be made; causes are in .*report\.json"):
        assets_build.main(arguments(workshop, "[13]"))
    assert not (workshop / "pack").exists()


def test_a_folder_that_is_no_pack_is_left_alone(workshop: Path) -> None:
    (workshop / "pack").mkdir()
    (workshop / "pack" / "thesis.txt").touch()
    with pytest.raises(AssetError, match="not empty, and not a pack"):
        assets_build.main(arguments(workshop, "[0]"))
    assert [p.name for p in (workshop / "pack").iterdir()] == ["thesis.txt"]


def test_a_file_in_the_way_is_said_before_anything_is_made(workshop: Path) -> None:
    (workshop / "pack").touch()
    with pytest.raises(AssetError, match="a file, not a folder"):
        assets_build.main(arguments(workshop, "[0]"))
    assert not (workshop / "spawned.txt").exists()


@pytest.mark.slow
def test_what_a_killed_installation_left_is_cleared_up(workshop: Path) -> None:
    assets_build.main(arguments(workshop, "[0]"))
    (workshop / ".pack.old" / "half").mkdir(parents=True)
    assets_build.main(arguments(workshop, "[0,0,1]"))
    assert len(Pack(workshop / "pack").manifest.assets) == 2
    (workshop / "pack").rename(workshop / ".pack.old")
    assets_build.main(arguments(workshop, "[0]"))
    assert len(Pack(workshop / "pack").manifest.assets) == 1
    assert not list(workshop.glob(".pack*"))


@pytest.mark.parametrize("key", ["category", "seeds"])
def test_nothing_to_build_is_said(workshop: Path, key: str) -> None:
    with pytest.raises(AssetError, match="category, seeds: nothing to build"):
        assets_build.main([*arguments(workshop, "[0]"), f"{key}=[]"])


def test_an_unknown_kind_is_named_with_the_known_ones(workshop: Path) -> None:
    overrides = [*arguments(workshop, "[0]"), "category=[samovar]"]
    with pytest.raises(AssetError, match=r"category: 'samovar' is not known \(known: mug,"):
        assets_build.main(overrides)


@pytest.mark.bullet
def test_grasps_are_measured_and_kept(workshop: Path) -> None:
    pytest.importorskip("pybullet")
    assets_build.main(arguments(workshop, "[0]", "tries=1", "jobs=1"))
    info = Pack(workshop / "pack")["food_box_000"]
    assert [g.scale for g in info.grasps] == [0.7, 0.85, 1.0, 1.15, 1.3]
    assert info.grasp_rate(1.0) == 1.0, "a box of 6 cm is what the gripper is made for"
    kept = (workshop / "pack.work" / "grasps" / "food_box_000" / "done.json").stat().st_mtime_ns
    assets_build.main(arguments(workshop, "[0]", "tries=1", "jobs=1"))
    after = (workshop / "pack.work" / "grasps" / "food_box_000" / "done.json").stat().st_mtime_ns
    assert after == kept


@pytest.mark.slow
def test_a_build_that_was_killed_goes_on(workshop: Path) -> None:
    (workshop / "spawn.py").write_text(textwrap.dedent(FAKE.format(delay=0.4)))
    seeds = "[0,1,2,3,4,5]"
    code = (
        "import sys; from pathlib import Path\n"
        "from refergym.assets.builder import spawning\n"
        "from refergym.rollouts import assets_build\n"
        f"spawning.SPAWN = Path({str(workshop / 'spawn.py')!r})\n"
        "assets_build.main(sys.argv[1:])\n"
    )
    command = [sys.executable, "-c", code, *arguments(workshop, seeds)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    raw = workshop / "pack.work" / "raw"
    until = time.monotonic() + 60
    while len(list(raw.glob("food_box_*/done.json"))) < 2:
        assert time.monotonic() < until
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (workshop / "pack").exists()
    time.sleep(1.0)  # what was in flight ends with its input
    done = {p.parent.name for p in raw.glob("food_box_*/done.json")}
    before = len(spawned(workshop))
    assert assets_build.main(arguments(workshop, seeds)) == 0
    assert len(Pack(workshop / "pack").manifest.assets) == 6
    again = set(spawned(workshop)[before:])
    assert again
    assert not again & done
    assert not list(raw.glob(".*"))
