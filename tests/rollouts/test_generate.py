"""Generated files: the same for a seed however they are made, whole, and true to the scene."""

import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from refergym.envs import make_env
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.starts import rest_state
from refergym.rollouts import cli, generate, taskfile
from refergym.rollouts.errors import OutputError, PoolError

QUICK = ["renderer.shadows=false", "renderer.antialias=none", "steps=[1,3]", "per_scene=4"]


def made(out: Path, *more: str, count: int = 14) -> Path:
    generate.generate([*QUICK, f"count={count}", f"out={out}", *(more or ("workers=0",))])
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.name not in ("run.json", "report.json")
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("generate") / "whole")


def tasks(folder: Path) -> list[taskfile.Entry]:
    entries, bad = taskfile.read_tasks(folder / taskfile.FILE)
    assert not bad
    return entries


def test_a_file_holds_what_was_asked_for(whole: Path) -> None:
    entries = tasks(whole)
    assert len({e.id for e in entries}) == len(entries) == 14
    assert {e.steps for e in entries} <= {1, 2, 3}
    assert len({e.start.digest for e in entries}) == 14
    report = json.loads((whole / "report.json").read_text())
    assert report["tasks"] == 14
    assert sum(report["steps"].values()) == 14
    assert report["rejections"]


def test_workers_and_their_number_change_nothing(whole: Path, tmp_path: Path) -> None:
    two = made(tmp_path / "two", "workers=2")
    ours, theirs = contents(whole), contents(two)
    # scenes are made ahead; what follows the last task is not in the file
    assert ours["tasks.jsonl"] == theirs["tasks.jsonl"]
    assert all(theirs[name] == data for name, data in ours.items())


def test_a_run_that_was_killed_goes_on_to_the_same_file(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    words = [*QUICK, "count=14", f"out={out}", "workers=0"]
    code = f"from refergym.rollouts import cli; cli.main({['generate', *words]!r})"
    process = subprocess.Popen([sys.executable, "-c", code])
    file, until = out / taskfile.FILE, time.monotonic() + 120
    while not (file.exists() and file.read_bytes().count(b"\n") >= 5):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with file.open("ab") as cut:
        cut.write(b'{"cut off')
    made(out, "workers=0", "resume=true")
    assert contents(out)["tasks.jsonl"] == contents(whole)["tasks.jsonl"]


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_no_worker_outlives_a_run_that_was_killed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["generate", *QUICK, "count=500", f"out={out}", "workers=2", "pictures=false"]
    process = subprocess.Popen([sys.executable, "-m", "refergym.rollouts.cli", *words])
    until = time.monotonic() + 120
    while not ((out / taskfile.FILE).exists() and (out / taskfile.FILE).stat().st_size):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.01)
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    children = [int(pid) for pid in listed.split()]
    assert len(children) >= 2
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until = time.monotonic() + 20
    while left := [pid for pid in children if running(pid)]:
        assert time.monotonic() < until, left
        time.sleep(0.05)


def test_the_death_of_a_worker_is_told(tmp_path: Path) -> None:
    before = {p.pid for p in multiprocessing.active_children()}

    def kill_one(done: int, *_: object) -> None:
        living = [p for p in multiprocessing.active_children() if p.pid not in before]
        if done and len(living) == 2:
            living[0].kill()

    words = [*QUICK, "count=500", f"out={tmp_path / 'out'}", "workers=2", "pictures=false"]
    with pytest.raises(PoolError, match="killed by signal 9; resume=true goes on"):
        generate.generate(words, on_progress=kill_one)


def test_a_folder_has_one_writer(whole: Path, tmp_path: Path) -> None:
    refused = []

    def made_meanwhile(*_: object) -> None:
        if not refused:
            with pytest.raises(OutputError, match="another process writes to") as caught:
                made(tmp_path / "out", "workers=0", "resume=true")
            refused.append(caught.value)

    words = [*QUICK, "count=14", f"out={tmp_path / 'out'}", "workers=0"]
    generate.generate(words, on_progress=made_meanwhile)
    assert refused
    assert contents(tmp_path / "out") == contents(whole)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_full_disk_is_told_and_the_run_can_go_on(
    workers: int, whole: Path, tmp_path: Path
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    try:
        with pytest.raises(OutputError, match="cannot write"):
            made(tmp_path / "out", f"workers={workers}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    made(tmp_path / "out", "workers=0", "resume=true")
    assert contents(tmp_path / "out")["tasks.jsonl"] == contents(whole)["tasks.jsonl"]


def test_pictures_that_cannot_be_written_are_named(whole: Path, tmp_path: Path) -> None:
    out = shutil.copytree(whole, tmp_path / "out")
    shutil.rmtree(out / "rgb")
    (out / "rgb").touch()
    with pytest.raises(OutputError, match=r"rgb/\d+\.jpg: cannot write"):
        made(out, "workers=1", "resume=true", count=20)


def test_more_tasks_continue_a_file(whole: Path, tmp_path: Path) -> None:
    out = made(tmp_path / "more", count=6)
    made(out, "workers=0", "resume=true")
    assert contents(out)["tasks.jsonl"] == contents(whole)["tasks.jsonl"]


def test_pictures_are_those_of_the_scene(whole: Path) -> None:
    renderer = EmbreeRenderer(shadows=False, antialias="none")
    for entry in tasks(whole)[::5]:
        assert entry.picture is not None
        frame = taskfile.read_pictures(whole, entry.picture)
        scene = entry.start.scene
        true = renderer.render(scene, rest_state(scene, "kinematic"))
        assert np.array_equal(frame.ids, true.ids)
        assert np.abs(frame.depth - true.depth).max() <= 0.00051
        assert np.abs(frame.rgb.astype(int) - true.rgb).mean() < 3
    renderer.close()


def test_the_tasks_can_be_played(whole: Path) -> None:
    env = make_env("point_at_object", "kinematic", overrides=["renderer.shadows=false"])
    for entry in tasks(whole)[::4]:
        _, info = env.reset(options={"episode": entry.start})
        *_, info = env.step(np.array(info["truth"]["point_uv"]))
        assert info["verdict"].success
    env.close()


def test_bad_lines_are_named_and_the_good_ones_kept(whole: Path, tmp_path: Path) -> None:
    lines = (whole / taskfile.FILE).read_bytes().splitlines()
    other = json.loads(lines[1])
    other["version"] = 99
    foreign = json.loads(lines[2])
    foreign["start"]["task"]["scene"] = "0" * 64
    path = tmp_path / taskfile.FILE
    path.write_bytes(
        b"\n".join(
            [lines[0], json.dumps(other).encode(), json.dumps(foreign).encode(), lines[3][:80],
             lines[4], lines[5][:40]]
        )
    )  # fmt: skip
    entries, bad = taskfile.read_tasks(path)
    assert [e.id for e in entries] == [json.loads(lines[k])["id"] for k in (0, 4)]
    assert [b.line for b in bad] == [2, 3, 4, 6]
    assert "version: expected 2, got 99" in bad[0].reason
    assert "task.scene: expected" in bad[1].reason
    assert bad[3].reason == "cut off"


def test_what_is_impossible_ends_with_the_causes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = ["scene.counts=[2,2]", "steps=[5,5]", "count=3", "patience=3", "pictures=false",
             "workers=0", f"out={tmp_path / 'out'}"]  # fmt: skip
    with caplog.at_level("INFO", "refergym"):
        assert cli.main(["generate", *words]) == 1
    assert "only 0 of 3 tasks" in caplog.text
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["barren"] == 3
    assert sum(report["rejections"].values()) > 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["task=arrange_row", "steps=[1,2]"], "steps: task arrange_row has no steps to set"),
        (["steps=[0,2]"], "steps"),
        (["count=0"], "count"),
        (["per_scenes=3"], "did you mean per_scene"),
    ],
)
def test_wrong_settings_are_named(words: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        generate.generate([*words, f"out={tmp_path / 'out'}"])
    assert not (tmp_path / "out").exists()


def test_another_run_is_never_mixed_with(whole: Path, tmp_path: Path) -> None:
    before = contents(whole)
    with pytest.raises(OutputError, match="resume=true goes on"):
        made(whole)
    with pytest.raises(OutputError, match="other settings: seed was 0, now it is 1"):
        made(whole, "workers=0", "resume=true", "seed=1")
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(OutputError, match="no run"):
        made(tmp_path)
    out = shutil.copytree(whole, tmp_path / "out")
    (out / "run.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(OutputError, match=r"run\.json: damaged"):
        made(out, "workers=0", "resume=true")
    assert contents(whole) == contents(out) == before
