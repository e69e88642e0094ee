"""Terms of what really happened, worked out by hand, and the sets that are made of them."""

from typing import Any

import numpy as np
import pytest
from turn_parts import KEYS, MUG, make_turn, paid, reward_set, words

from refergym.envs.rewards import PointInMask, PointInSpace, Progress, Success, TurnUsed

MASK = np.zeros((100, 200), bool)
MASK[40:60, 80:120] = True
"""the pixels 80..119, 40..59"""


def at(x: float, y: float) -> tuple[float, float]:
    return (x + 0.5) / 200, (y + 0.5) / 100


@pytest.mark.parametrize(
    ("x", "y", "value"),
    [
        (80, 40, 1), (119, 59, 1), (100, 50, 1),
        (79, 50, 0.5 * (1 - 1 / 20)),  # beside it; 20 px is a tenth of the width
        (120, 50, 0.5 * (1 - 1 / 20)),
        (130, 50, 0.5 * (1 - 11 / 20)),
        (122, 63, 0.5 * (1 - 5 / 20)),  # 3 and 4 px off a corner
        (138, 50, 0.5 * (1 - 19 / 20)),
        (139, 50, 0),
        (199, 99, 0),
    ],
)  # fmt: skip
def test_a_pixel_outside_is_worth_less_the_farther_it_is(x: int, y: int, value: float) -> None:
    assert PointInMask()(make_turn(point=at(x, y), mask=MASK)) == pytest.approx(value)


def test_the_worth_outside_and_its_reach_are_keys() -> None:
    turn = make_turn(point=at(124, 50), mask=MASK)
    assert PointInMask(outside=0)(turn) == 0
    assert PointInMask(outside=1, reach=0.05)(turn) == pytest.approx(1 - 5 / 10)


def test_the_edge_of_a_picture_is_its_last_pixel() -> None:
    mask = np.zeros((100, 200), bool)
    mask[99, 199] = True
    assert PointInMask()(make_turn(point=(1.0, 1.0), mask=mask)) == 1


def test_without_a_point_or_a_right_pixel_nothing_is_paid() -> None:
    assert PointInMask()(make_turn(mask=MASK)) == 0
    assert PointInMask()(make_turn(point=at(100, 50), mask=np.zeros((100, 200), bool))) == 0


@pytest.mark.parametrize(
    ("lifted", "value"),
    [
        ((0.5, 0.0, 0.1), 1), ((0.5, 0.05, 0.1), 0.5), ((0.53, 0.0, 0.14), 0.5),
        ((0.5, 0.0, 0.2), 0), ((0.5, 0.0, 3.0), 0), ((0.7, 0.0, 0.1), 1), ((0.67, 0.0, 0.1), 0.7),
    ],
)  # fmt: skip
def test_a_lifted_point_is_worth_less_the_farther_it_is(
    lifted: tuple[float, ...], value: float
) -> None:
    right = [(0.5, 0, 0.1), (0.7, 0, 0.1)]
    turn = make_turn(point=(0.5, 0.5), point_w=np.array(lifted), mask_w=right)
    assert PointInSpace()(turn) == pytest.approx(value, abs=1e-9)


def test_a_point_that_meets_nothing_is_nowhere() -> None:
    assert PointInSpace()(make_turn(point=(0.5, 0.5), mask_w=[(0, 0, 0)])) == 0
    assert PointInSpace()(make_turn(point=(0.5, 0.5), point_w=np.zeros(3))) == 0


def test_how_far_a_lifted_point_may_be_off_is_a_key() -> None:
    turn = make_turn(point=(0.5, 0.5), point_w=np.zeros(3), mask_w=[(0, 0, 0.1)])
    assert PointInSpace(reach=0.2)(turn) == pytest.approx(0.5)


def test_success_progress_and_turns_are_what_the_verdict_and_the_limit_say() -> None:
    turn = make_turn(success=True, progress=0.25, limit=8)
    assert (Success()(turn), Progress()(turn), TurnUsed()(turn)) == (1, 0.25, 1 / 8)
    assert Success()(make_turn()) == 0


SOLVED: dict[str, Any] = {
    "mask": MASK, "mask_w": [(0, 0, 0)], "point_w": np.zeros(3), "is_last": True, "limit": 4,
    "success": True, "progress": 1.0,
}  # fmt: skip
TRUE = words(*(k.text for k in KEYS))


@pytest.mark.parametrize(
    ("text", "changed", "total"),
    [
        (TRUE, {}, 0.6 + 0.1 + 0.1 + 0.05 + 0.15 - 0.05 / 4),
        (words(MUG.text), {}, 0.6 + 0.1 + 0.1 + 0.05 + 0.15 / 4 - 0.05 / 4),
        (words(), {}, 0.6 + 0.1 + 0.1 + 0.05 - 0.05 / 4),
        (TRUE, {"success": False, "progress": 0.5}, 0.05 + 0.1 + 0.05 + 0.15 - 0.05 / 4),
        (TRUE, {"progress": 0.0, "is_last": False}, 0.1 + 0.05 + 0.15 - 0.05 / 4),
        ("nothing", {"success": False, "progress": 0.0, "point_w": None}, -0.05 / 4),
    ],
)
def test_the_sim_set_adds_up(text: str, changed: dict[str, Any], total: float) -> None:
    assert paid("sim", make_turn(text, **(SOLVED | changed))) == pytest.approx(total)


def test_without_a_solved_task_the_sim_set_pays_less_than_half() -> None:
    rewards = reward_set("sim")
    assert rewards.most == pytest.approx(1)
    assert rewards.most - rewards.weights["success"] < rewards.most / 2


def test_the_sparse_set_pays_for_success_at_the_end_alone() -> None:
    assert paid("sparse", make_turn(TRUE, **SOLVED)) == 1
    assert paid("sparse", make_turn(TRUE, **(SOLVED | {"success": False}))) == 0
    assert paid("sparse", make_turn(TRUE, **(SOLVED | {"is_last": False}))) == 0


def test_the_shaped_set_is_sim_and_a_potential() -> None:
    plain, shaped = reward_set("sim").ledger(), reward_set("sim_shaped").ledger()
    total = 0.0
    for k, progress in enumerate((0.25, 0.5, 0.0, 1.0)):
        turn = make_turn(TRUE, **(SOLVED | {"progress": progress, "is_last": k == 3}))
        values = shaped.pay(turn)
        total += values.pop("shaping").paid
        assert values == plain.pay(turn)
        assert total == pytest.approx(0.0 if k == 3 else 0.1 * progress)  # none at the end
