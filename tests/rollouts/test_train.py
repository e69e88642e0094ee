"""`refergym train`: the nano learns a little, is stopped, and goes on."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from safetensors.torch import load_file  # noqa: E402

from refergym.rollouts import cli, train  # noqa: E402
from refergym.rollouts.errors import ConfigError, OutputError  # noqa: E402

WORDS = [
    "task=point_at_object", "renderer.shadows=false", "renderer.antialias=none",
    "scene.min_grasp_rate=0.0", "learner.groups=2", "learner.members=3", "learner.refills=0.5",
    "learner.learning.warmup=0", "learner.learning.lr=1e-3",
    "evaluate.episodes=2", "evaluate.every=2", "save_every=1", "threads=1", "tensorboard=false",
]  # fmt: skip
TIMES = ("_s", "seconds")
"""ends of names: how long things took, or how many of them in a second"""


def weights(folder):
    return load_file(folder / "last" / "model.safetensors")


def rows(folder):
    """Return the rows of the journal without how long things took."""
    told = json.loads((folder / train.RESULT).read_text())["rows"]
    return [{k: v for k, v in row.items() if not k.endswith(TIMES)} for row in told]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training that was never stopped."""
    folder = tmp_path_factory.mktemp("train") / "whole"
    train.train([*WORDS, "steps=4", f"out={folder}"])
    return folder


def test_it_learns_and_writes_what_it_did(whole):
    found = rows(whole)
    assert [row["step"] for row in found] == [0, 1, 2, 3, 4]
    assert [row["step"] for row in found if "evaluated" in row] == [0, 2, 4]
    for row in found[1:]:
        assert row["episodes"] in (6, 9)
        assert -0.05 <= row["reward"] <= 1
        assert row["groups"] + round(row["zero_variance"] * row["episodes"] / 3) >= 2
        assert row["staleness"] == row["lost"] == 0
        assert row.get("kl_sampler", 0) < 1e-4, "it is on policy"
    first = load_file(
        train.Path(train.__file__).parents[1] / "agents/checkpoints/nano/model.safetensors"
    )
    assert any(not torch.equal(v, first[n]) for n, v in weights(whole).items())
    with (whole / "train.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [int(row["step"]) for row in table] == [0, 1, 2, 3, 4]
    assert (whole / "best" / "config.json").exists()


def test_what_it_wrote_is_a_policy(whole, tmp_path):
    done = cli.main([
        "evaluate", "policy=nano", f"policy.path={whole / 'last'}", "scene=nano",
        "task=point_at_object", "backend=kinematic", "episodes=1", "floors=false",
        "pictures=false", "video=false", f"out={tmp_path / 'out'}",
    ])  # fmt: skip
    assert done == 0


def test_going_on_equals_not_stopping_bitwise(whole, tmp_path):
    told = [*WORDS, f"out={tmp_path}"]
    train.train([*told, "steps=2"])
    train.train([*told, "steps=4", "resume=true"])
    assert rows(tmp_path) == rows(whole)
    assert all(torch.equal(v, weights(whole)[n]) for n, v in weights(tmp_path).items())


def started(folder):
    command = [sys.executable, "-m", "refergym.rollouts.cli", "train", *WORDS]
    return subprocess.Popen(
        [*command, "steps=4", f"out={folder}"], stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint_from_which_it_goes_on(number, whole, tmp_path):
    process = started(tmp_path)
    table = tmp_path / "train.csv"
    while process.poll() is None and (not table.exists() or table.read_text().count("\n") < 3):
        time.sleep(0.05)
    process.send_signal(number)
    said = process.communicate()[1]
    assert process.returncode == 128 + number, said
    assert "resume=true goes on" in said
    assert not (tmp_path / train.RESULT).exists()
    train.train([*WORDS, "steps=4", f"out={tmp_path}", "resume=true"])
    assert rows(tmp_path) == rows(whole)
    assert all(torch.equal(v, weights(whole)[n]) for n, v in weights(tmp_path).items())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["policy=oracle"], "has no weights that can learn"),
        (["policy.temperature=0.0"], r"policy\.temperature: expected > 0"),
        (["learner.members=1"], r"learner\.members"),
        (["learner.loss.dual_clip=1.0"], r"dual_clip: expected > 1 \+ clip_high"),
        (["learner.credit.std=some"], r"std"),
        (["learner.learning.learns=[towers]"], "the model has no part towers"),
        (["rollout.staleness=1"], r"rollout\.staleness: needs rollout=ray"),
        (["+rollout.faults.crash=0.1"], r"rollout\.faults"),
        (["evaluate.suite=nowhere"], r"^evaluate\.suite: expected a file of tasks"),
        (["learner.learning.clip=-1"], r"^learner\.learning\.clip: expected > 0, got -1"),
        (["learner.learning.epochs=0"], r"^learner\.learning\.epochs: expected >= 1"),
        (["learner.loss.mean=foo"], r"^learner\.loss\.mean: expected one of"),
        (["learner.credit.gamma=2"], r"^learner\.credit\.gamma: expected in \[0, 1\], got 2"),
        (["rollout=ray", "+rollout.faults={crsh: 1}"], r"^rollout\.faults\.crsh: unknown field"),
        (["rollout=ray", "rollout.address=127.0.0.1:9"], r"^rollout\.address: nobody listens at"),
    ],
)
def test_what_cannot_be_is_named_and_leaves_no_run_behind(words, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        train.train([*WORDS, "steps=1", *words, f"out={tmp_path}"])
    train.train([*WORDS, "steps=0", "evaluate.episodes=0", f"out={tmp_path}"])


def test_episodes_go_on_anew_from_inside_others(tmp_path):
    words = ["task=pick_place", "learner.branches=2", "learner.branched=1.0", "evaluate.episodes=0"]
    done = train.train([*WORDS, *words, "steps=1", f"out={tmp_path}"])
    row = done.trained.rows[-1]
    long = round((row["turns"] - 1) * row["episodes"])
    assert 0 < row["branches"] <= min(long, row["episodes"])
    assert 0 <= row["branches_flat"] <= 1
    assert row["episodes"] in (6, 9), "of the groups alone"
    assert row["lost"] == 0


def test_where_nothing_was_learned_it_says_so(tmp_path, capsys):
    words = [*WORDS, "steps=1", "evaluate.episodes=0", "reward=sparse", f"out={tmp_path / 'a b'}"]
    words[WORDS.index(next(w for w in WORDS if w.startswith("learner.groups")))] = (
        "learner.groups=1"
    )
    assert cli.main(["train", *words, "policy.max_new_tokens=1"]) == 0
    told = capsys.readouterr().out
    assert "NOTHING was learned" in told
    assert "best" not in told, "there was no evaluation"
    assert f"'policy.path='\"'\"'{tmp_path / 'a b' / 'last'}'" in told


def test_another_training_is_not_gone_on_with(whole):
    with pytest.raises(OutputError, match=r"learner\.learning\.lr was 0.001"):
        train.train([*WORDS, "steps=5", "learner.learning.lr=1e-4", f"out={whole}", "resume=true"])


def test_a_damaged_checkpoint_is_named(whole, tmp_path):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(whole, folder)
    (folder / "last" / "trainer.pt").write_bytes(b"no")
    with pytest.raises(OutputError, match="cannot be read"):
        train.train([*WORDS, "steps=5", f"out={folder}", "resume=true"])
