"""Scores by hand: what the official script gives, and what it leaves out."""

import numpy as np
import pytest

from refergym.rollouts.errors import DataError
from refergym.rollouts.refspatial import score
from refergym.rollouts.refspatial.scoring import pixels_in, share

MASK = np.zeros((4, 10), bool)
MASK[1:3, 2:6] = True


@pytest.mark.parametrize(
    ("text", "pixels"),
    [
        ("[(0.275, 0.443)]", [(2, 1)]),
        ("[(0.999, 0.999)]", [(9, 3)]),
        ("[(1.0, 0.5)]", [(10, 2)]),
        ("[(0.5, 1)]", [(5, 4)]),
        ("(3, 2)", [(3, 2)]),
        ("Here: (0.1, 0.2) and (0.3,0.9).", [(1, 0), (3, 3)]),
        ("(-0.25, 0.5)", [(-2, 2)]),
        ("(0.1, 0.2, 0.3)", []),
        ("( 0.1, 0.2 )", []),
        ("0.1, 0.2", []),
        ("", []),
        ("(0.2, 0.25, 0.4, 0.75)", [(2, 1), (3, 1), (2, 2), (3, 2)]),
        ("(0.2, 0.25, 0.2, 0.75)", []),
    ],
)
def test_points_are_found_as_the_script_finds_them(
    text: str, pixels: list[tuple[int, int]]
) -> None:
    assert [tuple(p) for p in pixels_in(text, 10, 4).tolist()] == pixels


@pytest.mark.parametrize("text", [None, "(0.5, 0.5, 0.4, 0.9)", "(0.0, 0.0, 9999.0, 9999.0)"])
def test_what_the_script_cannot_score_is_an_error(text: str | None) -> None:
    with pytest.raises(DataError, match="answer"):
        pixels_in(text, 10, 4)


def test_a_point_of_any_size_is_a_miss() -> None:
    assert share(pixels_in(f"({'9' * 400}.0, 0.5)", 10, 4), MASK) == 0.0


def test_a_sample_scores_the_share_of_its_points_in_the_mask() -> None:
    assert share(pixels_in("(0.25, 0.3), (0.25, 0.8), (0.3, 0.5), (1.5, 0.5)", 10, 4), MASK) == 0.5
    assert share(np.empty((0, 2), np.int64), MASK) == 0.0


def test_the_official_number_leaves_out_what_the_strict_one_counts() -> None:
    right, wrong, none = "[(0.25, 0.3)]", "[(0.9, 0.9)]", "I cannot see it."
    found = score([(right, MASK), (wrong, MASK), (none, MASK), (None, MASK)])
    assert found.official == pytest.approx(1 / 3)
    assert found.strict == pytest.approx(1 / 4)
    assert (found.samples, found.unscored) == (4, 1)


def test_no_samples_have_no_score() -> None:
    assert score([]).official is None
    assert score([]).strict is None
    assert score([(None, MASK)]).official is None
    assert score([(None, MASK)]).strict == 0.0
