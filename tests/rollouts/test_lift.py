"""`refergym lift`: the whole loop in small, with the shipped nano."""

import json
import shutil

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from refergym.assets import records
from refergym.rollouts import cli, lift, lift_page
from refergym.rollouts.episodes import read_episodes

WORDS = [
    "task=point_at_object", "renderer.shadows=false", "renderer.antialias=none",
    "scene.min_grasp_rate=0.0", "floors=[random]", "episodes=4", "shown=1", "shown_in=kinematic",
    "workers=0", "minutes=60", "learner.groups=1", "learner.members=3", "learner.refills=0",
    "threads=1", "tensorboard=false", "steps=1",
]  # fmt: skip


def starts(folder):
    """Starts that the tested policy played."""
    found = read_episodes(folder / "episodes.jsonl")
    return {e.id.index: e.start_digest for e in found if e.policy == "nano"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("lift") / "run"
    assert cli.main(["lift", *WORDS, f"out={out}"]) == 0
    return out


def test_before_and_after_are_the_same_starts(folder):
    assert starts(folder / lift.BEFORE) == starts(folder / lift.AFTER)
    assert len(starts(folder / lift.AFTER)) == 4
    done = records.decode((folder / lift.RESULT).read_bytes(), lift.Lift)
    assert [row.policy for row in done.rows] == ["random", "nano before", "nano after"]
    assert done.paired.n == 4
    assert done.paired.difference == (done.rows[2].successes - done.rows[1].successes) / 4
    assert done.steps == 1
    assert [line.split()[1] for line in done.commands] == [
        "evaluate", "train", "evaluate", "evaluate", "evaluate",
    ]  # fmt: skip


def test_the_page_shows_each_episode_before_and_after(folder):
    page = (folder / "index.html").read_text()
    for name in (lift.SHOWN_BEFORE, lift.SHOWN_AFTER):
        strip = next((folder / name).rglob("*.png")).relative_to(folder)
        assert (folder / strip).exists()
        assert f'src="{name}/pictures/nano/00000.png"' in page
    assert "after - before" in page


def test_it_goes_on_where_it_stopped(folder, capsys):
    before = (folder / lift.RESULT).read_bytes()
    (folder / lift.AFTER / "results.json").unlink()
    assert cli.main(["lift", *WORDS, f"out={folder}", "resume=true"]) == 0
    was, now = (
        records.decode(data, lift.Lift) for data in (before, (folder / lift.RESULT).read_bytes())
    )
    assert (was.rows, was.paired) == (now.rows, now.paired)


def test_other_settings_are_not_gone_on_with(folder, capsys):
    words = [*WORDS, f"out={folder}", "resume=true", "learner.learning.lr=0.5"]
    assert cli.main(["lift", *words]) == 2
    assert "learner.learning.lr was 2e-05" in capsys.readouterr().err


def test_more_steps_are_learned_and_played_anew(folder, tmp_path):
    out = tmp_path / "more"
    shutil.copytree(folder, out)
    was = played_weights(out / lift.AFTER)
    assert cli.main(["lift", *WORDS, f"out={out}", "resume=true", "steps=2"]) == 0
    done = records.decode((out / lift.RESULT).read_bytes(), lift.Lift)
    assert done.steps == 2
    weights = {name: played_weights(out / name) for name in (lift.BEFORE, lift.AFTER)}
    assert weights[lift.AFTER] == played_weights(out / lift.SHOWN_AFTER)
    assert len({was, *weights.values()}) == 3
    assert weights[lift.BEFORE] == played_weights(folder / lift.BEFORE)


def played_weights(folder):
    """What the tested policy was, by the run and by each of its episodes."""
    (known,) = set(json.loads((folder / "run.json").read_text())["weights"].values())
    found = read_episodes(folder / "episodes.jsonl")
    assert {e.policy_version for e in found if e.policy == "nano"} == {known}
    return known


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["learner.memberz=3"], "learner.members"),
        (["learner.groups=0"], "learner.groups: expected >= 1, got 0"),
        (["shown_in=foo"], "shown_in: backend: no choice 'foo'"),
        (["learner.learning.clip=-1"], "learner.learning.clip: expected > 0, got -1"),
        (["policy.pathh=x"], "policy.path"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(words, message, tmp_path, capsys):
    assert cli.main(["lift", *words, f"out={tmp_path / 'no'}"]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_words_go_where_they_belong():
    words = ["policy=vlm", "policy.path=a", "policy.temperature=0.9", "scene.rows=1", "steps=3"]
    shared, learned = lift.split_words(words)
    assert shared == ["policy=vlm", "policy.path=a", "scene.rows=1"]
    assert learned == ["policy.temperature=0.9", "steps=3"], "evaluations are greedy"


def test_the_chart_spans_what_was_learned():
    drawn = lift_page.chart([0.0, 0.5, 1.0])
    points = drawn.split('points="')[1].split('"')[0].split()
    assert len(points) == 3
    assert [float(p.split(",")[1]) for p in points] == sorted(
        (float(p.split(",")[1]) for p in points), reverse=True
    )
