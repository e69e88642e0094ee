"""What a model is asked: instruction, suffix of its dialect, feedback on later turns; and back."""

import re
from collections.abc import Sequence

from refergym.envs.types import Observation


def prompt(observation: Observation, suffix: str, *, feedback: bool) -> str:
    """Write the text that goes to a model with the picture.

    Args:
        observation: its instruction, and its feedback where it has one.
        suffix: the words that ask for the dialect's form.
        feedback: whether to tell what the last step did.
    """
    text = f"{observation['instruction']} {suffix}".strip()
    told = observation.get("feedback", "") if feedback else ""
    return f"{text}\n{told}" if told else text


def taken_apart(text: str, suffixes: Sequence[str]) -> tuple[str, str]:
    """Read a prompt again, whatever space stands between its words.

    Args:
        text: as `prompt` writes it, or instruction and suffix in one as RoboRefer's client does.
        suffixes: any of them ends the instruction; a text without one is all instruction.

    Returns:
        The instruction and the feedback.
    """
    for suffix in suffixes:
        words = suffix.split()
        if not words:
            continue
        found = re.search(r"\s+".join(map(re.escape, words)), text)
        if found:
            return text[: found.start()].strip(), text[found.end() :].strip()
    return text.strip(), ""
