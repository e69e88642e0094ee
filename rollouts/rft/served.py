"""A policy whose answers come from a server in another process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from refergym.agents.policy import Answer
from refergym.envs.dialects.base import Dialect, Several
from refergym.envs.types import Observation
from refergym.rollouts import config
from refergym.rollouts.serving.requests import Asked

__all__ = ["Asked", "Reply", "ServedPolicy", "ServerGone"]


class ServerGone(BaseException):
    """The server died. No Exception: a runner takes those for the fault of single episodes."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a server says to a batch."""

    answers: tuple[Answer, ...]
    version: int
    """of the weights; those of some answers may be newer"""


class ServedPolicy:
    """Asks a `server.PolicyServer`.

    Attributes:
        dialect: how the model writes points.
        several: how its points are to be read.
        server: handle of the actor.
        version: of the weights that answered last; stands in the records of episodes.
    """

    privileged = False

    def __init__(self, kind: str, node: Mapping[str, Any]) -> None:
        """Be without a server yet.

        Args:
            kind: of the requests.
            node: config of the policy that the server has.
        """
        self.name = str(node["name"])
        self.dialect: Dialect = config.instantiate(node["dialect"], "policy.dialect")
        self.several: Several = node["several"]
        self.version = ""
        self.server: Any = None
        self._kind = kind

    def act(
        self,
        observations: Sequence[Observation],
        *,
        seeds: Sequence[int],
        truths: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Answer]:
        """Answer each observation; see Policy.act.

        Raises:
            ServerGone: if the server died.
        """
        import ray

        asked = [Asked(observation=o, seed=s) for o, s in zip(observations, seeds, strict=True)]
        try:
            reply: Reply = ray.get(self.server.answer.remote(self._kind, asked))
        except ray.exceptions.RayActorError as e:
            raise ServerGone(str(e)) from e
        self.version = str(reply.version)
        return list(reply.answers)
