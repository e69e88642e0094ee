"""Words that phrases are made of: plurals, ordinals, numbers with units, sides."""

import string

from refergym.envs.types import Side

CHARSET = string.ascii_letters + string.digits + " .,;:!?'\"()[]<>/+-=_%\n"
"""every character that an instruction may hold"""
MAX_LENGTH = 400
"""characters of an instruction at most"""
ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
)  # fmt: skip
SIDES: dict[Side, str] = {
    "left": "to the left of",
    "right": "to the right of",
    "front": "in front of",
    "behind": "behind",
}
_IRREGULAR = {"knife": "knives", "shelf": "shelves", "leaf": "leaves", "mouse": "mice"}


def plural(noun: str) -> str:
    """Return the plural of an English noun: "wine glass" -> "wine glasses"."""
    head, _, last = noun.rpartition(" ")
    before = f"{head} " if head else ""
    if last in _IRREGULAR:
        return before + _IRREGULAR[last]
    if last.endswith(("s", "x", "z", "ch", "sh")):
        return f"{noun}es"
    if last.endswith("y") and last[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def article(phrase: str) -> str:
    """Put "a" or "an" before a phrase."""
    return f"{'an' if phrase[:1].lower() in 'aeiou' else 'a'} {phrase}"


def metres(length: float) -> str:
    """Say a length: 0.17 -> "0.17 m"."""
    return f"{length:.2f} m"


def centimetres(length: float) -> str:
    """Say a length: 0.17 -> "17 cm"."""
    return f"{100 * length:.0f} cm"


def number(value: float) -> str:
    """Say a number as short as it is exact to a thousandth."""
    return f"{value:.3f}".rstrip("0").rstrip(".") or "0"
