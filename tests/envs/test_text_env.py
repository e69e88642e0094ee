"""Words as actions: whatever a policy writes is a step, and what it is worth stands in info."""

import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refergym.agents.narrator import in_blocks, thought
from refergym.envs.errors import ActionError, ClosedError, EnvError
from refergym.envs.feedback import FEEDBACK
from refergym.envs.refer_env import ReferEnv
from refergym.envs.registration import TEXT_IDS, make_env, make_text_env
from refergym.envs.starts import Start
from refergym.envs.text_env import TextEnv
from refergym.envs.types import Event

POINTING = "point_at_object"
QUICK = ("renderer.shadows=false", "renderer.antialias=none")


def right(info: dict[str, Any], form: str = "[({:.3f}, {:.3f})]") -> str:
    """The perfect answer."""
    return in_blocks(thought(info["truth"]), form.format(*info["truth"]["point_uv"]))


@pytest.fixture(scope="module")
def env() -> Iterator[TextEnv]:
    made = make_text_env("pick_place", "kinematic", reward="sim", overrides=QUICK)
    yield made
    made.close()


@pytest.fixture(scope="module")
def pointing() -> Iterator[TextEnv]:
    made = make_text_env(POINTING, "kinematic", reward="roborefer", overrides=QUICK)
    yield made
    made.close()


@pytest.fixture(scope="module")
def start(pointing: TextEnv) -> Start:
    _, info = pointing.reset(seed=2, options={"index": 0})
    assert isinstance(info["start"], Start)
    return info["start"]


@pytest.mark.parametrize("name", TEXT_IDS)
def test_each_task_has_an_id_that_takes_words(name: str) -> None:
    made = gym.make(name, disable_env_checker=True, backend="kinematic").unwrapped
    assert isinstance(made, TextEnv)
    assert TEXT_IDS[name] in (made.refer.task.kind, None)
    made.close()


@pytest.mark.parametrize("name", ["refergym/PointAtObjectText-v0", "refergym/ReferringText-v0"])
def test_gymnasiums_checker_passes_with_warnings_as_errors(name: str) -> None:
    made = gym.make(name, disable_env_checker=True, backend="kinematic", task="point_at_object")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(made.unwrapped, skip_render_check=True)
    made.close()


@pytest.mark.parametrize("backend", ["kinematic", "bullet"])
def test_words_move_the_robot_and_are_paid(backend: str) -> None:
    pytest.importorskip("pybullet" if backend == "bullet" else "numpy")
    made = gym.make("refergym/PickPlaceText-v0", backend=backend, reward="sim")
    observation, info = made.reset(seed=3)
    assert observation["feedback"] == ""
    first, total = observation["instruction"], 0.0
    ended = False
    while not ended:
        observation, reward, terminated, truncated, info = made.step(right(info))
        assert observation["instruction"] == first
        assert observation["feedback"] == FEEDBACK[Event(observation["event"])]
        terms = info["reward_terms"]
        assert reward == pytest.approx(sum(t["paid"] for t in terms.values()))
        assert all(0 <= t["raw"] <= 1 for t in terms.values())
        assert info["cause"] is None
        total += float(reward)
        ended = terminated or truncated
    assert info["verdict"].success
    # all but the two of four turns that were used, at 0.05 for all
    assert total == pytest.approx(1.0 - 0.05 * 2 / 4)
    made.close()


def test_what_happened_last_is_told_and_nothing_of_the_truth(env: TextEnv) -> None:
    _, info = env.reset(seed=1)
    names = [o.id for o in info["start"].scene.objects]
    observation, *_ = env.step("<answer>[(0.02, 0.02)]</answer>")
    assert observation["feedback"].startswith("Nothing was")
    observation, *_ = env.step("I see nothing.")
    assert observation["feedback"] == FEEDBACK[Event.INVALID]
    for words in FEEDBACK.values():
        assert not any(name in words for name in names)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("", "empty"),
        ("   \n", "empty"),
        ("x" * 100_001, "too_long"),
        ("<think>I must look for", "no_answer"),
        ("the cup on the left", "no_point"),
        ("<think>a</think><answer>[(0.3, 1.7)]</answer>", "out_of_range"),
        ("[(0.3, 0.", "malformed"),
        ("[(nan, 0.2)]", "malformed"),
    ],
)
def test_words_without_a_point_are_a_used_step(env: TextEnv, words: str, problem: str) -> None:
    env.reset(seed=1)
    observation, _, _, _, info = env.step(words)
    assert (info["problem"], info["cause"]) == (problem, "unparsable")
    assert observation["event"] == Event.INVALID
    assert len(env.refer.acts) == 1
    assert info["detail"]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(max_size=400))
def test_no_words_are_too_bad_to_be_a_step(pointing: TextEnv, start: Start, words: str) -> None:
    pointing.reset(options={"episode": start})
    _, reward, terminated, truncated, info = pointing.step(words)
    assert terminated or truncated
    assert 0 <= reward <= pointing.rewards.most  # type: ignore[union-attr]
    assert info["cause"] is not None or info["verdict"].success


def test_what_is_no_text_is_a_mistake_of_the_program(env: TextEnv) -> None:
    env.reset(seed=1)
    with pytest.raises(ActionError, match="expected a policy's words, got 3"):
        env.step(3)  # type: ignore[arg-type]
    assert env.refer.acts == ()


def test_used_out_of_order_it_says_so() -> None:
    made = make_text_env(POINTING, "kinematic")
    with pytest.raises(EnvError, match=r"call reset\(\) first"):
        made.step("[(0.5, 0.5)]")
    _, info = made.reset(seed=0)
    made.step(right(info))
    with pytest.raises(EnvError, match="the episode has ended"):
        made.step("[(0.5, 0.5)]")
    made.close()
    with pytest.raises(ClosedError):
        made.reset(seed=0)


def test_without_a_reader_only_points_are_taken() -> None:
    made = TextEnv(make_env(POINTING, "kinematic"))
    _, info = made.reset(seed=0)
    with pytest.raises(EnvError, match="say in which dialect"):
        made.step("[(0.5, 0.5)]")
    _, reward, terminated, _, info = made.point(info["truth"]["point_uv"])
    assert (reward, terminated, info["reward_terms"]) == (1.0, True, {})
    made.close()


@pytest.mark.parametrize(
    ("dialect", "answer"),
    [
        ("qwen2_5_vl", '```json\n[{{"point_2d": [{0:.0f}, {1:.0f}], "label": "it"}}]\n```'),
        ("robobrain2", "[({0:.0f}, {1:.0f})]"),
    ],
)
def test_pixels_are_those_of_the_picture_that_the_policy_saw(dialect: str, answer: str) -> None:
    made = make_text_env(POINTING, "kinematic", dialect=dialect)
    _, info = made.reset(seed=0)
    u, v = info["truth"]["point_uv"]
    width, height = 448, 336
    words = answer.format(u * width, v * height)
    _, _, _, _, info = made.answer(words, image_size=(width, height))
    assert info["verdict"].success
    assert np.allclose(made.refer.acts[-1].point_uv, (u, v), atol=1 / 336)
    made.close()


@pytest.mark.parametrize(
    ("several", "expected", "problem"),
    [("first", (0.25, 0.5), ""), ("mean", (0.5, 0.5), ""), ("reject", None, "several")],
)
def test_of_several_points_the_config_says_which(
    several: str, expected: tuple[float, float] | None, problem: str
) -> None:
    made = make_text_env(POINTING, "kinematic", overrides=[f"several={several}"])
    made.reset(seed=0)
    *_, info = made.step("[(0.25, 0.5), (0.75, 0.5)]")
    assert made.refer.acts[-1].point_uv == expected
    assert info["problem"] == problem
    made.close()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("several=all", "several: expected one of first, mean, reject; got 'all'"),
        ("dialect=latin", "dialect: expected one of .*; got 'latin'"),
        ("reward=greed", "reward: expected one of .*sim.*; got 'greed'"),
        ("reward.weights.success=much", "weights.success: expected a number, got 'much'"),
        ("+reward.weights.beauty=1", "weights.beauty: no such term; there are success"),
    ],
)
def test_wrong_configs_are_refused_by_name(override: str, message: str) -> None:
    with pytest.raises(EnvError, match=message):
        make_text_env(POINTING, "kinematic", overrides=[override])


def test_the_same_words_earn_the_same_twice(env: TextEnv) -> None:
    def play() -> list[tuple[float, Any]]:
        _, info = env.reset(seed=5)
        found = []
        for form in ("[(0.3, 0.4)]", "", None):
            words = right(info) if form is None else in_blocks("", form)
            _, reward, _, _, info = env.step(words)
            found.append((reward, info["reward_terms"]))
        return found

    assert play() == play()


def test_reward_is_no_part_of_success() -> None:
    """A set that pays nothing for it changes no verdict."""
    made = make_text_env(POINTING, "kinematic", overrides=["reward.weights.success=0"])
    _, info = made.reset(seed=0)
    _, reward, terminated, _, info = made.step(right(info))
    assert (reward, terminated, info["verdict"].success) == (0.0, True, True)
    assert isinstance(made.refer, ReferEnv)
    made.close()
