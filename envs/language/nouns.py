"""Noun phrases for a Select: "the second largest red cup that is behind the plate".

The canonical phrase of a tree is one, and `parse` gives the tree back; the others mean the same.
Relative clauses attach to the nearest noun that has none yet, so a tree in which that would be
another one is refused: only the last thing that is named may have clauses of its own, nothing of
what it belongs to may follow them, and an anchor within an anchor has one at most.
"""

from refergym.envs.errors import TaskError
from refergym.envs.language.name_forms import CLAUSES, NEAREST, RANKS, Key
from refergym.envs.language.place_forms import BESIDE, DIRECTION
from refergym.envs.language.voices import CANONICAL, Forms, Speaker, is_closed
from refergym.envs.language.words import ORDINALS, plural
from refergym.envs.programs import (
    Beside,
    Between,
    Direction,
    Meets,
    Node,
    Rank,
    Select,
    Where,
    children,
)

ANYTHING = "object"
"""noun of a Select without a category"""
_SIDED = ("left", "right", "front", "behind", "close", "far")
"""relations that differ by whose they are"""
_OWN = ("face", "back", "horizontal_rotate")
"""relations that are always an object's"""


def noun_phrase(
    select: Select,
    speaker: Speaker = CANONICAL,
    *,
    is_set: bool = False,
    is_last: bool = True,
    is_placed: bool = False,
) -> str:
    """Name an object: "the red cup", or all that fit: "all the red cups".

    Args:
        select: which.
        speaker: chooses among equal forms.
        is_set: whether all that fit are meant.
        is_last: whether nothing follows it, so that it may end with a clause.
        is_placed: whether a place follows, which would run into "from the left".

    Raises:
        TaskError: if English would attach a clause to another noun than the tree does, or a number
            in it is too long to be said.
    """
    kind = select.category or ANYTHING
    noun = " ".join(w for w in (select.colour, select.material, plural(kind) if is_set else kind)
                    if w)  # fmt: skip
    clauses = [_clause(w, speaker, is_set, k == len(select.where) - 1)
               for k, w in enumerate(select.where)]  # fmt: skip
    rank = select.rank
    if rank is not None and rank.axis == "distance":
        clauses.append(_nearest(rank, speaker))
    elif rank is not None:
        alone = is_last and not clauses
        noun = _ranked(noun, rank, speaker, alone=alone, bare=is_placed and not clauses)
    head = f"all the {noun}" if is_set else f"the {noun}"
    verb = "are" if is_set else "is"
    return f"{head} that {verb} {' and '.join(clauses)}" if clauses else head


def check_sayable(node: Node) -> None:
    """Check that English would attach every clause to the noun that the tree does.

    Args:
        node: a program, or a part of one.

    Raises:
        TaskError: naming the rule.
    """
    if isinstance(node, Select):
        _check_select(node)
    elif isinstance(node, Between) and has_clauses(node.a):
        raise TaskError("only the last thing that is named may have a clause of its own")
    elif isinstance(node, Meets):
        if any(has_clauses(p.anchor) for p in node.parts[:-1]):
            raise TaskError("only the last thing that is named may have a clause of its own")
    elif isinstance(node, Beside | Direction) and has_clauses(node.anchor):
        if isinstance(node, Beside):
            _check_side(node.anchor)
        forms = (BESIDE if isinstance(node, Beside) else DIRECTION)[node.frame, node.side]
        _check_closed(forms)
    for _, child in children(node):
        check_sayable(child)


def has_clauses(select: Select) -> bool:
    """Tell whether a noun phrase has a relative clause."""
    return _clauses(select) > 0


def clause_key(where: Where) -> Key:
    """Return the key of a relation's forms in `name_forms.CLAUSES`."""
    relation, frame = where.relation, where.frame
    if relation in _OWN:
        return relation, "object", "same" if where.value == 0 else ""
    if relation == "vertical_rotate" and where.value == 0:
        return relation, "viewer", "upright"
    return relation, frame if relation in _SIDED else "viewer", ""


def way(degrees: float) -> str:
    """Say which way round an angle goes."""
    return "counter-clockwise" if degrees > 0 else "clockwise"


def _check_select(select: Select) -> None:
    groups = [(w.anchors, CLAUSES[clause_key(w)]) for w in select.where]
    rank = select.rank
    if rank is not None and rank.anchor is not None:
        groups.append(((rank.anchor,), NEAREST[rank.position > 0]))
    for k, (anchors, forms) in enumerate(groups):
        for n, anchor in enumerate(anchors):
            if not has_clauses(anchor):
                continue
            if k < len(groups) - 1 or n < len(anchors) - 1:
                raise TaskError("only the last thing that is named may have a clause of its own")
            if _clauses(anchor) > 1:
                raise TaskError("a thing that something is related to has one clause at most")
            _check_closed(forms)


def _check_side(anchor: Select) -> None:
    """Raise TaskError if a clause could be one more side of which the place is to be."""
    sides = [forms.canonical for forms in BESIDE.values()]
    for where in anchor.where[1:]:
        if CLAUSES[clause_key(where)].canonical in sides:
            raise TaskError(f"{where.relation!r} would be taken for a second side of the place")


def _check_closed(forms: Forms) -> None:
    if not is_closed(forms.canonical):
        raise TaskError(f"{forms.canonical!r}: a clause would be taken for one of another noun")


def _clauses(select: Select) -> int:
    return len(select.where) + (select.rank is not None and select.rank.anchor is not None)


def _ranked(noun: str, rank: Rank, speaker: Speaker, *, alone: bool, bare: bool) -> str:
    """Put a noun's place in an order to it; alone, it may be a clause; bare, nothing follows it."""
    forms = RANKS[rank.axis, rank.position > 0]

    def fits(form: str) -> bool:
        return (alone or "that is" not in form) and (not bare or form.endswith("{noun}"))

    form = speaker.choose(forms, fits)
    return _tidy(form.format(noun=noun, nth=_nth(rank), first=ORDINALS[abs(rank.position) - 1]))


def _nearest(rank: Rank, speaker: Speaker) -> str:
    assert rank.anchor is not None, "checked by the program"
    form = speaker.choose(NEAREST[rank.position > 0])
    return _tidy(form.format(noun_phrase(rank.anchor, speaker, is_last=False), nth=_nth(rank)))


def _nth(rank: Rank) -> str:
    return "" if abs(rank.position) == 1 else ORDINALS[abs(rank.position) - 1]


def _clause(where: Where, speaker: Speaker, is_set: bool, is_last: bool) -> str:
    is_open = any(has_clauses(a) for a in where.anchors)
    form = speaker.choose(CLAUSES[clause_key(where)], is_closed if is_open else None)
    names = [noun_phrase(a, speaker, is_last=False) for a in where.anchors]
    value = where.value or 0.0
    words = {"side": where.side, "way": way(value), **agreement(where.side, is_set)}
    if "{length}" in form:
        words["length"] = speaker.length(value)
    if "{angle}" in form:
        words["angle"] = speaker.angle(value)
    return form.format(*names, **words)


def agreement(side: str, is_set: bool) -> dict[str, str]:
    """Return the words that agree with what a phrase is about: one thing, or several.

    Args:
        side: one of its directions.
        is_set: whether it is several.
    """
    if is_set:
        return {"its": "their", "own": plural(side) if side else "", "is": "are", "points": "point"}
    return {"its": "its", "own": side, "is": "is", "points": "points"}


def _tidy(text: str) -> str:
    return " ".join(text.split())
