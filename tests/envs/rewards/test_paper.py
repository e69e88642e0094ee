"""RoboRefer's terms, worked out by hand; limits at and beside their boundaries."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from turn_parts import (
    GATHER,
    HANDLE,
    KEYS,
    MUG,
    PLATE,
    RIGHT,
    SIZE,
    make_turn,
    paid,
    reward_set,
    said,
    words,
)

from refergym.envs.key_steps import KeyStep
from refergym.envs.rewards import OutcomeFormat, PointNear, ProcessAccuracy, ProcessFormat

TRUE = tuple(k.text for k in KEYS)
FALSE = (
    said("Position", MUG.target, 0.9, 0.9),
    said("Size", SIZE.target, 0.4),
    said("Position", PLATE.target, 0.1, 0.9),
    said("Orientation", HANDLE.target, 1.0, 0.0, 0.0),
)
WRONG = (0.9, 0.9)


def accuracy(*steps: str, **given: Any) -> float:
    term = {k: given.pop(k) for k in list(given) if k in ProcessAccuracy.__dataclass_fields__}
    return ProcessAccuracy(**term)(make_turn(words(*steps), **given))


def form(*steps: str, over: Any = "key_steps", most: int = 8, **given: Any) -> float:
    return ProcessFormat(over=over, most=most)(make_turn(words(*steps), **given))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (words(*TRUE), 1),
        ("<think></think><answer></answer>", 1),
        ("[(0.500, 0.500)]", 0),
        ("<think>a</think><answer>b</answer><answer>[(0.5, 0.5)]</answer>", 0),
        ("<Think>a</Think><answer>[(0.5, 0.5)]</answer>", 0),
        ("", 0),
    ],
)
def test_the_outcome_format_is_one_think_block_and_one_answer_block(
    text: str, value: float
) -> None:
    assert OutcomeFormat()(make_turn(text)) == value


@pytest.mark.parametrize(
    ("point", "size", "value"),
    [
        ((0.5, 0.5), (960, 540), 1),
        ((0.5 + 50 / 960, 0.5), (960, 540), 1),  # within 50 px
        ((0.5, 0.5 - 50 / 540), (960, 540), 1),
        ((0.5 + 25 / 960, 0.5 + 25 / 540), (960, 540), 1),
        ((0.5 + 25.1 / 960, 0.5 + 25 / 540), (960, 540), 0),  # L1, not the straight distance
        ((0.5 + 50.01 / 960, 0.5), (960, 540), 0),
        ((0.5, 0.5 + 50.01 / 540), (960, 540), 0),
        ((0.5 - 49.99 / 960, 0.5), (960, 540), 1),
        # 224 wide: 50 * 224 / 960 = 11.6667 px
        ((0.5 + 11.66 / 224, 0.5), (224, 224), 1),
        ((0.5 + 11.67 / 224, 0.5), (224, 224), 0),
        ((0.5 + 50 / 960, 0.5), (224, 224), 1),
        ((0.5, 0.5 + 50 / 960), (224, 224), 1),
    ],
)
def test_a_point_counts_within_fifty_pixels_of_a_picture_960_wide(
    point: tuple[float, float], size: tuple[int, int], value: float
) -> None:
    assert PointNear()(make_turn(point=point, size=size)) == value


def test_a_limit_without_a_width_is_taken_as_it_is() -> None:
    off = make_turn(point=(0.5 + 50 / 224, 0.5), size=(224, 224))
    assert PointNear(width_px=None)(off) == 1
    assert PointNear(width_px=None, limit_px=49)(off) == 0
    assert PointNear()(off) == 0


def test_no_point_and_no_right_point_earn_nothing() -> None:
    assert PointNear()(make_turn()) == 0
    assert PointNear()(make_turn(point=RIGHT, true=None)) == 0


def test_true_reasoning_is_right_in_each_of_its_steps() -> None:
    assert accuracy(*TRUE) == 1
    assert accuracy(*FALSE) == 0
    assert form(*TRUE) == form(*FALSE) == 1


@pytest.mark.parametrize("k", range(4))
def test_each_key_step_is_an_equal_share(k: int) -> None:
    mixed = [TRUE[i] if i == k else FALSE[i] for i in range(4)]
    assert accuracy(*mixed) == accuracy(TRUE[k]) == 0.25
    assert form(TRUE[k]) == 0.25


@pytest.mark.parametrize(
    ("off", "value"),
    [((50, 0), 0), ((49.99, 0), 1), ((-49.99, 0), 1), ((0, 50), 0), ((25, 25), 0), ((25, -24), 1)],
)
def test_a_position_counts_nearer_than_fifty_pixels(off: tuple[float, float], value: float) -> None:
    u, v = 0.25 + off[0] / 960, 0.5 + off[1] / 540
    claim = f"[Position] [{MUG.target}]: [({u:.16f}, {v:.16f})]"
    assert accuracy(claim, keys=(MUG,)) == value


def test_the_limit_of_a_position_is_scaled_with_the_picture() -> None:
    near, far = (said("Position", MUG.target, 0.25 + d / 224, 0.5) for d in (11.6, 11.7))
    assert accuracy(near, keys=(MUG,), size=(224, 224)) == 1
    assert accuracy(far, keys=(MUG,), size=(224, 224)) == 0
    assert accuracy(far, keys=(MUG,), size=(224, 224), width_px=None) == 1
    assert accuracy(near, keys=(MUG,), limit_px=20) == 0  # 49.7 px at 960


@pytest.mark.parametrize(
    ("vector", "value"),
    [
        ((0.0, 1.0, 0.0), 1),
        ((0.6, 0.8, 0.0), 0),  # cosine 0.8: not above it
        ((0.36, 0.8, 0.48), 0),
        ((0.5999, 0.8001, 0.0), 1),
        ((0.6001, 0.7999, 0.0), 0),
        ((0.0, -1.0, 0.0), 0),
        ((0.0, 3.0, 0.0), 1),  # of any length: only the direction is judged
        ((0.0, 0.0, 0.0), 0),
    ],
)
def test_an_orientation_counts_above_a_cosine_of_four_fifths(
    vector: tuple[float, ...], value: float
) -> None:
    assert accuracy(said("Orientation", HANDLE.target, *vector), keys=(HANDLE,)) == value


@pytest.mark.parametrize(
    ("true", "size", "value"),
    [
        (0.2, 0.2, 1), (0.2, 0.23, 1), (0.2, 0.17, 1), (0.2, 0.2301, 0), (0.2, 0.1699, 0),
        (1.0, 0.85, 1), (1.0, 1.15, 1), (1.0, 0.8499, 0), (1.0, 1.1501, 0), (0.2, 0.0, 0),
    ],
)  # fmt: skip
def test_a_size_counts_within_fifteen_percent(true: float, size: float, value: float) -> None:
    key = KeyStep(perception="Size", target=SIZE.target, value=(true,))
    assert accuracy(said("Size", SIZE.target, size), keys=(key,)) == value


def test_limits_are_keys() -> None:
    assert accuracy(said("Size", SIZE.target, 0.25), keys=(SIZE,), share=0.3) == 1
    tilted = said("Orientation", HANDLE.target, 0.6, 0.8, 0.0)
    assert accuracy(tilted, keys=(HANDLE,), cosine=0.79) == 1


@pytest.mark.parametrize("target", ["the biggest mug", "The Largest Mug", "largest mug"])
def test_a_target_is_matched_by_what_it_means(target: str) -> None:
    assert accuracy(said("Size", target, 0.2), keys=(SIZE,)) == 1


@pytest.mark.parametrize("target", ["the smallest mug", "the mug", "the plate", "the largest cup"])
def test_a_true_value_of_another_target_earns_nothing(target: str) -> None:
    assert accuracy(said("Size", target, 0.2), keys=(SIZE,)) == 0


def test_a_value_under_the_wrong_perception_earns_nothing() -> None:
    assert accuracy(said("Size", PLATE.target, 0.75), keys=(PLATE,)) == 0
    assert accuracy("[Position] [the plate]: (0.75, 0.25, 0.0)", keys=(PLATE,)) == 0


def test_a_step_that_is_not_to_the_letter_may_be_right_and_earns_no_form() -> None:
    loose = "[Position] [the plate] point (0.75, 0.25)"
    assert accuracy(loose, keys=(PLATE,)) == 1
    assert form(loose, keys=(PLATE,)) == 0


SOME = st.lists(st.sampled_from(range(4)), max_size=4, unique=True)


@given(SOME, SOME, st.permutations(range(8)), st.sampled_from(["key_steps", "steps", "sum"]))
def test_the_order_of_different_steps_does_not_matter(
    true: list[int], false: list[int], order: list[int], over: str
) -> None:
    lines = [TRUE[k] for k in true] + [FALSE[k] for k in false if k not in true]
    shuffled = [lines[k] for k in order if k < len(lines)]
    assert accuracy(*shuffled, over=over) == accuracy(*lines, over=over)
    assert form(*shuffled, over=over) == form(*lines, over=over)


@pytest.mark.parametrize("repeats", ["first", "best"])
@pytest.mark.parametrize("over", ["key_steps", "steps", "sum"])
def test_a_key_step_is_scored_once_however_often_it_is_said(over: str, repeats: str) -> None:
    once = accuracy(TRUE[1], over=over, repeats=repeats)
    assert accuracy(*[TRUE[1]] * 100, over=over, repeats=repeats) == once > 0
    reworded = [said("Size", t, 0.2) for t in ("the largest mug", "the biggest mug", "largest mug")]
    assert accuracy(*reworded, over=over, repeats=repeats) == once


@pytest.mark.parametrize("over", ["key_steps", "sum"])
def test_a_form_is_scored_once_for_a_target_however_often_it_is_said(over: str) -> None:
    once = form(TRUE[0], over=over)
    assert form(*[TRUE[0]] * 100, over=over) == once > 0
    assert form("[Size] [the mug]: 0.10", "[Size] [mug]: 0.20", over=over) == once


def test_a_step_is_about_one_key_step_at_most() -> None:
    assert accuracy(TRUE[1], keys=(SIZE, SIZE)) == 1 / 2


def test_of_repeats_the_first_counts_or_the_best() -> None:
    wrong_then_right = [said("Size", SIZE.target, v) for v in (0.4, 0.2)]
    assert accuracy(*wrong_then_right, keys=(SIZE,)) == 0
    assert accuracy(*wrong_then_right, keys=(SIZE,), repeats="best") == 1
    assert accuracy(*wrong_then_right[::-1], keys=(SIZE,)) == 1
    unread = "[Size] [the largest mug]: large"
    assert accuracy(unread, TRUE[1], keys=(SIZE,)) == 0
    assert accuracy(unread, TRUE[1], keys=(SIZE,), repeats="best") == 1


def test_accuracy_is_over_all_key_steps_or_those_said_or_counted() -> None:
    half = (TRUE[0], FALSE[1])
    assert accuracy(*half, over="key_steps") == 1 / 4
    assert accuracy(*half, over="steps") == 1 / 2
    assert accuracy(*half, over="sum", most=8) == 1 / 8
    assert accuracy(*TRUE, over="sum", most=3) == 1


def test_form_is_over_all_key_steps_or_those_said_or_counted() -> None:
    lines = (TRUE[0], TRUE[1], "[Size] [the plate]: 20 cm", "I look at it.")
    assert form(*lines, over="key_steps") == 2 / 4
    assert form(*lines, over="steps") == 2 / 4
    assert form(*lines[:3], over="steps") == 2 / 3
    assert form(*lines, over="sum", most=8) == 2 / 8
    more = [f"[Size] [thing {k}]: 0.10" for k in range(50)]
    assert form(*more, over="key_steps") == 1
    assert form(*more, over="sum", most=8) == 4 / 8  # no more than are asked for
    assert form(*more, over="sum", most=3) == 1


APPLES = KeyStep(perception="Position", target="the apples", value=(0.2, 0.2, 0.5, 0.5, 0.8, 0.8))


@pytest.mark.parametrize(
    ("points", "value"),
    [
        ((0.2, 0.2, 0.5, 0.5, 0.8, 0.8), 1),
        ((0.8, 0.8, 0.2, 0.2, 0.5, 0.5), 1),  # in any order
        ((0.2, 0.2, 0.5, 0.5), 0),  # one is missing
        ((0.2, 0.2), 0),
        ((0.2, 0.2, 0.5, 0.5, 0.8, 0.8, 0.8, 0.8), 0),  # one too many
        ((0.2, 0.2, 0.2, 0.2, 0.8, 0.8), 0),  # one of them twice
        ((0.5, 0.5, 0.5, 0.5, 0.5, 0.5), 0),
        ((0.2, 0.2, 0.5, 0.5, 0.9, 0.8), 0),
    ],
)
def test_several_points_are_a_set(points: tuple[float, ...], value: float) -> None:
    claim = said("Position", APPLES.target, *points)
    assert accuracy(claim, keys=(APPLES,), program=GATHER) == value


def test_points_that_are_near_to_two_are_given_out_so_that_all_fit() -> None:
    pair = KeyStep(perception="Position", target="the apples", value=(0.50, 0.5, 0.53, 0.5))
    # the first is near to both, the second only to the left one, 40 px beside it
    claim = said("Position", pair.target, 0.51, 0.5, 0.50 - 40 / 960, 0.5)
    assert accuracy(claim, keys=(pair,), program=GATHER) == 1


@pytest.mark.parametrize("over", ["key_steps", "steps", "sum"])
def test_without_key_steps_or_words_nothing_is_right(over: Any) -> None:
    assert accuracy(*TRUE, over=over, keys=()) == 0
    for turn in (make_turn(point=RIGHT), make_turn(words()), make_turn(f"<think>{TRUE[0]}")):
        assert ProcessAccuracy(over=over)(turn) == ProcessFormat(over=over)(turn) == 0


def test_without_key_steps_one_step_with_the_form_is_enough() -> None:
    assert form(TRUE[0], keys=()) == form(*TRUE, keys=()) == 1


SETS = {name: reward_set(name) for name in ("roborefer", "roborefer_sum", "embodied_r1")}
PIECES = ["Step 1: ", "\n", "<think>", "</think>", "<answer>", "</answer>", "(0.5, 0.5)"]
TEXTS = st.lists(st.sampled_from([*TRUE, *FALSE, *PIECES]) | st.text(max_size=5)).map("".join)


@given(TEXTS)
def test_whatever_is_said_a_set_pays_no_more_than_its_most(text: str) -> None:
    turn = make_turn(text)
    for rewards in SETS.values():
        values = rewards.ledger().pay(turn)
        assert all(0 <= v.raw <= 1 for v in values.values())
        assert 0 <= sum(v.paid for v in values.values()) <= rewards.most + 1e-9


@pytest.mark.parametrize(
    ("text", "total"),
    [
        (words(*TRUE), 1 + 1 + 0.25 + 0.25),
        (words(*TRUE, point=WRONG), 1 + 0 + 0.25 + 0.25),
        (words(*FALSE), 1 + 1 + 0.25 + 0),
        (words(*FALSE, point=WRONG), 1 + 0 + 0.25 + 0),
        (words(), 1 + 1 + 0 + 0),
        ("[(0.500, 0.500)]", 0 + 1 + 0 + 0),
        (words(TRUE[0], FALSE[1]), 1 + 1 + 0.25 * 2 / 4 + 0.25 * 1 / 4),
        (words(*TRUE[:3], "[Orientation] [the handle of the largest mug] Vector (0, 1, 0)"),
         1 + 1 + 0.25 * 3 / 4 + 0.25),
        ("So: " + words(*TRUE), 0 + 1 + 0.25 + 0.25),
        ("nothing", 0),
        ("", 0),
    ],
)  # fmt: skip
def test_the_roborefer_set_adds_up(text: str, total: float) -> None:
    assert paid("roborefer", make_turn(text)) == pytest.approx(total)


@pytest.mark.parametrize(
    ("text", "total"),
    [
        (words(*TRUE), 1 + 1 + 0.25 * 4 + 0.25 * 4),
        (words(*TRUE, point=WRONG), 1 + 0 + 0.25 * 4 + 0.25 * 4),
        (words(*TRUE[:2], *FALSE[2:]), 1 + 1 + 0.25 * 4 + 0.25 * 2),
        (words(TRUE[0]), 1 + 1 + 0.25 + 0.25),
        (words(*[TRUE[0]] * 100), 1 + 1 + 0.25 + 0.25),
        (words(), 1 + 1),
    ],
)
def test_the_set_to_the_letter_adds_up(text: str, total: float) -> None:
    assert paid("roborefer_sum", make_turn(text)) == pytest.approx(total)
