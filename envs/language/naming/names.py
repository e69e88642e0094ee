"""Whether a phrase names a thing, a place, or a side of a thing."""

from refergym.envs.language.naming.patterns import Pattern
from refergym.envs.language.naming.reader import Reader
from refergym.envs.language.naming.sides import is_side
from refergym.envs.language.naming.tokens import tokens
from refergym.envs.programs import Floor, Region, Select

LONGEST = 300
"""characters of a phrase at most; a longer one names nothing"""
Nameable = Select | Region | Floor

_WHEREABOUTS = "(location|position|place|spot|middle|coordinates|location of middle|middle point)"
_WRAPPED = Pattern(
    [
        f"{_WHEREABOUTS} (of|where|for) {{0}} [~]",
        "where {0} [~]",
        f"{{0}} ['s] {_WHEREABOUTS}",
        f"{_WHEREABOUTS} {{0}} ~",
    ]
)
"""the place of a thing, which is the thing"""


def names(phrase: str, node: Nameable, *, is_set: bool = False) -> bool:
    """Tell whether a phrase names what a node names: in its canonical words, or in others.

    Args:
        phrase: as a policy writes it.
        node: what names an object, all that fit, or a place.
        is_set: whether all that fit are meant.
    """
    if len(phrase) > LONGEST:
        return False
    reader = Reader(tokens(phrase))
    if not isinstance(node, Select):
        return reader.is_place(node)
    return reader.is_name(node, is_set=is_set) or reader.whole(_WRAPPED, node, is_set)


def names_side(phrase: str, node: Select, side: str) -> bool:
    """Tell whether a phrase names a side of an object: "the handle of the red cup".

    Args:
        phrase: as a policy writes it.
        node: what names the object.
        side: one of its directions, or "upright axis".
    """
    if len(phrase) > LONGEST:
        return False
    return is_side(tokens(phrase), node, side)


def normalised(phrase: str) -> str:
    """Return a phrase in lower case, without articles, with one word for what has several."""
    return " ".join(tokens(phrase))
