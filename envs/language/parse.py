"""The canonical noun phrase back to its tree, by recursive descent over words.

"the second largest red cup that is behind the plate and near the edge of the table" is a Select
again. A clause after a noun belongs to that noun; one after "and" belongs to the nearest noun that
already has one.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from refergym.assets.builder.colours import NAMES
from refergym.envs.errors import TaskError
from refergym.envs.language import nouns
from refergym.envs.language.words import ORDINALS
from refergym.envs.programs import Rank, Select, Where
from refergym.envs.relations.bodies import Reference

COLOURS = frozenset(NAMES)
MATERIALS = frozenset(
    ("ceramic", "glass", "metal", "plastic", "cardboard", "paper", "fabric", "wood")
)
_ENDS = frozenset(
    ("that", "and", "from", "to", "of", ",", "away", "points", "itself", "are", "when")
)
_RANK_WORDS = {forms[0][0].split()[-1]: key for key, forms in nouns.RANKS.items()}


@dataclass(frozen=True)
class _Form:
    """One way in which a clause may go: words, and slots for nouns, sides and numbers."""

    relation: str
    frame: Reference
    words: tuple[str, ...]


def _forms() -> Iterator[_Form]:
    for relation, forms in nouns.RELATIONS.items():
        frame: Reference = (
            "object" if relation in ("face", "back", "horizontal_rotate") else "viewer"
        )
        yield _Form(relation, frame, tuple(forms[0].split()))
    for relation, text in nouns.ROBOT.items():
        yield _Form(relation, "robot", tuple(text.split()))
    for relation, text in nouns.OWN.items():
        yield _Form(relation, "object", tuple(text.split()))


_CLAUSES = tuple(_forms())
_ANY = re.compile(r"[A-Za-z0-9.'-]+|,")


def parse(phrase: str) -> Select:
    """Read a canonical noun phrase.

    Raises:
        TaskError: if it is none, showing where it stops making sense.
    """
    reader = _Reader(_ANY.findall(phrase))
    select, at = reader.noun(0)
    if at != len(reader.words):
        raise TaskError(f"{phrase!r}: cannot read from {' '.join(reader.words[at:])!r} on")
    return select


class _Reader:
    def __init__(self, words: list[str]) -> None:
        self.words = words

    def noun(self, at: int) -> tuple[Select, int]:
        """Read a noun phrase that starts at a word; returns it and the word after it."""
        if self._word(at) != "the":
            raise TaskError(f"expected 'the', got {self._word(at)!r}")
        at += 1
        rank, at = self._rank(at)
        colour = material = None
        if self._word(at) in COLOURS:
            colour, at = self._word(at), at + 1
        if self._word(at) in MATERIALS and self._word(at + 1) not in _ENDS | {""}:
            material, at = self._word(at), at + 1
        start = at
        while at < len(self.words) and self.words[at] not in _ENDS:
            at += 1
        category = " ".join(self.words[start:at])
        if not category:
            raise TaskError(f"expected a noun, got {self._word(at)!r}")
        where, rank, at = self._clauses(at, rank)
        named = None if category == nouns.ANYTHING else category
        select = Select(
            category=named, colour=colour, material=material, where=tuple(where), rank=rank
        )
        return select, at

    def _rank(self, at: int) -> tuple[Rank | None, int]:
        k, end = 1, at
        if self._word(at) in ORDINALS:
            k, end = ORDINALS.index(self._word(at)) + 1, at + 1
        found = _RANK_WORDS.get(self._word(end))
        if found is None:
            return None, at
        axis, is_first = found
        return Rank(axis=axis, position=k if is_first else -k), end + 1

    def _clauses(self, at: int, rank: Rank | None) -> tuple[list[Where], Rank | None, int]:
        where: list[Where] = []
        if self.words[at : at + 2] != ["that", "is"]:
            return where, rank, at
        at += 1
        while True:
            found = self._nearest(at + 1)
            if found is not None:
                return where, found[0], found[1]
            clause, at = self._clause(at + 1)
            where.append(clause)
            if self._word(at) != "and":
                return where, rank, at

    def _nearest(self, at: int) -> tuple[Rank, int] | None:
        k, start = 1, at
        if self._word(at) in ORDINALS:
            k, start = ORDINALS.index(self._word(at)) + 1, at + 1
        for words, sign in ((["nearest", "to"], 1), (["farthest", "from"], -1)):
            if self.words[start : start + 2] == words:
                anchor, end = self.noun(start + 2)
                return Rank(axis="distance", position=sign * k, anchor=anchor), end
        return None

    def _clause(self, at: int) -> tuple[Where, int]:
        """Read a relation; the form that takes most words is meant."""
        best: tuple[Where, int] | None = None
        for form in _CLAUSES:
            try:
                found = self._match(form, at)
            except TaskError:
                continue
            if best is None or found[1] > best[1]:
                best = found
        if best is None:
            raise TaskError(f"expected a relation, got {' '.join(self.words[at : at + 4])!r}")
        return best

    def _match(self, form: _Form, at: int) -> tuple[Where, int]:
        anchors: dict[int, Select] = {}
        side, value = "", None
        for word in form.words:
            if word in ("{0}", "{1}"):
                anchors[int(word[1])], at = self.noun(at)
            elif word == "{side}":
                side, at = self._word(at), at + 1
            elif word == "{number}":
                value, at = self._number(at), at + 1
            elif word == "{metres}":
                value, at = self._number(at), at + 2
                if self._word(at - 1) != "m":
                    raise TaskError("expected m")
            elif word == self._word(at):
                at += 1
            else:
                raise TaskError(f"expected {word!r}")
        ordered = tuple(anchors[k] for k in sorted(anchors))
        return (
            Where(
                relation=form.relation, anchors=ordered, frame=form.frame, side=side, value=value
            ),
            at,
        )

    def _number(self, at: int) -> float:
        try:
            return float(self._word(at))
        except ValueError as e:
            raise TaskError(f"expected a number, got {self._word(at)!r}") from e

    def _word(self, at: int) -> str:
        return self.words[at] if at < len(self.words) else ""
