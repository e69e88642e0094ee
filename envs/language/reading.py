"""The canonical names of things back to their trees.

Every reading is followed, so that a phrase with more than one is found out. Words are matched
against the same forms that are said. Colours and materials are known words; any other word before
the noun is part of the noun.
"""

import functools
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from refergym.envs.errors import TaskError
from refergym.envs.language import name_forms, place_forms
from refergym.envs.language.nouns import ANYTHING
from refergym.envs.language.voices import Forms
from refergym.envs.language.words import COLOURS, MATERIALS, ORDINALS, singular
from refergym.envs.programs import Missing, Node, Program, Rank, Select, Where, walk

Found = Iterator[tuple[Any, int]]
"""what may be read from a word on, and the word after it"""

WATCHERS = ("viewer", "camera", "robot")
"""who looks on; the words name nothing on the table"""
_TOKEN = re.compile(r"\{\w+\}|(?:[^\s.,?;]|\.(?=\d))+|[.,?;]")
_NUMBER = re.compile(r"\d+(\.\d+)?")
_NAMED = re.compile(r"\{[01]\}|\{what\}|\{one\}|\{many\}")
_WAYS = {"counter-clockwise": 1.0, "clockwise": -1.0}
_RANKS = {forms.canonical.split()[1]: key for key, forms in name_forms.RANKS.items()}


@functools.cache
def tokens(text: str) -> tuple[str, ...]:
    """Cut a text or a form into words, slots and stops."""
    return tuple(_TOKEN.findall(text))


def _ends() -> Iterator[str]:
    """Yield the words that may follow a noun."""
    yield from ("the", "of", "that", "and", ".", ",", "?", ";")
    tables = [*name_forms.CLAUSES.values(), *name_forms.NEAREST.values()]
    placed = [f for f in vars(place_forms).values() if isinstance(f, Forms)]
    placed += [*place_forms.BESIDE.values(), *place_forms.DIRECTION.values()]
    for forms in tables + placed:
        words = tokens(forms.canonical)
        for word, after in itertools.pairwise(words):
            if _NAMED.fullmatch(word) and not after.startswith("{"):
                yield after
    for forms in placed:
        first = tokens(forms.canonical)[0]
        if first.islower() and first not in ("the", "put", "arrange"):
            yield first


_ENDS = frozenset(_ends())


class Reader:
    """Reads the words of one text."""

    def __init__(self, words: tuple[str, ...]) -> None:
        """Take the words as `tokens` gives them."""
        self.words = words
        self._seen: dict[tuple[str, int, bool], list[tuple[Any, int]]] = {}
        self._farthest, self._expected = -1, ""

    def whole(self, found: Found) -> list[Any]:
        """Return the different readings that take all words."""
        kept: list[Any] = []
        for value, end in found:
            if end < len(self.words):
                self.expect(end, "the end")
            elif value not in kept:
                kept.append(value)
        return kept

    def expect(self, at: int, what: str) -> None:
        """Note what a reading failed for; the one that came farthest is told."""
        if at > self._farthest:
            self._farthest, self._expected = at, what

    def error(self) -> TaskError:
        """Say where the words stop making sense."""
        rest = " ".join(self.words[self._farthest : self._farthest + 4])
        return TaskError(f"expected {self._expected}, got {rest!r}")

    def word(self, at: int) -> str:
        """Return a word; empty after the last."""
        return self.words[at] if at < len(self.words) else ""

    def match(
        self, form: str, at: int, slots: Mapping[str, Callable[[int], Found]], named: str = ""
    ) -> Iterator[tuple[dict[str, Any], int]]:
        """Match words with a form.

        Args:
            form: words and slots.
            at: the first word.
            slots: readers of slots, beside those that all forms have.
            named: what to expect where not even the form's first word is there; empty for that
                word.

        Yields:
            What its slots hold, and the word after it.
        """
        partial: list[tuple[dict[str, Any], int]] = [({}, at)]
        for token in tokens(form):
            grown: list[tuple[dict[str, Any], int]] = []
            for held, k in partial:
                if token.startswith("{"):
                    read = slots.get(token[1:-1]) or self._slot(token[1:-1])
                    grown += [({**held, token[1:-1]: v}, end) for v, end in read(k)]
                elif token == self.word(k):
                    grown.append((held, k + 1))
                else:
                    self.expect(k, named if named and k == at else repr(token))
            partial = grown
        yield from partial

    def name(self, at: int, is_set: bool = False) -> list[tuple[Any, int]]:
        """Read a noun phrase, of one thing or of all that fit."""
        key = ("name", at, is_set)
        if key not in self._seen:
            self._seen[key] = list(self._name(at, is_set))
        return self._seen[key]

    def noun(self, at: int, is_set: bool = False) -> Found:
        """Read a colour, a material and a kind: (colour, material, kind)."""
        end = at
        while self.word(end) and self.word(end) not in _ENDS and not _is_number(self.word(end)):
            end += 1
        words = list(self.words[at:end])
        colour = words.pop(0) if len(words) > 1 and words[0] in COLOURS else None
        material = words.pop(0) if len(words) > 1 and words[0] in MATERIALS else None
        kind = " ".join(words)
        if not kind or kind in WATCHERS:
            self.expect(at, "a noun")
            return
        if is_set:
            try:
                kind = singular(kind)
            except TaskError:
                self.expect(end - 1, "a plural")
                return
        yield (colour, material, kind), end

    def _name(self, at: int, is_set: bool) -> Found:
        for k, word in enumerate(("all", "the") if is_set else ("the",)):
            if self.word(at + k) != word:
                self.expect(at + k, repr(word))
                return
        rank, start = (None, at + 2) if is_set else self._rank(at + 1)
        for (colour, material, kind), end in self.noun(start, is_set):
            named = None if kind == ANYTHING else kind
            plain = Select(category=named, colour=colour, material=material, rank=rank)
            yield plain, end
            if self.words[end : end + 2] == ("that", "are" if is_set else "is"):
                yield from self._with_clauses(plain, end + 2, is_set)

    def _with_clauses(self, select: Select, at: int, is_set: bool) -> Found:
        """Read clauses that follow a noun, or an "and" after one."""
        for clause, end in self._clause(at, is_set):
            if isinstance(clause, Rank):
                if select.rank is None and not is_set:
                    yield msgspec.structs.replace(select, rank=clause), end
                continue
            longer = msgspec.structs.replace(select, where=(*select.where, clause))
            yield longer, end
            if self.word(end) == "and":
                yield from self._with_clauses(longer, end + 1, is_set)

    def _rank(self, at: int) -> tuple[Rank | None, int]:
        k, end = self._ordinal(at)
        found = _RANKS.get(self.word(end))
        if found is None:
            return None, at
        axis, is_first = found
        return Rank(axis=axis, position=k if is_first else -k), end + 1

    def _ordinal(self, at: int) -> tuple[int, int]:
        if self.word(at) in ORDINALS:
            return ORDINALS.index(self.word(at)) + 1, at + 1
        return 1, at

    def _clause(self, at: int, is_set: bool) -> list[tuple[Any, int]]:
        key = ("clause", at, is_set)
        if key not in self._seen:
            self._seen[key] = [*self._nearest(at), *self._relation(at, is_set)]
        return self._seen[key]

    def _nearest(self, at: int) -> Found:
        k, start = self._ordinal(at)
        for is_near, forms in name_forms.NEAREST.items():
            form = forms.canonical.removeprefix("{nth} ")
            for slots, end in self.match(form, start, {}, "a relation"):
                yield Rank(axis="distance", position=k if is_near else -k, anchor=slots["0"]), end

    def _relation(self, at: int, is_set: bool) -> Found:
        agreement = {
            "its": self._one_of("their" if is_set else "its"),
            "is": self._one_of("are" if is_set else "is"),
            "points": self._one_of("point" if is_set else "points"),
            "own": self._sides if is_set else self._side,
        }
        for (relation, frame, own), forms in name_forms.CLAUSES.items():
            for slots, end in self.match(forms.canonical, at, agreement, "a relation"):
                value = slots.get("length", slots.get("angle"))
                if "way" in slots:
                    value *= slots["way"]
                where = Where(
                    relation=relation,
                    anchors=tuple(slots[k] for k in ("0", "1") if k in slots),
                    frame=frame,
                    side=slots.get("side", slots.get("own", "")),
                    value=0.0 if own else value,
                )
                yield where, end

    def _slot(self, name: str) -> Callable[[int], Found]:
        if name in ("0", "1"):
            return lambda at: iter(self.name(at))
        return {
            "side": self._side,
            "its": self._one_of("its"),
            "way": self._way,
            "length": self._length,
            "angle": self._angle,
        }[name]

    def _one_of(self, *words: str) -> Callable[[int], Found]:
        def read(at: int) -> Found:
            if self.word(at) in words:
                yield self.word(at), at + 1
            else:
                self.expect(at, " or ".join(map(repr, words)))

        return read

    def _side(self, at: int) -> Found:
        if self.word(at).isalpha():
            yield self.word(at), at + 1

    def _sides(self, at: int) -> Found:
        for word, end in self._side(at):
            try:
                yield singular(word), end
            except TaskError:
                self.expect(at, "a plural")

    def _way(self, at: int) -> Found:
        if self.word(at) in _WAYS:
            yield _WAYS[self.word(at)], at + 1
        else:
            self.expect(at, " or ".join(_WAYS))

    def _length(self, at: int) -> Found:
        if _is_number(self.word(at)) and self.word(at + 1) == "m":
            yield float(self.word(at)), at + 2
        else:
            self.expect(at, "a length in m")

    def _angle(self, at: int) -> Found:
        if _is_number(self.word(at)) and self.word(at + 1) in ("degree", "degrees"):
            yield float(self.word(at)), at + 2
        else:
            self.expect(at, "a number of degrees")


def same_words(one: Program, other: Program) -> bool:
    """Tell whether two programs differ at most in what English does not tell apart.

    That is where a name ends and its colour and material begin, and frames that make no difference:
    a height is a height for everybody.
    """
    return _told(one) == _told(other)


def _told(program: Program) -> list[Any]:
    """What the words of a program tell, node by node."""
    return [(path, type(node), _parts(node)) for path, node in walk(program)]


def _parts(node: Node) -> list[Any]:
    raw = msgspec.structs.asdict(node)
    if isinstance(node, Select | Missing):
        words = (raw.pop("colour"), raw.pop("material", None), raw.pop("category"))
        raw["noun"] = " ".join(w for w in words if w) or ANYTHING
    if isinstance(node, Where) and (node.relation, node.frame, "") not in name_forms.CLAUSES:
        raw["frame"] = "viewer"
    return [v for v in raw.values() if isinstance(v, str | int | float | None)]


def _is_number(word: str) -> bool:
    return bool(_NUMBER.fullmatch(word))
