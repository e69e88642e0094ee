"""Canonical English back to programs: the inverse of `instruct` and of `noun_phrase`."""

from collections.abc import Callable, Iterator
from typing import Any

from refergym.envs.errors import TaskError
from refergym.envs.language import place_forms as forms
from refergym.envs.language.reading import Found, Reader, tokens
from refergym.envs.programs import (
    Arrange,
    Beside,
    Between,
    Corner,
    Direction,
    Edge,
    Facing,
    Floor,
    Gather,
    Into,
    Meets,
    Missing,
    Move,
    Moves,
    Onto,
    Program,
    Select,
    Turn,
)

_CORNERS = (
    Corner(side="left", depth="front"), Corner(side="right", depth="front"),
    Corner(side="left", depth="behind"), Corner(side="right", depth="behind"),
)  # fmt: skip


def parse(phrase: str) -> Select:
    """Read a canonical noun phrase.

    Raises:
        TaskError: if it is none, showing where it stops making sense, or if it can be read in
            several ways.
    """
    reader = Reader(tokens(phrase))
    found: Select = _only(phrase, reader, reader.whole(iter(reader.name(0))))
    return found


def parse_instruction(text: str) -> tuple[str, Program]:
    """Read a canonical instruction.

    Args:
        text: what `instruct` says without an rng.

    Returns:
        What is to be done, "point", "pick" or "move", and the program.

    Raises:
        TaskError: as `parse`.
    """
    words = tokens(text)
    reader = _Instructions((words[0][:1].lower() + words[0][1:], *words[1:]) if words else ())
    found: tuple[str, Program] = _only(text, reader, reader.whole(reader.instruction()))
    return found


def _only(text: str, reader: Reader, readings: list[Any]) -> Any:
    if not readings:
        raise TaskError(f"{text!r}: {reader.error()}")
    if len(readings) > 1:
        raise TaskError(f"{text!r}: can be read in {len(readings)} ways")
    return readings[0]


class _Instructions(Reader):
    """Reads places and whole instructions."""

    def instruction(self) -> Found:
        for kind, frame in (("pick", forms.PICK), ("point", forms.POINT)):
            start = frame.canonical[0].lower() + frame.canonical[1:]
            read = self.name if kind == "pick" else self._pointed
            for slots, end in self.match(start, 0, {"what": lambda at, r=read: iter(r(at))}):  # type: ignore[misc]
                yield (kind, slots["what"]), end
        for slots, end in self.match(forms.DO.canonical, 0, {"what": self._order}):
            yield ("move", slots["what"]), end

    def _pointed(self, at: int) -> Found:
        yield from self.name(at)
        for form, kind in ((forms.TOP, Onto), (forms.INSIDE, Into)):
            for slots, end in self.match(form.canonical, at, {}):
                yield kind(anchor=slots["0"]), end
        for frame, kinds in ((forms.FREE, (Beside, Between, Meets, Edge, Corner)),
                             (forms.EXACT, (Direction, Turn))):  # fmt: skip
            for _, start in self.match(frame.canonical, at, {}):
                yield from ((r, e) for r, e in self._place(start) if isinstance(r, kinds))
        yield from self._missing(at, forms.GAP.canonical.removeprefix("in "), "gap")
        yield from self._row_end(at, forms.END.canonical.removeprefix("at "))
        yield from self._floor(at)

    def _order(self, at: int) -> Found:
        for move, end in self._move(at):
            yield move, end
            yield from self._more((move,), end)
        slots = {"what": lambda k: iter(self.name(k, is_set=True)), "place": self._place}
        for held, end in self.match(forms.GATHER.canonical, at, slots):
            yield Gather(what=held["what"], where=held["place"]), end
        for axis, to in forms.AXES.items():
            form = forms.ARRANGE.canonical.replace("{to}", to)
            for held, end in self.match(form, at, slots):
                yield Arrange(what=held["what"], axis=axis), end

    def _more(self, moves: tuple[Move, ...], at: int) -> Found:
        if len(moves) > 2:
            return
        for _, start in self.match(forms.THEN.canonical, at, {}):
            for move, end in self._move(start):
                yield Moves(parts=(*moves, move)), end
                yield from self._more((*moves, move), end)

    def _move(self, at: int) -> Found:
        slots = {"what": lambda k: iter(self.name(k)), "place": self._place}
        for held, end in self.match(forms.MOVE.canonical, at, slots):
            yield Move(what=held["what"], where=held["place"]), end
            if self.word(end) == ",":
                for facing, after in self._facing(end + 1):
                    yield Move(what=held["what"], where=held["place"], facing=facing), after

    def _facing(self, at: int) -> Found:
        for side, to in forms.TO.items():
            form = forms.FACING_SIDE.canonical.replace("{to}", to)
            for held, end in self.match(form, at, {}):
                yield Facing(side=held["side"], to=side), end
        angled: tuple[tuple[str, Callable[[dict[str, Any]], float | None]], ...] = (
            (forms.FACING_THING.canonical, lambda held: None),
            (forms.FACING_SAME.canonical, lambda held: 0.0),
            (forms.FACING_TURNED.canonical, lambda held: held["angle"] * held["way"]),
        )
        for form, angle in angled:
            for held, end in self.match(form, at, {}):
                yield Facing(side=held["side"], toward=held["0"], angle=angle(held)), end

    def _place(self, at: int) -> Found:
        for part, end in self._beside(at):
            yield part, end
            yield from self._meets((part,), end)
        for (frame, side), form in forms.DIRECTION.items():
            for held, end in self.match(form.canonical, at, {}, "a place"):
                yield Direction(anchor=held["0"], side=side, distance=held["length"], frame=frame,
                                facing=held.get("side", "")), end  # fmt: skip
        for held, end in self.match(forms.BETWEEN.canonical, at, {}, "a place"):
            yield Between(a=held["0"], b=held["1"]), end
        for form, kind in ((forms.ONTO, Onto), (forms.INTO, Into)):
            for held, end in self.match(form.canonical, at, {}, "a place"):
                yield kind(anchor=held["0"]), end
        yield from self._turn(at)
        yield from self._border(at)
        yield from self._missing(at, forms.GAP.canonical, "gap")
        yield from self._row_end(at, forms.END.canonical)

    def _beside(self, at: int) -> Found:
        for (frame, side), form in forms.BESIDE.items():
            for held, end in self.match(form.canonical, at, {}, "a place"):
                facing = held.get("side", "")
                yield Beside(anchor=held["0"], side=side, frame=frame, facing=facing), end

    def _meets(self, parts: tuple[Beside, ...], at: int) -> Found:
        if len(parts) > 3 or self.word(at) != "and":
            return
        for part, end in self._beside(at + 1):
            yield Meets(parts=(*parts, part)), end
            yield from self._meets((*parts, part), end)

    def _turn(self, at: int) -> Found:
        for form in (forms.TURNED.canonical, forms.STRAIGHT.canonical):
            for held, end in self.match(form, at, {}, "a place"):
                angle = held.get("angle", 0.0) * held.get("way", 0.0)
                yield Turn(anchor=held["0"], toward=held["1"], angle=angle,
                           distance=held["length"]), end  # fmt: skip

    def _border(self, at: int) -> Found:
        for side, edge in forms.EDGES.items():
            form = forms.EDGE.canonical.replace("{edge}", edge)
            for _, end in self.match(form, at, {}, "a place"):
                yield Edge(side=side), end
        for corner in _CORNERS:
            edge = forms.EDGES[corner.depth]
            form = forms.CORNER.canonical.format(edge=edge, side=corner.side)
            for _, end in self.match(form, at, {}, "a place"):
                yield corner, end

    def _missing(self, at: int, form: str, where: Any) -> Iterator[tuple[Missing, int]]:
        slots = {"one": self.noun, "many": lambda k: self.noun(k, is_set=True)}
        for held, end in self.match(form, at, slots, "a place"):
            colour, material, kind = held.get("one") or held["many"]
            category = f"{material} {kind}" if material else kind
            yield Missing(category=category, colour=colour, place=where), end

    def _row_end(self, at: int, form: str) -> Found:
        for side, to in forms.TO.items():
            yield from self._missing(at, form.replace("{to}", to), side)

    def _floor(self, at: int) -> Found:
        for _, start in self.match(forms.FLOOR.canonical, at, {}):
            for side in (*forms.EDGES, "under"):
                form = forms.UNDER if side == "under" else forms.BESIDE["viewer", side]  # type: ignore[index]
                words = form.canonical.replace("{0}", "the {furniture}")
                for held, end in self.match(words, start, {"furniture": self.noun}):
                    furniture = " ".join(w for w in held["furniture"] if w)
                    yield Floor(furniture=furniture, side=side), end  # type: ignore[arg-type]
