"""Free text to words, one for what has several: "2nd-biggest" and "second largest" are the same."""

import re
from collections.abc import Iterable
from types import MappingProxyType

from refergym.envs.language.words import ORDINALS

POSSESSIVE = "'s"
SITS = "~"
"""stands for "sits", "is located" and so on, before what tells where or how"""

_DROPPED = (
    "the", "a", "an", "that", "this", "these", "those", "which", "who", "whom", "is", "are",
    "was", "were", "be", "being", "been", "am", "does", "do", "really", "actually", "just",
    "exactly", "precisely", "directly", "immediately", "simply", "quite", "somewhere",
    "currently", "now", "please", "whole", "entire", "only", "single", "straight",
)  # fmt: skip
"""words without a meaning of their own here"""
_SITTING = (
    "sit", "sits", "sitting", "stand", "stands", "standing", "lie", "lies", "lying", "rest",
    "rests", "resting", "located", "positioned", "placed", "situated", "found", "seen",
    "appears", "appear", "appearing", "remains", "set", "occurs", "laid", "exists",
)  # fmt: skip
_SAME = {
    "largest": "biggest",
    "larger": "bigger",
    "closest": "nearest",
    "closer": "nearer nigher",
    "farthest": "furthest",
    "farther": "further",
    "middle": "centre center midst",
    "picture": "image photo photograph",
    "viewer": "camera us me you observer we i our my your",
    "toward": "towards",
    "among": "amongst",
    "leftward": "leftwards",
    "rightward": "rightwards",
    "backward": "backwards",
    "forward": "forwards",
    "upward": "upwards",
    "downward": "downwards",
    "table": "tabletop tableside",
    "cm": "centimetre centimetres centimeter centimeters cms",
    "mm": "millimetre millimetres millimeter millimeters",
    "m": "metre metres meter meters",
    "degrees": "degree deg degs",
    "coloured": "colored",
    "colour": "color hue",
    "grey": "gray",
    "gold": "golden",
    "purple": "violet",
    "wood": "wooden",
    "metal": "metallic",
    "cloth": "textile",
    "points": "pointing pointed",
    "leftmost": "leftest",
    "rightmost": "rightest",
    "counterclockwise": "anticlockwise",
    "also": "too additionally",
    "other": "others",
    "order": "ordering",
    "clear": "unobstructed",
    "tabletops": "",
    "ordered": "sequenced",
    "its": "their",
    "it": "them itself themselves",
    "ground": "grounds",
    "under": "underneath",
}
"""word -> words for the same"""
_SMALL = (
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = (
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
)  # fmt: skip
_NTH = {f"{k}{['st', 'nd', 'rd'][k - 1] if k < 4 else 'th'}": w for k, w in enumerate(ORDINALS, 1)}
_DIGITS = frozenset("123456789")
_ROUND = frozenset(str(10 * k) for k in range(2, 10))


def _canonical() -> Iterable[tuple[str, str]]:
    yield from ((w, "") for w in _DROPPED)
    yield from ((w, SITS) for w in _SITTING)
    for word, others in _SAME.items():
        yield from ((w, word) for w in others.split())
    yield from ((w, str(k)) for k, w in enumerate(_SMALL, 2))
    yield from ((w, str(10 * k)) for k, w in enumerate(_TENS, 2))
    yield from _NTH.items()


_WORDS = MappingProxyType(dict(_canonical()))
_CHARACTERS = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u02bc": "'",
        "\u00b4": "'",
        "`": "'",
        "“": " ",
        "”": " ",
        '"': " ",
        "&": " and ",
        "°": " degrees ",
        "º": " degrees ",
        "#": " number ",
        "\u2013": "-",
        "\u2014": " ",
    }
)
_TOKEN = re.compile(r"\d+(?:st|nd|rd|th)\b|\d*\.\d+|\d+|'s\b|[a-z]+n't|[^\W\d_]+|[^\w\s]")
_IGNORED = frozenset(".,;:!?()[]{}<>'*-/_|\"…")
_MANY_OWN = re.compile(r"(?<=[a-z]s)'(?=\s)")
_PERFECT = re.compile(r"\b(?:has|have|had|having) been\b|\bcan be (?=found|seen)|'(?:re|ve)\b")
_CONTRACTED = re.compile(r"\b(that|which|what|it|who|where|there|here|whose)'s\b")
_JOINED = re.compile(
    r"\b(left|right|front|back|rear|fore)[ -]most\b|\b(left|right)[ -]hand\b"
    r"|\b(?:anti|counter)[ -](clock) ?-?(wise)\b|\b(table|counter)[ -](top)\b"
)


def tokens(text: str) -> tuple[str, ...]:
    """Cut a text into words in one form each, without those that mean nothing here.

    Args:
        text: any.
    """
    lowered = _PERFECT.sub(
        "", _CONTRACTED.sub(r"\1", text.lower().translate(_CHARACTERS).strip(" '"))
    )
    lowered = _MANY_OWN.sub("'s", lowered)
    found: list[str] = []
    for token in _TOKEN.findall(_JOINED.sub(_join, lowered)):
        if token in _IGNORED:
            continue
        if token.endswith("n't"):
            found.append("not")
            continue
        word = _WORDS.get(token, token)
        if not word or (word == SITS and found[-1:] == [SITS]):
            continue
        # "forty-five"
        is_digit = word in _DIGITS and token not in _DIGITS
        if is_digit and found[-1:] and found[-1] in _ROUND:
            found[-1] = str(int(found[-1]) + int(word))
            continue
        found.append(word)
    return tuple(found)


def word(text: str) -> str:
    """Return the one form of a word; empty if it means nothing here."""
    return _WORDS.get(text, text)


def _join(match: re.Match[str]) -> str:
    most, hand, clock, _, _, top = match.groups()
    if most:
        return {
            "front": "frontmost",
            "fore": "frontmost",
            "left": "leftmost",
            "right": "rightmost",
        }.get(most, "rearmost")
    if hand:
        return hand
    return "counterclockwise" if clock else f"{match[4]}{top}"
