"""Reads a phrase against a node: which words may end what is said of it."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from refergym.envs.errors import TaskError
from refergym.envs.language.naming.needs import (
    Need,
    Needs,
    needs_of,
    needs_of_place,
    no_slot,
    side_words,
)
from refergym.envs.language.naming.patterns import Pattern
from refergym.envs.language.naming.tokens import SITS
from refergym.envs.language.voices import ROUND, WITHIN
from refergym.envs.language.words import near
from refergym.envs.programs import Direction, Floor, Region, Select, Turn, Where

MOST_STEPS = 4000
"""of reading one phrase; what takes more names nothing"""
_UNITS: Mapping[str, float] = {"m": 1.0, "cm": 0.01, "mm": 0.001}
_ABOUT = Pattern(
    [
        "about",
        "around",
        "roughly",
        "approximately",
        "more or less",
        "some",
        "circa",
        "approx",
        "nearly",
        "almost",
        "close to",
    ]
)
_WAYS = {
    False: Pattern(["clockwise", "(to|toward) right", "right", "rightward"]),
    True: Pattern(
        ["counterclockwise", "counter clockwise", "(to|toward) left", "left", "leftward"]
    ),
}
_TIPPED = Pattern(
    [
        "[~] on its side",
        "~ down",
        "~ flat",
        "(toppled|fallen|knocked|tipped|flipped|turned) [(over|down)] [on its side]",
        "[~] (horizontal|horizontally|sideways|sideward)",
        "on side",
        "overturned",
        "tipped over",
    ]
)
_INVERTED = Pattern(
    ["[~] [turned] upside down", "[turned] bottom up", "inverted", "on its head", "flipped over"]
)
_OWN_VIEW = Pattern(
    ["<view>"],
    {
        "view": "(perspective|view|viewpoint|point of view|frame|frame of reference|reference "
        "frame|side|standpoint|orientation)"
    },
)


class Reader:
    """Reads the words of one phrase."""

    def __init__(self, words: Sequence[str]) -> None:
        """Take the words as `tokens` gives them."""
        self.words = tuple(words)
        self._steps = 0
        self._seen: dict[tuple[int, int, bool], frozenset[int]] = {}

    def name(self, node: Select, at: int, is_set: bool = False) -> frozenset[int]:
        """Return the words after each reading as the name of an object, from a word on."""
        key = (id(node), at, is_set)
        found = self._seen.get(key)
        if found is None:
            self._seen[key] = frozenset()
            found = self._seen[key] = self._ends(needs_of(node, is_set), at)
        return found

    def is_name(self, node: Select, at: int = 0, is_set: bool = False) -> bool:
        """Tell whether all words from one on name an object."""
        return len(self.words) in self.name(node, at, is_set)

    def is_place(self, node: Region | Floor) -> bool:
        """Tell whether all words name a place."""
        return len(self.words) in self._ends(needs_of_place(node), 0)

    def whole(self, pattern: Pattern, node: Select, is_set: bool = False) -> bool:
        """Tell whether all words are a pattern's, of which {0} is the name of an object."""
        return len(self.words) in pattern.ends(
            self.words, 0, lambda _, k: self.name(node, k, is_set)
        )

    def _ends(self, needs: Needs, at: int) -> frozenset[int]:
        """Return the words after which enough is said."""
        found: set[int] = set()
        stack, seen = [(at, 0)], {(at, 0)}
        while stack:
            k, said = stack.pop()
            if needs.is_enough(said):
                found.add(k)
            for start in (k, k + 1) if self.words[k : k + 1] == (SITS,) else (k,):
                for need in needs.needs:
                    self._steps += 1
                    if self._steps > MOST_STEPS:
                        return frozenset()
                    for end in self._said(need, start, needs):
                        state = (end, said | need.bits)
                        if state not in seen:
                            seen.add(state)
                            stack.append(state)
        return frozenset(found)

    def _said(self, need: Need, at: int, needs: Needs) -> set[int]:
        return need.words.ends(self.words, at, lambda name, k: self._slot(name, k, need, needs))

    def _slot(self, name: str, at: int, need: Need, needs: Needs) -> Iterator[int]:
        """Yield the words after a slot of a template."""
        if name.isdigit():
            anchor = need.anchors[int(name)]
            yield from self.name(anchor, at)
            is_it = self.words[at : at + 1] in (("it",), ("its",))
            if is_it and self._is_named(anchor):
                yield at + 1
        elif name in ("one", "many"):
            yield from self.name(need.anchors[0], at, is_set=name == "many")
        elif name in ("side", "own"):
            yield from side_words(_side(need.about)).ends(self.words, at, no_slot)
        elif name == "noun":
            yield from needs.needs[0].words.ends(self.words, at, no_slot)
            yield from needs.needs[1].words.ends(self.words, at, no_slot)
        elif name == "length":
            yield from self._quantity(at, _length(need.about), _UNITS)
        elif name == "angle":
            yield from self._angle(at, abs(_angle(need.about)))
        elif name == "way":
            yield from _WAYS[_angle(need.about) > 0].ends(self.words, at, no_slot)
        else:
            yield from self._special(name, at, need)

    def _special(self, name: str, at: int, need: Need) -> Iterator[int]:
        """Yield the words after what only some values and directions have words for."""
        if name == "tipped" and _angle(need.about) in (90.0, 180.0):
            words = _TIPPED if _angle(need.about) == 90 else _INVERTED
            yield from words.ends(self.words, at, no_slot)
        if name == "facing" and _side(need.about) == "face":
            for end in self.name(need.anchors[0], at):
                if self.words[end : end + 1] == ("faces",):
                    yield end + 1
        if name == "ownview" and _side(need.about) == "face":
            yield from _OWN_VIEW.ends(self.words, at, no_slot)

    def _is_named(self, node: Select) -> bool:
        return any(self.name(node, k) for k in range(len(self.words)))

    def _quantity(self, at: int, value: float, units: Mapping[str, float]) -> Iterator[int]:
        """Yield the word after a number with its unit that is the value, or near it if so said."""
        starts = {at: False, **{end: True for end in _ABOUT.ends(self.words, at, no_slot)}}
        for start, is_about in starts.items():
            number, unit = (*self.words[start : start + 2], "", "")[:2]
            number = "0.5" if number == "half" else number
            if unit not in units or not number.replace(".", "", 1).isdigit():
                continue
            step = units[unit]
            said = float(number) * step
            fits = {value}
            if is_about:
                base = 0.01 if "cm" in units else 1.0
                with contextlib.suppress(TaskError):  # what is too large is said exactly
                    fits.add(base * near(value / base, ROUND, WITHIN))
            if any(abs(said - v) < 1e-6 for v in fits):
                yield start + 2

    def _angle(self, at: int, value: float) -> Iterator[int]:
        yield from self._quantity(at, value, {"degrees": 1.0})
        words = self.words[at : at + 2]
        if (value == 90 and words in (("right", "angle"), ("quarter", "turn"))) or (
            value == 180 and words == ("half", "turn")
        ):
            yield at + 2


def _side(about: object) -> str:
    if isinstance(about, Where):
        return about.side
    return getattr(about, "facing", "") or ""


def _length(about: object) -> float:
    if isinstance(about, Direction | Turn):
        return about.distance
    return about.value or 0.0 if isinstance(about, Where) else 0.0


def _angle(about: object) -> float:
    if isinstance(about, Turn):
        return about.angle
    return about.value or 0.0 if isinstance(about, Where) else 0.0
