"""Advantages against values worked out by hand, and what they must not depend on."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refergym.agents.rft.advantages import (
    Credit,
    Trajectory,
    advantages,
    relative,
    returns_to_go,
)
from refergym.agents.rft.errors import CreditError


def credit(**changes):
    return Credit(
        **{"episode": 1.0, "turn": 0.0, "state": 0.0, "gamma": 1.0, "baseline": "mean",
           "std": "none", "eps": 0.0, **changes}
    )  # fmt: skip


def single(*returns, group="a"):
    return [Trajectory(group=group, rewards=(r,)) for r in returns]


def first(found):
    return [turns[0] for turns in found.turns]


def test_an_episode_is_compared_with_its_group():
    found = advantages([*single(1, 0, 0, 1), *single(5, 8, group="b")], credit())
    assert first(found) == [0.5, -0.5, -0.5, 0.5, -1.5, 1.5]
    assert (found.flat, found.groups) == ((), 2)


def test_a_group_s_std_has_n_minus_one_in_it():
    found = advantages(single(1, 0, 0, 1), credit(std="group", eps=0.25))
    std = math.sqrt(4 * 0.25 / 3)
    assert first(found) == pytest.approx([s * 0.5 / (std + 0.25) for s in (1, -1, -1, 1)])


def test_the_batch_s_std_is_of_all_returns():
    found = advantages([*single(0, 2), *single(4, 6, group="b")], credit(std="batch", eps=1.0))
    std = math.sqrt((9 + 1 + 1 + 9) / 3)
    assert first(found) == pytest.approx([s / (std + 1) for s in (-1, 1, -1, 1)])


def test_leave_one_out_compares_with_the_others_alone():
    found = advantages([*single(1, 0, 5), *single(2, 4, group="b")],
                       credit(baseline="leave_one_out"))  # fmt: skip
    assert first(found) == pytest.approx([1 - 2.5, 0 - 3, 5 - 0.5, -2, 2])


@pytest.mark.parametrize("std", ["none", "group", "batch"])
@pytest.mark.parametrize("baseline", ["mean", "leave_one_out"])
def test_equal_returns_and_lone_episodes_teach_exactly_nothing(std, baseline):
    rows = [
        *single(0.1 + 0.2, 0.3, 0.3, group="equal but for rounding"),
        *single(7, group="lone"),
        *single(0, 1, group="alive"),
    ]
    found = advantages(rows, credit(std=std, baseline=baseline))
    assert first(found)[:4] == [0, 0, 0, 0]
    assert found.flat == ("equal but for rounding", "lone")
    assert first(found)[4] < 0 < first(found)[5]


def test_a_group_with_equal_sums_but_other_turns_is_alive_for_turns():
    rows = [Trajectory(group="a", rewards=r) for r in ((1.0, 0.0), (0.0, 1.0))]
    assert advantages(rows, credit()).flat == ("a",)
    found = advantages(rows, credit(episode=0, turn=1))
    assert (found.flat, found.turns) == ((), ((0, -0.5), (0, 0.5)))


def test_returns_to_go():
    assert returns_to_go([1, 2, 4], 0.5) == [1 + 1 + 1, 2 + 2, 4]
    assert returns_to_go([], 0.5) == []


def test_a_turn_is_compared_with_the_same_turn_of_others():
    rows = [Trajectory(group="a", rewards=r) for r in ((0.0, 4.0), (2.0,), (0.0, 0.0, 2.0))]
    found = advantages(rows, credit(episode=0, turn=1, gamma=0.5))
    # to go: 2 4 | 2 | 0.5 1 2
    assert found.turns == ((0.5, 1.5), (0.5,), (-1.0, -1.5, 0.0))


def test_gigpo_compares_equal_states_across_and_inside_episodes():
    rows = [
        Trajectory(group="a", rewards=(0.0, 0.0, 1.0), states=("s", "s", "t")),
        Trajectory(group="a", rewards=(0.0, 0.0), states=("s", "u")),
        Trajectory(group="b", rewards=(9.0,), states=("s",)),
    ]
    found = advantages(rows, credit(state=2.0, gamma=0.5))
    # to go: .25 .5 1 | 0 0; of state s .25 .5 0 with the mean .25; t, u and b's s are alone
    episode = [0.5, -0.5]
    assert found.turns == (
        (episode[0], episode[0] + 2 * 0.25, episode[0]),
        (episode[1] - 2 * 0.25, episode[1]),
        (0.0,),
    )


def test_gigpo_with_std_divides_by_that_of_each_state():
    rows = [
        Trajectory(group="a", rewards=(r,), states=(s,)) for r, s in ((0, "s"), (2, "s"), (10, "t"))
    ]
    found = advantages(rows, credit(episode=0, state=1, std="group", eps=0.5))
    assert first(found) == pytest.approx([-1 / (math.sqrt(2) + 0.5), 1 / (math.sqrt(2) + 0.5), 0])


def test_branches_are_compared_by_what_came_after_the_snapshot():
    rows = [
        Trajectory(group="snapshot", rewards=(9.0, 1.0), replayed=1),
        Trajectory(group="snapshot", rewards=(8.0, 0.0, 0.0), replayed=1),
        Trajectory(group="snapshot", rewards=(7.0, 0.0, 2.0), replayed=1),
    ]
    found = advantages(rows, credit())
    assert found.turns == ((0, 0), (0, -1, -1), (0, 1, 1))
    assert advantages(rows, credit(episode=0, turn=1)).turns == ((0, 0), (0, -1, -1), (0, 1, 1))


def test_episode_turn_and_state_add_up():
    rows = [
        Trajectory(group="a", rewards=(float(k), k * k / 2), states=("s", f"t{k % 2}"))
        for k in range(4)
    ]
    settings = {"gamma": 0.9, "std": "group", "eps": 0.1}
    parts = [
        np.array(advantages(rows, credit(**{"episode": 0, name: 1}, **settings)).turns)
        for name in ("episode", "turn", "state")
    ]
    whole = advantages(rows, credit(episode=3, turn=0.5, state=2, **settings))
    np.testing.assert_allclose(
        whole.turns, 3 * parts[0] + 0.5 * parts[1] + 2 * parts[2], atol=1e-12
    )


RETURNS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(-50, 50).map(lambda k: k / 10)), max_size=12
)
CHOICES = {
    "baseline": st.sampled_from(["mean", "leave_one_out"]),
    "std": st.sampled_from(["none", "group", "batch"]),
}


@given(rows=RETURNS, shift=st.floats(-100, 100), scale=st.floats(0.5, 20), **CHOICES)
def test_a_shift_changes_nothing_and_a_scale_is_divided_out(rows, shift, scale, baseline, std):
    keys, values = [g for g, _ in rows], np.array([r for _, r in rows])
    kept = relative(values, keys, std=std, baseline=baseline, eps=0.0)
    shifted = relative(values + shift, keys, std=std, baseline=baseline, eps=0.0)
    np.testing.assert_allclose(shifted, kept, atol=1e-9)
    scaled = relative(values * scale, keys, std=std, baseline=baseline, eps=0.0)
    np.testing.assert_allclose(scaled, kept * (scale if std == "none" else 1), atol=1e-9)


@given(rows=RETURNS, random=st.randoms(use_true_random=False), **CHOICES)
def test_a_group_sums_to_zero_and_the_order_is_of_no_account(rows, random, baseline, std):
    keys, values = [g for g, _ in rows], [r for _, r in rows]
    kept = relative(values, keys, std=std, baseline=baseline, eps=1e-4)
    for key in set(keys):
        assert abs(sum(kept[k] for k in range(len(rows)) if keys[k] == key)) < 1e-9
    order = list(range(len(rows)))
    random.shuffle(order)
    moved = relative(
        [values[k] for k in order], [keys[k] for k in order], std=std, baseline=baseline, eps=1e-4
    )
    np.testing.assert_allclose(moved, kept[order], atol=1e-12)


@given(rows=RETURNS)
def test_groups_do_not_touch_each_other_unless_the_batch_s_std_is_asked_for(rows):
    keys, values = [g for g, _ in rows], [r for _, r in rows]
    kept = relative(values, keys, std="group", baseline="mean", eps=1e-4)
    for key in set(keys):
        own = [k for k in range(len(rows)) if keys[k] == key]
        alone = relative(
            [values[k] for k in own], [key] * len(own), std="group", baseline="mean", eps=1e-4
        )
        np.testing.assert_allclose(kept[own], alone, atol=1e-12)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"rewards": ()}, "leave out episodes without a turn"),
        ({"rewards": (1.0,), "replayed": 1}, "expected 0 <= replayed < 1 turns, got 1"),
        ({"rewards": (math.nan,)}, "rewards: expected finite numbers"),
        ({"rewards": (1.0, 0.0), "states": ("s",)}, "a digest for each of 2 turns, got 1"),
        ({"rewards": (1.0, 0.0), "states": ("s", "t"), "replayed": 1}, "another snapshot"),
    ],
)
def test_what_cannot_be_compared_is_named(row, text):
    whole = Trajectory(group="a", rewards=(0.0,), states=("s",))
    with pytest.raises(CreditError, match=text) as caught:
        advantages([whole, Trajectory(group="a", **row)], credit(state=1.0))
    assert "trajectories[1]" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"episode": 0.0}, "all weights are 0"),
        ({"turn": -1.0}, "turn: expected a weight >= 0"),
        ({"gamma": 1.5}, "gamma"),
        ({"eps": -1e-4}, "eps"),
        ({"std": "sometimes"}, "std: expected none, group or batch"),
        ({"baseline": "median"}, "baseline"),
    ],
)
def test_settings_without_meaning_are_refused(changes, text):
    with pytest.raises(CreditError, match=text):
        credit(**changes)


def test_nothing_gives_nothing():
    found = advantages([], credit(turn=1, state=1))
    assert (found.turns, found.flat, found.groups) == ((), (), 0)
