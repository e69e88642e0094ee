"""Chats as trainers have them: the messages that ask, and the words of what was answered."""

from collections.abc import Mapping, Sequence
from typing import Any

from refergym.rollouts.errors import ConfigError

Messages = Sequence[Mapping[str, Any]]


def messages(words: str, system: str = "") -> list[dict[str, str]]:
    """Return a chat that asks: TRL puts the picture in."""
    asked = [{"role": "user", "content": words}]
    return [{"role": "system", "content": system}, *asked] if system else asked


def said(completion: str | Messages) -> str:
    """Return the words of a completion: text, or messages with text or parts.

    Raises:
        ConfigError: if it is neither.
    """
    if isinstance(completion, str):
        return completion
    texts: list[str] = []
    for message in completion:
        content = message.get("content", "")
        if isinstance(content, str):
            texts.append(content)
        elif isinstance(content, Sequence):
            texts += [str(p["text"]) for p in content if p.get("type") == "text"]
        elif content is not None:
            raise ConfigError(f"completions: expected words, got {content!r:.80}")
    return "".join(texts)
