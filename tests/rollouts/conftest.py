import functools
from pathlib import Path

import pytest

from refergym.rollouts import config, generate
from refergym.rollouts.plan import Plan

QUICK = [
    "backend=kinematic",
    "renderer.shadows=false",
    "scene.min_grasp_rate=0.0",
    "task.min_grasp_rate=null",
]

GENERATED = {
    "object": ["task=point_at_object", "steps=[1,3]"],
    "place": ["task=point_at_free_space", "steps=[2,3]"],
    "floor": ["task=point_at_waypoint"],
    "pick": ["task=pick"],
    "put": ["task=pick_place"],
    "sequence": ["task=sequence"],
}


class Generated(dict):
    """Folders of eight generated tasks of a kind, by name; each is made when first asked for."""

    def __init__(self, root):
        self.root = root

    def __missing__(self, name):
        quick = ["renderer.shadows=false", "renderer.antialias=none", "workers=0", "per_scene=4"]
        self[name] = self.root / name
        generate.generate([*GENERATED[name], *quick, "count=8", f"out={self[name]}"])
        return self[name]


@pytest.fixture(scope="session")
def generated(tmp_path_factory):
    """Return `Generated`."""
    return Generated(tmp_path_factory.mktemp("generated"))


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
