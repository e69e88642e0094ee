import functools
from pathlib import Path

import pytest

from refergym.rollouts import config
from refergym.rollouts.plan import Plan

QUICK = [
    "backend=kinematic",
    "renderer.shadows=false",
    "scene.min_grasp_rate=0.0",
    "task.min_grasp_rate=null",
]


@pytest.fixture
def helpers(monkeypatch):
    """Make tests/rollouts/faulty.py importable, here and in spawned workers."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@functools.cache
def compose():
    return config.compose("evaluate", QUICK)


@functools.cache
def policy(name):
    return config.choice("policy", name)


@pytest.fixture
def make_plan():
    """Make a plan for a quick backend: make_plan(batch=2, policies=["oracle"])."""

    def make(policies=("oracle", "random"), **changes):
        composed = compose()
        named = policies if isinstance(policies, dict) else {p: policy(p) for p in policies}
        groups = ("scene", "task", "backend", "renderer", "sensor")
        fields = {
            "env": {group: composed.config[group] for group in groups},
            "policies": named,
            "task": composed.choices["task"],
            "suite": "test",
            "seed": 3,
        }
        return Plan(**(fields | changes))

    return make
