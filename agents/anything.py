"""The any-object floor: it finds things, and does not read what it is asked."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refergym.agents.policy import Answer
from refergym.assets.seeding import generator
from refergym.envs.types import Observation

LEAST = 0.001
"""share of the picture that a thing must show to be found"""


class AnythingPolicy:
    """Points at the middle of a thing that is drawn from those in the picture.

    What a model is worth that finds things is how far it is above this, not above a random point.
    """

    name = "anything"
    privileged = True

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
            raise ValueError("truths: 'anything' needs info['truth'] of each episode, got None")
        return [_draw(truth["ids"], seed) for truth, seed in zip(truths, seeds, strict=True)]


def _draw(ids: NDArray[np.integer], seed: int) -> Answer:
    rng = generator(seed, "policy.anything")
    found, counts = np.unique(ids[ids >= 0], return_counts=True)
    found = found[counts >= LEAST * ids.size]
    if not len(found):
        u, v = rng.random(2)
        return Answer(point_uv=(float(u), float(v)))
    rows, columns = np.nonzero(ids == rng.choice(found))
    away = (rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2
    best = int(away.argmin())
    height, width = ids.shape
    return Answer(point_uv=((columns[best] + 0.5) / width, (rows[best] + 0.5) / height))
