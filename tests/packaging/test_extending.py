"""CONTRIBUTING.md's promises: each kind of part is one file of the user's own."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

POLICY = '''
"""Points at what is nearest to the camera."""
import numpy as np
from refergym.agents.policy import Answer

class Nearest:
    privileged = False

    def __init__(self, name):
        self.name = name

    def act(self, observations, *, seeds, truths=None):
        assert truths is None, "only a privileged policy is handed the truth"
        return [self.point(o["depth"]) for o in observations]

    def point(self, depth):
        y, x = np.unravel_index(np.argmin(np.where(depth > 0, depth, np.inf)), depth.shape)
        return Answer(point_uv=((x + 0.5) / depth.shape[1], (y + 0.5) / depth.shape[0]))
'''
POLICY_YAML = "_target_: my_policy.Nearest\nname: nearest\n"

TASK = '''
"""The same objects to point at, asked for politely."""
import msgspec
from refergym.envs.tasks import PointAtObject

class Politely(PointAtObject):
    kind = "politely"

    def sample(self, scene, state, frame, rng):
        spec = super().sample(scene, state, frame, rng)
        words = "Would you be so kind: " + spec.instruction
        return msgspec.structs.replace(spec, instruction=words)
'''
TASK_YAML = """
_target_: my_task.Politely
clarity:
  _target_: refergym.envs.referents.Clarity
"""

BACKEND = '''
"""The kinematic world, with a gripper that never closes."""
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.types import Event, SkillResult

class Limp(KinematicBackend):
    kind = "limp"

    def pick(self, point_w):
        return SkillResult(event=Event.NOTHING_HELD, detail="this gripper is limp")
'''
BACKEND_YAML = "_target_: my_backend.Limp\n"

REWARD = '''
"""Pays for saying where something is before pointing."""

def placed(turn):
    return float(any(step.perception == "Position" for step in turn.steps))
'''
REWARD_YAML = """
defaults: [sim, _self_]
name: mine
turn:
  placed: {_target_: my_reward.placed, _partial_: true}
weights: {placed: 0.05}
"""


def write(folder: Path, name: str, code: str, yaml: str = "") -> None:
    (folder / f"my_{name}.py").write_text(code)
    if yaml:
        (folder / "configs" / name).mkdir(parents=True)
        (folder / "configs" / name / "mine.yaml").write_text(yaml)


def evaluate(python: Run, folder: Path, *overrides: str) -> dict[str, Any]:
    """Run `refergym evaluate` with the user's folder on the path; returns the only row."""
    words = ["evaluate", "--config-dir", str(folder / "configs"), "episodes=2", "workers=0"]
    words += ["pictures=false", "video=false", f"out={folder / 'out'}", *overrides]
    code = f"import sys; from refergym.rollouts.cli import main; sys.exit(main({words!r}))"
    done = python(code, cwd=folder, PYTHONPATH=str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((folder / "out" / "results.json").read_text())
    (row,) = results["rows"]
    return {**row, "backend": results["backend"]}


def test_a_policy_is_one_file(tmp_path: Path, python: Run) -> None:
    write(tmp_path, "policy", POLICY, POLICY_YAML)
    row = evaluate(python, tmp_path, "policy=mine", "task=point_at_object", "backend=kinematic")
    assert (row["policy"], row["n"]) == ("mine", 2)


def test_a_task_is_one_file(tmp_path: Path, python: Run) -> None:
    write(tmp_path, "task", TASK, TASK_YAML)
    row = evaluate(python, tmp_path, "policy=oracle", "task=mine", "backend=kinematic")
    assert (row["task"], row["successes"]) == ("mine", 2)


def test_a_backend_is_one_file(tmp_path: Path, python: Run) -> None:
    write(tmp_path, "backend", BACKEND, BACKEND_YAML)
    anything = ["scene.min_grasp_rate=0", "task.min_grasp_rate=null"]
    row = evaluate(python, tmp_path, "policy=oracle", "task=pick", "backend=mine", *anything)
    assert (row["backend"], row["successes"]) == ("limp", 0)
    assert set(row["events"]) == {"nothing_held"}


def test_a_reward_term_is_one_function(tmp_path: Path, python: Run) -> None:
    write(tmp_path, "reward", REWARD, REWARD_YAML)
    words = ["policy=narrator", "task=point_at_object", "backend=kinematic", "reward=mine"]
    row = evaluate(python, tmp_path, *words)
    # all of sim, less one turn of one, and the term
    assert row["mean_reward"] == pytest.approx(1.0 - 0.05 + 0.05)
    first = (tmp_path / "out" / "episodes.jsonl").read_text().splitlines()[0]
    (step,) = json.loads(first)["steps"]
    assert (step["terms"]["placed"], step["paid"]["placed"]) == (1, 0.05)


def test_a_class_alone_is_chosen_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from refergym.envs import make_env

    write(tmp_path, "backend", BACKEND)
    monkeypatch.syspath_prepend(tmp_path)
    chosen = ["backend=kinematic", "backend._target_=my_backend.Limp"]
    env = make_env("point_at_object", overrides=chosen)
    _, info = env.reset(seed=0)
    assert info["start"].scene.settled.keys() >= {"limp"}
    env.close()
