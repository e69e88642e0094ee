"""RoboRefer's reward terms (arXiv 2506.04308, section 3.3 and appendix): form, point, process.

What the paper leaves open is a key of the term, and its default is the one that can't be farmed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.optimize import linear_sum_assignment

from refergym.envs.key_steps import KeyStep
from refergym.envs.replies import ReasoningStep
from refergym.envs.rewards.turns import Turn

LIMIT_PX = 50.0
"""px: how far a point may be off in a picture of the paper's"""
WIDTH_PX = 960.0
"""px: width of those pictures"""
SLACK = 1e-9
"""by how much a limit is met all the same: rounding (0.23 is 15 % above 0.2)"""
Over = Literal["key_steps", "steps", "sum"]


@dataclass(frozen=True, kw_only=True)
class OutcomeFormat:
    """R_OF: 1 if the words are exactly one think block and then one answer block."""

    def __call__(self, turn: Turn) -> float:
        """Return 0 or 1."""
        return float(turn.is_in_form)


@dataclass(frozen=True, kw_only=True)
class PointNear:
    """R_P: 1 if the L1 distance between the point and the true one is within a limit.

    Attributes:
        limit_px: the limit, in a picture of `width_px`; scaled with the picture's width.
        width_px: None takes the limit as it is.
    """

    limit_px: float = LIMIT_PX
    width_px: float | None = WIDTH_PX

    def __call__(self, turn: Turn) -> float:
        """Return 0 or 1."""
        true, point = turn.truth["point_uv"], turn.act.point_uv
        if true is None or point is None:
            return 0.0
        limit = scaled(self.limit_px, self.width_px, turn.image_size)
        return float(l1_px(point, true, turn.image_size) <= limit + SLACK)


@dataclass(frozen=True, kw_only=True)
class ProcessFormat:
    """R_PF: steps of the reasoning that have the form `[Perception] [target]: value`.

    Attributes:
        over: open in the paper. "key_steps": how many different ones there are, of as many as the
            task has key steps; "steps": share of all steps; "sum": as many as there are, up to the
            number of key steps, in units of `most` (so that weight a * most pays a each).
        most: steps, for "sum".
    """

    over: Over = "key_steps"
    most: int = 8

    def __call__(self, turn: Turn) -> float:
        """Return a number in [0, 1]."""
        exact = [s for s in turn.steps if s.is_exact]
        if self.over == "steps":
            return len(exact) / len(turn.steps) if turn.steps else 0.0
        different = len({(s.perception, _bare(s.target)) for s in exact})
        asked = max(1, len(turn.key_steps))
        count = min(different, asked)
        return count / asked if self.over == "key_steps" else min(1.0, count / self.most)


@dataclass(frozen=True, kw_only=True)
class ProcessAccuracy:
    """R_Acc: key steps of the task that the reasoning says rightly, in any order.

    Attributes:
        over: open in the paper. "key_steps": share of all key steps; "steps": share of those that
            the reasoning is about; "sum": as many as there are, in units of `most`.
        repeats: open in the paper, where a key step is said several times. "first": its first time
            counts; "best": any time that is right. A key step counts once in either.
        limit_px: px, L1, positions; scaled with the picture's width.
        width_px: None takes the limit as it is.
        cosine: orientations.
        share: sizes: how much too large or too small.
        most: key steps, for "sum".
    """

    over: Over = "key_steps"
    repeats: Literal["first", "best"] = "first"
    limit_px: float = LIMIT_PX
    width_px: float | None = WIDTH_PX
    cosine: float = 0.8
    share: float = 0.15
    most: int = 8

    def __call__(self, turn: Turn) -> float:
        """Return a number in [0, 1]."""
        right = said = 0
        for key, claims in zip(turn.key_steps, turn.claims, strict=True):
            counted = claims[:1] if self.repeats == "first" else claims
            said += bool(counted)
            right += any(self.is_right(c, key, turn.image_size) for c in counted)
        if self.over == "sum":
            return min(1.0, right / self.most)
        total = len(turn.key_steps) if self.over == "key_steps" else said
        return right / total if total else 0.0

    def is_right(self, claim: ReasoningStep, key: KeyStep, size: tuple[int, int]) -> bool:
        """Tell whether a claim about a key step is right, in a picture of a size [2] px."""
        value = claim.value
        if value is None or len(value) != len(key.value):
            return False
        if key.perception == "Position":
            limit = scaled(self.limit_px, self.width_px, size)
            return _all_near(_pairs(value), _pairs(key.value), size, limit)
        if key.perception == "Orientation":
            length = math.hypot(*value)
            dot = sum(a * b for a, b in zip(value, key.value, strict=True))
            return length > 0 and dot / (length * math.hypot(*key.value)) > self.cosine + SLACK
        return abs(value[0] - key.value[0]) <= self.share * key.value[0] + SLACK


def scaled(limit_px: float, width_px: float | None, size: tuple[int, int]) -> float:
    """Return a limit in px of a picture of a size, given for pictures of another width."""
    return limit_px if width_px is None else limit_px * size[0] / width_px


def l1_px(a: Sequence[float], b: Sequence[float], size: tuple[int, int]) -> float:
    """L1 distance of two points (u, v), px."""
    return abs(a[0] - b[0]) * size[0] + abs(a[1] - b[1]) * size[1]


def _bare(target: str) -> str:
    """Return a target in lower case without its article."""
    return target.lower().removeprefix("the ").removeprefix("a ").removeprefix("an ")


def _pairs(value: Sequence[float]) -> list[tuple[float, float]]:
    return list(zip(value[::2], value[1::2], strict=True))


def _all_near(
    points: list[tuple[float, float]],
    true: list[tuple[float, float]],
    size: tuple[int, int],
    limit: float,
) -> bool:
    """Tell whether each point is near to a true one of its own (nearer than the limit)."""
    off = [[l1_px(p, t, size) >= limit - SLACK for t in true] for p in points]
    if len(true) == 1:
        return not off[0][0]
    rows, columns = linear_sum_assignment(off)
    return not any(off[r][c] for r, c in zip(rows, columns, strict=True))
