"""Vectors give each member what its own single environment gives."""

import threading

import numpy as np
import pytest

from refergym.envs import make_env, make_vec
from refergym.envs.errors import ActionError, EnvError

ARGS = {"task": "point_at_object", "backend": "kinematic",
        "overrides": ["renderer.shadows=false", "renderer.antialias=none"]}  # fmt: skip
SEED = 5


@pytest.fixture(scope="module")
def singles():
    """First observation, and that of the next episode, of each member's own environment."""
    found = []
    for i in range(2):
        env = make_env(**ARGS)
        first, _ = env.reset(seed=SEED + i)
        env.step(np.array([0.5, 0.5]))
        found.append((first, env.reset()[0]))
        env.close()
    return found


@pytest.mark.parametrize("vectorization", ["sync", "async"])
def test_text_and_pictures_of_each_member_are_those_of_its_single_environment(
    singles, vectorization
):
    env = make_vec(2, vectorization, **ARGS)
    try:
        observations, infos = env.reset(seed=SEED)
        check(observations, [first for first, _ in singles])
        assert all(len(t["point_uv"]) == 2 for t in infos["truth"])
        _, rewards, terminated, _, _ = env.step(np.array([t["point_uv"] for t in infos["truth"]]))
        assert rewards.tolist() == [1.0] * 2
        assert terminated.all()
        after, *_ = env.step(env.action_space.sample())
        check(after, [second for _, second in singles])
    finally:
        env.close()


def check(observations, wanted):
    assert list(observations["instruction"]) == [o["instruction"] for o in wanted]
    assert len({o["rgb"].tobytes() for o in wanted}) == len(wanted)
    for key in ("rgb", "depth", "intrinsics", "holding", "event"):
        np.testing.assert_array_equal(observations[key], [o[key] for o in wanted])


def test_members_have_different_seeds_without_one():
    env = make_vec(2, **ARGS)
    observations, _ = env.reset()
    assert (observations["rgb"][0] != observations["rgb"][1]).any()
    env.close()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n": 0}, "n: expected a whole number >= 1, got 0"),
        ({"n": 1.5}, "n: expected a whole number >= 1, got 1.5"),
        ({"n": "2"}, "n: expected a whole number >= 1, got '2'"),
        ({"n": 1, "overrides": "pictures=false"}, "overrides: expected a list"),
        (
            {"n": 1, "vectorization": "ray"},
            "vectorization: expected 'sync', 'async' or 'worlds', got 'ray'",
        ),
        ({"n": 1, "vectorization": "worlds", "backend": "kinematic"}, "only newton has several"),
        ({"n": 1, "vectorization": "async", "task": "pik"}, "task: expected one of"),
    ],
)
def test_wrong_arguments_are_refused(kwargs, message):
    with pytest.raises(EnvError, match=message):
        make_vec(**kwargs)


@pytest.mark.parametrize("vectorization", ["sync", "async"])
def test_words_reach_each_member_and_what_they_earn_comes_back(vectorization):
    vector = make_vec(2, vectorization, words=True, task="point_at_object", backend="kinematic",
                      dialect="roborefer", reward="roborefer")  # fmt: skip
    observations, infos = vector.reset(seed=3)
    first = tuple(observations["instruction"])
    u, v = infos["start"][0].task.kind, infos["start"][1].task.kind
    assert (u, v) == ("point_at_object", "point_at_object")
    words = ("<think>a</think><answer>[(0.5, 0.5)]</answer>", "I do not know")
    observations, rewards, *_, infos = vector.step(words)
    assert tuple(observations["instruction"]) == first
    assert observations["feedback"][1].startswith("Nothing was done")
    assert rewards[0] >= 1.0 > rewards[1] == 0.0
    assert list(infos["problem"]) == ["", "no_point"]
    vector.close()


@pytest.mark.parametrize("together", ["null", pytest.param("true", marks=pytest.mark.slow)])
def test_worlds_of_one_simulator_are_members_like_others(together):
    pytest.importorskip("newton")
    overrides = ["pictures=false", "max_steps=1", "backend.device=cpu"]
    kwargs = {"task": "pick", "backend": "newton"}
    vector = make_vec(2, "worlds", overrides=[*overrides, f"backend.together={together}"], **kwargs)
    _, infos = vector.reset(seed=SEED)
    points = np.array([t["point_uv"] for t in infos["truth"]])
    _, rewards, terminated, truncated, stepped = vector.step(points)
    after, *_ = vector.step(points)
    env = make_env(overrides=overrides, **kwargs)
    try:
        for i in range(2):
            _, info = env.reset(seed=SEED + i)
            asked, others = info["start"].task, infos["start"][i].task
            assert (asked.instruction, asked.program) == (others.instruction, others.program)
            # another solver; poses at rest may end in another digit
            assert tuple(info["truth"]["point_uv"]) == pytest.approx(tuple(points[i]), abs=1e-5)
            _, reward, *_, info = env.step(points[i])
            if together == "null":
                assert asked == others
                assert rewards[i] == reward
                assert stepped["event"][i] is info["event"]
            assert env.reset()[0]["instruction"] == after["instruction"][i]
        assert (terminated | truncated).all()
    finally:
        vector.close()
        env.close()


@pytest.mark.slow
def test_worlds_together_have_one_model_from_the_first_reset_on(monkeypatch):
    pytest.importorskip("newton")
    from refergym.envs.backends import newton_worlds

    made = []

    class Counted(newton_worlds.NewtonPhysics):
        def __init__(self, models, *args, **kwargs):
            made.append(len(models))
            super().__init__(models, *args, **kwargs)

    monkeypatch.setattr(newton_worlds, "NewtonPhysics", Counted)
    vector = make_vec(
        2, "worlds", task="point_at_object", backend="newton",
        overrides=["pictures=false", "backend.device=cpu", "backend.together=true"],
    )  # fmt: skip
    before = set(threading.enumerate())
    vector.reset(seed=SEED)
    assert made == [2]
    vector.reset(seed=SEED)
    assert made == [2]
    assert set(threading.enumerate()) == before
    vector.close()


def test_after_an_error_no_member_gives_what_it_did_before():
    pytest.importorskip("newton")
    vector = make_vec(
        2, "worlds", task="point_at_object", backend="newton",
        overrides=["pictures=false", "backend.device=cpu"],
    )  # fmt: skip
    _, infos = vector.reset(seed=SEED)
    points = np.array([t["point_uv"] for t in infos["truth"]])
    with pytest.raises(ActionError, match="v = 7"):
        vector.step(np.array([points[0], [0.5, 7.0]], np.float32))
    _, info = vector.envs[0].reset(seed=SEED)
    assert info["start"] == infos["start"][0]
    with pytest.raises(ValueError, match="shorter"):
        vector.step(points[:1])
    _, reward, *_ = vector.envs[0].step(points[0])
    assert reward == 1.0, "it had not been stepped"
    vector.close()


def test_some_worlds_are_reset_while_others_stay():
    pytest.importorskip("newton")
    vector = make_vec(
        2, "worlds", autoreset=False, task="point_at_object", backend="newton",
        overrides=["pictures=false", "backend.device=cpu"],
    )  # fmt: skip
    first, _ = vector.reset(seed=SEED)
    second, _ = vector.reset(seed=[7, 8], options={"reset_mask": np.array([False, True])})
    assert second["instruction"][0] == first["instruction"][0]
    assert second["instruction"][1] != first["instruction"][1]
    with pytest.raises(TypeError, match="reset_mask"):
        vector.reset(options={"reset_mask": [True, False]})
    with pytest.raises(ValueError, match="length must match"):
        vector.reset(seed=[1])
    vector.close()
