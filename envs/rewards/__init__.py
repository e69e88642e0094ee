"""Rewards of answers: terms, and sets of them with weights (`configs/reward`)."""

from refergym.envs.rewards.embodied import PointDistance, PointFormat
from refergym.envs.rewards.outcome import (
    PointInMask,
    PointInSpace,
    Progress,
    Success,
    TurnUsed,
)
from refergym.envs.rewards.paper import (
    OutcomeFormat,
    PointNear,
    ProcessAccuracy,
    ProcessFormat,
)
from refergym.envs.rewards.reward_set import Ledger, RewardSet, TermValue
from refergym.envs.rewards.turns import RewardTerm, Turn

__all__ = [
    "Ledger",
    "OutcomeFormat",
    "PointDistance",
    "PointFormat",
    "PointInMask",
    "PointInSpace",
    "PointNear",
    "ProcessAccuracy",
    "ProcessFormat",
    "Progress",
    "RewardSet",
    "RewardTerm",
    "Success",
    "TermValue",
    "Turn",
    "TurnUsed",
]
