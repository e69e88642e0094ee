"""`refergym train` in two processes, as torchrun starts them: one plays, both learn, all end."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from safetensors.torch import load_file  # noqa: E402

from refergym.rollouts import train  # noqa: E402
from refergym.rollouts.errors import ConfigError  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
WORDS = [
    "task=point_at_object", "renderer.shadows=false", "renderer.antialias=none",
    "scene.min_grasp_rate=0.0", "learner.groups=2", "learner.members=3", "learner.refills=0.5",
    "learner.learning.warmup=0", "learner.learning.lr=1e-3", "learner.learning.budget=500",
    "evaluate.episodes=0", "save_every=1", "threads=1", "tensorboard=false",
    "learner.patience_s=300",
]  # fmt: skip


def started(folder, *words, count=2):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "OMP_NUM_THREADS": "1",
              "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}  # fmt: skip
    command = [sys.executable, "-m", "refergym.rollouts.cli", "train", *WORDS, *words]
    return [
        subprocess.Popen(
            [*command, f"out={folder}"], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, **common, "RANK": str(k), "LOCAL_RANK": str(k)},
        )
        for k in range(count)
    ]  # fmt: skip


@pytest.fixture
def run():
    """Start processes; none outlives the test."""
    running = []

    def start(*args, **options):
        running.extend(started(*args, **options))
        return running

    yield start
    for process in running:
        process.kill()
        process.communicate()


def rows(folder):
    told = json.loads((folder / train.RESULT).read_text())["rows"]
    return [{k: v for k, v in row.items() if not k.endswith(("_s", "seconds"))} for row in told]


def until(processes, folder, steps):
    table = folder / "train.csv"
    while not table.exists() or table.read_text().count("\n") < 1 + steps:
        assert all(p.poll() is None for p in processes), [p.communicate() for p in processes]
        time.sleep(0.05)


@pytest.mark.parametrize("spread", ["copies", "shards"])
def test_two_processes_train_like_one_and_one_goes_on_with_what_they_saved(spread, run, tmp_path):
    """One step is played by the same weights: what was played, and learned from it, is the same."""
    train.train([*WORDS, "steps=1", f"out={tmp_path / 'one'}"])
    processes = run(tmp_path / "two", "steps=1", f"learner.learning.spread={spread}")
    said = [p.communicate(timeout=1500) for p in processes]
    assert [p.returncode for p in processes] == [0, 0], said
    assert "1 steps" in said[0][0]
    assert said[1] == ("", ""), "the main one alone tells"
    one, two = rows(tmp_path / "one"), rows(tmp_path / "two")
    assert [row.keys() for row in one] == [row.keys() for row in two]
    for row, found in zip(one, two, strict=True):
        assert found == pytest.approx(row, rel=1e-4, abs=1e-5)
    weights = [load_file(tmp_path / n / "last" / "model.safetensors") for n in ("one", "two")]
    assert weights[0].keys() == weights[1].keys()
    # the first step of AdamW is the sign of the gradient, which rounding turns where it is zero
    apart = torch.cat([(v - weights[1][n]).abs().flatten() for n, v in weights[0].items()])
    assert float((apart > 1e-4).float().mean()) < 0.01
    done = train.train([*WORDS, "steps=2", "resume=true", f"out={tmp_path / 'two'}"])
    assert done.trained.steps == 2
    assert len(done.trained.rows) == 3


def test_a_signal_to_all_leaves_a_checkpoint(run, tmp_path):
    processes = run(tmp_path, "steps=1000", "learner.learning.spread=shards")
    until(processes, tmp_path, 2)
    for process in processes:
        process.send_signal(signal.SIGTERM)
    said = [p.communicate(timeout=1500)[1] for p in processes]
    assert [p.returncode for p in processes] == [128 + signal.SIGTERM] * 2, said
    assert not any("Traceback" in s for s in said)
    assert (tmp_path / "last" / "trainer.pt").exists()
    assert not (tmp_path / train.RESULT).exists()


@pytest.mark.parametrize("dead", [0, 1])
def test_a_process_that_dies_ends_the_others_with_one_line(dead, run, tmp_path):
    processes = run(tmp_path, "steps=1000", "learner.learning.spread=shards")
    until(processes, tmp_path, 1)
    processes[dead].kill()
    other = processes[1 - dead]
    said = other.communicate(timeout=1500)[1]
    assert other.returncode == 1, said
    assert "Traceback" not in said
    [line] = [s for s in said.splitlines() if s.startswith("refergym train: ")]
    assert "a process of the training is gone or silent" in line
    assert "resume=true" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["learner.processes=2"], r"learner\.processes: 2 need rollout=ray"),
        (["learner.branches=1"], "branches: expected 0 or at least 2"),
    ],
)
def test_what_cannot_be_is_named(words, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        train.train([*WORDS, "steps=1", *words, f"out={tmp_path}"])
