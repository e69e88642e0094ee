"""`refergym train` with Stable-Baselines3: learns, saves, goes on, and evaluates as any policy."""

import json
import re
import signal
import subprocess
import sys
import time
import zipfile

import pytest

from refergym.assets import records
from refergym.rollouts import config
from refergym.rollouts.errors import ConfigError, OutputError
from refergym.rollouts.evaluate import evaluate
from refergym.rollouts.sb3_train import RESULT, Training, train

pytest.importorskip("stable_baselines3")

QUICK = ["renderer.shadows=false", "renderer.antialias=none"]
TINY = [
    *QUICK, "learner.envs=2", "learner.starts=3", "learner.view.size=36", "learner.save_every=32",
]  # fmt: skip
PPO = ["learner=sb3_ppo", "learner.steps=64", "learner.arguments.n_steps=16",
       "learner.arguments.batch_size=16", "learner.arguments.n_epochs=1"]  # fmt: skip
SAC = ["learner=sb3_sac", "learner.steps=40", "learner.arguments.learning_starts=16",
       "learner.arguments.batch_size=8", "learner.arguments.gradient_steps=1",
       "learner.arguments.buffer_size=64"]  # fmt: skip
LEARNERS = {"ppo": PPO, "sac": SAC}
EPISODES = ["task=pick_category", "scene=few", "backend=kinematic", "workers=0", "pictures=false",
            "video=false", *QUICK]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Small finished trainings, by algorithm."""
    root = tmp_path_factory.mktemp("train")
    return {name: train([*TINY, *words, f"out={root / name}"]) for name, words in LEARNERS.items()}


def points(path, out, *more):
    done = evaluate([*EPISODES, "policy=sb3", f"policy.path={path}", "episodes=3",
                     f"out={out}", *more])  # fmt: skip
    return [[step.point_uv for step in episode.steps] for episode in done.episodes], done


@pytest.mark.parametrize("name", LEARNERS)
def test_a_trained_model_is_saved_and_evaluated_the_same_each_time(trained, name, tmp_path):
    folder = trained[name].folder
    first, done = points(folder, tmp_path / "a")
    assert first == points(folder / "model.zip", tmp_path / "b", "batch=3")[0]
    assert len({tuple(map(str, p)) for p in first}) > 1, "it looks at the picture"
    steps = trained[name].training.curve[-1].steps
    assert done.episodes[0].policy_version.startswith(f"{name}, {steps} steps, ")


@pytest.mark.parametrize("name", LEARNERS)
def test_what_was_learned_is_on_record(trained, name):
    folder = trained[name].folder
    written = records.decode((folder / RESULT).read_bytes(), Training, error=ValueError)
    assert written == trained[name].training
    assert written.is_done
    assert [point.steps for point in written.curve] == sorted({p.steps for p in written.curve})
    assert written.curve[-1].steps >= written.config["learner"]["steps"]
    assert {"torch", "stable-baselines3"} <= set(written.versions)
    assert not list(folder.glob("*.part"))


def test_the_same_seed_learns_the_same(trained, tmp_path):
    again = train([*TINY, *PPO, f"out={tmp_path / 'again'}"])
    assert (
        points(again.folder, tmp_path / "a")[0] == points(trained["ppo"].folder, tmp_path / "b")[0]
    )


@pytest.mark.parametrize("name", LEARNERS)
def test_a_training_goes_on_where_it_stopped(name, tmp_path):
    words = [*TINY, *LEARNERS[name], f"out={tmp_path}"]
    first = train([*words, "learner.steps=32"])
    steps = first.training.curve[-1].steps
    with pytest.raises(OutputError, match="resume=true"):
        train(words)
    on = train([*words, f"learner.steps={steps + 32}", "resume=true"]).training
    assert on.curve[: len(first.training.curve)] == first.training.curve
    assert on.curve[-1].steps == steps + 32
    assert on.curve[-1].seconds > first.training.curve[-1].seconds
    nothing = train([*words, f"learner.steps={steps + 32}", "resume=true"]).training
    assert nothing.curve == on.curve, "all was done"


def test_a_resumed_training_may_not_become_another(trained):
    words = [*TINY, *PPO, f"out={trained['ppo'].folder}", "resume=true"]
    with pytest.raises(OutputError, match=r"learner\.view\.depth was true .*, now it is false"):
        train([*words, "learner.view.depth=false"])


def test_a_stopped_training_keeps_what_it_learned(tmp_path):
    words = [*TINY, *PPO, "learner.steps=100000", f"out={tmp_path}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "refergym.rollouts.cli", "train", *words],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (tmp_path / RESULT).exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 143
    assert "resume=true goes on" in said
    written = json.loads((tmp_path / RESULT).read_text())
    assert not written["is_done"]
    assert written["curve"][-1]["steps"] > 0
    points(tmp_path, tmp_path / "evaluated")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["learner.algorithm=dqn"], r"learner: algorithm: expected one of ppo, sac; got 'dqn'"),
        (["learner.network=mlp"], r"learner: network: expected one of keypoints, nature"),
        (["learner.steps=0"], r"learner: steps: expected a whole number >= 1, got 0"),
        (["learner.view.size=20"], r"learner: view\.size"),
        (["+learner.arguments.speed=2"], r"learner: arguments: ppo refuses them: .*'speed'"),
        (["learner.arguments.clip_range=many"], r"learner\.arguments\.clip_range"),
        (["seed=-1"], r"seed"),
        (["reward.weights.point=1"], r"reward\.weights\.point: unknown key"),
        (["scene.categories=[plate]"], r"no graspable mug|none of 64 scenes"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(words, message, tmp_path):
    with pytest.raises(ValueError, match=message) as caught:
        train([*TINY, *PPO, *words, f"out={tmp_path}"])
    assert "scene" in words[0] or "\n" not in str(caught.value)


def damaged(folder, kind):
    """A file that is no model."""
    path = folder / "model.zip"
    if kind == "text":
        path.write_text("hello")
    elif kind == "foreign":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("data", "{}")
    elif kind == "card":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("refergym.json", '{"algorithm": "ppo"}')
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("absent", r"no model at .*model\.zip; `refergym train` writes"),
        ("text", r"is no model, or is damaged"),
        ("foreign", r"has no refergym\.json: damaged, or not by `refergym train`"),
        ("card", r"model\.zip: refergym\.json: view: required"),
    ],
)
def test_a_bad_model_is_named_in_one_line(kind, message, tmp_path):
    path = damaged(tmp_path, kind)
    with pytest.raises(ConfigError, match=message) as caught:
        points(path, tmp_path / "out")
    assert "\n" not in str(caught.value)


def test_a_cut_or_gutted_model_is_named_in_one_line(trained, tmp_path):
    whole = (trained["ppo"].folder / "model.zip").read_bytes()
    cut = tmp_path / "cut.zip"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match="damaged"):
        points(cut, tmp_path / "out")
    gutted = tmp_path / "gutted.zip"
    with zipfile.ZipFile(trained["ppo"].folder / "model.zip") as old:
        kept = {name: old.read(name) for name in old.namelist() if name != "policy.pth"}
    with zipfile.ZipFile(gutted, "w") as new:
        for name, data in kept.items():
            new.writestr(name, data)
    with pytest.raises(ConfigError, match="cannot load") as caught:
        points(gutted, tmp_path / "out")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("node", ["policy", "learner"])
def test_a_missing_extra_is_named(node, trained, monkeypatch):
    import importlib.util

    real = importlib.util.find_spec

    def find(name, *more):
        return None if name == "stable_baselines3" else real(name, *more)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    chosen = {"policy": "sb3", "learner": "sb3_sac"}[node]
    settings = config.choice(node, chosen)
    if node == "policy":
        settings["path"] = str(trained["ppo"].folder)
    with pytest.raises(ConfigError, match="EXTRAS=sb3"):
        config.instantiate(settings, node)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ppo_learns_well_above_the_random_floor(tmp_path):
    done = train(["learner.steps=24000", f"out={tmp_path / 'train'}"])
    assert re.match("sb3_ppo", done.training.learner)
    plain = [w for w in EPISODES if w not in QUICK]
    rows = evaluate([*plain, "policy=sb3", f"policy.path={done.folder}", "episodes=100",
                     "floors=[random]", f"out={tmp_path / 'out'}"]).results.rows  # fmt: skip
    learned, floor = rows
    assert learned.interval[0] > floor.interval[1], "intervals of 95 % that do not meet"
    assert learned.success_rate > 2 * floor.success_rate
