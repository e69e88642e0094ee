"""Recorded episodes as a LeRobot dataset: what the format asks for, and what lerobot reads."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from refergym.envs.types import Event
from refergym.rollouts import cli, export, frames, rollout
from refergym.rollouts.episodes import Ended, read_episodes
from refergym.rollouts.errors import ConfigError, OutputError
from refergym.rollouts.frames import DiskTape
from refergym.rollouts.lerobot import stats, tables, write_lerobot
from refergym.rollouts.plan import Job
from refergym.rollouts.runner import Runner

pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra lerobot")

LEROBOT = Path(__file__).parents[3] / ".bench" / "lerobot"
"""lerobot's environment; installed.json says that it is whole"""
QUICK = ["backend=kinematic", "renderer.shadows=false", "workers=0",
         "scene.min_grasp_rate=0.0", "task.min_grasp_rate=null"]  # fmt: skip
VECTORS = ("observation.state", "observation.intrinsics", "action")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of three episodes of the oracle, on disk."""
    folder = tmp_path_factory.mktemp("run") / "out"
    rollout.rollout([*QUICK, "episodes=3", f"out={folder}"])
    return folder


@pytest.fixture(scope="module")
def dataset(run):
    """The same, exported."""
    out = run.with_name("dataset")
    report, folder = export.export(["format=lerobot", f"recorded={run}", f"out={out}"])
    assert (report.episodes, report.left_out) == (3, {})
    return folder


def steps_of(run):
    """Each step in the dataset's order: (episode, its number, step, number, whether the last)."""
    episodes = read_episodes(run / "episodes.jsonl")
    return [
        (e, i, s, k, k == len(e.steps) - 1)
        for i, e in enumerate(sorted(episodes, key=lambda e: e.key))
        for k, s in enumerate(e.steps)
    ]


def expected(run):
    """Every number that the dataset must hold, from the run's own files."""
    rows = []
    for n, (episode, i, step, k, is_last) in enumerate(steps_of(run)):
        rows.append({
            "observation.images.rgb": frames.load_rgb(run, step.seen.rgb).transpose(2, 0, 1),
            "observation.depth": frames.load_depth(run, step.seen.depth),
            "observation.state": [step.seen.holding, Event[step.seen.event.upper()]],
            "observation.intrinsics": step.seen.intrinsics,
            "action": step.point_uv,
            "next.reward": step.reward,
            "next.success": episode.success and is_last,
            "next.done": is_last,
            "timestamp": k,
            "frame_index": k,
            "episode_index": i,
            "index": n,
        })  # fmt: skip
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


@pytest.mark.slow
@pytest.mark.skipif(
    not (LEROBOT / "installed.json").exists(), reason="`make lerobot` makes its environment"
)
def test_lerobots_own_loader_reads_back_what_was_recorded(run, dataset, tmp_path):
    script = Path(__file__).with_name("reader.py")
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf")}
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | offline
    words = [str(LEROBOT / "bin" / "python"), str(script), str(dataset), str(tmp_path)]
    done = subprocess.run(words, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    numbers = np.load(tmp_path / "numbers.npz")
    said = json.loads((tmp_path / "said.json").read_text())
    wanted = expected(run)
    rgb = wanted.pop("observation.images.rgb")
    read = numbers["observation.images.rgb"]
    assert (read.shape, read.dtype) == ((len(rgb), 3, 224, 224), np.float32)
    assert np.array_equal(np.rint(read * 255), rgb), "to the pixel"
    for key, values in wanted.items():
        found = numbers[key].reshape(values.shape)
        assert np.array_equal(found, values.astype(found.dtype)), key
    assert numbers["observation.depth"].dtype == np.float32
    assert numbers["observation.depth"].max() > 0.5, "metres"
    instructions = [e.instruction for e, *_ in steps_of(run)]
    assert said["words"]["task"] == instructions
    assert said["words"]["answer"] == [s.text for _, _, s, *_ in steps_of(run)]
    assert (said["episodes"], said["frames"], said["fps"]) == (3, len(rgb), 1)
    assert set(said["tasks"]) == set(instructions)
    assert [t for k in numbers["task_index"] for t, i in said["tasks"].items() if i == k] == (
        instructions
    )
    ends = np.flatnonzero(wanted["next.done"]) + 1
    assert said["bounds"] == [[a, b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    assert said["batch"]["observation.images.rgb"] == [2, 3, 224, 224]
    assert said["batch"]["observation.depth"] == [2, 224, 224]
    first = wanted["action"][said["bounds"][1][0] :][:2]
    assert np.allclose(said["chunk"], first), "a chunk of actions of the second episode"
    assert said["padded"] == [False, True], "the episode ends"
    for key in VECTORS:
        assert np.allclose(said["stats"][key]["mean"], wanted[key].mean(0))
        assert np.allclose(said["stats"][key]["std"], wanted[key].std(0), atol=1e-9)
    channels = (rgb / 255).mean((0, 2, 3)).reshape(3, 1, 1)
    assert np.allclose(said["stats"]["observation.images.rgb"]["mean"], channels)


def test_the_tables_hold_what_the_format_asks_for(run, dataset):
    info = json.loads((dataset / "meta" / "info.json").read_text())
    wanted = expected(run)
    count = len(wanted["index"])
    assert info["codebase_version"] == "v3.0"
    assert (info["total_episodes"], info["total_frames"]) == (3, count)
    assert info["splits"] == {"train": "0:3"}
    data = pq.read_table(dataset / info["data_path"].format(chunk_index=0, file_index=0))
    assert set(data.column_names) == set(info["features"])
    for key in ("frame_index", "episode_index", "index", "next.done", "next.reward", "action"):
        assert np.allclose(data[key].to_pylist(), wanted[key]), key
    pictures = data["observation.images.rgb"].to_pylist()
    for (_, _, step, *_), picture in zip(steps_of(run), pictures, strict=True):
        assert picture["bytes"] == (run / step.seen.rgb).read_bytes()
    episodes = pq.read_table(dataset / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [e["episode_index"] for e in episodes] == [0, 1, 2]
    assert sum(e["length"] for e in episodes) == episodes[-1]["dataset_to_index"] == count
    summed = json.loads((dataset / "meta" / "stats.json").read_text())
    for key, feature in info["features"].items():
        if feature["dtype"] != "string":
            assert set(summed[key]) == {
                "min", "max", "mean", "std", "count", "q01", "q10", "q50", "q90", "q99",
            }  # fmt: skip
            assert all(f"stats/{key}/{name}" in episodes[0] for name in summed[key])
    tasks = pq.read_table(dataset / "meta" / "tasks.parquet")
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]
    assert tasks["task"].to_pylist() == list(
        dict.fromkeys(e.instruction for e, *_ in steps_of(run))
    )


def test_an_export_is_the_same_each_time(run, dataset, tmp_path):
    export.export(["format=lerobot", f"recorded={run}", f"out={tmp_path}"])
    files = [p.relative_to(dataset) for p in dataset.rglob("*") if p.is_file()]
    assert len(files) == 6
    for file in files:
        assert (tmp_path / file).read_bytes() == (dataset / file).read_bytes()


def test_data_files_have_a_size_and_an_episode_stands_in_one(run, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "BATCH", 1)
    write_lerobot(tmp_path, run, read_episodes(run / "episodes.jsonl"), file_mb=0)
    files = sorted((tmp_path / "data").rglob("*.parquet"))
    assert [f.name for f in files] == [f"file-{k:03d}.parquet" for k in range(3)]
    episodes = pq.read_table(tmp_path / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    for episode, file in zip(episodes, files, strict=True):
        indices = pq.read_table(file)["index"].to_pylist()
        bounds = episode["dataset_from_index"], episode["dataset_to_index"]
        assert indices == list(range(*bounds))
        assert file.name == f"file-{episode['data/file_index']:03d}.parquet"


def test_a_step_without_a_point_has_an_action_outside_the_picture(make_plan, helpers, tmp_path):
    node = {"_target_": "faulty.Said", "points": [None, (0.25, 0.75)]}
    plan = make_plan(policies={"said": node})
    runner = Runner(plan, tape=DiskTape(tmp_path / "run"))
    episodes = list(runner.run([Job(policy="said", index=0)]))
    runner.close()
    write_lerobot(tmp_path, tmp_path / "run", episodes)
    data = pq.read_table(tmp_path / "data/chunk-000/file-000.parquet").to_pylist()
    assert data[0]["action"] == [-1, -1]
    assert data[1]["action"] == [0.25, 0.75]
    assert data[1]["observation.state"] == [0, Event.INVALID], "what the policy was told"
    assert not any(row["next.success"] for row in data)
    assert [row["next.done"] for row in data] == [False] * (len(data) - 1) + [True]


def test_what_cannot_be_written_is_left_out_and_named(run, tmp_path, caplog):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    one, two, three = read_episodes(copy / "episodes.jsonl")
    (copy / one.steps[0].seen.rgb).write_bytes(b"no picture")
    lines = (copy / "episodes.jsonl").read_text().splitlines()
    broken = json.loads(lines[1])
    broken |= {"ended": "error", "steps": [], "success": False, "error": "it broke"}
    blind = json.loads(lines[2])
    blind["id"]["index"] = 3
    blind["steps"][0]["seen"] = None
    lines = [lines[0], json.dumps(broken), lines[2], json.dumps(blind), ""]
    (copy / "episodes.jsonl").write_text("\n".join(lines))
    words = ["export", "format=lerobot", f"recorded={copy}", f"out={tmp_path / 'out'}"]
    with caplog.at_level("INFO", "refergym"):
        assert cli.main(words) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["left_out"] == {
        "broke, so there is nothing to learn from": 1,
        "no pictures: collect with frames=true": 1,
        "no readable picture": 1,
    }
    assert report["sources"] == [f"oracle/{three.id}"]
    assert f"{len(three.steps)} frames of 1 episodes" in caplog.text
    assert f"episode {one.id} of oracle: no readable picture" in caplog.text
    assert two.ended is not Ended.ERROR


def test_failures_are_left_out_where_asked(run, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    first, *others = (copy / "episodes.jsonl").read_text().splitlines()
    failed = json.loads(first) | {"success": False, "ended": "failure", "stage": "grasp failed"}
    (copy / "episodes.jsonl").write_text("\n".join([json.dumps(failed), *others, ""]))
    words = ["format=lerobot", f"recorded={copy}", f"out={tmp_path / 'out'}", "successes=true"]
    report, _ = export.export(words)
    won = sum(json.loads(line)["success"] for line in others)
    assert (report.episodes, report.left_out["no success"]) == (won, 3 - won)


def test_nothing_to_write_is_a_failure(tmp_path, run):
    words = ["format=lerobot", f"out={tmp_path / 'out'}"]
    with pytest.raises(OutputError, match=r"recorded: .*episodes.jsonl: cannot read"):
        export.export([*words, f"recorded={tmp_path / 'none'}"])
    (tmp_path / "episodes.jsonl").touch()
    with pytest.raises(OutputError, match=r"no episode in .*refergym rollout"):
        export.export([*words, f"recorded={tmp_path}"])
    assert not (tmp_path / "out").exists()
    text = (run / "episodes.jsonl").read_text().splitlines()[0]
    (tmp_path / "episodes.jsonl").write_text(text + "\n")  # without its pictures
    assert cli.main(["export", *words, f"recorded={tmp_path}"]) == 1
    assert not (tmp_path / "out" / "meta").exists()


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    with pytest.raises(ConfigError, match=r"pip install 'refergym\[lerobot\]'"):
        export.export(["format=lerobot", f"recorded={tmp_path}", f"out={tmp_path / 'out'}"])


def test_statistics_of_episodes_join_to_those_of_all_frames():
    rng = np.random.default_rng(5)
    parts = [rng.normal(k, 1 + k, (n, 2)) for k, n in enumerate((3, 1, 7))]
    whole, joined = stats.of_vectors(np.concatenate(parts)), stats.merged(
        [stats.of_vectors(p) for p in parts]
    )  # fmt: skip
    for name in ("min", "max", "mean", "std", "count"):
        np.testing.assert_allclose(joined[name], whole[name], atol=1e-12)
    assert np.allclose(whole["q50"], np.median(np.concatenate(parts), axis=0))


def test_statistics_of_pictures_are_of_channels_in_zero_to_one():
    pictures = np.zeros((2, 4, 6, 3), np.uint8)
    pictures[..., 1] = 255
    pictures[1, ..., 2] = 51
    found = stats.of_pictures(pictures)
    assert found["mean"].shape == (3, 1, 1)
    assert np.allclose(found["mean"].ravel(), [0, 1, 0.1])
    assert np.allclose(found["max"].ravel(), [0, 1, 0.2])
    assert found["count"].tolist() == [2]
    maps = stats.of_maps(np.array([[[0.0, 1.0]], [[2.0, 3.0]]], np.float32))
    assert (maps["mean"].tolist(), maps["count"].tolist()) == ([[1.5]], [2])
