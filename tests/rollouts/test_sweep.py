"""`refergym train --multirun`: variants and seeds, each beside the beginning."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from refergym.assets import records
from refergym.rollouts import cli, config, sweep
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.statistics import paired

NAMES = sorted(
    p.stem for p in (Path(config.__file__).parents[1] / "configs" / "sweep").glob("*.yaml")
)
WORDS = [
    "task=point_at_object", "renderer.shadows=false", "renderer.antialias=none",
    "scene.min_grasp_rate=0.0", "episodes=3", "workers=0", "learner.groups=1",
    "learner.members=3", "learner.refills=0", "threads=1", "tensorboard=false", "steps=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("sweep") / "run"
    words = [*WORDS, "learner.learning.lr=1e-5,1e-3", "seeds=[1]", f"out={out}"]
    assert cli.main(["train", "--multirun", *words]) == 0
    return out


def test_every_variant_is_trained_with_every_seed(folder):
    done = records.decode((folder / sweep.RESULT).read_bytes(), sweep.Sweep)
    assert set(done.variants) == {"learner.learning.lr=1e-05", "learner.learning.lr=0.001"}
    for name, variant in done.variants.items():
        assert variant.paired["1"].n == 3
        assert variant.mean == variant.paired["1"].difference
        assert variant.interval is None, "of one seed"
        assert (folder / f"{name}-1" / "training" / "last" / "model.safetensors").exists()
    assert [c.split()[1] for c in done.commands] == ["evaluate"] + ["train", "evaluate"] * 2


def test_evaluations_play_what_was_trained_on(folder):
    learned = config.compose("train", WORDS[:4]).config
    results = json.loads((folder / "before" / "results.json").read_text())
    for part in ("scene", "backend", "task", "sensor", "renderer", "randomisation"):
        assert results["config"][part] == learned[part], part


def test_a_preset_says_what_evaluations_play():
    words = ["preset=cluster", "policy.path=there", "scene.min_grasp_rate=0.5", "seed=3"]
    found = config.compose("evaluate", sweep._played(words, None)).config
    learned = config.compose("train", words).config
    assert found["scene"] == learned["scene"]
    assert found["scene"] != config.compose("train").config["scene"]
    assert found["policy"]["path"] == "there"
    assert found["policy"]["_target_"] == learned["policy"]["_target_"]
    assert found["policy"]["temperature"] == 0, "whatever was learned from"


def test_a_finished_training_is_not_done_again(folder):
    times = {p: p.stat().st_mtime_ns for p in folder.rglob("model.safetensors")}
    words = [*WORDS, "learner.learning.lr=1e-5,1e-3", "seeds=[1]", f"out={folder}"]
    assert cli.main(["train", "--multirun", *words, "resume=true"]) == 0
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("model.safetensors")} == times


def test_the_sweeps_that_ship_can_be_trained():
    for name in NAMES:
        for words in config.choice("sweep", name).values():
            config.compose("train", words)


def test_what_is_wrong_is_said_first(tmp_path, capsys):
    out = f"out={tmp_path / 'no'}"
    assert cli.main(["train", "--multirun", *WORDS, "sweep=credits", out]) == 2
    assert "did you mean credit?" in capsys.readouterr().err
    assert cli.main(["train", "--multirun", *WORDS, "learner.memberz=2,3", out]) == 2
    assert "learner.members" in capsys.readouterr().err
    for words, message in (
        (["seeds=[1,1]"], "seeds: expected different ones"),
        (["seeds=[-1]"], "seeds[0]: expected >= 0, got -1"),
        (["policy.path=a,b"], "policy.path: all variants begin with the same weights"),
        (["learner.groups=0"], "learner.groups: expected >= 1, got 0"),
        (["variants={a/b: [], a_b: []}"], "variants: two of them would be a_b"),
        (["reward=glob(*)"], "reward: write its values with commas"),
        (["learner.learning.lr=interval(0,1)"], "learner.learning.lr: write its values"),
        ([f"policy.name={'x' * 300},b"], "too long for the name of a folder"),
    ):
        assert cli.main(["train", "--multirun", *WORDS, *words, out]) == 2, words
        assert message in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_seeds_have_a_mean_with_its_interval():
    trainings = {str(k): paired([False] * 10, [True] * k + [False] * (10 - k)) for k in (2, 3, 7)}
    found = sweep.summed(["seed=1"], trainings)
    assert found.mean == pytest.approx(0.4)
    # Student's t of 2 degrees of freedom: 4.303
    assert found.interval == pytest.approx((0.4 - 4.303 * 0.1528, 0.4 + 4.303 * 0.1528), abs=1e-3)


def test_commas_make_words():
    assert config.swept("seed=1,2") == ["seed=1", "seed=2"]
    assert config.swept("seeds=[1,2]") == ["seeds=[1,2]"]
    assert config.swept("task=pick") == ["task=pick"]
    with pytest.raises(ConfigError, match="expected key=value"):
        config.swept("seed")
