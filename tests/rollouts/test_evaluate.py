import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from PIL import Image

from refergym.assets import records
from refergym.rollouts import evaluate as module
from refergym.rollouts.episodes import Ended, read_episodes
from refergym.rollouts.errors import ConfigError, OutputError, StartError
from refergym.rollouts.plan import ENV_GROUPS
from refergym.rollouts.statistics import jeffreys

ANY = ["scene.min_grasp_rate=0.0", "task.min_grasp_rate=null"]
QUICK = ["backend=kinematic", "renderer.shadows=false", "workers=0", *ANY]
PLAIN = [*QUICK, "pictures=false", "video=false"]
POINTING = ["backend=kinematic", "renderer.shadows=false", "workers=0", "pictures=false",
            "video=false", "policy=random", "task=point_at_object"]  # fmt: skip


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A small evaluation with everything that it writes."""
    folder = tmp_path_factory.mktemp("evaluate") / "out"
    floors = ["floors=[random]", "episodes=2", "video_size=96", f"out={folder}"]
    return module.evaluate([*QUICK, *floors])


def test_results_hold_rates_intervals_and_what_they_rest_on(shown):
    results = json.loads((shown.folder / "results.json").read_text())
    assert [(row["task"], row["policy"]) for row in results["rows"]] == [
        ("pick_place", "oracle"),
        ("pick_place", "random"),
    ]
    for row in results["rows"]:
        assert row["n"] == 2
        assert row["success_rate"] == row["successes"] / 2
        assert row["interval"] == pytest.approx(jeffreys(row["successes"], 2))
        assert sum(row["failures"].values()) == 2 - row["successes"]
        assert sum(row["events"].values()) == row["mean_steps"] * 2
    assert results["backend"] == "kinematic"
    assert results["renderer"] == "embree"
    assert results["config"]["task"]["_target_"]
    assert results["choices"]["task"] == "pick_place"
    assert {"python", "refergym", "numpy"} <= set(results["versions"])
    assert all(re.fullmatch("[0-9a-f]{64}", d) for d in results["digests"].values())


def test_episodes_on_disk_are_the_ones_that_were_counted(shown):
    episodes = read_episodes(shown.folder / "episodes.jsonl")
    assert {e.key for e in episodes} == {e.key for e in shown.episodes}
    assert [(e.policy, e.id.index) for e in shown.episodes] == [
        ("oracle", 0), ("oracle", 1), ("random", 0), ("random", 1),
    ]  # fmt: skip


def test_every_episode_has_a_strip_and_a_video_that_plays(shown):
    for episode in shown.episodes:
        name = f"{episode.policy}/{episode.id.index:05d}"
        with Image.open(shown.folder / "pictures" / f"{name}.png") as strip:
            panels = min(len(episode.steps), 6) + 1
            assert strip.width >= 224 * panels
            assert strip.height > 224
        with av.open(shown.folder / "videos" / f"{name}.mp4") as video:
            stream = video.streams.video[0]
            frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(stream)]
            assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
            assert 2 <= len(frames) / float(stream.average_rate) <= 60
        assert abs(frames[0].astype(int) - frames[-1]).max() > 30, "something happens"


def test_the_page_and_the_overview_show_every_episode(shown):
    page = (shown.folder / "index.html").read_text()
    sources = re.findall(r'src="([^"]+)"', page)
    assert len(sources) == 8
    assert all((shown.folder / source).is_file() for source in sources)
    with Image.open(shown.folder / "overview.png") as overview:
        assert overview.width > 2 * 400
    assert not list(shown.folder.rglob("*.part*"))


def test_a_folder_that_holds_a_run_is_not_overwritten(shown):
    before = (shown.folder / "results.json").read_bytes()
    with pytest.raises(OutputError, match=r"already holds a run .*resume=true"):
        module.evaluate([*PLAIN, f"out={shown.folder}"])
    assert (shown.folder / "results.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("seed=1", "seed was 0"),
        ("task=pick", "choices.task was"),
        ("task.tolerance=0.1", "task.tolerance was 0.05"),
        ("episodes=1", "episodes was 2"),
        ("floors=false", "floors was"),
        ("policy=center", "choices.policy was"),
    ],
)
def test_resuming_with_another_configuration_names_the_key(shown, change, key):
    same = ["floors=[random]", "episodes=2", f"out={shown.folder}", "resume=true"]
    with pytest.raises(OutputError, match=rf"resume: {re.escape(key)}"):
        module.evaluate([*QUICK, *same, change])


def test_resuming_a_finished_run_runs_nothing_and_more_episodes_only_the_new_ones(shown, tmp_path):
    told = []
    same = ["floors=[random]", f"out={tmp_path}", "resume=true"]
    for n in (1, 1, 2):
        done = module.evaluate(
            [*PLAIN, *same, f"episodes={n}"], on_progress=lambda *a: told.append(a)
        )
    assert [episode and episode.id.index for episode, _, _ in told] == [
        None, 0, 0, None, None, 1, 1,
    ]  # fmt: skip
    assert done.results.digests["outcomes"] == shown.results.digests["outcomes"]


def test_killed_half_way_it_loses_nothing_and_goes_on(shown, tmp_path):
    arguments = [*PLAIN, "floors=[random]", "episodes=4", f"out={tmp_path}", "workers=2"]
    command = [sys.executable, "-m", "refergym.rollouts.cli", "evaluate", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    path = tmp_path / "episodes.jsonl"
    wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") >= 2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert process.poll() is None, "it ended before it was killed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children))
    assert not (tmp_path / "results.json").exists()
    with path.open("ab") as file:
        file.write(b'{"version": 1, "id": {"su')  # what a power cut may leave
    kept = path.read_bytes().splitlines()[:-1]

    done = module.evaluate([*arguments, "workers=0", "resume=true"])
    assert path.read_bytes().splitlines()[: len(kept)] == kept
    episodes = read_episodes(path)
    assert len({e.key for e in episodes}) == len(episodes) == 8
    outcomes = {e.key: e.outcome for e in done.episodes}
    assert outcomes.items() >= {e.key: e.outcome for e in shown.episodes}.items()


def test_samples_begin_alike_answer_anew_and_do_not_depend_on_workers_or_resume(tmp_path):
    drawn = [*POINTING, "episodes=3"]
    at_once = module.evaluate([*drawn, "samples=3", "workers=2", "batch=2", f"out={tmp_path}/a"])
    assert [(e.id.index, e.id.member) for e in at_once.episodes] == [
        (i, m) for i in range(3) for m in range(3)
    ]
    for i in range(3):
        start = [e for e in at_once.episodes if e.id.index == i]
        assert len({(e.scene_digest, e.task_digest, e.start_digest) for e in start}) == 1
        assert len({e.steps[0].point_uv for e in start}) == 3
    (row,) = at_once.results.rows
    assert (row.n, row.starts, at_once.results.samples) == (9, 3, 3)
    assert sorted(row.pass_at) == ["1", "2", "3"]

    for samples in (1, 2, 3):
        grown = module.evaluate([*drawn, f"samples={samples}", f"out={tmp_path}/b", "resume=true"])
        assert len(grown.episodes) == 3 * samples
    assert len(read_episodes(tmp_path / "b" / "episodes.jsonl")) == 9
    assert grown.results.digests["outcomes"] == at_once.results.digests["outcomes"]
    assert grown.results.rows == at_once.results.rows
    with pytest.raises(OutputError, match="resume: samples was 3"):
        module.evaluate([*drawn, "samples=2", f"out={tmp_path}/b", "resume=true"])


def test_a_start_that_comes_out_otherwise_is_an_error(tmp_path):
    same = [*POINTING, "episodes=1", f"out={tmp_path}"]
    module.evaluate(same)
    path = tmp_path / "episodes.jsonl"
    (first,) = read_episodes(path)
    path.write_text(path.read_text().replace(first.start_digest, "0" * 64))
    with pytest.raises(StartError, match=r"0/1/0 of random: start_digest .* begin alike"):
        module.evaluate([*same, "samples=2", "resume=true"])
    assert len(read_episodes(path)) == 1, "what cannot be compared is not recorded"


def wait_until(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def test_what_broke_is_shown_tried_again_on_resume_and_all_lost_is_exit_status_1(
    tmp_path, capsys, monkeypatch
):
    from refergym.envs.refer_env import ReferEnv

    arguments = [*PLAIN, "episodes=1", f"out={tmp_path}"]
    with monkeypatch.context() as broken:

        def reset(self, **_):
            raise OSError("no display")

        broken.setattr(ReferEnv, "reset", reset)
        assert module.main(arguments) == 1
    output = capsys.readouterr()
    assert "1 of 1 episodes broke" in output.err
    assert "1 x OSError: no display" in output.err
    assert module.main([*arguments, "resume=true"]) == 0
    episodes = read_episodes(tmp_path / "episodes.jsonl")
    assert [(e.ended is Ended.ERROR, e.id.attempt) for e in episodes] == [(True, 1), (False, 2)]
    results = json.loads((tmp_path / "results.json").read_text())
    assert (results["rows"][0]["n"], results["rows"][0]["errors"]) == (1, 0)


def test_the_command_ends_by_saying_what_was_written_where(tmp_path, capsys):
    assert module.main([*QUICK, "episodes=1", "video_size=64", f"out={tmp_path}"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert any("oracle" in line for line in lines)
    assert lines[-1].startswith("Wrote results.json, episodes.jsonl (1 episodes), 1 videos to")
    assert lines[-1].endswith(f"look at {tmp_path / 'overview.png'}")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("episodes", 0, "episodes: expected >= 1, got 0"),
        ("samples", 0, "samples: expected >= 1, got 0"),
        ("episodes", "many", "episodes: expected int, got 'many'"),
        ("seed", -1, "seed: expected >= 0, got -1"),
        ("timeout_s", 0, "timeout_s: expected > 0"),
        ("workers", -1, "workers: expected >= 0, got -1"),
        ("video_size", 7, "video_size: expected >= 64, got 7"),
        ("resume", "maybe", "resume: expected bool, got 'maybe'"),
        ("out", "", "out: expected"),
        ("floors", 3, "floors: expected"),
        ("bar", 1, "bar"),
    ],
)
def test_a_wrong_value_names_the_key_and_what_is_expected(key, value, message):
    groups = {group: {} for group in (*ENV_GROUPS, "policy")}
    rest = {"episodes": 1, "seed": 0, "floors": False, "out": "x", "resume": False, "workers": 0}
    rest |= {"batch": 1, "timeout_s": 1, "pictures": False, "video": False, "video_size": 64}
    rest |= {"samples": 1}
    with pytest.raises(ConfigError, match=re.escape(message)):
        records.convert(
            {**groups, **rest, "suite": None, "name": None, key: value},
            module.Settings,
            error=ConfigError,
        )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("batch=0", "batch: expected >= 1, got 0"),
        (
            "floors=[nobody]",
            "floors: policy: no choice 'nobody'; available: anything, blind, center, cheat",
        ),
        ("renderer.shadows=3", "renderer.shadows: expected bool, got 3"),
        ("scene.hfov=[70,20]", "scene"),
    ],
)
def test_nothing_is_written_before_the_configuration_is_right(tmp_path, override, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        module.evaluate([*PLAIN, f"out={tmp_path / 'out'}", override])
    assert not (tmp_path / "out").exists()


@pytest.mark.bullet
def test_in_bullet_the_video_shows_the_arm_at_work(tmp_path):
    pytest.importorskip("pybullet")
    small = ["video_size=64", "renderer.antialias=none", "pictures=false", "episodes=1"]
    done = module.evaluate([*QUICK, *small, "backend=bullet", "task=pick", f"out={tmp_path}"])
    (episode,) = done.episodes
    assert done.results.backend == episode.backend == "bullet"
    with av.open(tmp_path / "videos" / "oracle" / "00000.mp4") as video:
        frames = [f.to_ndarray(format="rgb24").astype(int) for f in video.decode(video=0)]
    changed = [abs(b - a).max() > 30 for a, b in itertools.pairwise(frames)]
    assert sum(changed) >= 8, "not only before and after"


def test_an_output_path_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="out: cannot write to"):
        module.evaluate([*PLAIN, f"out={tmp_path / 'file'}"])


@pytest.mark.parametrize("episodes", ["x", None])
def test_a_damaged_number_of_episodes_in_the_runs_file_is_named(shown, tmp_path, episodes):
    run = json.loads((shown.folder / "run.json").read_text())
    run["config"]["episodes"] = episodes
    if episodes is None:
        del run["config"]["episodes"]
    (tmp_path / "run.json").write_text(json.dumps(run))
    with pytest.raises(OutputError, match="resume: episodes was"):
        module.evaluate([*QUICK, "floors=[random]", f"out={tmp_path}", "resume=true"])


def test_a_pack_of_ones_own_is_played_on(tmp_path, shown):
    from refergym.assets.library import PACK_DIR, Pack

    mine = tmp_path / "mine"
    shutil.copytree(PACK_DIR, mine)
    manifest = json.loads((mine / "manifest.json").read_text())
    kept = [a for a in manifest["assets"] if a["category"] in ("apple", "bowl", "cup", "plate")]
    manifest |= {"name": "mine", "assets": kept, "scenes": []}
    (mine / "manifest.json").write_text(json.dumps(manifest))
    out = tmp_path / "out"
    done = module.evaluate(
        [*PLAIN, f"pack={mine}", "scene.counts=[3,5]", "episodes=2", f"out={out}"]
    )
    assert done.results.rows[0].successes == 2
    assert Pack(mine).digest in (out / "run.json").read_text()
    with pytest.raises(ValueError, match="cannot read the pack's manifest"):
        module.evaluate([*PLAIN, f"pack={tmp_path / 'none'}", f"out={tmp_path / 'other'}"])
