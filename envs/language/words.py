"""Words that phrases are made of: plurals, articles, ordinals, numbers with units, sides."""

import string
from decimal import Decimal

from refergym.assets.builder.colours import NAMES
from refergym.envs.errors import TaskError

CHARSET = string.ascii_letters + string.digits + " .,;:!?'\"()[]<>/+-=_%\n"
"""every character that an instruction may hold"""
MAX_LENGTH = 400
"""characters of an instruction at most"""
ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
)  # fmt: skip
COLOURS = frozenset((*NAMES, "beige", "cyan", "turquoise", "gold", "silver"))
MATERIALS = frozenset(
    ("ceramic", "glass", "metal", "plastic", "cardboard", "paper", "fabric", "wood", "leather",
     "rubber", "stone")
)  # fmt: skip
_IRREGULAR = {
    "knife": "knives", "shelf": "shelves", "leaf": "leaves", "loaf": "loaves", "scarf": "scarves",
    "mouse": "mice", "potato": "potatoes", "tomato": "tomatoes", "mango": "mangoes",
    "bus": "buses", "lens": "lenses", "scissors": "scissors", "tongs": "tongs",
}  # fmt: skip
_SINGULAR = {many: one for one, many in _IRREGULAR.items()}
_HISSING = ("ss", "x", "z", "ch", "sh")
_MOST_DECIMALS = 4
_MOST = 1e6
"""of the numbers that are rounded"""


def plural(noun: str) -> str:
    """Return the plural of an English noun: "wine glass" -> "wine glasses"."""
    head, _, last = noun.rpartition(" ")
    before = f"{head} " if head else ""
    if last in _IRREGULAR:
        return before + _IRREGULAR[last]
    if last.endswith(("s", *_HISSING)):
        return f"{noun}es"
    if last.endswith("y") and last[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def singular(noun: str) -> str:
    """Return what `plural` makes a noun of: "wine glasses" -> "wine glass".

    Raises:
        TaskError: if it is the plural of nothing.
    """
    head, _, last = noun.rpartition(" ")
    before = f"{head} " if head else ""
    if last in _SINGULAR:
        return before + _SINGULAR[last]
    if last.endswith(tuple(f"{end}es" for end in _HISSING)):
        found = noun[:-2]
    elif last.endswith("ies"):
        found = f"{noun[:-3]}y"
    else:
        found = noun.removesuffix("s")
    if not found or plural(found) != noun:
        raise TaskError(f"expected a plural, got {noun!r}")
    return found


def article(phrase: str) -> str:
    """Put "a" or "an" before a phrase, by its first letter."""
    return f"{'an' if phrase[:1].lower() in 'aeiou' else 'a'} {phrase}"


def metres(length: float) -> str:
    """Write a length in m exactly, with two decimals at least: 0.2 -> "0.20".

    Raises:
        TaskError: if it takes more than four decimals, or is no length.
    """
    return f"{_decimal(length):.{max(2, _decimals(_decimal(length)))}f}"


def centimetres(length: float) -> str:
    """Write a length in cm exactly: 0.2 m -> "20"; raises as `metres`."""
    return _short(_decimal(length) * 100)


def number(value: float) -> str:
    """Write a number that is not negative exactly, as short as can be.

    Raises:
        TaskError: if it takes more than four decimals.
    """
    return _short(_decimal(value))


def near(value: float, step: float, within: float) -> float:
    """Round a number as people do.

    Args:
        value: the number, above 0.
        step: round numbers are its multiples.
        within: how far a round number may be from the number itself.

    Returns:
        The nearest round number, or where that is 0 or too far the nearest whole one.

    Raises:
        TaskError: if nobody says such numbers.
    """
    if value > _MOST:
        raise TaskError(f"{value!r} cannot be said: expected {_MOST:g} at most")
    coarse = step * round(value / step)
    return coarse if coarse > 0 and abs(coarse - value) <= within + 1e-9 else float(round(value))


def _decimal(value: float) -> Decimal:
    found = Decimal(repr(float(value)))
    if not found.is_finite() or found < 0 or _decimals(found) > _MOST_DECIMALS:
        raise TaskError(
            f"{value!r} cannot be said: expected 0 or more, with {_MOST_DECIMALS} decimals at most"
        )
    return abs(found)


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


def _short(value: Decimal) -> str:
    return f"{value:.{_decimals(value)}f}"
