"""`refergym rollout`: what the policy saw is on disk, once, and a kill loses nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from refergym.rollouts import cli, frames, rollout
from refergym.rollouts.episodes import read_episodes
from refergym.rollouts.errors import ConfigError, OutputError
from refergym.rollouts.plan import Job, Plan
from refergym.rollouts.runner import Runner
from refergym.rollouts.tape import MemoryTape

ANY = ["scene.min_grasp_rate=0.0", "task.min_grasp_rate=null"]
QUICK = ["backend=kinematic", "renderer.shadows=false", "workers=0", "episodes=3", *ANY]


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """Episodes of the oracle, two of each start, so that there are equal pictures."""
    folder = tmp_path_factory.mktemp("rollout") / "out"
    return rollout.rollout([*QUICK, "samples=2", f"out={folder}"])


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def seen_of(episodes):
    return [step.seen for e in episodes for step in e.steps]


def named(episodes):
    return {n for s in seen_of(episodes) for n in (s.rgb, s.depth, s.first_rgb) if n}


def test_each_step_has_what_the_policy_was_given(collected, make_plan):
    run = json.loads((collected.folder / "run.json").read_text())
    groups = ("scene", "task", "backend", "renderer", "sensor", "randomisation")
    plan: Plan = make_plan(
        ["oracle"], env={g: run["config"][g] for g in groups}, seed=0, suite="pick_place-s0"
    )
    tape = MemoryTape()
    runner = Runner(plan, tape=tape)
    for played in runner.run([Job(policy="oracle", index=i) for i in range(3)]):
        (episode,) = (e for e in collected.episodes if e.key == played.key)
        for seen, step in zip(tape.take(played).observations, episode.steps, strict=True):
            read = frames.load_observation(collected.folder, step.seen, episode.instruction)
            assert set(read) == set(seen)
            assert np.array_equal(read["rgb"], seen["rgb"])
            assert np.array_equal(read["first_rgb"], seen["first_rgb"])
            assert abs(read["depth"] - seen["depth"]).max() <= 0.0005 + 1e-6
            assert np.array_equal(read["depth"] == 0, seen["depth"] == 0), "holes stay holes"
            assert np.array_equal(read["intrinsics"], seen["intrinsics"])
            for key in ("instruction", "holding", "event", "feedback"):
                assert read[key] == seen[key]
    runner.close()


def test_equal_pictures_are_kept_once_and_nothing_else_is_there(collected):
    assert len(collected.episodes) == 6
    names = named(collected.episodes)
    assert files(collected.folder / "frames") == sorted(n.removeprefix("frames/") for n in names)
    steps = len(seen_of(collected.episodes))
    assert len(names) < 2 * steps, "the two episodes of a start begin with the same picture"
    for name in names:
        with Image.open(collected.folder / name) as picture:
            assert picture.mode == ("RGB" if "/rgb/" in name else "I;16")
    files_of = {n: (collected.folder / n).read_bytes() for n in names}
    assert len(set(files_of.values())) == len(files_of)


def test_what_is_said_of_the_run_is_in_its_results(collected):
    results = json.loads((collected.folder / "results.json").read_text())
    (row,) = results["rows"]
    assert (row["policy"], row["n"]) == ("oracle", 6)
    assert results["config"]["frames"] is True


@pytest.mark.slow
def test_workers_change_neither_outcomes_nor_files(collected, tmp_path):
    arguments = [*QUICK, "samples=2", "workers=2", "batch=2", f"out={tmp_path}"]
    done = rollout.rollout(arguments)
    assert [e.outcome for e in done.episodes] == [e.outcome for e in collected.episodes]
    assert seen_of(done.episodes) == seen_of(collected.episodes)
    assert files(tmp_path) == files(collected.folder)


def test_without_frames_the_episodes_are_the_same(collected, tmp_path):
    done = rollout.rollout([*QUICK, "samples=2", "frames=false", f"out={tmp_path}"])
    assert [e.outcome for e in done.episodes] == [e.outcome for e in collected.episodes]
    assert seen_of(done.episodes) == [None] * sum(len(e.steps) for e in done.episodes)
    assert not (tmp_path / "frames").exists()


def test_killed_half_way_it_loses_nothing_and_goes_on(collected, tmp_path):
    arguments = [*QUICK, "episodes=8", f"out={tmp_path}", "workers=2"]
    command = [sys.executable, "-m", "refergym.rollouts.cli", "rollout", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    path = tmp_path / "episodes.jsonl"
    wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") >= 2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert process.poll() is None, "it ended before it was killed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
    # what was reported is whole, with its pictures, before anything is mended
    kept = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in kept if line.endswith(b"\n")]
    assert 2 <= len(kept) < 8
    for seen in seen_of(read_episodes(path)):
        frames.load_observation(tmp_path, seen, "")
    with path.open("ab") as file:
        file.write(b'{"version": 1, "id": {"su')  # what a power cut may leave
    cut = tmp_path / "frames" / "rgb" / "00"
    cut.mkdir(parents=True, exist_ok=True)
    (cut / ".ab.1.part").write_bytes(b"half a picture")

    done = rollout.rollout([*arguments, "workers=0", "resume=true"])
    assert path.read_bytes().splitlines(keepends=True)[: len(kept)] == kept
    episodes = read_episodes(path)
    assert len({e.key for e in episodes}) == len(episodes) == len(done.episodes) == 8
    for seen in seen_of(episodes):
        frames.load_observation(tmp_path, seen, "")
    assert not list(tmp_path.rglob("*.part"))
    outcomes = {e.key: e.outcome for e in done.episodes}
    for episode in collected.episodes:
        if episode.id.member == 0:
            assert outcomes[episode.key] == episode.outcome


def wait_until(what, patience=120):
    deadline = time.monotonic() + patience
    while not what():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def test_a_folder_with_a_run_is_gone_on_with_only_when_asked_and_only_alike(collected):
    with pytest.raises(OutputError, match=r"already holds a run .*resume=true"):
        rollout.rollout([*QUICK, "samples=2", f"out={collected.folder}"])
    same = [*QUICK, "samples=2", f"out={collected.folder}", "resume=true"]
    with pytest.raises(OutputError, match="resume: frames was true"):
        rollout.rollout([*same, "frames=false"])
    before = (collected.folder / "episodes.jsonl").read_bytes()
    rollout.rollout(same)
    assert (collected.folder / "episodes.jsonl").read_bytes() == before


@pytest.mark.parametrize("workers", [0, 1])
def test_pictures_that_cannot_be_written_end_the_run(tmp_path, workers, capsys):
    (tmp_path / "frames").write_text("in the way")
    words = ["rollout", *QUICK, "episodes=1", f"workers={workers}", f"out={tmp_path}"]
    assert cli.main(words) == (1 if workers else 2)
    said = capsys.readouterr().err
    assert "frames/rgb/" in said
    assert "cannot write" in said
    assert read_episodes(tmp_path / "episodes.jsonl") == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("frames/rgb/ab/../../../../etc/passwd", "no name of a recorded picture"),
        ("/etc/passwd", "no name of a recorded picture"),
        (f"frames/rgb/ab/{'c' * 62}.png", "no readable picture"),
    ],
)
def test_pictures_that_are_not_there_are_named(tmp_path, name, message):
    with pytest.raises(OutputError, match=message):
        frames.load_rgb(tmp_path, name)


def test_a_damaged_picture_is_named(tmp_path):
    path = tmp_path / "frames" / "depth" / "ab" / f"{'c' * 62}.png"
    path.parent.mkdir(parents=True)
    name = path.relative_to(tmp_path).as_posix()
    path.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(OutputError, match=f"{'c' * 62}.png: no readable picture"):
        frames.load_depth(tmp_path, name)
    Image.new("RGB", (4, 4)).save(path)
    with pytest.raises(OutputError, match="expected a PNG of mode I;16, got RGB"):
        frames.load_depth(tmp_path, name)


def test_depth_is_stored_in_millimetres_and_zero_stays_no_return():
    depth = np.array([[0, 0.0004, 0.001, 1.2344], [1.2346, 65.535, 80, 0.5]], np.float32)
    assert frames.millimetres(depth).tolist() == [[0, 0, 1, 1234], [1235, 65535, 65535, 500]]


def test_the_command_says_what_it_wrote(tmp_path, capsys):
    words = [w for w in QUICK if not w.startswith("task.")]
    words += ["episodes=1", "task=point_at_object", "policy=random", f"out={tmp_path}"]
    assert cli.main(["rollout", *words]) == 0
    said = capsys.readouterr()
    assert f"episodes.jsonl (1 episodes), 2 pictures of 1 steps to {tmp_path}" in said.out
    assert "1/1" in said.err


def test_wrong_settings_are_named(tmp_path):
    with pytest.raises(ConfigError, match="episodes"):
        rollout.rollout([*QUICK, "episodes=0", f"out={tmp_path}"])
    with pytest.raises(ConfigError, match="did you mean frames"):
        rollout.rollout([*QUICK, "frame=false", f"out={tmp_path}"])
