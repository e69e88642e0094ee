"""The random floor: a point drawn evenly from the whole picture."""

from collections.abc import Mapping, Sequence
from typing import Any

from refergym.agents.policy import Answer
from refergym.assets.seeding import generator
from refergym.envs.types import Observation


class UniformPolicy:
    """Answers a uniform point that depends on the request's seed alone."""

    name = "random"
    privileged = False

    def act(
        self,
        observations: Sequence[Observation],
        *,
        seeds: Sequence[int],
        truths: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Answer]:
        """Answer each observation; see Policy.act."""
        return [_draw(seed) for _, seed in zip(observations, seeds, strict=True)]


def _draw(seed: int) -> Answer:
    u, v = generator(seed, "policy.random").random(2)
    return Answer(point_uv=(float(u), float(v)))
