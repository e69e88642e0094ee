"""What is said is what is meant: canonical words are read back, and no two trees share them."""

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from program_parts import ASKED, FRAMED, plain, programs, trees

from refergym.assets.library import open_pack
from refergym.envs.errors import TaskError
from refergym.envs.grammar import check_program
from refergym.envs.language import (
    CHARSET,
    MAX_LENGTH,
    Speaker,
    Voice,
    instruct,
    noun_phrase,
    parse_instruction,
)
from refergym.envs.language.parse import parse
from refergym.envs.language.words import article, plural, singular
from refergym.envs.programs import (
    Beside,
    Between,
    Direction,
    Edge,
    Gather,
    Into,
    Meets,
    Move,
    Program,
    Rank,
    Select,
    Where,
)
from refergym.envs.relations.table import RELATIONS

CUP, BOWL, PLATE, PAN = (Select(category=c) for c in ("cup", "bowl", "plate", "pan"))


def where(relation: str, *anchors: Select, frame: str = "viewer", side: str = "") -> Where:
    return Where(relation=relation, anchors=anchors, frame=frame, side=side)  # type: ignore[arg-type]


def cup(*clauses: Where, rank: Rank | None = None) -> Select:
    return Select(category="cup", where=clauses, rank=rank)


@given(trees)
def test_the_canonical_phrase_is_read_back(select: Select) -> None:
    phrase = noun_phrase(select)
    assert parse(phrase) == select
    assert set(phrase) <= set(CHARSET)


@given(programs, st.sampled_from(["point", "pick"]))
def test_the_canonical_instruction_is_read_back(program: Program, kind: str) -> None:
    try:
        text = instruct(kind, program)
    except TaskError as e:
        assume(f"expected {MAX_LENGTH} at most" not in str(e))
        raise
    found, read = parse_instruction(text)
    assert read == program
    if isinstance(program, Select):
        assert found == kind
    assert set(text) <= set(CHARSET)
    assert len(text) <= MAX_LENGTH


@given(trees, st.integers(0, 99))
def test_other_ways_name_the_same_things(select: Select, seed: int) -> None:
    for forms in ("training", "held_out"):
        voice = Voice(forms=forms)
        said = noun_phrase(select, Speaker(voice=voice, rng=np.random.default_rng(seed)))
        assert said.startswith("the ")
        assert "  " not in said
        assert "{" not in said
        assert "None" not in said


@pytest.mark.parametrize("relation", [r.name for r in ASKED])
def test_every_relation_is_said_in_several_ways(relation: str) -> None:
    r = RELATIONS[relation]
    frames = [f for f in r.frames if f != "world"]
    for frame in frames if relation in FRAMED else frames[:1]:
        clause = Where(
            relation=relation,
            anchors=(BOWL, PLATE)[: r.anchors],
            frame=frame,
            side="handle" if "side" in r.needs or frame == "object" else "",
            value=0.17 if "value" in r.needs else None,
        )
        select = cup(clause)
        check_program(select)
        rngs = [np.random.default_rng(k) for k in range(40)]
        training = {noun_phrase(select, Speaker(rng=r)) for r in rngs}
        held = {noun_phrase(select, Speaker(rng=r, voice=Voice(forms="held_out"))) for r in rngs}
        assert len(training | held) >= 3
        assert len(training) >= 2
        assert not training & held


LEFT, RIGHT, EDGE = where("left", PAN), where("right", PAN), where("edge")
LATE = where("left", Select(category="bowl", where=(where("behind", PLATE),)))
OWN = where("left", Select(category="mug", where=(EDGE,)), frame="object", side="handle")


def test_the_last_thing_that_is_named_may_have_a_clause() -> None:
    assert noun_phrase(cup(EDGE, LATE)) == (
        "the cup that is near the edge of the table and to the left of the bowl that is behind"
        " the plate"
    )


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (cup(LATE, RIGHT), "only the last thing"),
        (cup(LATE, EDGE), "only the last thing"),
        (cup(LATE, rank=Rank(axis="distance", position=1, anchor=PAN)), "only the last thing"),
        (cup(where("between", cup(LEFT), PAN)), "only the last thing"),
        (cup(where("left", cup(EDGE, LEFT))), "one clause at most"),
        (cup(OWN), "would be taken for one of another noun"),
        (cup(where("angle", PAN, cup(EDGE))), "would be taken for one of another noun"),
        (Between(a=cup(EDGE), b=PAN), "only the last thing"),
        (Meets(parts=(Beside(anchor=cup(EDGE), side="left"), Beside(anchor=PAN, side="left"))),
         "only the last thing"),
        (Beside(anchor=cup(EDGE, RIGHT), side="left"), "taken for a second side of the place"),
        (Beside(anchor=cup(EDGE), side="left", frame="object", facing="handle"),
         "would be taken for one of another noun"),
        (Direction(anchor=PAN, side="left", distance=0.123456), "cannot be said"),
        (cup(Where(relation="distance", anchors=(PAN,), value=-0.2)), "cannot be said"),
        (Select(category="red cup"), None),
        (Select(category="viewer"), "cannot be said clearly"),
        (Select(category="cup that is red"), "cannot be said clearly"),
        (Select(category="caf\u00e9"), "characters of CHARSET"),
        (Gather(what=Select(category="axe"), where=Into(anchor=PAN)), "something else"),
        (Gather(what=Select(category="alias"), where=Into(anchor=PAN)), "something else"),
        (Select(category="cup" * 200), "characters: expected 400 at most"),
    ],
)  # fmt: skip
def test_what_would_be_taken_for_something_else_is_not_said(
    program: Program, message: str | None
) -> None:
    if message is None:
        assert instruct("point", program) == "Point at the red cup."
        return
    with pytest.raises(TaskError, match=message):
        instruct("point", program)
    with pytest.raises(TaskError, match=message):
        instruct("point", program, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("phrase", "message"),
    [
        ("a cup", "expected 'the', got 'a cup'"),
        ("the that", "expected a noun"),
        ("the cup that is yonder the plate", "expected a relation, got 'yonder the plate'"),
        ("the cup that is behind the plate from", "expected the end, got 'from'"),
        ("the cup that is turned", "expected 'so', got ''"),
        ("the cup that is 2 km from the plate", "expected a relation, got '2 km from the'"),
        ("the cup that is behind the pan that is left", "expected 'the'|expected a relation"),
        ("the cup that is behind the pan that is inside the bowl and near the edge of the table",
         "can be read in 2 ways"),
    ],
)  # fmt: skip
def test_what_is_no_phrase_is_refused_where_it_goes_wrong(phrase: str, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        parse(phrase)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected"),
        ("Jump over the cup.", "got 'jump over the cup'"),
        ("Put the cup.", r"expected a place, got '\.'"),
        ("Put the cup onto the viewer.", "expected a noun, got 'viewer"),
        ("Put all the cup into the pan.", "expected a plural, got 'cup into the pan'"),
        ("Put the cup into the pan, with its handle pointing up.", "got 'up"),
    ],
)
def test_what_is_no_instruction_is_refused_where_it_goes_wrong(text: str, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        parse_instruction(text)


@given(plain, plain)
def test_frames_that_make_no_difference_are_read_as_the_viewers(one: Select, other: Select) -> None:
    for frame in ("world", "viewer", "robot"):
        select = Select(category="pan", where=(where("tall", one, frame=frame), LEFT))
        _, read = parse_instruction(instruct("point", Move(what=select, where=Edge(side="left"))))
        assert isinstance(read, Move)
        assert read.what.where == (where("tall", one), LEFT)


@pytest.mark.parametrize(
    ("one", "many"),
    [("cup", "cups"), ("wine glass", "wine glasses"), ("knife", "knives"), ("box", "boxes"),
     ("berry", "berries"), ("tray", "trays"), ("butter knife", "butter knives"),
     ("vase", "vases"), ("potato", "potatoes"), ("bus", "buses"), ("torch", "torches"),
     ("pie", "pies"), ("brush", "brushes"), ("scissors", "scissors")],
)  # fmt: skip
def test_plurals(one: str, many: str) -> None:
    if one != "pie":
        assert singular(many) == one
    assert plural(one) == many


def test_what_is_no_plural_has_no_singular() -> None:
    for word in ("cup", "boxs", "s", "berrys"):
        with pytest.raises(TaskError, match="expected a plural"):
            singular(word)


def test_plurals_are_those_of_the_pack() -> None:
    for asset in open_pack().manifest.assets:
        assert plural(asset.category) == asset.plural
        assert singular(asset.plural) == asset.category


def test_articles() -> None:
    assert article("apple") == "an apple"
    assert article("red apple") == "a red apple"


def ways(select: Select) -> set[str]:
    return {
        noun_phrase(select, Speaker(rng=np.random.default_rng(k), voice=Voice(forms=forms)))
        for k in range(60)
        for forms in ("training", "held_out")
    }


def test_an_order_is_no_clause_where_a_clause_follows() -> None:
    tallest = Rank(axis="height", position=2)
    assert any("that is second" in phrase for phrase in ways(cup(rank=tallest)))
    for select in (cup(LEFT, rank=tallest), cup(where("left", cup(rank=tallest)), EDGE)):
        assert not any("that is second" in phrase for phrase in ways(select))


def test_no_words_follow_a_thing_that_has_a_clause() -> None:
    for relation in ("back", "left"):
        frame, side = ("object", "handle") if relation == "back" else ("robot", "")
        deep = cup(where(relation, cup(EDGE), frame=frame, side=side))
        assert len(ways(deep)) > 3
        assert all(re.search("edge( of the table)?$", phrase) for phrase in ways(deep))
        plain_ways = ways(cup(where(relation, CUP, frame=frame, side=side)))
        assert any(not phrase.endswith("the cup") for phrase in plain_ways)
