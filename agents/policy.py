"""The Policy protocol: a batch of observations in, Answers out; and what models can do besides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from refergym.envs.types import Observation


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a policy returns for one observation."""

    text: str = ""
    """raw words; empty from policies that have none"""
    tokens: tuple[int, ...] = ()
    """ids of the sampled tokens"""
    logprobs: tuple[float, ...] = ()
    """log-probability of each sampled token"""
    prompt_tokens: tuple[int, ...] = ()
    """ids of what the tokens were sampled after, without padding"""
    image_size: tuple[int, int] | None = None
    """(width, height) px of the image as the model saw it"""
    point_uv: tuple[float, float] | None = None
    """(u right, v down) in [0, 1], only from policies that have no text"""


@runtime_checkable
class Policy(Protocol):
    """Anything that points.

    `act` must not depend on what else is in the batch: the same observation and seed give the
    same answer.
    """

    name: str
    privileged: bool
    """True asks the runner for `truths`; only the oracle does"""

    def act(
        self,
        observations: Sequence[Observation],
        *,
        seeds: Sequence[int],
        truths: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Answer]:
        """Answer each observation.

        Args:
            observations: one per running episode.
            seeds: one per observation; all randomness comes from it.
            truths: `info["truth"]` of each, None unless `privileged`.
        """
        ...


@runtime_checkable
class ContinuingPolicy(Policy, Protocol):
    """A policy whose words can be begun for it."""

    def continue_from(
        self, observations: Sequence[Observation], begins: Sequence[str], *, seeds: Sequence[int]
    ) -> list[Answer]:
        """Go on from the begin of each answer, as if the policy itself had written it.

        Args:
            observations: one per answer; must not depend on each other, as in `act`.
            begins: the words that each answer begins with.
            seeds: one per answer; all randomness comes from it.

        Returns:
            Answers whose text is the whole; their tokens are those that were sampled, and their
            prompt_tokens those before.
        """
        ...
