"""Whether a free phrase names what a node of a program names: "the 2nd-biggest mug" is one."""

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from refergym.envs.errors import TaskError
from refergym.envs.language.nouns import noun_phrase
from refergym.envs.language.places import floor, spot
from refergym.envs.language.voices import (
    ABOUT,
    CANONICAL,
    LENGTH,
    ROUND,
    WITHIN,
    Forms,
    Speaker,
    Voice,
)
from refergym.envs.language.words import ORDINALS, centimetres, metres, near, number
from refergym.envs.programs import Floor, Region, Select

LONGEST = 300
"""characters of a phrase at most; a longer one names nothing"""
Nameable = Select | Region | Floor
_VOICES = [Voice(forms=forms) for forms in ("training", "held_out")]
_NTH = {f"{k}{['st', 'nd', 'rd'][k - 1] if k < 4 else 'th'}": w for k, w in enumerate(ORDINALS, 1)}
_NAMED_SPACE = "free space"

_OTHERWISE = (
    (r"[“”\"`*]", ""),
    (r"[-_/]", " "),
    (r"\b(?:which|who)\b", "that"),
    (r"\bthat (?:sits?|stands?|lies|lie|rests?)\b(?! upright)", "that is"),
    (r"\b(?:located|positioned|placed|situated|sitting|standing|lying|resting|found|seen|sits"
     r"|stands)\b(?! (?:straight|upright))", "that is"),
    (r"\b(?:that (?:is|are) )+(?:that (?:is|are)\b)", "that is"),
    (r"\b(left|right) most\b", r"\1most"),
    (r"\b(?:far|furthest|farthest) (left|right)\b(?! of)", r"\1most"),
    (r"\bfurther", "farther"), (r"\bfurthest\b", "farthest"),
    (r"\bnearest\b", "closest"), (r"\bnearer\b", "closer"),
    (r"\bbiggest\b", "largest"), (r"\bbigger\b", "larger"), (r"\bgreater in size\b", "larger"),
    (r"\bhighest\b(?! in)", "tallest"), (r"\bbroadest\b", "widest"), (r"\bbroader\b", "wider"),
    (r"\b(?:slimmest|thinnest)\b", "narrowest"), (r"\b(?:slimmer|thinner)\b", "narrower"),
    (r"\b(?:me|us|you|the observer)\b", "viewer"),
    (r"\b(?:image|photo)\b", "picture"),
    (r"\bcentimet(?:er|re)s?\b", "cm"), (r"(\d) ?met(?:er|re)s?\b", r"\1 m"),
    (r"(\d) ?(cm|m)\b", r"\1 \2"), (r"(\d) ?(?:°|deg\b)", r"\1 degrees"),
    (r"(\d\.\d*?)0+(?!\d)", r"\1"), (r"(\d)\.(?!\d)", r"\1"),
    (r"\bcent(?:er|re)\b", "middle"),
    (r"\bleft hand\b", "left"), (r"\bright hand\b", "right"),
    (r"\b(?:on|at|to) the (left|right)(?: side)? of\b", r"\1 of"),
    (r"\b(?:at the (?:back|rear) of|to the (?:back|rear) of|in back of)\b", "behind"),
    (r"\bto the front of\b", "in front of"),
    (r"\b(?:empty|clear|open|vacant|unoccupied|free|bare) (?:space|spot|place|area|room|region"
     r"|patch|surface)s?\b", _NAMED_SPACE),
    (r"\b(?:space|spot|area|region|location|position|point|place)(?= (?:that|to|in|behind|between|on|at"
     r"|along|near|by|left|right|where|\d|about|around|roughly)\b|$)", _NAMED_SPACE),
    (r"\bfree free space\b", _NAMED_SPACE),
    (r"\b(free space) on (?:the )?table(?! ?'?s)\b", r"\1"),
    (r"\b(?:the|a|an|some|that is|that are)\b ?", ""),
    (r"[’']s\b", ""),
    (r"[.,;:!?]+(?!\d)", ""),
)  # fmt: skip
"""what is written otherwise -> what both sides are compared in, one after the other"""
_COMPILED = [(re.compile(old), new) for old, new in _OTHERWISE]
_NTHS = re.compile(rf"\b(?:{'|'.join(_NTH)})\b")
_POSSESSIVE = re.compile(r"^(.{1,200})[’']s ([a-z ]{1,20})$")
_UNSAID = re.compile(r"\b(?:the|that is|that are) ")
_TRIMMED = re.compile(r"(\(\?:|\|)(in|at) ")
_LOOSE = re.compile(r"(\(\?:|\|) +")
_SPECIAL = re.compile(r"([.?*+()|\[\]\\^$])")


def names(phrase: str, node: Nameable, *, is_set: bool = False) -> bool:
    """Tell whether a phrase names what a node names: in its canonical words, or in others.

    All forms in which the node may be said count, and common words for the same, whatever the
    articles. Another description, even if of the same thing in some picture, does not.

    Args:
        phrase: as a policy writes it.
        node: what names an object, all that fit, or a place.
        is_set: whether all that fit are meant.
    """
    if len(phrase) > LONGEST:
        return False
    plain = normalised(phrase)
    try:
        return _pattern(node, is_set).fullmatch(plain) is not None
    except TaskError:
        return False


def names_side(phrase: str, node: Select, side: str) -> bool:
    """Tell whether a phrase names a side of an object: "the handle of the red cup".

    Args:
        phrase: as a policy writes it.
        node: what names the object.
        side: one of its directions, or "upright axis".
    """
    if len(phrase) > LONGEST:
        return False
    lowered = phrase.lower().strip()
    owned = _POSSESSIVE.match(lowered)
    if owned is not None and normalised(owned[2]) == side:
        return names(owned[1], node)
    head, of, rest = normalised(lowered).partition(" of ")
    return bool(of) and head in (side, f"{side} side", f"direction of {side}") and names(rest, node)


def normalised(phrase: str) -> str:
    """Return a phrase in lower case, without articles, and with one word for what has several."""
    text = _NTHS.sub(lambda m: _NTH[m[0]], phrase.lower())
    for old, new in _COMPILED:
        text = old.sub(new, text)
    return " ".join(text.split())


@dataclass(frozen=True, kw_only=True)
class _Loose(Speaker):
    """Says everything in all ways at once: a regular expression over normalised words."""

    def choose(self, forms: Forms, fits: Callable[[str], bool] | None = None) -> str:
        """Return all forms, as alternatives."""
        return _alternatives(forms)

    def length(self, length: float) -> str:
        """Return all ways to say a length in m."""
        said = {
            "m": metres(length),
            "cm": centimetres(length),
            "about": number(near(100 * length, ROUND, WITHIN)),
        }
        return _either(f.format(**said) for f in _all(LENGTH))

    def angle(self, degrees: float) -> str:
        """Return all ways to say an angle in degrees, without its sign."""
        rounded = CANONICAL.angle(near(abs(degrees), ROUND, WITHIN))
        loose = (f.format(rounded) for f in _all(ABOUT))
        return _either((CANONICAL.angle(degrees), *loose))


@functools.cache
def _alternatives(forms: Forms) -> str:
    return _either(_all(forms))


def _all(forms: Forms) -> list[str]:
    return [f for voice in _VOICES for f in forms.of(voice)]


def _either(forms: Iterable[str]) -> str:
    plain = dict.fromkeys(_SPECIAL.sub(r"\\\1", normalised(f)) for f in forms)
    return f"(?:{'|'.join(plain)})"


def _said(node: Nameable, is_set: bool) -> str:
    if isinstance(node, Select):
        return noun_phrase(node, _Loose(), is_set=is_set)
    return floor(node, _Loose()) if isinstance(node, Floor) else spot(node, _Loose())


@functools.lru_cache(maxsize=4096)
def _pattern(node: Nameable, is_set: bool) -> re.Pattern[str]:
    pattern = _UNSAID.sub("", _said(node, is_set)).replace("-", " ")
    pattern = _TRIMMED.sub(r"\1(?:\2 )?", _LOOSE.sub(r"\1", " ".join(pattern.split())))
    return re.compile(pattern)
