"""What a model is shown of an observation: words with places for pictures, and the pictures."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from refergym.envs.dialects.base import Dialect
from refergym.envs.disparity import relative_inverse_depth
from refergym.envs.types import Observation


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What a processor takes for one answer."""

    text: str
    images: list[NDArray[np.uint8]] = field(default_factory=list)
    """[H, W, 3] each, in the order of the text"""
    depths: list[NDArray[np.uint8]] = field(default_factory=list)
    """[H, W, 3] each: relative inverse depth"""


class Prompter(Protocol):
    """Makes prompts of one family of models."""

    def __call__(self, observation: Observation, dialect: Dialect, processor: Any) -> Prompt:
        """Make the prompt for an observation."""
        ...


def words(observation: Observation, dialect: Dialect) -> str:
    """Say what is asked, what happened last, and in which form to answer."""
    parts = [observation["instruction"], observation.get("feedback", ""), dialect.suffix]
    return " ".join(p for p in parts if p)


@dataclass(frozen=True, kw_only=True)
class ChatPrompter:
    """By the chat template of a model's processor: one turn of a user with one picture."""

    system: str = ""
    """what a system turn says; empty for none"""

    def __call__(self, observation: Observation, dialect: Dialect, processor: Any) -> Prompt:
        """Make the prompt.

        Raises:
            ValueError: if the processor has no chat template.
        """
        if not getattr(processor, "chat_template", None):
            kind = type(processor).__name__
            raise ValueError(f"prompter: {kind} has no chat template; use PlainPrompter")
        content = [{"type": "image"}, {"type": "text", "text": words(observation, dialect)}]
        turns: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if self.system:
            said = [{"type": "text", "text": self.system}]
            turns.insert(0, {"role": "system", "content": said})
        text = processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        return Prompt(text=text, images=[observation["rgb"]])


@dataclass(frozen=True, kw_only=True)
class PlainPrompter:
    """By a template with {words}; for models without chat templates.

    Attributes:
        template: the text; holds the model's own marks for pictures.
        depth: whether it has a place for a depth picture too.
        suffix: whether the dialect's words that ask for its form are said.
    """

    template: str = "<image>{words}\n"
    depth: bool = False
    suffix: bool = True

    def without_depth(self, mark: str) -> "PlainPrompter":
        """Return the same for a model that sees RGB alone: without the mark of a depth picture."""
        return replace(self, depth=False, template=self.template.replace(mark, ""))

    def __call__(self, observation: Observation, dialect: Dialect, processor: Any) -> Prompt:
        """Make the prompt."""
        said = [observation["instruction"], observation.get("feedback", "")]
        said += [dialect.suffix] if self.suffix else []
        text = self.template.format(words=" ".join(p for p in said if p))
        depths = [relative_inverse_depth(observation["depth"])] if self.depth else []
        return Prompt(text=text, images=[observation["rgb"]], depths=depths)


def joined(prompts: Sequence[Prompt]) -> dict[str, Any]:
    """Return the arguments of a processor for a batch of prompts."""
    images = [i for p in prompts for i in p.images]
    depths = [d for p in prompts for d in p.depths]
    found: dict[str, Any] = {"text": [p.text for p in prompts], "images": images}
    return found | ({"depths": depths} if depths else {})
