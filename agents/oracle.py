"""The oracle: points at the ground truth. The ceiling that the controller allows any policy."""

from collections.abc import Mapping, Sequence
from typing import Any

from refergym.agents.policy import Answer
from refergym.envs.types import Observation


class OraclePolicy:
    """Answers `truth["point_uv"]`, the ground-truth point for the current step."""

    name = "oracle"
    privileged = True

    def act(
        self,
        observations: Sequence[Observation],
        *,
        seeds: Sequence[int],
        truths: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Answer]:
        """Answer each observation; see Policy.act.

        A truth without a point (nothing is visible to point at) gives an answer without a point.

        Raises:
            ValueError: without `truths`; only a runner that honours `privileged` can use this.
        """
        if truths is None:
            raise ValueError("truths: the oracle needs info['truth'] of each episode, got None")
        return [Answer(point_uv=_point(truth)) for truth in truths]


def _point(truth: Mapping[str, Any]) -> tuple[float, float] | None:
    point = truth["point_uv"]
    return None if point is None else (float(point[0]), float(point[1]))
