"""PointEnv: episodes come back where starts are kept, and the truth stays inside."""

import numpy as np
import pytest

from refergym.envs import make_env
from refergym.envs.array_view import ArrayView
from refergym.envs.errors import EnvError
from refergym.envs.point_env import PointEnv
from refergym.envs.text_env import TextEnv

VIEW = ArrayView(size=36, depth=True, nearest=0.3, words=())
CHOICES = {"task": "pick_category", "scene": "few", "backend": "kinematic"}
QUICK = ["renderer.shadows=false", "renderer.antialias=none"]


@pytest.fixture
def make():
    """Make an environment; closed at the end."""
    made = []

    def build(starts=0, *overrides):
        refer = make_env(**CHOICES, overrides=[*QUICK, *overrides])
        made.append(PointEnv(TextEnv(refer), VIEW, starts=starts))
        return made[-1]

    yield build
    for env in made:
        env.close()


def pictures(env, n, seed=None):
    first = env.reset(seed=seed)[0]["image"].tobytes()
    return [first, *(env.reset()[0]["image"].tobytes() for _ in range(n - 1))]


def test_kept_starts_come_back_and_others_do_not(make):
    env = make(2)
    seen = pictures(env, 8, seed=3)
    assert len(set(seen)) == 2
    assert len(set(seen[2:])) == 2, "drawn among both"
    assert pictures(env, 8, seed=3) == seen, "a function of the seed"
    fresh = pictures(make(), 3, seed=3)
    assert fresh[:2] == seen[:2]
    assert len(set(fresh)) == 3
    assert set(pictures(env, 2, seed=4)).isdisjoint(seen)


def test_its_starts_are_not_those_that_evaluation_plays(make):
    env = make()
    env.reset(seed=0)
    trained = env.text.refer.start.digest
    env.text.reset(seed=0)
    assert env.text.refer.start.digest != trained


def test_a_point_acts_as_in_the_environment_inside(make):
    env = make()
    env.reset(seed=1)
    _, info = env.text.reset(seed=1)
    u, v = info["truth"]["point_uv"]
    action = np.array([2 * u - 1, 2 * v - 1], np.float32)
    arrays, reward, terminated, truncated, info = env.step(action)
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert info == {"event": "PICKED", "is_success": True}
    assert arrays["vector"][0] == 1


def test_the_truth_is_in_no_info(make):
    env = make()
    _, info = env.reset(seed=1)
    assert set(info) == {"event"}
    assert set(env.step(np.array([-1, -1], np.float32))[4]) == {"event"}, "may try again"


def test_the_only_thing_of_the_category_is_asked_for_by_its_noun(make):
    env = make()
    for seed in range(4):
        env.reset(seed=seed)
        start = env.text.refer.start
        assert start.task.program.category == "mug"
        assert "mug" in start.task.instruction
        assert sum("mug" in o.asset for o in start.scene.objects) == 1


def test_another_category_can_be_asked_for(make):
    env = make(0, "task.category=apple")
    env.reset(seed=0)
    assert "apple" in env.text.refer.start.task.instruction


def test_wrong_settings_are_named(make):
    with pytest.raises(EnvError, match="starts"):
        make(-1)
    with pytest.raises(EnvError, match="pictures"):
        make(0, "pictures=false")
    with pytest.raises(EnvError, match=r"category.*steps must be null"):
        make(0, "task.steps=[1,2]")
