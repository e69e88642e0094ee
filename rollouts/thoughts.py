"""Thoughts to begin an answer with: a policy's own, the true one, a corrupted one, none."""

import math

import numpy as np

from refergym.agents.narrator import in_blocks
from refergym.envs.errors import AnswerError
from refergym.envs.replies import is_in_form, read_reply, stated_points, tags

EDGE = 0.01
"""share of the picture: how far from its edge a moved point stays"""
FARTHEST = 0.6
"""share of the picture: from everywhere in it, some of it is farther away than this"""


def thought_of(text: str) -> str:
    """Return what an answer thinks; empty where it thinks nothing or cannot be taken apart."""
    try:
        return read_reply(text).thought
    except AnswerError:
        return ""


def begin_of(text: str, thought: str) -> str:
    """Return the begin of an answer with another thought, up to what it says as its answer.

    Args:
        text: the answer; white space round its blocks is kept if it has the form.
        thought: in place of its own.
    """
    if not is_in_form(text):
        return in_blocks(thought, "").removesuffix("</answer>")
    opened, closed, answer, _ = tags(text)
    return f"{text[: opened.end]}{thought}{text[closed.start : answer.end]}"


def corrupted(thought: str, shift: float, rng: np.random.Generator) -> str:
    """Move every position that the steps of a thought state; all else stays to the letter.

    Each is drawn from the whole picture, but not from nearer than `shift` to where it was.

    Args:
        thought: as a policy writes it.
        shift: least distance of a moved point from where it was, as a share of the picture.
        rng: draws the points.

    Raises:
        ValueError: if the shift does not fit into the picture.
    """
    if not 0 < shift <= FARTHEST:
        raise ValueError(f"shift: expected in (0, {FARTHEST}], got {shift}")
    parts, at = [], 0
    for point in stated_points(thought):
        u, v = _moved(point.value, shift, rng)
        parts += [thought[at : point.start], f"{u:.3f}, {v:.3f}"]
        at = point.end
    return "".join([*parts, thought[at:]])


def _moved(
    point: tuple[float, float], shift: float, rng: np.random.Generator
) -> tuple[float, float]:
    u, v = np.clip(point, 0, 1)
    while True:
        x, y = (round(float(z), 3) for z in rng.uniform(EDGE, 1 - EDGE, 2))
        if math.hypot(x - u, y - v) >= shift:
            return x, y
