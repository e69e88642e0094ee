"""The centre floor: always the middle of the picture, whatever is asked."""

from collections.abc import Mapping, Sequence
from typing import Any

from refergym.agents.policy import Answer
from refergym.envs.types import Observation


class CenterPolicy:
    """Answers (0.5, 0.5)."""

    name = "center"
    privileged = False

    def act(
        self,
        observations: Sequence[Observation],
        *,
        seeds: Sequence[int],
        truths: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Answer]:
        """Answer each observation; see Policy.act."""
        return [Answer(point_uv=(0.5, 0.5)) for _ in observations]
