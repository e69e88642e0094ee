"""Observation and action spaces of `ReferEnv`, and the check of an action."""

import math
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from refergym.envs.errors import ActionError
from refergym.envs.language import CHARSET, MAX_LENGTH
from refergym.envs.types import Event

FOCAL_MAX = 1e5
"""px; no focal length or centre beyond this"""


def action_space() -> spaces.Space[NDArray[np.float64]]:
    """Return the space of points (u right, v down)."""
    box: spaces.Space[Any] = spaces.Box(0.0, 1.0, (2,), np.float64)
    return box


def observation_space(
    size: tuple[int, int], far: float, *, pictures: bool, first: bool
) -> spaces.Dict:
    """Return the space of observations.

    Args:
        size: (width, height) px.
        far: m, greatest depth.
        pictures: whether there are rgb and depth.
        first: whether there is first_rgb, the picture after reset.
    """
    width, height = size
    parts: dict[str, spaces.Space[Any]] = {
        "intrinsics": spaces.Box(0.0, FOCAL_MAX, (3, 3), np.float64),
        "instruction": spaces.Text(max_length=MAX_LENGTH, min_length=1, charset=CHARSET),
        "holding": spaces.Discrete(2),
        "event": spaces.Discrete(len(Event)),
    }
    if pictures:
        parts["rgb"] = spaces.Box(0, 255, (height, width, 3), np.uint8)
        parts["depth"] = spaces.Box(0.0, far, (height, width), np.float32)
        if first:
            parts["first_rgb"] = spaces.Box(0, 255, (height, width, 3), np.uint8)
    return spaces.Dict(parts)


def check_point(action: object) -> tuple[float, float]:
    """Return an action as (u, v).

    Raises:
        ActionError: if it is not two floats in [0, 1].
    """
    try:
        point = np.asarray(action)
    except ValueError as e:
        raise ActionError(f"action: expected two floats (u, v), got {action!r}") from e
    if point.shape != (2,):
        raise ActionError(
            f"action: expected shape (2,), the point (u, v), got shape {point.shape} ({action!r})"
        )
    if point.dtype.kind != "f":
        raise ActionError(
            f"action: expected floats, got {point.dtype} ({action!r}); "
            "pixels become a point as (x + 0.5) / width, (y + 0.5) / height"
        )
    u, v = float(point[0]), float(point[1])
    for name, value in (("u", u), ("v", v)):
        if not math.isfinite(value) or not 0 <= value <= 1:
            raise ActionError(
                f"action: {name} = {value}, expected in [0, 1]; u is x / width from the left, "
                "v is y / height from the top; report an answer without a point by fail_step()"
            )
    return u, v
