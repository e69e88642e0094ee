"""The point reward of Embodied-R1, worked out by hand."""

import pytest
from turn_parts import KEYS, make_turn, paid, words

from refergym.envs.rewards import PointDistance, PointFormat


@pytest.mark.parametrize(
    ("off", "value"),
    [
        ((0, 0), 1), ((9.9, 0), 1), ((10, 0), 1), ((20, 0), 0.75), ((0, 30), 0.5), ((-18, 24), 0.5),
        ((40, 0), 0.25), ((49.9, 0), 0.0025), ((50, 0), 0), ((300, 0), 0),
    ],
)  # fmt: skip
def test_the_distance_falls_from_ten_pixels_to_fifty(
    off: tuple[float, float], value: float
) -> None:
    point = 0.5 + off[0] / 640, 0.5 + off[1] / 480
    term = PointDistance()(make_turn(point=point, size=(640, 480)))
    assert term == pytest.approx(value, abs=1e-9)


def test_its_limits_are_keys() -> None:
    turn = make_turn(point=(0.5 + 20 / 640, 0.5), size=(640, 480))
    assert PointDistance(full_px=20, none_px=30)(turn) == pytest.approx(1)
    assert PointDistance(full_px=0, none_px=40)(turn) == pytest.approx(0.5)


def test_without_a_point_or_a_right_one_there_is_no_distance() -> None:
    assert PointDistance()(make_turn()) == 0
    assert PointDistance()(make_turn(point=(0.5, 0.5), true=None)) == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<think></think><answer>[(0.1, 0.1)]</answer>", 1), ("(0.1, 0.1)", 1), ("", 0),
        ("nothing", 0), ("(0.1, nan)", 0), ("(1.1, 0.1)", 0), ("<think>(0.1, 0.1)", 0),
    ],
)  # fmt: skip
def test_a_point_that_can_be_read_has_the_form(text: str, value: float) -> None:
    assert PointFormat()(make_turn(text)) == value


def test_a_policy_that_only_points_has_the_form() -> None:
    assert PointFormat()(make_turn(point=(0.1, 0.1))) == 1


@pytest.mark.parametrize(
    ("text", "total"),
    [
        (words(), 0.1 + 0.1 + 0.8),
        (words(*(k.text for k in KEYS), point=(0.525, 0.5)), 0.1 + 0.1 + 0.8 * 26 / 40),  # 24 px
        ("[(0.5, 0.5)]", 0.1 + 0.8),
        (words(point=(0.9, 0.9)), 0.1 + 0.1),
        ("<think></think><answer>no</answer>", 0.1),
        ("no", 0),
    ],
)
def test_the_embodied_r1_set_adds_up(text: str, total: float) -> None:
    assert paid("embodied_r1", make_turn(text)) == pytest.approx(total)
