"""A saved model of Stable-Baselines3 as a policy: its most likely point, for each picture alone."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from refergym.agents.policy import Answer
from refergym.agents.sb3 import models
from refergym.envs.array_view import point_of
from refergym.envs.types import Observation


class Sb3Policy:
    """Answers the point of a model that `refergym train` wrote."""

    name = "sb3"
    privileged = False

    def __init__(self, *, path: str, threads: int) -> None:
        """Load it.

        Args:
            path: of model.zip, or of the folder that it is in.
            threads: of torch, in the whole process.

        Raises:
            MissingExtraError: without Stable-Baselines3.
            ModelError: if there is no model, or it is damaged or foreign.
        """
        file = Path(path)
        file = file / models.MODEL if file.is_dir() else file
        card = models.read_card(file)
        models.require()
        import torch

        torch.set_num_threads(threads)
        self._view = card.view
        self._model = models.load(file, card, device="cpu", **_small(card))
        digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
        self.version = f"{card.algorithm}, {card.steps} steps, {digest}"

    def act(
        self,
        observations: Sequence[Observation],
        *,
        seeds: Sequence[int],
        truths: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Answer]:
        """Answer each observation; see Policy.act. One at a time: no answer feels its batch."""
        return [Answer(point_uv=self._point(observation)) for observation in observations]

    def _point(self, observation: Observation) -> tuple[float, float]:
        action, _ = self._model.predict(self._view.encode(observation), deterministic=True)
        return point_of(action)


def _small(card: models.Card) -> dict[str, Any]:
    """Arguments that keep SAC from making room for a memory that nothing is put into."""
    return {"custom_objects": {"buffer_size": 1}} if card.algorithm == "sac" else {}
