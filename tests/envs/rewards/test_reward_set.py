"""Sets of terms: what is checked, how often each group is paid, what shaping leaves as it is."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from turn_parts import make_turn, reward_set

from refergym.envs.errors import EnvError, RewardError
from refergym.envs.rewards import Progress, RewardSet, Success, Turn, TurnUsed

RAW = Progress()
"""a term whose value a planted verdict gives"""


def one(group: str, weight: float = 1.0, term: Any = RAW, **given: Any) -> RewardSet:
    terms: dict[str, Any] = {group: {"it": term}}
    return RewardSet(name="planted", weights={"it": weight}, **terms, **given)


def play(
    rewards: RewardSet,
    raws: Sequence[float],
    stages: Sequence[str] | None = None,
    *,
    needed: int = 1,
    progress: float = 0.0,
    name: str = "it",
) -> list[float]:
    """What a term is paid in each turn of an episode."""
    ledger = rewards.ledger(needed, progress)
    paid = []
    for k, raw in enumerate(raws):
        stage = "point" if stages is None else stages[k]
        turn = make_turn(progress=raw, stage=stage, is_last=k == len(raws) - 1, limit=10)
        values = ledger.pay(turn)
        paid.append(values[name].paid if name in values else 0.0)
    return paid


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"turn": {"a": RAW}, "weights": {}}, "weights: none for 'a'"),
        ({"turn": {"a": RAW}, "weights": {"a": 1, "b": 1}}, "weights.b: no such term; there are a"),
        ({"turn": {"a": RAW}, "gain": {"a": RAW}, "weights": {"a": 1}},
         "gain.a: stands in two groups"),
        ({"episode": {"a": 1.0}, "weights": {"a": 1}}, "episode.a: expected a callable, got 1.0"),
        ({"turn": {"a": RAW}, "weights": {"a": math.nan}}, "weights.a: expected a number, got nan"),
        ({"turn": {"a": RAW}, "weights": {"a": math.inf}}, "weights.a: expected a number, got inf"),
        ({"turn": {"a": RAW}, "weights": {"a": "1"}}, "weights.a: expected a number, got '1'"),
        ({"turn": {"a": RAW}, "weights": {"a": None}}, "weights.a: expected a number, got None"),
        ({"cost": {"a": RAW}, "weights": {"a": 0.1}}, "weights.a: expected <= 0 for a cost"),
        ({"weights": {}, "discount": math.nan}, "discount: expected a number in [0, 1], got nan"),
        ({"weights": {}, "discount": 1.01}, "discount: expected a number in [0, 1], got 1.01"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused_by_name(given: Any, told: str) -> None:
    with pytest.raises(RewardError) as caught:
        RewardSet(name="planted", **given)
    assert str(caught.value) == told


def test_a_set_without_terms_pays_nothing() -> None:
    empty = RewardSet(name="planted", weights={})
    assert empty.most == 0
    assert empty.ledger().pay(make_turn(is_last=True)) == {}


@pytest.mark.parametrize("group", ["turn", "gain", "episode", "cost", "potential"])
@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, -0.001, 1.001, 10**400, None, "0.5", b"0.5", [0.5], {}, 0.5j],
)
def test_a_term_that_gives_no_number_in_0_to_1_is_named(group: str, value: Any) -> None:
    rewards = one(group, -1.0, lambda _: value)
    with pytest.raises(RewardError, match=r"^it: expected a number in \[0, 1\], got "):
        rewards.ledger().pay(make_turn(is_last=True))


@pytest.mark.parametrize("value", [0, 1, True, 0.25, np.float32(0.25), np.int64(1), np.bool_(True)])
def test_any_number_in_0_to_1_is_taken(value: Any) -> None:
    assert one("turn", term=lambda _: value).ledger().pay(make_turn())["it"].raw == float(value)


@pytest.mark.parametrize(("value", "raw"), [(1 + 1e-12, 1.0), (-1e-12, 0.0)])
def test_rounding_is_forgiven(value: float, raw: float) -> None:
    assert one("turn", term=lambda _: value).ledger().pay(make_turn())["it"].raw == raw


def test_what_a_term_raises_comes_out_as_it_is_with_the_term_s_name() -> None:
    with pytest.raises(KeyError, match="nothing of the kind") as caught:
        one("turn", term=lambda t: t.truth["nothing of the kind"]).ledger().pay(make_turn())
    assert caught.value.__notes__ == ["raised by the reward term 'it'"]


def test_a_term_of_turns_is_paid_at_the_best_turn_of_a_stage() -> None:
    assert play(one("turn"), [0.25, 0.5, 0.25, 0.5, 1.0, 0.0]) == [0.25, 0.25, 0, 0, 0.5, 0]


def test_each_stage_that_is_needed_is_worth_an_equal_part() -> None:
    stages = ["pick a", "pick a", "place a", "place a"]
    assert play(one("turn", 2.0), [0.5, 1, 0, 1], stages, needed=2) == [0.5, 0.5, 0, 1]


def test_detours_earn_nothing() -> None:
    stages = ["pick a", "pick b", "place b", "place a"]
    assert play(one("turn"), [1, 1, 1, 1], stages, needed=2) == [0.5, 0.5, 0, 0]


def test_oscillating_picks_earn_nothing() -> None:
    stages = ["pick a", "place a"] * 10
    assert sum(play(one("turn"), [1, 0] * 10, stages, needed=2)) == 0.5


def test_what_is_done_when_nothing_is_left_takes_no_stage_away() -> None:
    assert play(one("turn"), [1, 1, 1], ["pick a", "", "place a"], needed=2) == [0.5, 0, 0.5]


def test_terms_of_a_turn_are_paid_each_for_itself() -> None:
    rewards = RewardSet(name="planted", turn={"a": RAW, "b": Success()}, weights={"a": 1, "b": 2})
    ledger = rewards.ledger()
    first = ledger.pay(make_turn(progress=0.5, success=True))
    assert [v.paid for v in first.values()] == [0.5, 2]
    second = ledger.pay(make_turn(progress=0.75))
    assert [(v.raw, v.paid) for v in second.values()] == [(0.75, 0.25), (0, 0)]


STAGES = st.sampled_from(["", "pick a", "place a", "pick b", "place b", "pick c"])
SHARE = st.floats(0, 1)
WEIGHT = st.floats(0, 10)


@given(st.lists(st.tuples(SHARE, STAGES), max_size=20), st.integers(1, 6), WEIGHT)
def test_all_turns_together_pay_the_best_of_each_stage_and_never_more_than_the_most(
    turns: list[tuple[float, str]], needed: int, weight: float
) -> None:
    raws, stages = [r for r, _ in turns], [s for _, s in turns]
    rewards = one("turn", weight)
    paid = play(rewards, raws, stages, needed=needed)
    counted = list(dict.fromkeys(s for s in stages if s))[:needed]
    best = [max(r for r, s in turns if s == stage) for stage in counted]
    assert sum(paid) == pytest.approx(weight * sum(best) / needed, abs=1e-9)
    assert sum(paid) <= rewards.most + 1e-9
    assert all(p >= 0 for p in paid)


def test_a_gain_is_paid_for_each_rise_above_the_highest() -> None:
    assert play(one("gain"), [0.25, 0, 0.25, 0.75, 1]) == [0.25, 0, 0, 0.5, 0.25]
    assert play(one("gain"), [0.25, 0.5, 1], progress=0.5) == [0, 0, 0.5]


@given(st.lists(SHARE, min_size=1, max_size=20), SHARE, WEIGHT)
def test_all_gains_together_are_the_highest_less_the_beginning(
    raws: list[float], progress: float, weight: float
) -> None:
    rewards = one("gain", weight)
    total = sum(play(rewards, raws, progress=progress))
    assert total == pytest.approx(weight * max(0.0, max(raws) - progress), abs=1e-9)
    assert total <= rewards.most + 1e-9


def test_an_episode_is_paid_once_with_its_last_turn() -> None:
    assert play(one("episode", 2.0), [1, 1, 0.5]) == [0, 0, 1]
    assert "it" not in one("episode").ledger().pay(make_turn(progress=1.0))


def test_a_cost_is_paid_every_turn_and_is_no_part_of_the_most() -> None:
    rewards = one("cost", -0.5, TurnUsed())
    assert play(rewards, [0.0] * 10) == pytest.approx([-0.05] * 10)
    assert rewards.most == 0


def test_the_most_is_that_of_turns_gains_and_episodes() -> None:
    rewards = RewardSet(
        name="planted", turn={"a": RAW}, gain={"b": RAW}, episode={"c": RAW, "d": RAW},
        cost={"e": RAW}, potential={"f": RAW},
        weights={"a": 1, "b": 2, "c": 4, "d": -8, "e": -16, "f": 32},
    )  # fmt: skip
    assert rewards.most == 7


def test_a_ledger_begins_anew_with_every_episode() -> None:
    rewards = one("turn")
    assert play(rewards, [1.0]) == play(rewards, [1.0]) == [1.0]


DISCOUNTS = st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0])
STATES = st.lists(SHARE, min_size=1, max_size=15)


def discounted(rewards: Sequence[float], discount: float) -> float:
    return math.fsum(discount**k * r for k, r in enumerate(rewards))


def test_a_potential_is_paid_by_what_it_changes() -> None:
    assert play(one("potential", discount=0.5), [0.5, 1, 1, 1]) == [0.25, 0, -0.5, -1]
    assert play(one("potential", 2.0), [0.5, 0.25, 1]) == [1, -0.5, -0.5]


@given(STATES, DISCOUNTS, st.floats(-10, 10))
def test_what_a_potential_pays_is_nothing_in_all(
    states: list[float], discount: float, weight: float
) -> None:
    paid = play(one("potential", weight, discount=discount), states)
    assert discounted(paid, discount) == pytest.approx(0, abs=1e-9)


@given(STATES, STATES, DISCOUNTS, st.floats(-10, 10))
def test_a_potential_leaves_the_ranking_of_any_two_episodes_as_it_is(
    one_way: list[float], other: list[float], discount: float, weight: float
) -> None:
    groups: Any = {"gain": {"a": RAW}, "episode": {"b": RAW}, "cost": {"c": TurnUsed()}}
    weights = {"a": 0.5, "b": 1.0, "c": -0.3}
    plain = RewardSet(name="planted", weights=weights, **groups)
    shaped = RewardSet(
        name="planted", weights=weights | {"d": weight}, potential={"d": RAW}, discount=discount,
        **groups,
    )  # fmt: skip
    first, second = (returned(plain, s, discount) for s in (one_way, other))
    assume(first == second or abs(first - second) > 1e-6)
    with_it, with_other = (returned(shaped, s, discount) for s in (one_way, other))
    if first == second:
        assert with_it == pytest.approx(with_other, abs=1e-9)
    else:
        assert (with_it > with_other) == (first > second)


def returned(rewards: RewardSet, states: Sequence[float], discount: float) -> float:
    """Return what an episode that goes through states earns, discounted."""
    ledger = rewards.ledger()
    sums = []
    for k, state in enumerate(states):
        turn = make_turn(progress=state, is_last=k == len(states) - 1, limit=20)
        sums.append(math.fsum(v.paid for v in ledger.pay(turn).values()))
    return discounted(sums, discount)


@dataclass(frozen=True, kw_only=True)
class Above:
    """A term with a parameter."""

    limit: float

    def __call__(self, turn: Turn) -> float:
        return float(turn.verdict.progress > self.limit)


TERMS: Mapping[str, tuple[Callable[[Turn], float], float]] = {
    "an object": (Above(limit=0.5), 1.0),
    "a lambda": (lambda turn: turn.verdict.progress / 2, 0.375),
    "a built-in": (bool, 1.0),
}


@pytest.mark.parametrize("kind", TERMS)
def test_any_callable_is_a_term(kind: str) -> None:
    term, value = TERMS[kind]
    assert play(one("turn", 2.0, term), [0.75]) == [2 * value]


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ("{_target_: turn_parts.shortness, _partial_: true}", 0.9),
        ("{_target_: turn_parts.shortness, _partial_: true, longest: 20}", 0.5),
        ("{_target_: refergym.envs.rewards.PointNear, limit_px: 10, width_px: null}", 0.0),
        ("{_target_: hydra.utils.get_method, path: turn_parts.half}", 0.5),
    ],
)
def test_any_callable_of_a_config_is_a_term(node: str, value: float) -> None:
    rewards = reward_set("sparse", f"+reward.turn={{mine: {node}}}", "+reward.weights.mine=0.5")
    values = rewards.ledger().pay(make_turn("[(0, 0)]  ", is_last=True, success=True))
    assert values["mine"].raw == pytest.approx(value)
    assert values["mine"].paid == pytest.approx(0.5 * value)
    assert values["success"].paid == 1


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("+reward.weights.mine=1", "reward: .*weights.mine: no such term; there are success"),
        ("+reward.turn={mine: {_target_: turn_parts.nothing}}", "turn_parts.nothing"),
        ("+reward.turn={mine: 1}", "turn.mine: expected a callable, got 1"),
        ("~reward.weights.success", "weights: none for 'success'"),
    ],
)
def test_a_config_that_does_not_fit_together_says_why(override: str, told: str) -> None:
    with pytest.raises(EnvError, match=told):
        reward_set("sparse", override)
