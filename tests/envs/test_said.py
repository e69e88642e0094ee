"""Whether a sentence says a program: all that is ever said of it does, nothing said of others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from program_parts import programs

from refergym.envs.errors import TaskError
from refergym.envs.language import Voice, instruct, says
from refergym.envs.programs import Direction, Program, Select, Where

VOICES = [
    Voice(style=style, forms=forms)
    for style in ("any", "specific", "vague")
    for forms in ("training", "held_out")
]
CUP, PLATE = Select(category="cup"), Select(category="plate")
LEFT = Select(category="cup", where=(Where(relation="left", anchors=(PLATE,)),))


@given(
    programs,
    st.sampled_from(VOICES),
    st.sampled_from(["pick", "point"]),
    st.integers(0, 99),
)
def test_whatever_is_said_says_its_program(
    program: Program, voice: Voice, kind: str, seed: int
) -> None:
    try:
        text = instruct(kind, program, np.random.default_rng(seed), voice)
    except TaskError:
        return  # English cannot say it
    assert says(text, kind, program)


@pytest.mark.parametrize(
    ("text", "kind", "program"),
    [
        ("Point at the mug.", "point", CUP),
        ("Pick up the cup.", "point", CUP),
        ("Point at the cup", "point", CUP),
        ("Point at the cups.", "point", CUP),
        ("Point at the cup. Then dance.", "point", CUP),
        ("", "point", CUP),
        ("Point at the cup that is to the right of the plate.", "point", LEFT),
        ("Point at the plate that is to the left of the cup.", "point", LEFT),
        ("Point at the cup.", "point", LEFT),
        ("Point at the cup that is to the left of the plate.", "point", CUP),
        (
            "Point at the place on the table 0.30 m to the left of the middle of the cup.",
            "point",
            Direction(anchor=CUP, side="left", distance=0.2),
        ),
        ("Point at the (cup.", "point", Select(category="(cup")),
    ],
)
def test_other_words_do_not(text: str, kind: str, program: Program) -> None:
    assert not says(text, kind, program)
