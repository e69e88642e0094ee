"""Other words for a place in an order: "number three counting from the left", "next to last".

A rank is said in one piece or in two: which place ("third"), and in what order ("from the left");
each kind of piece has its own pattern.
"""

import functools
import re
from dataclasses import dataclass

from refergym.envs.language.name_forms import NEAREST, RANKS
from refergym.envs.language.naming.lexicon import DIMENSIONS
from refergym.envs.language.naming.patterns import Pattern
from refergym.envs.language.voices import Forms
from refergym.envs.language.words import ORDINALS
from refergym.envs.programs import Axis

_SLOTS = re.compile(r"\{(?:noun|nth|first)\}")
_GOING = (
    "[when|if] [(going|count|counting|counted|numbered|starting|reading|read|taken|viewed|listed"
    "|ranked|ordered|sorted|arranged|lined up|running|moving|in order|in line) [in order]]"
)
_SORTED = (
    "[when] (going|ranked|ordered|sorted|arranged|lined up|counting|counted|starting|listed"
    "|in order|running)"
)
_THAN = "than (all|any|every|each|(all|any|every|each) [of] other|other) [(one|ones|rest|{noun})]"
_MOST = "greatest|largest|highest|most|maximum|maximal|max|biggest"
_LEAST = "least|smallest|lowest|minimum|minimal|min|shortest"
_VIEWER = "[(to|from|toward) (viewer|front [of (table|scene)]|where viewer sits)]"


@dataclass(frozen=True, kw_only=True)
class OrderWords:
    """How an order from one of its ends is said."""

    first: Pattern
    """what alone means the first: "leftmost" """
    counted: Pattern
    """what needs a place: "from the left" """
    reverse: Pattern
    """what needs a place from the other end: "from the right", of the last"""
    next: Pattern
    """what alone means the second: "next to leftmost" """
    hints: Pattern
    """what agrees with it and says less: "large", of the largest"""


@functools.cache
def order_words(axis: Axis, is_first: bool) -> OrderWords:
    """Return the words for an order.

    Args:
        axis: of what; of a distance without what it is from.
        is_first: whether from its first end.
    """
    most, counted, hints = _words(axis, is_first)
    _, reverse, _ = _words(axis, not is_first)
    if axis == "left-right":
        side = _side(is_first)
        reverse = (*reverse, f"(on|at|to|toward) {side} [(side|end)]")
    return OrderWords(
        first=_pattern(most),
        counted=_pattern(counted),
        reverse=_pattern(reverse),
        hints=_pattern(hints),
        next=_pattern((f"(next|second) to ({'|'.join(most)})",)),
    )


@functools.cache
def place_words(k: int) -> Pattern:
    """Return the words for the k-th place."""
    word = ORDINALS[k - 1]
    ways = [
        f"[(in|with|of|having|at|by)] {word} [(place|position|rank|spot)] [in] ",
        f"(number|no|nr|rank|ranked|place) [number] {k}",
        f"ranked [as|in] {word} [place]",
        f"ranks {word}",
        f"comes {word}",
        f"{word} one",
    ]
    if k == 1:
        ways += ["number one", "no one"]
    if k == 2:
        ways += ["runner up", "in runner up place"]
    return Pattern(ways)


@functools.cache
def last_words(k: int) -> Pattern:
    """Return the words for the k-th place from the end."""
    if k == 1:
        return Pattern(["[very] last", "final"])
    ways = [
        f"{ORDINALS[k - 1]} (to|from) last",
        f"{ORDINALS[k - 1]} last",
        f"last but {k - 1 if k > 2 else 'one'}",
    ]
    if k == 2:
        ways += ["next to last", "penultimate", "one before last", "last but 1"]
    return Pattern(ways)


@functools.cache
def distance_words(is_near: bool) -> tuple[Pattern, Pattern, Pattern]:
    """Return the words for a rank by distance: whole, its first piece, and what it is from."""
    whole = [f.replace("{nth} ", "") for f in _all(NEAREST[is_near])]
    if is_near:
        first = [
            "nearest",
            "[lying|being] least far [away]",
            "least distant",
            f"nearer [to it] {_THAN}",
            "(with|at|by) (least|smallest|shortest|minimum) distance",
            "least [far] away",
            "most near",
            "shortest distance [away]",
        ]
        anchor = [
            "(to|from|near|by|beside) {0}",
            "near to {0}",
            "close to {0}",
            "{0} 's",
            "of {0}",
            "next to {0}",
        ]
        whole += [
            "nearest {0}",
            "(least|smallest|shortest|minimum) distance (from|to) {0}",
            f"nearer [to] {{0}} {_THAN}",
            "(at|with) (least|smallest|shortest|minimum) distance (from|to) {0}",
            f"nearer {_THAN} to {{0}}",
            "whose distance (to|from) {0} (smallest|least|shortest)",
            "in (closeness|proximity|nearness) to {0}",
        ]
    else:
        first = [
            "farthest [away|off]",
            "most distant",
            "most far [away]",
            "most remote",
            f"farther [away] {_THAN}",
            "(with|at|by) (greatest|largest|longest|maximum) distance",
        ]
        anchor = ["(from|to) {0}", "(far|distant) [away] from {0}", "{0} 's", "away from {0}"]
        whole += [
            "[(at|with)] (greatest|largest|longest|maximum|most) distance (from|to|away from) {0}",
            f"farther [away] from {{0}} {_THAN}",
            f"farther [away] {_THAN} from {{0}}",
            "whose distance (to|from) {0} (greatest|largest|longest)",
        ]
    return Pattern(whole), Pattern(first), Pattern(anchor)


def _words(axis: Axis, is_first: bool) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    forms = _all(RANKS[axis, is_first])
    most = tuple(_SLOTS.sub("", f) for f in forms if "{nth}" in f)
    counted = tuple(_SLOTS.sub("", f) for f in forms if "{first}" in f)
    if axis == "left-right":
        more = _sideways(_side(is_first), _side(not is_first))
    elif axis == "front-back":
        more = _depthways(is_first)
    else:
        more = _measured(axis, is_first)
    return most + more[0], counted + more[1], more[2]


def _sideways(side: str, other: str) -> tuple[tuple[str, ...], ...]:
    most: tuple[str, ...] = (
        f"all way (to|on) {side} [side]",
        f"farthest [over] [away] [out] [(on|to|at|toward)] {side} [side]",
        f"[(on|at|to)] far {side} [(side|end)]",
        f"[most] (on|at|to) extreme {side} [(side|end)]",
        f"most [(to|on)] {side}",
        f"{side}most",
        f"at {side} end [of (row|line|table|them)]",
        f"on {side} end",
        f"[{side}] outermost on {side}",
        f"farther [to] {side} {_THAN}",
        f"extreme {side}",
        f"with nothing (to|on) [its] {side}",
    )
    counted: tuple[str, ...] = (
        f"{_GOING} (from|at) [far] {side} [(side|end|edge|hand side)] [(to|toward|on) "
        f"{other}] [on|onward|onwards]",
        f"{_GOING} {side} to {other}",
        f"{_GOING} {other}ward",
        f"on {side} [side]",
        f"in from {side}",
        f"in order from {side}",
        f"in order from {side} to {other}",
        f"{_GOING} from {side} to {other}",
        f"in {side} to {other} order",
    )
    return most, counted, ()


def _depthways(is_front: bool) -> tuple[tuple[str, ...], ...]:
    if is_front:
        most: tuple[str, ...] = (
            f"nearest {_VIEWER}",
            "nearest viewer",
            "frontmost",
            "most forward",
            "(at|in) very front",
            "farthest [to|toward|at|in] (front|forward)",
            f"nearer [to viewer] {_THAN}",
            "nearest [to|at] front [edge] [of table]",
            "least far [away] [from viewer]",
            "[at|with] (smallest|least|shortest) distance (from|to) viewer",
        )
        counted: tuple[str, ...] = (
            f"{_GOING} from front [(edge|side|end)] [to back] [on]",
            f"{_GOING} front to back",
            f"{_GOING} from (near|nearest) to (far|farthest)",
            f"{_GOING} (near|nearest) to (far|farthest)",
            f"{_GOING} from viewer [on]",
            f"{_GOING} from (nearest|near) [end|side]",
            "in order from front",
            f"{_GOING} backward",
            "by (nearness|closeness) to viewer",
        )
        return most, counted, ("near", "to viewer")
    most = (
        "farthest [away|back|off] [from viewer]",
        "most distant [from viewer]",
        "rearmost",
        "(at|in) very (back|rear)",
        "farthest [away] [to|toward|at|in|into] (back|rear)",
        f"farther [away] [back] [from viewer] {_THAN}",
        "most remote [from viewer]",
        "[at|with] (greatest|largest|longest) distance (from|to) viewer",
        "most far [away] [from viewer]",
    )
    counted = (
        f"{_GOING} from (back|rear) [(edge|side|end)] [to front] [on]",
        f"{_GOING} (back|rear) to front",
        f"{_GOING} from (far|farthest) to (near|nearest)",
        f"{_GOING} (far|farthest) to (near|nearest)",
        f"{_GOING} from (far|farthest) [end|side]",
        "in order from (back|rear)",
        f"{_GOING} from farthest",
        "by distance from viewer",
        "in distance from viewer",
    )
    return most, counted, ("far", "from viewer", "away")


def _measured(axis: Axis, is_most: bool) -> tuple[tuple[str, ...], ...]:
    noun, top, more, much, bottom, less, little = DIMENSIONS[axis]
    if not is_most:
        top, more, much, bottom, less, little = bottom, less, little, top, more, much
    extreme = _MOST if is_most else _LEAST
    most: tuple[str, ...] = (
        f"({top}) [~] [of all]",
        f"({top}) (in|by) ({noun})",
        f"({top}) sized",
        f"({extreme}) (in|by) ({noun})",
        f"[(with|of|having|has|by)] ({extreme}) ({noun}) [of all]",
        f"whose ({noun}) ({extreme}|{top})",
        f"({noun}) ({extreme})",
        f"most ({much})",
        f"({more}) {_THAN}",
    )
    start = f"({top}|{much})"
    end = f"({bottom}|{little})"
    counted: tuple[str, ...] = (
        f"{_SORTED} [by ({noun})] [from] {start} [one] "
        f"[(down|up|downward|downwards|upward|upwards|on|onward|first)]",
        f"{_SORTED} [by ({noun})] [from] {start} to {end}",
        f"from {start} [down|downward|on|onward|up]",
        f"from {start} to {end}",
        f"{start} to {end}",
        f"with {start} [one] first",
        f"{start} first",
    )
    way = "descending|decreasing|falling" if is_most else "ascending|increasing|rising"
    counted += (
        f"[{_SORTED}] (in|by) ({way}) [order of] ({noun}) [order]",
        f"in ({way}) order [of ({noun})]",
    )
    if is_most:
        counted += (
            f"[{_SORTED}] (in|by|in terms of|according to) ({noun})",
            f"in order of ({noun})",
            f"in ({noun}) order",
            f"in ({noun}) ranking",
        )
    hints = (f"({much})", f"(in|by) ({noun})", "of all")
    return most, counted, hints


def _side(is_first: bool) -> str:
    return "left" if is_first else "right"


def _all(forms: Forms) -> tuple[str, ...]:
    return forms.exact + forms.loose + forms.held + forms.held_loose


def _pattern(templates: tuple[str, ...]) -> Pattern:
    return Pattern(templates)
