"""Colour names are those that people give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refergym.assets.builder import colours
from refergym.assets.library import open_pack

SWATCHES = {
    "red": [(220, 20, 30), (190, 25, 25), (150, 20, 20), (255, 0, 0)],
    "orange": [(255, 140, 0), (240, 130, 30), (230, 120, 20)],
    "yellow": [(255, 230, 30), (228, 185, 30), (250, 240, 100)],
    "green": [(40, 160, 60), (0, 100, 0), (110, 170, 50), (60, 179, 113)],
    "blue": [(30, 60, 200), (30, 144, 255), (0, 0, 128), (70, 130, 180)],
    "purple": [(128, 0, 128), (120, 60, 150), (75, 45, 85)],
    "pink": [(255, 182, 193), (225, 150, 200), (255, 105, 180)],
    "brown": [(120, 70, 30), (101, 67, 33), (139, 69, 19)],
    "white": [(255, 255, 255), (238, 236, 230)],
    "grey": [(128, 128, 128), (169, 169, 169), (85, 85, 85), (135, 148, 163)],
    "black": [(0, 0, 0), (20, 20, 20), (30, 30, 32)],
}


@pytest.mark.parametrize(("name", "rgb"), [(n, c) for n, group in SWATCHES.items() for c in group])
def test_a_swatch_bears_its_name(name: str, rgb: tuple[int, int, int]) -> None:
    assert colours.name_colour(np.array([rgb], np.uint8)) == (name, 1.0)


@pytest.mark.parametrize(
    "rgb",
    [
        (64, 200, 190),
        (230, 75, 5),
        (92, 76, 72),
        (26, 50, 56),
        (150, 130, 110),
        (212, 181, 140),
        (75, 0, 130),
    ],
)
def test_a_colour_between_two_names_has_none(rgb: tuple[int, int, int]) -> None:
    name, _ = colours.name_colour(np.array([rgb], np.uint8))
    assert name is None


def test_half_red_and_half_blue_has_no_name_but_the_share_is_told() -> None:
    rgb = np.array([(220, 20, 30), (30, 60, 200)], np.uint8)
    assert colours.name_colour(rgb) == (None, 0.5)


def test_area_decides_and_not_the_number_of_samples() -> None:
    rgb = np.array([(220, 20, 30), (30, 60, 200), (30, 60, 200)], np.uint8)
    assert colours.name_colour(rgb, np.array([8.0, 1.0, 1.0])) == ("red", 0.8)


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        colours.name_colour(np.empty((0, 3), np.uint8))


def test_lab_of_known_colours() -> None:
    """Source: reference values of CIE L*a*b* under D65 for the sRGB primaries."""
    rgb = np.array([(255, 255, 255), (255, 0, 0), (0, 0, 255), (0, 0, 0)], np.uint8)
    expected = [[100, 0, 0], [53.24, 80.09, 67.20], [32.30, 79.19, -107.86], [0, 0, 0]]
    assert np.abs(colours.lab(rgb) - expected).max() < 0.05


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_the_srgb_curve_and_its_inverse_agree(rgb: tuple[int, int, int]) -> None:
    there = colours.srgb_to_linear(np.array(rgb, np.uint8))
    assert tuple(colours.linear_to_srgb(there).tolist()) == rgb


@pytest.mark.parametrize(
    ("asset", "name"),
    [
        ("apple_000", "orange"),
        ("mug_004_red", "red"),
        ("mug_000_blue", "blue"),
        ("bowl_005_yellow", "yellow"),
        ("plate_001_blue", "blue"),
        ("towel_002", "pink"),
        ("towel_000", "blue"),
        ("wine_glass_000", "purple"),
        ("cup_000", "grey"),
        ("fork_000", "grey"),
        ("bottle_000", "white"),
        ("fork_002", "brown"),
        ("crate_000", "green"),
        ("apple_001", None),
        ("book_000", None),
        ("bottle_001", None),
        ("cup_005", None),
    ],
)
def test_an_asset_has_the_colour_that_its_picture_shows(asset: str, name: str | None) -> None:
    """Named by looking at docs/images/pack.png; None where one could argue."""
    assert open_pack()[asset].colour == name
