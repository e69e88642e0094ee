"""Places and whole instructions for programs."""

import numpy as np

from refergym.envs.language.nouns import Choose, canonical, chooser, noun_phrase
from refergym.envs.language.words import SIDES, centimetres, metres, number, plural
from refergym.envs.programs import (
    Beside,
    Between,
    Corner,
    Direction,
    Edge,
    Floor,
    Into,
    Meets,
    Missing,
    Move,
    Onto,
    Program,
    Region,
    Select,
    Turn,
)
from refergym.envs.types import Side

_POINT = ("Point at {}.", "Point to {}.", "Show me {}.")
_PICK = ("Pick up {}.", "Grasp {} and lift it.", "Take {}.")
_MOVE = ("Put {what} {where}.", "Place {what} {where}.", "Pick up {what} and put it {where}.")
_FREE = ("the free space", "a free spot on the table", "an empty place on the table")
_EXACT = ("the point", "the spot", "the place on the table")
_FLOOR = ("the free floor", "a free spot on the floor", "the empty floor")
_ON = ("onto", "on", "on top of")
_IN = ("into", "in", "inside")
_ROBOT: dict[Side, str] = {
    "left": "to the robot's left of",
    "right": "to the robot's right of",
    "front": "on the robot's side of",
    "behind": "from the robot beyond",
}


def instruct(kind: str, program: Program, rng: np.random.Generator | None = None) -> str:
    """Say what to do.

    Args:
        kind: "point" or "pick" for programs that say what; ignored for a Move.
        program: what, or where.
        rng: chooses among equal ways; None takes the canonical one.

    Raises:
        TaskError: if English cannot say it without being taken for something else.
    """
    choose = canonical if rng is None else chooser(rng)
    if isinstance(program, Move):
        what, where = noun_phrase(program.what, choose), place(program.where, choose)
        return choose(_MOVE).format(what=what, where=where)
    if isinstance(program, Select):
        forms = _PICK if kind == "pick" else _POINT
        return choose(forms).format(noun_phrase(program, choose))
    if isinstance(program, Floor):
        return choose(_POINT).format(floor(program, choose))
    assert isinstance(program, Region)
    return choose(_POINT).format(spot(program, choose))


def place(region: Region, choose: Choose = canonical) -> str:
    """Say where to put something: "to the left of the bowl"."""
    if isinstance(region, Onto):
        return f"{choose(_ON)} {noun_phrase(region.anchor, choose)}"
    if isinstance(region, Into):
        return f"{choose(_IN)} {noun_phrase(region.anchor, choose)}"
    if isinstance(region, Beside):
        return _beside(region, choose)
    if isinstance(region, Between):
        return f"between {noun_phrase(region.a, choose)} and {noun_phrase(region.b, choose)}"
    if isinstance(region, Meets):
        return " and ".join(_beside(p, choose) for p in region.parts)
    if isinstance(region, Direction):
        side = _beside(region, choose, "the middle of ")
        return f"{choose((metres(region.distance), centimetres(region.distance)))} {side}"
    if isinstance(region, Turn):
        return _turn(region, choose)
    if isinstance(region, Edge):
        return f"at the {_edge(region.side)} edge of the table"
    if isinstance(region, Corner):
        return f"in the {_edge(region.depth)} {region.side} corner of the table"
    return _missing(region, choose)


def spot(region: Region, choose: Choose = canonical) -> str:
    """Name a place: "a free spot on the table between the bowl and the cup"."""
    if isinstance(region, Onto):
        return f"the top of {noun_phrase(region.anchor, choose)}"
    if isinstance(region, Into):
        return f"the inside of {noun_phrase(region.anchor, choose)}"
    if isinstance(region, Missing):
        return _missing(region, choose).removeprefix("in ").removeprefix("at ")
    what = choose(_EXACT if isinstance(region, Direction | Turn) else _FREE)
    return f"{what} {place(region, choose)}"


def floor(program: Floor, choose: Choose = canonical) -> str:
    """Name a part of the floor: "the free floor to the left of the dining table"."""
    side = "under" if program.side == "under" else SIDES[program.side]
    return f"{choose(_FLOOR)} {side} the {program.furniture}"


def _beside(region: Beside | Direction, choose: Choose, of: str = "") -> str:
    anchor = of + noun_phrase(region.anchor, choose)
    if region.frame == "viewer":
        return f"{SIDES[region.side]} {anchor}"
    if region.frame == "robot":
        return f"{_ROBOT[region.side]} {anchor}"
    if region.side == "front":
        return f"on the {region.facing} side of {anchor}"
    if region.side == "behind":
        return f"opposite to the {region.facing} of {anchor}"
    return f"on the {region.side} when one faces where the {region.facing} points of {anchor}"


def _turn(region: Turn, choose: Choose) -> str:
    anchor, toward = noun_phrase(region.anchor, choose), noun_phrase(region.toward, choose)
    way = "counter-clockwise" if region.angle > 0 else "clockwise"
    length = choose((metres(region.distance), centimetres(region.distance)))
    return (
        f"{length} from the middle of {anchor}, "
        f"{number(abs(region.angle))} degrees {way} of the direction to {toward}"
    )


def _missing(region: Missing, choose: Choose) -> str:
    kind = region.category if region.colour is None else f"{region.colour} {region.category}"
    if region.place == "gap":
        forms = ("in the missing place of the row of {}", "in the gap in the row of {}")
        return choose(forms).format(plural(kind))
    to = {"left": "to the left", "right": "to the right", "front": "towards the viewer",
          "behind": "away from the viewer"}[region.place]  # fmt: skip
    forms = (
        "at the place where one more {0} continues the row {to}",
        "at the place where the row of {1} goes on {to}",
    )
    return choose(forms).format(kind, plural(kind), to=to)


def _edge(side: Side) -> str:
    return {"left": "left", "right": "right", "front": "front", "behind": "back"}[side]
