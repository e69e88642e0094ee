"""The oracle in words: the true key steps as its thought, the ground-truth point as its answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from refergym.agents.policy import Answer
from refergym.envs.dialects.base import Dialect, PointSeen, Several
from refergym.envs.types import Observation


class NarratorPolicy:
    """Thinks and points as a perfect model would; what imitation learns from.

    Attributes:
        dialect: how it writes points.
        several: how its points are to be read.
    """

    privileged = True

    def __init__(
        self, dialect: Dialect, several: Several = "first", name: str = "narrator"
    ) -> None:
        """Take the dialect."""
        self.name = name
        self.dialect = dialect
        self.several = several

    def act(
        self,
        observations: Sequence[Observation],
        *,
        seeds: Sequence[int],
        truths: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Answer]:
        """Answer each observation; see Policy.act.

        Raises:
            ValueError: without `truths`.
        """
        if truths is None:
            raise ValueError("truths: the narrator needs info['truth'] of each episode, got None")
        return [
            Answer(text=self.words(truth, image_size(seen)))
            for truth, seen in zip(truths, observations, strict=True)
        ]

    def words(self, truth: Mapping[str, Any], size: tuple[int, int]) -> str:
        """Return the perfect answer in a picture of a size [2] px; no point where none is right."""
        point = truth["point_uv"]
        seen = () if point is None else (PointSeen(u=float(point[0]), v=float(point[1])),)
        answer = self.dialect.format(seen, size) if seen else "nothing"
        return in_blocks(thought(truth), answer)


def thought(truth: Mapping[str, Any]) -> str:
    """Write the true key steps, one a line: "Step 1: [Position] [the cup]: [(0.245, 0.147)]"."""
    steps = truth["key_steps"]
    return "\n".join(f"Step {k}: {step.text}" for k, step in enumerate(steps, 1))


def in_blocks(thought: str, answer: str) -> str:
    """Put a think block and an answer block round the two."""
    return f"<think>{thought}</think><answer>{answer}</answer>"


def image_size(observation: Observation) -> tuple[int, int]:
    """Px (width, height) of an observation's picture."""
    height, width = observation["rgb"].shape[:2]
    return width, height
