"""`refergym train rollout=ray`: staleness, faults, signals, its own death, the loss of a node."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
ray = pytest.importorskip("ray")

import vlm_parts  # noqa: E402

sys.path.append(str(Path(__file__).parent))
import beneath  # noqa: E402

from refergym.rollouts import train  # noqa: E402
from refergym.rollouts.errors import RolloutError  # noqa: E402

pytestmark = [pytest.mark.ray, pytest.mark.slow]
WORDS = [
    "task=point_at_object", "renderer.shadows=false", "renderer.antialias=none",
    "scene.width=56", "scene.height=56", "scene.min_grasp_rate=0.0", "policy.max_new_tokens=8",
    "learner.groups=2", "learner.members=2", "learner.refills=0.5", "learner.learning.warmup=0",
    "learner.learning.lr=1e-3", "reward=near", "evaluate.episodes=2", "evaluate.every=2",
    "save_every=1", "threads=1", "tensorboard=false",
]  # fmt: skip
BY_RAY = ["rollout=ray", "rollout.batch=4", "rollout.cpus=0.1", "rollout.server_cpus=0.1"]
TIMES = ("_s", "seconds")
PATIENCE_S = 400


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = vlm_parts.refervlm().save(tmp_path_factory.mktemp("tiny"))
    return [*WORDS, f"policy.path={folder}"]


@pytest.fixture(scope="module")
def running():
    """Ray on this machine, for the trainings in this process."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def rows(folder):
    told = json.loads((folder / train.RESULT).read_text())["rows"]
    return [{k: v for k, v in row.items() if not k.endswith(TIMES)} for row in told]


def until(what):
    limit = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.1)
    return found


def test_without_staleness_it_is_the_training_of_one_process(words, running, tmp_path):
    train.train([*words, "steps=3", f"out={tmp_path / 'one'}"])
    train.train([*words, *BY_RAY, "rollout.staleness=0", "steps=3", f"out={tmp_path / 'ray'}"])
    one, many = rows(tmp_path / "one"), rows(tmp_path / "ray")
    assert len(one) == len(many) == 4
    for a, b in zip(one, many, strict=True):
        assert a.keys() == b.keys()
        # batches of other sizes are rounded otherwise
        assert a == pytest.approx(b, rel=1e-3, abs=1e-4)


def test_played_ahead_none_is_older_than_it_may_be_and_evaluations_go_on(words, running, tmp_path):
    train.train([*words, *BY_RAY, "rollout.staleness=1", "steps=4", f"out={tmp_path}"])
    found = rows(tmp_path)
    assert [row["step"] for row in found if "evaluated" in row] == [0, 2, 4]
    assert [row["staleness"] for row in found[1:]] == [0, 1, 1, 1]
    assert all(row["evaluated_lost"] == 0 for row in found if "evaluated" in row)


def test_when_most_groups_fail_it_stops_and_says_why(words, running, tmp_path):
    told = [*words, *BY_RAY, "rollout.retries=0", "+rollout.faults.corrupt=1.0"]
    with pytest.raises(RolloutError, match=r"were lost, more than rollout\.max_lost=0\.25 of 3: ."):
        train.train([*told, "evaluate.episodes=0", "steps=2", f"out={tmp_path}"])
    assert (tmp_path / "last").exists() is False or rows  # what was learned before stays


def started(words, folder):
    command = [sys.executable, "-m", "refergym.rollouts.cli", "train", *words, *BY_RAY]
    return subprocess.Popen(
        [*command, f"out={folder}"], stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "REFERGYM_RUN": str(folder)},
    )  # fmt: skip


def has_rows(process, folder, count):
    table = folder / "train.csv"

    def look():
        assert process.poll() is None, process.communicate()[1]
        if not table.exists():
            return False
        with table.open() as file:
            return len(list(csv.DictReader(file))) >= count

    return look


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint_and_no_process(number, words, tmp_path):
    process = started([*words, "steps=1000", "evaluate.episodes=0"], tmp_path)
    until(has_rows(process, tmp_path, 3))
    process.send_signal(number)
    said = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 128 + number, said
    assert "resume=true goes on" in said
    until(lambda: not beneath.session(tmp_path))
    before = torch.load(tmp_path / "last" / "trainer.pt", weights_only=True)["learner"]["step"]
    assert before >= 2
    more = [*words, "evaluate.episodes=0", f"steps={before + 1}", "resume=true", f"out={tmp_path}"]
    train.train(more)
    assert [row["step"] for row in rows(tmp_path)] == list(range(before + 2))


def test_when_the_run_is_killed_no_process_outlives_it(words, tmp_path):
    process = started([*words, "steps=1000", "evaluate.episodes=0"], tmp_path)
    until(has_rows(process, tmp_path, 2))
    worker = next(p for p, t in beneath.session(tmp_path).items() if "RolloutWorker" in t)
    os.kill(worker, signal.SIGSTOP)
    process.kill()
    process.communicate()
    until(lambda: not beneath.session(tmp_path))


def test_a_node_that_is_lost_takes_no_group_along(words, tmp_path):
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    try:
        spread = ["rollout.workers=2", "rollout.placement=spread", "rollout.cpus=0.6"]
        told = [*words, *spread, f"rollout.address={cluster.address}", "evaluate.episodes=0"]
        process = started([*told, "rollout.server_cpus=0.5", "steps=6"], tmp_path)
        until(has_rows(process, tmp_path, 2))
        cluster.remove_node(nodes[0], allow_graceful=False)
        said = process.communicate(timeout=PATIENCE_S)[1]
        assert process.returncode == 0, said
        assert "is replaced: crash" in said
        found = rows(tmp_path)
        assert [row["step"] for row in found] == list(range(7))
        assert all(row["lost"] == 0 for row in found[1:])
    finally:
        cluster.shutdown()
