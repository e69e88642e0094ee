from pathlib import Path

import pytest

from refergym.rollouts import config
from refergym.rollouts.plan import Plan

QUICK = ["backend=kinematic", "renderer.shadows=false"]


@pytest.fixture
def helpers(monkeypatch):
    """Make tests/rollouts/faulty.py importable, here and in spawned workers."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


@pytest.fixture
def make_plan():
    """Make a plan for a quick backend: make_plan(batch=2, policies={...}, overrides=[...])."""

    def make(overrides=(), policies=("oracle", "random"), **changes):
        composed = config.compose("evaluate", [*QUICK, *overrides])
        named = (
            policies
            if isinstance(policies, dict)
            else {p: config.choice("policy", p) for p in policies}
        )
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
