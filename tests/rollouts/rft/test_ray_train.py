"""Ray Train starts the learner's processes; here two on the CPU, which play by Ray's actors too."""

import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("accelerate")
pytest.importorskip("ray.train.torch", exc_type=ImportError)

from refergym.rollouts import train
from refergym.rollouts.errors import ConfigError, PoolError

pytestmark = [
    pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(3600),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Ray itself
]  # fmt: skip
WORDS = [
    "task=point_at_object", "renderer.shadows=false", "renderer.antialias=none",
    "scene.min_grasp_rate=0.0", "learner.groups=2", "learner.members=3", "learner.refills=0.5",
    "evaluate.episodes=0", "save_every=1", "threads=1", "tensorboard=false", "rollout=ray",
    "rollout.workers=1", "rollout.staleness=0", "learner.processes=2",
]  # fmt: skip


def test_its_workers_learn_and_the_command_tells(tmp_path):
    told = []
    done = train.train([*WORDS, "steps=2", f"out={tmp_path}"], on_progress=told.append)
    assert done.trained.steps == 2
    assert [row["step"] for row in done.trained.rows] == [0, 1, 2]
    assert all(row["lost"] == 0 for row in done.trained.rows[1:])
    assert any("loss" in row for row in done.trained.rows)
    assert all(row["kl_sampler"] < 1e-4 for row in done.trained.rows if "kl_sampler" in row)
    assert (tmp_path / "last" / "model.safetensors").exists()
    assert told
    assert json.loads((tmp_path / train.RESULT).read_text())["steps"] == 2
    with pytest.raises(PoolError, match="already holds a run"):
        train.train([*WORDS, "steps=2", f"out={tmp_path}"])


def test_gpus_that_are_not_there_are_named(tmp_path):
    torch = pytest.importorskip("torch")
    if torch.cuda.device_count() >= 2:
        pytest.skip("they are there")
    with pytest.raises(ConfigError, match=r"need 2 GPUs, but the cluster has"):
        train.train([*WORDS, "policy.device=cuda", "steps=1", f"out={tmp_path}"])
