"""Noun phrases for a Select: "the second largest red cup that is behind the plate".

The canonical phrase of a tree is one, and `parse` gives the tree back; the others mean the same.
Relative clauses attach to the nearest noun that has none yet, so a tree in which that would be
another one is refused: only the last clause of a noun may have an anchor with clauses of its own,
and an anchor within an anchor has one at most.
"""

from collections.abc import Callable

import numpy as np

from refergym.envs.errors import TaskError
from refergym.envs.language.words import ORDINALS, SIDES, centimetres, metres, number
from refergym.envs.programs import Axis, Rank, Select, Where

Choose = Callable[[tuple[str, ...]], str]
"""picks one of several forms"""

ANYTHING = "object"
"""noun of a Select without a category"""

RANKS: dict[tuple[Axis, bool], tuple[tuple[str, str], ...]] = {
    ("left-right", True): (
        ("{nth} leftmost", ""), ("{first}", "from the left"),
        ("", "that is {nth} furthest to the left"),
    ),
    ("left-right", False): (
        ("{nth} rightmost", ""), ("{first}", "from the right"),
        ("", "that is {nth} furthest to the right"),
    ),
    ("front-back", True): (
        ("{nth} closest", ""), ("{first}", "from the front"),
        ("", "that is {nth} closest to the viewer"),
    ),
    ("front-back", False): (
        ("{nth} farthest", ""), ("{first}", "from the back"),
        ("", "that is {nth} farthest from the viewer"),
    ),
    ("height", True): (("{nth} tallest", ""), ("", "that is {nth} tallest")),
    ("height", False): (("{nth} shortest", ""), ("", "that is {nth} shortest")),
    ("size", True): (("{nth} largest", ""), ("{nth} biggest", ""), ("", "that is {nth} largest")),
    ("size", False): (("{nth} smallest", ""), ("", "that is {nth} smallest")),
    ("width", True): (("{nth} widest", ""), ("{nth} broadest", "")),
    ("width", False): (("{nth} narrowest", ""), ("{nth} slimmest", "")),
}  # fmt: skip
"""axis and whether from its first end -> words before and after the noun; canonical first"""

NEAREST = ("{nth} nearest to {0}", "{nth} closest to {0}")
FARTHEST = ("{nth} farthest from {0}", "{nth} furthest away from {0}")

RELATIONS: dict[str, tuple[str, ...]] = {
    "left": (f"{SIDES['left']} {{0}}", "on the left side of {0}", "left of {0}"),
    "right": (f"{SIDES['right']} {{0}}", "on the right side of {0}", "right of {0}"),
    "front": ("in front of {0}", "nearer to the viewer than {0}", "before {0}"),
    "behind": ("behind {0}", "farther back than {0}", "beyond {0}"),
    "close": ("closer to the camera than {0}", "nearer to the camera than {0}"),
    "far": ("farther from the camera than {0}", "more distant from the camera than {0}"),
    "above": ("higher in the picture than {0}", "further up in the picture than {0}"),
    "below": ("lower in the picture than {0}", "further down in the picture than {0}"),
    "depth": ("at a smaller depth than {0}", "less deep in the picture than {0}"),
    "tall": ("taller than {0}", "higher than {0}"),
    "short": ("shorter than {0}", "less tall than {0}"),
    "big": ("bigger than {0}", "larger than {0}"),
    "small": ("smaller than {0}", "less big than {0}"),
    "wide": ("wider than {0}", "broader than {0}"),
    "thin": ("narrower than {0}", "less wide than {0}"),
    "world_above": ("above {0}", "higher up than {0}"),
    "world_below": ("below {0}", "lower down than {0}"),
    "distance": ("{metres} from {0}", "{centimetres} away from {0}"),
    "between": ("between {0} and {1}", "in the middle of {0} and {1}"),
    "face": ("on the {side} side of {0}", "where the {side} of {0} points"),
    "back": (
        "on the side of {0} away from its {side}",
        "opposite to where the {side} of {0} points",
    ),
    "edge": ("near the edge of the table", "close to the table's edge"),
    "corner": ("near a corner of the table", "close to one of the table's corners"),
    "inside": ("inside {0}", "in {0}"),
    "outside": ("outside {0}", "not in {0}"),
    "touch": ("touching {0}", "in contact with {0}"),
    "far_from": ("far from {0}", "far away from {0}"),
    "vertical_rotate": (
        "tipped by {number} degrees from upright", "leaning {number} degrees from upright",
    ),
    "horizontal_rotate": (
        "turned so that its {side} is {number} degrees from that of {0}",
        "turned by {number} degrees from {0}, by their {side}s",
    ),
    "angle": (
        "where {0} and {1} are {number} degrees apart",
        "from where {0} and {1} lie {number} degrees apart",
    ),
}  # fmt: skip
"""relation -> what stands after "that is"; canonical first"""
ROBOT = {
    "left": "to the robot's left of {0}",
    "right": "to the robot's right of {0}",
    "front": "on the robot's side of {0}",
    "behind": "on the far side of {0} from the robot",
    "close": "closer to the robot than {0}",
    "far": "farther from the robot than {0}",
}
"""of frame "robot"; the only form, as others are easily taken for the viewer's"""
OWN = {
    "left": "on the left of {0} when one faces where its {side} points",
    "right": "on the right of {0} when one faces where its {side} points",
    "front": "further where the {side} of {0} points than {0} itself",
    "behind": "less far where the {side} of {0} points than {0} itself",
}
"""of frame "object"; likewise"""


def canonical(forms: tuple[str, ...]) -> str:
    """Choose the canonical form."""
    return forms[0]


def chooser(rng: np.random.Generator) -> Choose:
    """Choose at random."""
    return lambda forms: forms[int(rng.integers(len(forms)))]


def noun_phrase(select: Select, choose: Choose = canonical) -> str:
    """Name an object.

    Args:
        select: which.
        choose: picks among equal forms.

    Raises:
        TaskError: if English would attach a clause to another noun than the tree does.
    """
    check_sayable(select)
    plain = " ".join(w for w in (select.colour, select.material, select.category or ANYTHING) if w)
    before, after = "", ""
    clauses = [_clause(w, choose) for w in select.where]
    if select.rank is not None:
        before, after, clause = _rank(select.rank, choose, alone=not select.where)
        clauses += [clause] if clause else []
    words = [w for w in ("the", before, plain, after) if w]
    head = " ".join(words)
    return f"{head} that is {' and '.join(clauses)}" if clauses else head


def check_sayable(select: Select) -> None:
    """Raise TaskError if a clause would be taken for one of another noun."""
    anchored = [list(w.anchors) for w in select.where]
    if select.rank is not None and select.rank.anchor is not None:
        anchored.append([select.rank.anchor])
    flat = [a for group in anchored for a in group]
    for k, anchor in enumerate(flat):
        if not _has_clauses(anchor):
            continue
        if k < len(flat) - 1:
            raise TaskError("only the last thing that is named may have a clause of its own")
        if _clauses(anchor) > 1:
            raise TaskError("a thing that something is related to has one clause at most")
        check_sayable(anchor)


def _clauses(select: Select) -> int:
    return len(select.where) + (select.rank is not None and select.rank.anchor is not None)


def _has_clauses(select: Select) -> bool:
    return _clauses(select) > 0


def _rank(rank: Rank, choose: Choose, *, alone: bool) -> tuple[str, str, str]:
    """Words before the noun, after it, and a clause; without other clauses, more forms."""
    k, is_first = abs(rank.position), rank.position > 0
    nth = "" if k == 1 else ORDINALS[k - 1]
    if rank.axis == "distance":
        assert rank.anchor is not None, "checked by the program"
        form = choose(NEAREST if is_first else FARTHEST)
        return "", "", _tidy(form.format(noun_phrase(rank.anchor, choose), nth=nth))
    forms = RANKS[rank.axis, is_first]
    chosen = choose(tuple("|".join(f) for f in forms if alone or not f[1].startswith("that")))
    before, after = chosen.format(nth=nth, first=ORDINALS[k - 1]).split("|")
    return _tidy(before), _tidy(after), ""


def _clause(where: Where, choose: Choose) -> str:
    names = [noun_phrase(a, choose) for a in where.anchors]
    value = where.value or 0.0
    words = {
        "side": where.side,
        "metres": metres(value),
        "centimetres": centimetres(value),
        "number": number(value),
    }
    for frame, forms in (("object", OWN), ("robot", ROBOT)):
        if where.frame == frame and where.relation in forms:
            return forms[where.relation].format(*names, **words)
    return choose(RELATIONS[where.relation]).format(*names, **words)


def _tidy(text: str) -> str:
    return " ".join(text.split())
