"""The blind floor: a policy without pictures. What it still solves, the words alone give away."""

from typing import cast

import numpy as np

from refergym.agents.altered import AlteredPolicy
from refergym.agents.policy import Policy
from refergym.envs.types import Observation

GREY = 128
"""the middle of the range; the mean of the picture itself would tell something about it"""
PICTURES = ("rgb", "first_rgb")


def blind_policy(policy: Policy | None, name: str = "blind") -> AlteredPolicy:
    """Wrap a policy such that it sees grey and no depth.

    Args:
        policy: answers.
        name: of the floor.

    Raises:
        ValueError: if there is no policy, or if it sees the truth.
    """
    return AlteredPolicy(name, policy, blinded)


def blinded(observation: Observation) -> Observation:
    """Return a copy with grey pictures and a depth without any return."""
    changed = {
        key: np.full_like(value, GREY) if key in PICTURES else value
        for key, value in observation.items()
    }
    changed["depth"] = np.zeros_like(observation["depth"])
    return cast(Observation, changed)
