"""What a learner learns from: one answer of a model, and how much better it was than others."""

from dataclasses import dataclass

from refergym.envs.types import Observation


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One answer at one turn of an episode."""

    observation: Observation
    """what the model saw"""
    prompt_tokens: tuple[int, ...]
    """what it wrote behind"""
    tokens: tuple[int, ...]
    """what it wrote, and nothing else"""
    logprobs: tuple[float, ...]
    """of each token, when it was sampled"""
    advantage: float
    """of the whole answer"""

    @property
    def length(self) -> int:
        """Tokens of prompt and answer."""
        return len(self.prompt_tokens) + len(self.tokens)
