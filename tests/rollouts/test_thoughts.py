import math

import numpy as np
import pytest

from refergym.envs.replies import read_steps, stated_points
from refergym.rollouts.thoughts import begin_of, corrupted, thought_of

THOUGHT = (
    "Step 1: [Position] [the red cup]: [(0.449, 0.441)]\n"
    "Step 2: [Size] [the red cup]: 0.12\n"
    "Step 3: [Orientation] [the handle of the cup]: (1.000, 0.000, 0.000)\n"
    "Step 4: [Position] [the plates]: [(0.020, 0.990), (0.500, 0.500)]"
)


def test_stated_points_are_those_of_the_positions_with_their_places():
    points = stated_points(THOUGHT)
    assert [p.value for p in points] == [(0.449, 0.441), (0.02, 0.99), (0.5, 0.5)]
    assert [THOUGHT[p.start : p.end] for p in points] == [
        "0.449, 0.441", "0.020, 0.990", "0.500, 0.500",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "thought",
    ["", "no steps", "[Position] [the cup]: 0.5", "[Position] [the cup]: [(0.1, 0.2)",
     "[Position] [the cup]: (0.1, 0.2, 0.3)", "[Size] [the cup]: 0.1\n(0.1, 0.2)"],
)  # fmt: skip
def test_what_states_no_position_has_no_points(thought):
    assert stated_points(thought) == ()
    assert corrupted(thought, 0.25, np.random.default_rng(0)) == thought


def test_points_are_found_where_steps_are_read_in_other_forms():
    thought = "1. **[position]** [cup]: point (0.1, 0.2)\n[Position] [plate]: [0.3, 0.4]"
    steps = read_steps(thought)
    assert [p.value for p in stated_points(thought)] == [s.value for s in steps]


@pytest.mark.parametrize("shift", [0.1, 0.25, 0.6])
def test_a_corrupted_thought_differs_in_its_positions_alone_each_moved_far_enough(shift):
    farthest = 0.0
    for seed in range(50):
        changed = corrupted(THOUGHT, shift, np.random.default_rng(seed))
        before, after = read_steps(THOUGHT), read_steps(changed)
        assert [(s.perception, s.target, s.is_exact) for s in before] == [
            (s.perception, s.target, s.is_exact) for s in after
        ]
        assert [s.value for s in before[1:3]] == [s.value for s in after[1:3]]
        for old, new in zip(stated_points(THOUGHT), stated_points(changed), strict=True):
            assert math.dist(old.value, new.value) >= shift
            assert all(0 < z < 1 for z in new.value)
            farthest = max(farthest, math.dist(old.value, new.value))
    assert farthest > shift + 0.1, "drawn, not one offset"


def test_a_corrupted_thought_follows_from_the_seed():
    one, same, other = (corrupted(THOUGHT, 0.25, np.random.default_rng(s)) for s in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize("shift", [0, -1, 0.7, math.nan])
def test_a_shift_that_does_not_fit_is_refused(shift):
    with pytest.raises(ValueError, match="shift: expected in"):
        corrupted(THOUGHT, shift, np.random.default_rng(0))


def test_a_begin_keeps_the_white_space_of_an_answer_in_form_and_ends_before_what_it_answers():
    text = "<think>old</think>\n<answer> [(0.1, 0.2)]</answer>\n"
    assert begin_of(text, thought_of(text)) == "<think>old</think>\n<answer>"
    assert begin_of(text, "new") == "<think>new</think>\n<answer>"


@pytest.mark.parametrize("text", ["", "[(0.1, 0.2)]", "<think>a", "<answer>x</answer><think>"])
def test_an_answer_without_the_form_is_begun_in_it(text):
    assert begin_of(text, "new") == "<think>new</think><answer>"


@pytest.mark.parametrize(
    ("text", "thought"),
    [("", ""), ("<think>a</think>b", "a"), ("<think>never ends", ""), ("x" * 200_000, "")],
)
def test_the_thought_of_any_text_can_be_asked_for(text, thought):
    assert thought_of(text) == thought
