"""English for programs: one noun phrase for a Select, a few sentences for each kind of task."""

from typing import TypeVar

import numpy as np

from refergym.envs.programs import (
    Beside,
    Between,
    Direction,
    Floor,
    Into,
    Move,
    Onto,
    Program,
    Rank,
    Region,
    Select,
    Side,
)

T = TypeVar("T")

CHARSET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,;:!?'\"()[]<>/+-=_%\n"
"""every character that an instruction may hold"""
MAX_LENGTH = 400
"""characters of an instruction at most"""

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
_SIDES: dict[Side, str] = {
    "left": "to the left of",
    "right": "to the right of",
    "front": "in front of",
    "behind": "behind",
}
_POINT_OBJECT = ("Point at {}.", "Point to {}.", "Show me {}.")
_POINT_PLACE = ("Point at {}.", "Point to {}.", "Show me {}.")
_FLOOR = ("the free floor", "a free spot on the floor", "the empty floor")
_PICK = ("Pick up {}.", "Grasp {} and lift it.", "Take {}.")
_MOVE = ("Put {what} {where}.", "Place {what} {where}.", "Pick up {what} and put it {where}.")


def instruct(kind: str, program: Program, rng: np.random.Generator) -> str:
    """Say what to do, in one of a few ways.

    Args:
        kind: "point" or "pick" for programs that say what; ignored for a Move.
        program: what, or where.
        rng: chooses among the ways.
    """
    if isinstance(program, Move):
        what, where = noun(program.what, rng), place(program.where, rng)
        return _choose(_MOVE, rng).format(what=what, where=where)
    if isinstance(program, Select):
        forms = _PICK if kind == "pick" else _POINT_OBJECT
        return _choose(forms, rng).format(noun(program, rng))
    if isinstance(program, Floor):
        return _choose(_POINT_PLACE, rng).format(floor(program, rng))
    return _choose(_POINT_PLACE, rng).format(spot(program, rng))


def noun(select: Select, rng: np.random.Generator) -> str:
    """Name an object: "the second largest red cup"."""
    plain = select.category if select.colour is None else f"{select.colour} {select.category}"
    if select.rank is None:
        return f"the {plain}"
    before, after = _choose(_rank(select.rank), rng)
    return " ".join(w for w in ("the", before, plain, after) if w)


def place(region: Region, rng: np.random.Generator) -> str:
    """Say where to put something: "to the left of the bowl"."""
    if isinstance(region, Between):
        return f"between {noun(region.a, rng)} and {noun(region.b, rng)}"
    anchor = noun(region.anchor, rng)
    if isinstance(region, Onto):
        return f"{_choose(('onto', 'on', 'on top of'), rng)} {anchor}"
    if isinstance(region, Into):
        return f"{_choose(('into', 'in', 'inside'), rng)} {anchor}"
    if isinstance(region, Beside):
        return f"{_SIDES[region.side]} {anchor}"
    return f"{_length(region, rng)} {_side(region)} the middle of {anchor}"


def spot(region: Region, rng: np.random.Generator) -> str:
    """Name a place: "a free spot on the table between the bowl and the cup"."""
    if isinstance(region, Onto):
        return f"the top of {noun(region.anchor, rng)}"
    if isinstance(region, Into):
        return f"the inside of {noun(region.anchor, rng)}"
    if isinstance(region, Between):
        what = _choose(("a free spot on the table", "the free space", "a point on the table"), rng)
        return f"{what} {place(region, rng)}"
    what = _choose(("the point on the table", "the spot on the table"), rng)
    return f"{what} {place(region, rng)}"


def floor(program: Floor, rng: np.random.Generator) -> str:
    """Name a part of the floor: "the free floor to the left of the dining table"."""
    return f"{_choose(_FLOOR, rng)} {_SIDES[program.side]} the {program.furniture}"


def _side(region: Direction) -> str:
    return _SIDES[region.side]


def _length(region: Direction, rng: np.random.Generator) -> str:
    return _choose((f"{round(region.distance * 100)} cm", f"{region.distance:.2f} m"), rng)


def _rank(rank: Rank) -> tuple[tuple[str, str], ...]:
    """Ways to say a rank, each as words before and after the noun."""
    k = abs(rank.position)
    nth = "" if k == 1 else _ORDINALS[k - 1] + " "
    first = rank.position > 0
    if rank.axis == "size":
        return ((nth + ("largest" if first else "smallest"), ""),)
    if rank.axis == "left-right":
        side = "left" if first else "right"
        if k == 1:
            return ((f"{side}most", ""), ("", f"that is furthest to the {side}"))
        return ((nth.strip(), f"from the {side}"), (f"{nth}{side}most", ""))
    if first:
        return ((f"{nth}closest", ""), ("", f"that is {nth}closest to the viewer"))
    return ((f"{nth}farthest", ""), ("", f"that is {nth}farthest from the viewer"))


def _choose(forms: tuple[T, ...], rng: np.random.Generator) -> T:
    return forms[int(rng.integers(len(forms)))]
