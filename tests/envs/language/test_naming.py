"""Free phrases: other words for the same match, and nothing else does."""

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from program_parts import programs, trees

from refergym.envs.errors import TaskError
from refergym.envs.language import Speaker, Voice, floor, noun_phrase, spot
from refergym.envs.language.naming import LONGEST, Nameable, names, names_side, normalised
from refergym.envs.language.naming.tokens import tokens
from refergym.envs.programs import (
    Arrange,
    Beside,
    Floor,
    Gather,
    Meets,
    Program,
    Rank,
    Region,
    Select,
    Where,
    walk,
)

ROWS = [json.loads(r) for r in Path(__file__).with_name("names.jsonl").read_text().splitlines()]
"""by hand: a program, maybe that all are meant or which side of it, what means it, what does not"""
VOICES = [
    Voice(forms=forms, style=style)
    for forms in ("training", "held_out")
    for style in ("specific", "vague")
]
CUP, PLATE = Select(category="cup"), Select(category="plate")


def is_named(row: dict[str, Any], phrase: str) -> bool:
    node: Any = msgspec.convert(row["program"], Program)
    if "side" in row:
        return names_side(phrase, node, row["side"])
    return names(phrase, node, is_set=row.get("is_set", False))


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r["means"][0])
def test_other_words_for_the_same_match_and_nothing_else_does(row: dict[str, Any]) -> None:
    assert [p for p in row["means"] if not is_named(row, p)] == []
    assert [p for p in row["others"] if is_named(row, p)] == []


def said(node: Nameable, speaker: Speaker, is_set: bool) -> str:
    if isinstance(node, Select):
        return noun_phrase(node, speaker, is_set=is_set)
    return floor(node, speaker) if isinstance(node, Floor) else spot(node, speaker)


@given(programs, st.integers(0, 99))
@settings(derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_said_in_any_voice_names_its_node_and_no_other(program: Program, seed: int) -> None:
    all_of = isinstance(program, Gather | Arrange)
    nodes = {(n, all_of and path == "what") for path, n in walk(program)
             if isinstance(n, Select | Region | Floor)}  # fmt: skip
    for node, is_set in nodes:
        speakers = [Speaker(voice=v, rng=np.random.default_rng(seed)) for v in VOICES]
        for speaker in (Speaker(), *speakers):
            phrase = _said_or_nothing(node, speaker, is_set)
            if len(phrase) > LONGEST:
                continue
            for other, others in nodes:
                if (other, others) == (node, is_set):
                    assert names(phrase, node, is_set=is_set) or not phrase, phrase
                elif not isinstance(node, Meets):  # of the same place twice
                    assert not names(phrase, other, is_set=others), (phrase, other)


def _said_or_nothing(node: Nameable, speaker: Speaker, is_set: bool) -> str:
    try:
        return said(node, speaker, is_set)
    except TaskError:
        return ""


@given(st.text(max_size=LONGEST + 50), trees)
@settings(deadline=None)
def test_any_text_is_read_and_names_nothing(text: str, node: Select) -> None:
    assert not names(f"§ {text}", node)
    assert not names_side(text, node, "handle")
    assert normalised(normalised(text)) == normalised(text) or not text.isascii()


LONG = Select(
    category="cup",
    colour="red",
    material="glass",
    where=(
        Where(relation="left", anchors=(PLATE,)),
        Where(relation="between", anchors=(CUP, Select(category="cup", colour="red"))),
    ),
    rank=Rank(axis="distance", position=2, anchor=CUP),
)


@pytest.mark.parametrize(
    "words",
    ["cup ", "red cup of ", "left of cup ", "second cup nearest ", "between cup and ", "of the ",
     "red glass cup second left of the plate nearest to the cup between the cup and "],
)  # fmt: skip
def test_what_is_repeated_takes_no_time(words: str) -> None:
    text = (words * LONGEST)[:LONGEST]
    names(text, LONG)
    start = time.thread_time()
    names(text, LONG)
    names_side(text, LONG, "handle")
    assert time.thread_time() - start < 0.3


def test_what_is_too_long_names_nothing() -> None:
    assert names("cup" + " " * (LONGEST - 3), CUP)
    assert not names("cup" + " " * (LONGEST - 2), CUP)


def test_what_is_too_far_to_be_said_is_not_named() -> None:
    far = Select(category="cup", where=(Where(relation="distance", anchors=(PLATE,), value=1e9),))
    assert not names("cup about 5 cm from the plate", far)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The 2nd-biggest mug!", ("second", "largest", "mug")),
        ("the left-most “can”", ("leftmost", "can")),
        ("the vase\u2019s neck that's 20cm off", ("vase", "'s", "neck", "20", "cm", "off")),
        ("apples that aren't there", ("apples", "not", "there")),
        ("forty-five degrees anti-clockwise", ("45", "degrees", "counterclockwise")),
        ("the row of cups' gap", ("row", "of", "cups", "'s", "gap")),
    ],
)
def test_words_have_one_form(text: str, words: tuple[str, ...]) -> None:
    assert tokens(text) == words


def test_a_side_of_an_anchor_is_not_its_owner_s() -> None:
    mug = Select(category="mug", where=(Where(relation="left", anchors=(PLATE,)),))
    assert names_side("the handle of the mug left of the plate", mug, "handle")
    assert names_side("the mug's handle (the one left of the plate)", mug, "handle")
    assert not names_side("the mug left of the plate's handle", mug, "handle")


def test_a_place_of_the_robot_is_not_the_viewer_s() -> None:
    ours, its = (Beside(anchor=CUP, side="left", frame=f) for f in ("viewer", "robot"))
    assert names("space left of the cup", ours)
    assert not names("space left of the cup", its)
    assert names("space left of the cup as the robot sees it", its)
    assert not names("space left of the cup as the robot sees it", ours)
