"""A policy's words, taken apart: the strict form, the lenient reading, and hostile texts."""

import math
import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refergym.envs.errors import AnswerError
from refergym.envs.key_steps import KeyStep, Perception
from refergym.envs.replies import (
    LONGEST,
    LONGEST_TARGET,
    MOST_STEPS,
    ReasoningStep,
    Reply,
    check_form,
    is_in_form,
    read_reply,
    read_steps,
    tags,
)

PERFECT = "<think>Step 1: [Size] [the cup]: 0.12</think><answer>[(0.510, 0.255)]</answer>"
CUP = "[Position] [the cup]: [(0.245, 0.147)]"


def the_step(text: str) -> ReasoningStep:
    (step,) = read_steps(text)
    return step


def test_tags_are_found_in_their_order_whatever_their_case_and_spaces() -> None:
    found = tags("a <THINK>b</ think >c< answer>")
    assert [t.name for t in found] == ["<think>", "</think>", "<answer>"]
    assert [t.is_exact for t in found] == [False, False, False]
    assert [t.is_exact for t in tags(PERFECT)] == [True] * 4
    assert [PERFECT[t.start : t.end] for t in tags(PERFECT)] == [t.name for t in tags(PERFECT)]


@pytest.mark.parametrize(
    "text", ["<thinking>", "<answers>", "think", "<an\u017fwer>", "<th\u0131nk>", "<>"]
)
def test_what_only_looks_like_a_tag_is_none(text: str) -> None:
    assert tags(text) == []


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        (PERFECT, "Step 1: [Size] [the cup]: 0.12", "[(0.510, 0.255)]"),
        ("<think></think><answer></answer>", "", ""),
        ("\n <think>a\nb</think>\n\n<answer> c </answer>\n", "a\nb", " c "),
    ],
)
def test_the_form_is_one_think_block_and_then_one_answer_block(
    text: str, thought: str, answer: str
) -> None:
    assert is_in_form(text)
    reply = check_form(text)
    assert (reply.thought, reply.answer) == (thought, answer)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no tags"),
        ("[(0.5, 0.5)]", "no tags"),
        ("<think>a</think>", "got '<think> </think>'"),
        ("<answer>b</answer>", "got '<answer> </answer>'"),
        ("<answer>b</answer><think>a</think>", "got '<answer>"),
        ("<think>a</think><answer>b", "got '<think> </think> <answer>'"),
        ("<think>a<answer>b</answer></think>", "got '<think> <answer>"),
        ("<think><think>a</think></think><answer>b</answer>", "got '<think> <think>"),
        ("<think>a</think><answer>b</answer><answer>c</answer>", "got '<think>"),
        ("<think>a</think><think>a</think><answer>b</answer>", "got '<think> </think> <think>"),
        ("<think>a <answer></think><answer>b</answer>", "got '<think> <answer>"),
        ("<Think>a</Think><Answer>b</Answer>", "got '<Think> </Think>"),
        ("<think >a</think><answer>b</answer>", "got '<think >"),
        ("So: <think>a</think><answer>b</answer>", "got 'So:'"),
        ("<think>a</think> hence <answer>b</answer>", "got 'hence'"),
        ("<think>a</think><answer>b</answer>.", "got '.'"),
    ],
)
def test_anything_else_is_not_in_the_form_and_says_why(text: str, told: str) -> None:
    assert not is_in_form(text)
    with pytest.raises(AnswerError) as caught:
        check_form(text)
    assert caught.value.kind == "form"
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        (PERFECT, "Step 1: [Size] [the cup]: 0.12", "[(0.510, 0.255)]"),
        ("(0.5, 0.5)", "", "(0.5, 0.5)"),
        ("<THINK>a</THINK>\n<ANSWER>b</ANSWER>", "a", "b"),
        ("Sure! <think>a</think><answer>b</answer> Done.", "a", "b"),
        ("a</think><answer>b</answer>", "a", "b"),  # the first tag stood in the prompt
        ("<think>a</think> b", "a", "b"),
        ("<answer>b</answer>", "", "b"),
        ("<answer>b", "", "b"),
        ("b</answer>", "", "b"),
        ("<think>a</think><answer>[(0.5, 0.", "a", "[(0.5, 0."),
        ("<think>a</think><answer>", "a", ""),
        ("<think>a</think><answer>b</answer><answer>c</answer>", "a", "c"),
        ("<think>a</think><answer>b</answer><think>d</think><answer>c</answer>", "a", "c"),
        ("<think>a <answer>x</answer> e</think><answer>b</answer>", "a ", "b"),
        ("<think>a <answer>b</answer>", "a ", "b"),
        ("<think><think>a</think></think><answer>b</answer>", "<think>a", "b"),
        ("</think><answer>b</answer><think>a", "", "b"),
    ],
)  # fmt: skip
def test_what_models_really_write_is_taken_apart(text: str, thought: str, answer: str) -> None:
    reply = read_reply(text)
    assert (reply.thought, reply.answer) == (thought, answer)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        ("<think>a", "no_answer"),
        ("<think>Step 1: [Position] [the c", "no_answer"),
        ("a" * (LONGEST + 1), "too_long"),
    ],
)
def test_without_an_answer_the_reason_is_named(text: str, kind: str) -> None:
    with pytest.raises(AnswerError) as caught:
        read_reply(text)
    assert caught.value.kind == kind


def test_the_longest_text_is_read_and_no_longer_one() -> None:
    assert read_reply(PERFECT.ljust(LONGEST)).answer == "[(0.510, 0.255)]"
    assert check_form(PERFECT.ljust(LONGEST)).answer == "[(0.510, 0.255)]"
    assert not is_in_form(PERFECT.ljust(LONGEST + 1))


POINT, VECTOR = (0.245, 0.147), (1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "perception", "value", "is_exact"),
    [
        # to the letter
        (CUP, "Position", POINT, True),
        ("[Orientation] [the cup]: (1.000, 0.000, 0.000)", "Orientation", VECTOR, True),
        ("[Orientation] [the cup]: (-0.600, 0.800, -0.000)", "Orientation", (-0.6, 0.8, 0.0), True),
        ("[Size] [the cup]: 0.12", "Size", (0.12,), True),
        ("[Position] [the cup]: [(0.1, 0.2), (0.3, 0.4)]", "Position", (0.1, 0.2, 0.3, 0.4), True),
        # with a beginning
        (f"Step 3: {CUP}", "Position", POINT, True),
        (f"Step 12. {CUP}", "Position", POINT, True),
        (f"step 3 - {CUP}", "Position", POINT, True),
        (f"3. {CUP}", "Position", POINT, True),
        (f"  3) {CUP}", "Position", POINT, True),
        (f"- {CUP}", "Position", POINT, True),
        (f"First I look for it. {CUP}", "Position", POINT, True),
        # seen in the wild
        ("[Position] [the cup] point (0.245, 0.147)", "Position", POINT, False),
        ("[Position] [the cup]: point (0.245, 0.147)", "Position", POINT, False),
        ("[Position] [the cup]: (0.245, 0.147)", "Position", POINT, False),
        ("[Position] [the cup] is at the point (0.245, 0.147).", "Position", POINT, False),
        ("[Position] [the cup]: [0.245, 0.147]", "Position", POINT, False),
        ("[ Position ] [ the  cup ] : [ ( 0.245,0.147 ) ]", "Position", POINT, False),
        ("[position] [the cup]: [(0.245, 0.147)]", "Position", POINT, False),
        ("[POSITION][the cup]: [(.245, .147)]", "Position", POINT, False),
        ("[Orientation] [the cup]: Vector (1.000, 0.000, 0.000)", "Orientation", VECTOR, False),
        ("[Orientation] [the cup] Vector (1, 0, 0)", "Orientation", VECTOR, False),
        ("[Orientation] [the cup]: unit vector [1.0, 0, 0]", "Orientation", VECTOR, False),
        ("[Orientation] [the cup]: [(1.0, 0.0, 0.0)]", "Orientation", VECTOR, False),
        ("[Size] [the cup] is about 0.12 metres", "Size", (0.12,), False),
        ("[Size] [the cup]: 0.12 m", "Size", (0.12,), False),
        ("[Size] [the cup]: 12cm", "Size", (0.12,), False),
        ("[Size] [the cup]: 12.0 centimeters tall", "Size", (0.12,), False),
        ("[Size] [the cup]: 120 mm", "Size", (0.12,), False),
        ("[Size] [the cup]: 120 Millimetres", "Size", (0.12,), False),
        ("[Size] [the cup]: ~0.12", "Size", (0.12,), False),
        ("[Size] [the cup]: 1.2e-1", "Size", (0.12,), False),
        ("[Size] [the cup]: 0.12, so it is tall", "Size", (0.12,), True),
        # bold
        (f"**{CUP}**", "Position", POINT, True),
        ("**[Position]** **[the cup]**: [(0.245, 0.147)]", "Position", POINT, False),
        ("**[Position] [the cup]**: [(0.245, 0.147)]", "Position", POINT, False),
        ("3. **[Position] [the cup]:** [(0.245, 0.147)]", "Position", POINT, False),
        ("[Size] [the cup]: **0.12 m**", "Size", (0.12,), False),
    ],
)  # fmt: skip
def test_a_step_is_read_in_every_form_that_models_give_it(
    text: str, perception: Perception, value: tuple[float, ...], is_exact: bool
) -> None:
    step = the_step(text)
    assert (step.perception, step.target, step.is_exact) == (perception, "the cup", is_exact)
    assert step.value == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        "[Position] [the cup]: [(nan, 0.1)]",
        "[Position] [the cup]: [(inf, 0.1)]",
        "[Position] [the cup]: [(1e999, 0.1)]",
        "[Position] [the cup]: [(0.\u0663, 0.1)]",
        "[Position] [the cup]: [(\uff11, 0.1)]",
        f"[Position] [the cup]: [({'9' * 400}, 0.1)]",
        "[Position] [the cup]: [(0.1, 0.2, 0.3)]",
        "[Position] [the cup]: [(0.1)]",
        "[Position] [the cup]: [(0.1, 0.2), (0.3)]",
        "[Position] [the cup]: [(0.1, 0.2)",
        "[Position] [the cup]: [(0.1, 0.",
        "[Position] [the cup]: []",
        "[Position] [the cup]: on the left",
        "[Position] [the cup]",
        "[Position] [the cup]: __import__('os')",
        "[Orientation] [the cup]: (1.0, 0.0)",
        "[Orientation] [the cup]: (nan, 0.0, 0.0)",
        "[Orientation] [the cup]: [(1.0, 0.0, 0.0), (1.0, 0.0, 0.0)]",
        "[Size] [the cup]: nan",
        "[Size] [the cup]: 1e999",
        "[Size] [the cup]: 0,12 m",
        "[Size] [the cup]: 0.1.2",
        "[Size] [the cup]: \u0661",
        f"[Size] [the cup]: {'9' * 400}",
        "[Size] [the cup]: tall",
    ],
)
def test_a_value_that_is_none_leaves_a_step_without_a_value(text: str) -> None:
    step = the_step(text)
    assert (step.target, step.value, step.is_exact) == ("the cup", None, False)


@pytest.mark.parametrize(
    "text",
    [
        "[Position] [the cup]: [(1.001, 0.147)]",
        "[Orientation] [the cup]: (0.900, 0.000, 0.000)",
        "[Orientation] [the cup]: (1.000, 1.000, 1.000)",
        "[Size] [the cup]: 0.00",
        "[Size] [the cup]: 0.12e5",
        "[Size] [the cup]: 12.0 cm",
    ],
)
def test_a_value_that_cannot_be_one_is_read_but_has_not_the_form(text: str) -> None:
    step = the_step(text)
    assert step.value is not None
    assert not step.is_exact


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[Colour] [the cup]: red",
        "[Position]",
        "[Position] []: [(0.1, 0.2)]",
        "[Position] [the [red] cup]: [(0.1, 0.2)]",
        "[Position] [the\ncup]: [(0.1, 0.2)]",
        "Position of the cup: (0.1, 0.2)",
        "[S\u0131ze] [the cup]: 0.12",
        "[Po\u017fition] [the cup]: [(0.1, 0.2)]",
        f"[Size] [{'a' * (LONGEST_TARGET + 1)}]: 0.12",
        "It is 0.12 m high.",
    ],
)
def test_what_has_no_type_or_no_target_is_no_step(text: str) -> None:
    assert read_steps(text) == ()


def test_steps_come_in_the_order_of_the_text_with_numbered_lines_that_say_nothing() -> None:
    found = read_steps(f"1. Look.\n2. {CUP}\nStep 3: I see it\nStep 4: [Size] [it]: 0.2\n0.5 m\n")
    assert [s.perception for s in found] == [None, "Position", None, "Size"]
    assert [s.target for s in found] == ["", "the cup", "", "it"]


def test_all_steps_on_one_line_are_read() -> None:
    found = read_steps(f"Step 1: {CUP} Step 2: [Size] [it]: 0.12 Step 3: [Size] [that]: 0.2")
    assert [s.target for s in found] == ["the cup", "it", "that"]
    assert all(s.is_exact for s in found)


def test_the_number_of_the_next_line_is_no_size() -> None:
    cup, mug = read_steps("1. [Size] [the cup]:\n2. [Size] [the mug]: 0.1")
    assert (cup.value, mug.value) == (None, (0.1,))


def test_steps_are_read_up_to_a_number_of_them() -> None:
    assert len(read_steps((CUP + "\n") * (MOST_STEPS + 1))) == MOST_STEPS
    assert len(read_steps("1. a\n" * (MOST_STEPS + 1))) == MOST_STEPS


WORDS = st.text("abcdefgh-'0123456789.,() ", min_size=1, max_size=60).map(
    lambda t: " ".join(t.split()) or "cup"
)
SHARE = st.integers(0, 1000).map(lambda k: k / 1000)


def unit_vector(angles: tuple[float, float]) -> tuple[float, ...]:
    a, b = angles
    vector = math.cos(a) * math.cos(b), math.sin(a) * math.cos(b), math.sin(b)
    return tuple(round(v, 3) + 0.0 for v in vector)


POSITIONS = st.lists(st.tuples(SHARE, SHARE), min_size=1, max_size=5).map(
    lambda points: KeyStep(perception="Position", target="-", value=sum(points, ()))
)
ORIENTATIONS = st.tuples(st.floats(-math.pi, math.pi), st.floats(-1.57, 1.57)).map(
    lambda angles: KeyStep(perception="Orientation", target="-", value=unit_vector(angles))
)
SIZES = st.one_of(
    st.integers(1, 99).map(lambda k: k / 1000), st.integers(10, 999).map(lambda k: k / 100)
).map(lambda v: KeyStep(perception="Size", target="-", value=(v,)))
KEY_STEPS = st.tuples(POSITIONS | ORIENTATIONS | SIZES, WORDS).map(
    lambda kw: KeyStep(perception=kw[0].perception, target=kw[1], value=kw[0].value)
)
HEADS = st.sampled_from(["", "Step {}: ", "{}. ", "{}) ", "- ", "Step {} "])


@settings(max_examples=300, deadline=None)
@given(st.lists(KEY_STEPS, max_size=8), HEADS, st.sampled_from(["\n", "\n\n"]))
def test_what_key_steps_write_is_read_back_exactly(
    steps: list[KeyStep], head: str, between: str
) -> None:
    thought = between.join(head.format(k) + s.text for k, s in enumerate(steps, 1))
    text = f"<think>{thought}</think><answer>[(0.500, 0.500)]</answer>"
    assert check_form(text) == read_reply(text)
    read = read_steps(read_reply(text).thought)
    assert [(s.perception, s.target, s.value) for s in read] == [
        (s.perception, s.target, s.value) for s in steps
    ]
    assert all(s.is_exact for s in read)


@given(st.floats(0.02, 3.0))
def test_a_size_is_written_well_within_what_it_may_be_off(size: float) -> None:
    written = the_step(KeyStep(perception="Size", target="the cup", value=(size,)).text)
    assert written.value is not None
    assert abs(written.value[0] - size) < 0.06 * size


PIECES = [
    "<think>", "</think>", "<answer>", "</answer>", "<", ">", "</", "[Position]", "[Size]", "[",
    "]", "[Orientation] [", "(", ")", "[(", "0.5, ", "1", ".", "e", "-", ",", ":", " ", "\n", "\t",
    "**", "Step 1", "Step", "3. ", "point ", "nan", "inf", "1e999", "\u0663", "\u0131", "\u017f",
    "\u00e9", "\U0001f600", "\ud800", "\x00", "\ufeff", "\u2028", " m", " cm", "9" * 20,
    "[S\u0131ze] [a]: 1", "<an\u017fwer>", CUP,
]  # fmt: skip


def outcome(text: str) -> None:
    """Read a text in all ways; raises whatever is not an AnswerError."""
    for tag in tags(text):
        assert tag.name in ("<think>", "</think>", "<answer>", "</answer>")
    for read in (check_form, read_reply):
        told = refusal(read, text)
        assert "\n" not in told
        assert len(told) < 200
    steps = read_steps(text)
    assert len(steps) <= MOST_STEPS
    for step in steps:
        assert step.value is None or all(map(math.isfinite, step.value))
        assert step.value is not None or not step.is_exact


def refusal(read: Callable[[str], Reply], text: str) -> str:
    try:
        read(text)
    except AnswerError as e:
        return str(e)
    return ""


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=40).map("".join))
def test_any_text_gives_a_reply_or_an_answer_error(text: str) -> None:
    outcome(text)


def test_any_text_of_a_hundred_thousand_characters_does_too() -> None:
    rng = random.Random(0)
    for _ in range(20):
        some = rng.sample(PIECES, 6)
        outcome("".join(rng.choices(some, k=LONGEST))[:LONGEST])


def seconds(text: str, rounds: int) -> float:
    times = []
    for _ in range(rounds):
        begin = time.process_time()
        outcome(text)
        times.append(time.process_time() - begin)
    return min(times)


REPEATED = [
    *PIECES, "<think", "< ", "<         ", "[Position] [a", "[Position] [" + "a" * 300, "1. ",
    "\n1. ", "\n1.\n", "\n        ", "\n* * * ", "Step 1\n", "[Position] [a]: [", "(0.1, 0.2), ",
    "[Position] [a]: [(0.1, 0.2), ", "[ ", "* ", "**[", "[Size] [a]: ", "[Size] [a]: 1", "a", "9",
    "[position] [a] ", "[Size] [a] : : ", "point ",
]  # fmt: skip
BEGINNINGS = ["", "[Position] [a]: ["]
FURTHER = ["<think>", "[Position] [", "[Size] [a]: ", "Step "]
"""beginnings, for the slow tests"""


@pytest.mark.parametrize(
    "beginning", [*BEGINNINGS, *(pytest.param(b, marks=pytest.mark.slow) for b in FURTHER)]
)
def test_reading_takes_linear_time(beginning: str) -> None:
    for unit in REPEATED:
        text = (beginning + unit * LONGEST)[:LONGEST]
        if seconds(text, rounds=1) < 0.02:
            continue  # too little to tell apart, and little enough
        # ten times is linear, a hundred quadratic
        assert seconds(text, rounds=3) < 40 * seconds(text[: LONGEST // 10], rounds=3), unit
