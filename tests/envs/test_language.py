import numpy as np
import pytest

from refergym.envs.language import CHARSET, MAX_LENGTH, chooser, instruct, noun_phrase, place
from refergym.envs.programs import (
    AXES,
    Beside,
    Between,
    Direction,
    Floor,
    Into,
    Move,
    Onto,
    Rank,
    Select,
)
from refergym.envs.types import SIDES

CUP = Select(category="cup")
BOWL = Select(category="bowl", colour="red")


def ways(say, *args, n=40):
    """Everything that is said in n tries."""
    made = [np.random.default_rng(i) for i in range(n)]
    return {say(*args, r if say is instruct else chooser(r)) for r in made}


def ranked(axis, position):
    anchor = BOWL if axis == "distance" else None
    rank = Rank(axis=axis, position=position, anchor=anchor)
    return Select(category="cup", colour="red", rank=rank)


@pytest.mark.parametrize(
    ("rank", "phrase"),
    [
        (("left-right", 1), "the leftmost red cup"),
        (("left-right", 2), "the second red cup from the left"),
        (("left-right", -3), "the third red cup from the right"),
        (("front-back", 1), "the closest red cup"),
        (("front-back", -2), "the second farthest red cup"),
        (("size", 1), "the largest red cup"),
        (("size", -2), "the second smallest red cup"),
    ],
)
def test_a_rank_is_said_in_english(rank, phrase):
    assert phrase in ways(noun_phrase, ranked(*rank))


def test_different_ranks_are_never_said_alike():
    said = {}
    for axis in AXES:
        for position in (1, 2, 3, -1, -2, -3):
            for phrase in ways(noun_phrase, ranked(axis, position)):
                assert said.setdefault(phrase, (axis, position)) == (axis, position)


def test_sides_are_never_said_alike():
    phrases = [ways(place, Beside(anchor=CUP, side=s)) for s in SIDES]
    assert len(set().union(*phrases)) == sum(map(len, phrases))


def test_floor_is_said_to_be_floor_on_the_right_side():
    for side, words in (("left", "to the left of"), ("behind", "behind")):
        for text in ways(instruct, "point", Floor(furniture="desk", side=side)):
            assert "floor" in text
            assert text.endswith(f" {words} the desk.")


@pytest.mark.parametrize("distance", [0.1, 0.17, 0.25])
def test_a_distance_is_said_exactly(distance):
    region = Direction(anchor=CUP, side="left", distance=distance)
    assert ways(place, region) == {
        f"{round(distance * 100)} cm to the left of the middle of the cup",
        f"{distance:.2f} m to the left of the middle of the cup",
    }


@pytest.mark.parametrize(
    ("kind", "program"),
    [
        ("point", CUP),
        ("pick", BOWL),
        ("point", Between(a=CUP, b=BOWL)),
        ("point", Direction(anchor=CUP, side="behind", distance=0.2)),
        ("point", Floor(furniture="dining table", side="front")),
        ("move", Move(what=CUP, where=Into(anchor=BOWL))),
        ("move", Move(what=CUP, where=Onto(anchor=BOWL))),
        ("move", Move(what=CUP, where=Beside(anchor=BOWL, side="front"))),
    ],
)
def test_every_task_has_several_well_formed_instructions(kind, program):
    said = ways(instruct, kind, program)
    assert len(said) >= 3
    for text in said:
        assert text[0].isupper()
        assert text.endswith(".")
        assert "  " not in text
        assert "None" not in text
        assert set(text) <= set(CHARSET)
        assert len(text) <= MAX_LENGTH
