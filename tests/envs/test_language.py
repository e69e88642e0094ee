"""How things are said: English that is right, in every voice."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from program_parts import programs

from refergym.envs.errors import TaskError
from refergym.envs.language import (
    CHARSET,
    MAX_LENGTH,
    Speaker,
    Voice,
    instruct,
    name_forms,
    noun_phrase,
    place,
    place_forms,
    voices,
)
from refergym.envs.language.voices import Forms, is_closed
from refergym.envs.language.words import plural
from refergym.envs.programs import (
    AXES,
    Arrange,
    Beside,
    Between,
    Direction,
    Facing,
    Floor,
    Gather,
    Into,
    Missing,
    Move,
    Moves,
    Onto,
    Program,
    Rank,
    Select,
    Turn,
    Where,
    walk,
)
from refergym.envs.types import SIDES

CUP, PLATE, APPLE, MUG = (Select(category=c) for c in ("cup", "plate", "apple", "mug"))
BOWL = Select(category="bowl", colour="red")
VOICES = [
    Voice(style=style, forms=forms)
    for style in ("any", "specific", "vague")
    for forms in ("training", "held_out")
]


def ways(say: Callable[..., str], node: object, voice: Voice = voices.ANY, n: int = 40) -> set[str]:
    """Everything that is said in n tries."""
    return {say(node, Speaker(voice=voice, rng=np.random.default_rng(i))) for i in range(n)}


def told(kind: str, program: Program, voice: Voice = voices.ANY, n: int = 40) -> set[str]:
    """Every instruction of n tries."""
    return {instruct(kind, program, np.random.default_rng(i), voice) for i in range(n)}


def ranked(axis: str, position: int) -> Select:
    anchor = BOWL if axis == "distance" else None
    rank = Rank(axis=axis, position=position, anchor=anchor)  # type: ignore[arg-type]
    return Select(category="cup", colour="red", rank=rank)


TABLES = {
    f"{module.__name__.rpartition('.')[2]}.{name}{key}": forms
    for module in (name_forms, place_forms, voices)
    for name, found in vars(module).items()
    for key, forms in (found.items() if isinstance(found, dict) else [("", found)])
    if isinstance(forms, Forms)
}


def training(forms: Forms) -> tuple[str, ...]:
    return forms.exact + forms.loose


def held(forms: Forms) -> tuple[str, ...]:
    return forms.held + forms.held_loose


@pytest.mark.parametrize("forms", TABLES.values(), ids=TABLES)
def test_everything_has_forms_of_both_sets(forms: Forms) -> None:
    assert forms.exact
    assert forms.held
    both = training(forms) + held(forms)
    assert len(set(both)) == len(both)
    if is_closed(forms.canonical):
        assert any(map(is_closed, training(forms)))
        assert any(map(is_closed, held(forms)))


def test_nearly_everything_can_be_said_in_three_ways() -> None:
    few = [name for name, forms in TABLES.items() if len(training(forms) + held(forms)) < 3]
    assert all("'object'" in name for name in few), few


def test_no_form_is_in_both_sets() -> None:
    def normal(form: str) -> str:
        return " ".join(re.sub(r"[.,;?]", " ", form.lower()).split())

    first = {normal(f) for forms in TABLES.values() for f in training(forms)}
    second = {normal(f) for forms in TABLES.values() for f in held(forms)}
    assert not first & second


def test_no_form_says_two_relations_or_two_orders() -> None:
    for table in (name_forms.CLAUSES, name_forms.RANKS, place_forms.DIRECTION):
        said = [f for forms in table.values() for f in training(forms) + held(forms)]
        assert len(set(said)) == len(said)


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
        (("height", 3), "the red cup that is third tallest"),
    ],
)
def test_a_rank_is_said_in_english(rank: tuple[str, int], phrase: str) -> None:
    assert phrase in ways(noun_phrase, ranked(*rank))


def test_different_ranks_are_never_said_alike() -> None:
    said: dict[str, tuple[str, int]] = {}
    for axis in AXES:
        for position in (1, 2, 3, -1, -2, -3):
            for voice in VOICES:
                for phrase in ways(noun_phrase, ranked(axis, position), voice):
                    assert said.setdefault(phrase, (axis, position)) == (axis, position)


def test_sides_are_never_said_alike() -> None:
    for voice in VOICES:
        phrases = [ways(place, Beside(anchor=CUP, side=s), voice) for s in SIDES]
        assert len(set().union(*phrases)) == sum(map(len, phrases))


def test_floor_is_said_to_be_floor_on_the_right_side() -> None:
    for side, words in (
        ("left", "left"), ("right", "right"), ("behind", "behind|far side|rear|at the back"),
        ("under", "under|beneath"),
    ):  # fmt: skip
        for voice in VOICES:
            for text in told("point", Floor(furniture="desk", side=side), voice):  # type: ignore[arg-type]
                assert "floor" in text
                assert "the desk" in text
                assert re.search(words, text), text


@pytest.mark.parametrize(
    ("kind", "program", "text"),
    [
        ("point", CUP, "Point at the cup."),
        ("pick", BOWL, "Pick up the red bowl."),
        ("point", Between(a=CUP, b=BOWL),
         "Point at the free space between the cup and the red bowl."),
        ("point", Floor(furniture="desk", side="under"), "Point at the free floor under the desk."),
        ("point", Missing(category="knife"),
         "Point at the missing place of the row of knives."),
        ("move", Move(what=CUP, where=Into(anchor=BOWL)), "Put the cup into the red bowl."),
        ("move", Moves(parts=(Move(what=CUP, where=Into(anchor=BOWL)),
                              Move(what=APPLE, where=Beside(anchor=PLATE, side="left")))),
         "Put the cup into the red bowl, then put the apple to the left of the plate."),
        ("move", Gather(what=Select(category="cup", colour="red"), where=Onto(anchor=PLATE)),
         "Put all the red cups onto the plate."),
        ("move", Gather(where=Into(anchor=BOWL), what=Select(
            category="knife", where=(Where(relation="left", anchors=(PLATE,)),))),
         "Put all the knives that are to the left of the plate into the red bowl."),
        ("move", Gather(where=Into(anchor=BOWL), what=Select(colour="red", where=(
            Where(relation="horizontal_rotate", anchors=(MUG,), frame="object", side="handle",
                  value=-30.0),))),
         "Put all the red objects that are turned so that their handles are 30 degrees clockwise"
         " from that of the mug into the red bowl."),
        ("move", Arrange(what=Select(category="strawberry"), axis="front-back"),
         "Arrange all the strawberries in an evenly spaced row from front to back."),
        ("move", Move(what=MUG, where=Onto(anchor=PLATE), facing=Facing(side="handle", to="left")),
         "Put the mug onto the plate, with its handle pointing to the left."),
        ("move", Move(what=MUG, where=Onto(anchor=PLATE),
                      facing=Facing(side="handle", toward=BOWL)),
         "Put the mug onto the plate, with its handle pointing towards the red bowl."),
        ("move", Move(what=MUG, where=Onto(anchor=PLATE),
                      facing=Facing(side="handle", toward=CUP, angle=90.0)),
         "Put the mug onto the plate, with its handle turned by 90 degrees counter-clockwise from"
         " that of the cup."),
        ("point", Turn(anchor=CUP, toward=BOWL, angle=-1.0, distance=0.2),
         "Point at the point 0.20 m from the middle of the cup, 1 degree clockwise of the direction"
         " to the red bowl."),
    ],
)  # fmt: skip
def test_the_canonical_instruction(kind: str, program: Program, text: str) -> None:
    assert instruct(kind, program) == text
    assert instruct(kind, program, voice=Voice(style="vague", forms="held_out")) == text


def split(said: set[str]) -> list[list[str]]:
    """The first two words of each."""
    return [s.split()[:2] for s in said]


@pytest.mark.parametrize("distance", [0.1, 0.17, 0.25, 0.173])
def test_a_distance_is_said_exactly(distance: float) -> None:
    region = Direction(anchor=CUP, side="left", distance=distance)
    for forms, units in (("training", ("m", "cm")), ("held_out", ("metres", "centimetres"))):
        for style in ("any", "specific"):
            said = ways(place, region, Voice(style=style, forms=forms))  # type: ignore[arg-type]
            numbers = {float(n) * (1 if unit == units[0] else 0.01) for n, unit in split(said)}
            assert {unit for _, unit in split(said)} == set(units)
            assert all(n == pytest.approx(distance, abs=1e-12) for n in numbers)


@pytest.mark.parametrize(
    ("distance", "about"),
    [(0.15, "15"), (0.16, "15"), (0.14, "15"), (0.17, "17"), (0.24, "25"), (0.173, "17"),
     (0.01, "1"), (0.04, "5")],
)  # fmt: skip
def test_a_vague_distance_is_at_most_a_centimetre_off(distance: float, about: str) -> None:
    region = Direction(anchor=CUP, side="left", distance=distance)
    for forms in ("training", "held_out"):
        said = ways(place, region, Voice(style="vague", forms=forms))
        assert {m[1] for s in said if (m := re.match(r"\D+ (\d+) cm ", s))} == {about}
        assert all(re.match(r"(about|roughly|around|more or less) ", s) for s in said)


def test_a_vague_distance_below_a_centimetre_is_exact() -> None:
    said = ways(place, Direction(anchor=CUP, side="left", distance=0.004), Voice(style="vague"))
    assert {s.partition(" to ")[0].partition(" left")[0] for s in said} == {"0.004 m", "0.4 cm"}


@pytest.mark.parametrize(("angle", "about"), [(31.0, "30"), (-44.0, "45"), (52.0, "52")])
def test_a_vague_angle_is_at_most_a_degree_off(angle: float, about: str) -> None:
    region = Turn(anchor=CUP, toward=BOWL, angle=angle, distance=0.2)
    for text in ways(place, region, Voice(style="vague")):
        assert re.search(rf"(about|roughly) {about} degrees (counter-)?clockwise", text)
        assert ("counter-" in text) == (angle > 0)


def test_rows_have_the_right_articles_and_plurals() -> None:
    gap = ways(place, Missing(category="apple"), Voice(forms="held_out"))
    assert "in the spot where an apple is missing from the row of apples" in gap
    red = ways(place, Missing(category="box", colour="red"), Voice(forms="held_out"))
    assert "in the spot where a red box is missing from the row of red boxes" in red


@given(programs, st.integers(0, 99))
def test_every_voice_names_everything(program: Program, seed: int) -> None:
    for voice in VOICES:
        try:
            text = instruct("point", program, np.random.default_rng(seed), voice)
        except TaskError as e:
            if f"expected {MAX_LENGTH} at most" not in str(e):
                raise
            continue
        assert text[0].isupper()
        assert text[-1] in ".?"
        assert not re.search(r"  | [.,;?]|\{|None|nan", text)
        assert set(text) <= set(CHARSET)
        assert len(text) <= MAX_LENGTH
        many = [n.what for _, n in walk(program) if isinstance(n, Gather | Arrange)]
        for _, node in walk(program):
            if isinstance(node, Select):
                kind = node.category or "object"
                words = (node.colour, node.material, plural(kind) if node in many else kind)
                assert " ".join(w for w in words if w) in text
            elif isinstance(node, Where | Facing):
                assert node.side in text
            elif isinstance(node, Beside | Direction):
                assert node.facing in text


@pytest.mark.parametrize("voice", VOICES, ids=str)
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
        ("move", Gather(what=CUP, where=Into(anchor=BOWL))),
        ("move", Arrange(what=CUP, axis="left-right")),
    ],
)
def test_every_task_has_several_instructions_in_every_voice(
    kind: str, program: Program, voice: Voice
) -> None:
    assert len(told(kind, program, voice)) >= 2
    assert len(told(kind, program)) >= 3


def test_the_sets_of_a_program_have_no_instruction_in_common() -> None:
    program = Move(what=ranked("size", 2), where=Beside(anchor=BOWL, side="left"))
    for style in ("any", "specific", "vague"):
        one, other = (
            told("move", program, Voice(style=style, forms=forms))
            for forms in ("training", "held_out")
        )
        assert not one & other


def test_vague_words_are_softer() -> None:
    program = Beside(anchor=CUP, side="left")
    vague, exact = (told("point", program, Voice(style=s)) for s in ("vague", "specific"))
    assert all(re.search("somewhere|off to|Could you|Where is|I am looking", t) for t in vague)
    assert not any(re.search("somewhere|Could|Where|looking", t) for t in exact)


def test_one_generator_state_says_one_thing() -> None:
    program = Move(what=CUP, where=Direction(anchor=BOWL, side="left", distance=0.17))
    said = {instruct("move", program, np.random.default_rng(5), VOICES[4]) for _ in range(3)}
    assert len(said) == 1
