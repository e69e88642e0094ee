"""Terms of what really happened in the simulator."""

from dataclasses import dataclass

import numpy as np

from refergym.assets import camera as pinhole
from refergym.envs.rewards.turns import Turn


@dataclass(frozen=True, kw_only=True)
class Success:
    """1 if the task is solved, judged at rest."""

    def __call__(self, turn: Turn) -> float:
        """Return 0 or 1."""
        return float(turn.verdict.success)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Share of the subgoals that are reached after the turn."""

    def __call__(self, turn: Turn) -> float:
        """Return a number in [0, 1]."""
        return turn.verdict.progress


@dataclass(frozen=True, kw_only=True)
class PointInMask:
    """1 if the pixel is a right one; outside less than `outside`, falling with the distance.

    Attributes:
        outside: what a pixel right beside the mask is worth.
        reach: where that has fallen to nothing: share of the picture's width.
    """

    outside: float = 0.5
    reach: float = 0.1

    def __call__(self, turn: Turn) -> float:
        """Return a number in [0, 1]."""
        point, mask = turn.act.point_uv, turn.truth["mask"]
        if point is None or not mask.any():
            return 0.0
        height, width = (int(n) for n in mask.shape)
        x, y = pinhole.pixel_of_point((width, height), *point)
        if mask[y, x]:
            return 1.0
        ys, xs = np.nonzero(mask)
        away = float(np.sqrt(((ys - y) ** 2 + (xs - x) ** 2).min()))
        return self.outside * max(0.0, 1.0 - away / (self.reach * width))


@dataclass(frozen=True, kw_only=True)
class PointInSpace:
    """1 where the lifted 3D point is on what is right, falling to 0 with its distance from that.

    Attributes:
        reach: m.
    """

    reach: float = 0.1

    def __call__(self, turn: Turn) -> float:
        """Return a number in [0, 1]."""
        lifted, right = turn.act.point_w, turn.truth["mask_w"]
        if lifted is None or not len(right):
            return 0.0
        away = float(np.sqrt(((right - lifted) ** 2).sum(1).min()))
        return max(0.0, 1.0 - away / self.reach)


@dataclass(frozen=True, kw_only=True)
class TurnUsed:
    """The share of the episode's turns that each one uses up: a cost, where its weight is < 0."""

    def __call__(self, turn: Turn) -> float:
        """Return a number in [0, 1]."""
        return 1.0 / turn.limit
