"""What is asked in a task's picture, and that the rounded answer is right."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refergym.envs import programs
from refergym.envs.programs import Select, Where
from refergym.rollouts.refspatial.questions import PLACES, answer_point, question_type

CUP, BOWL = Select(category="cup"), Select(category="bowl")


@given(
    st.integers(4, 960), st.integers(4, 960), st.floats(0, 1, exclude_max=True),
    st.floats(0, 1, exclude_max=True),
)  # fmt: skip
def test_a_pixel_of_pictures_up_to_960_px_survives_the_rounding(
    width: int, height: int, u: float, v: float
) -> None:
    x, y = int(u * width), int(v * height)
    mask = np.zeros((height, width), bool)
    mask[y, x] = True
    point = answer_point(((x + 0.5) / width, (y + 0.5) / height), mask)
    assert point is not None
    assert point == (float(f"{point[0]:.3f}"), float(f"{point[1]:.3f}"))
    assert mask[int(point[1] * height), int(point[0] * width)]


def test_the_nearest_point_that_is_right_is_taken() -> None:
    mask = np.zeros((1000, 2000), bool)
    mask[500, 1003:1010] = True
    # 0.501 shows column 1002, which is wrong; 0.502 shows 1004
    assert answer_point((0.50125, 0.5), mask) == (0.502, 0.5)
    mask[500, 1002] = True
    assert answer_point((0.50125, 0.5), mask) == (0.501, 0.5)
    assert answer_point((0.9, 0.5), mask) is None


def test_points_at_the_rim_stay_in_the_picture() -> None:
    mask = np.ones((100, 100), bool)
    assert answer_point((0.9999, 0.9999), mask) == (0.999, 0.999)
    assert answer_point((0.0001, -0.0001), mask) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (CUP, "Identifying key object features"),
        (Select(category="cup", rank=programs.Rank(axis="height", position=1)), "key object feat"),
        (
            Select(category="cup", rank=programs.Rank(axis="distance", position=1, anchor=BOWL)),
            "Identifying object distances",
        ),
        (
            Select(category="cup", where=(Where(relation="distance", anchors=(BOWL,), value=0.1),)),
            "Identifying object distances",
        ),
        (Select(category="cup", where=(Where(relation="edge"),)), "along the edges of a tabletop"),
        (programs.Direction(anchor=CUP, side="left", distance=0.1), "orientation and distance"),
        (programs.Between(a=CUP, b=BOWL), "between two reference objects"),
        (programs.Edge(side="left"), "desktop edges"),
        (programs.Missing(category="cup"), "equidistant arrangement"),
        (programs.Onto(anchor=CUP), "top of an object"),
        (programs.Floor(furniture="table", side="left"), "free floor"),
    ],
)
def test_questions_are_sorted_as_the_release_sorts_its_own(
    program: programs.Node, words: str
) -> None:
    assert words in question_type(program)


def test_every_place_has_a_type() -> None:
    assert set(PLACES) == {*get_args(programs.Region), programs.Floor}
