"""The point reward of Embodied-R1 (arXiv 2508.13998): form of thought, form of answer, distance."""

import math
from dataclasses import dataclass

from refergym.envs.errors import RewardError
from refergym.envs.rewards.turns import Turn


@dataclass(frozen=True, kw_only=True)
class PointFormat:
    """1 if the answer has a point that can be read in the policy's dialect."""

    def __call__(self, turn: Turn) -> float:
        """Return 0 or 1."""
        return float(not turn.problem and turn.act.point_uv is not None)


@dataclass(frozen=True, kw_only=True)
class PointDistance:
    """1 up to a distance from the true point, falling to 0 at another.

    Attributes:
        full_px: px.
        none_px: px.
    """

    full_px: float = 10.0
    none_px: float = 50.0

    def __post_init__(self) -> None:
        """Check that the reward falls."""
        if not 0 <= self.full_px < self.none_px:
            got = f"{self.full_px} and {self.none_px}"
            raise RewardError(f"full_px, none_px: expected 0 <= full_px < none_px, got {got}")

    def __call__(self, turn: Turn) -> float:
        """Return a number in [0, 1]."""
        true, point = turn.truth["point_uv"], turn.act.point_uv
        if true is None or point is None:
            return 0.0
        width, height = turn.image_size
        off = math.hypot((point[0] - true[0]) * width, (point[1] - true[1]) * height)
        return min(1.0, max(0.0, (self.none_px - off) / (self.none_px - self.full_px)))
