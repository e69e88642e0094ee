"""What has to be said of a thing or a place for a phrase to name it, each with its words."""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from refergym.envs.language.naming import borders, lexicon, places, ranks
from refergym.envs.language.naming.clauses import (
    SIDES,
    beside_words,
    clause_words,
    hints,
    parted_words,
    robot_words,
)
from refergym.envs.language.naming.patterns import Pattern
from refergym.envs.language.nouns import clause_key
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
    Onto,
    Rank,
    Region,
    Select,
    Turn,
    Where,
)

HEAD, MANY, PARTITIVE, EACH = 1, 2, 4, 8
_PLACE, _LAST, _FIRST, _COUNTED, _REVERSE, _FROM = 16, 32, 64, 128, 256, 512
_NEXT = 1024
"""the first bit of what a thing or place has any number of"""

_FILLED = (
    "one",
    "ones",
    "and",
    "but",
    "also",
    "as well",
    "very",
    "it",
    "both",
    "here",
    "there",
    "of all",
    "of them",
    "of them all",
    "of all of them",
    "whichever",
    "whatever",
    "any",
    "in scene",
    "present",
    "visible",
    "in question",
    "reference",
    "target",
    "[used] [(as|for)] [(height|size|width|distance|position)] (reference|comparison)",
    "there one",
    "to [be] (moved|picked up|picked|grasped|lifted|placed|taken|put down|move|pick "
    "up|grasp|lift|arranged|gathered|found)",
    "[~] upon (table|desk) [surface]",
    "[~] on (table|desk) [surface]",
    "present on table",
    "specifically",
    "namely",
    "all together",
    "in total",
    "anywhere",
    "kind",
    "~",
)
_FILLER = Pattern(_FILLED)
_OF = Pattern(["of [all] [of]", "(among|out of) [all] [of]"])
_EVERY = Pattern(["(every|each) [one] [of]", "(every|each) [and every] [single]", "any"])
_ALL = Pattern(
    [
        "all [of]",
        "set of [all]",
        "group of [all]",
        "all of them",
        "all of it",
        "collection of [all]",
        "full set of",
        "whichever",
        "every one of",
        "each one of",
        "each of",
        "every last one of",
    ]
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Need:
    """One thing that may be said, and what it is said of."""

    words: Pattern
    bits: int = 0
    """what is said with it"""
    about: "Where | Rank | Region | Select | None" = None
    """what its slots are read for"""
    anchors: tuple[Select, ...] = ()
    """of its slots"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Needs:
    """All that may be said of a thing or a place, and when it is enough."""

    needs: tuple[Need, ...]
    is_enough: Callable[[int], bool]


@functools.lru_cache(maxsize=4096)
def needs_of(node: Select, is_set: bool) -> Needs:
    """Return what has to be said of an object, or of all that fit."""
    needs = [
        Need(words=nouns_of(node.category, False), bits=HEAD),
        Need(words=nouns_of(node.category, True), bits=HEAD | MANY),
        Need(words=_FILLER),
    ]
    halves: dict[int, int] = {}
    all_of, bit = HEAD, _NEXT
    if node.colour is not None:
        needs.append(Need(words=_coloured(node.colour), bits=bit))
        all_of, bit = all_of | bit, bit << 1
    if node.material is not None:
        needs.append(Need(words=_made_of(node.material), bits=bit))
        all_of, bit = all_of | bit, bit << 1
    for where in node.where:
        words = clause_words(clause_key(where))
        needs.append(Need(words=words, bits=bit, about=where, anchors=where.anchors))
        hint, parted = hints(where.relation), parted_words(where.relation)
        if hint is not None and parted is not None:
            needs.append(Need(words=hint))
            needs.append(Need(words=parted, bits=bit | HEAD, about=where, anchors=where.anchors))
        all_of, bit = all_of | bit, bit << 1
        if where.frame == "robot" and where.relation in SIDES and _is_clear(node, where):
            core, mark = robot_words(where.relation)
            needs.append(Need(words=core, bits=bit, about=where, anchors=where.anchors))
            needs.append(Need(words=mark, bits=bit << 1))
            halves[bit >> 1] = bit | bit << 1
            bit <<= 2
    if is_set:
        needs += [Need(words=_EVERY, bits=EACH), Need(words=_ALL)]
    elif node.rank is not None or node.where:
        needs.append(Need(words=_OF, bits=PARTITIVE))
    if node.rank is not None:
        needs += _ranked(node.rank)
    rank, implied = node.rank, 0
    if rank is not None and any(rank.anchor in w.anchors for w in node.where):
        implied = _FROM  # what a relation names need not be named again: "left of it, nearest"

    def is_enough(said: int) -> bool:
        said = _joined(said, halves)
        if said & all_of != all_of:
            return False
        if is_set:
            return bool(said & (MANY | EACH))
        if said & MANY and not said & PARTITIVE:
            return False
        return rank is None or _is_placed(rank, said | implied)

    return Needs(needs=tuple(needs), is_enough=is_enough)


@functools.lru_cache(maxsize=1024)
def needs_of_place(node: Region | Floor) -> Needs:
    """Return what has to be said of a place."""
    needs = [Need(words=places.SPACE), Need(words=places.WHERE)]
    if isinstance(node, Turn):
        whole, far, way = places.turn_words(bool(node.angle))
        both = (node.anchor, node.toward)
        needs += [
            Need(words=words, bits=bits, about=node, anchors=both)
            for words, bits in ((whole, 3), (far, 1), (way, 2))
        ]
        return Needs(needs=tuple(needs), is_enough=lambda said: said == 3)
    parts = list(_parts(node))
    needs += [
        Need(words=w, bits=1 << k, about=about, anchors=anchors)
        for k, (w, about, anchors) in enumerate(parts)
    ]
    if isinstance(node, Floor):
        needs.append(Need(words=places.FLOOR))
    complete = (1 << len(parts)) - 1
    halves: dict[int, int] = {}
    if isinstance(node, Beside) and node.frame == "robot":
        core, mark = robot_words(node.side)
        needs.append(Need(words=core, bits=2, about=node, anchors=(node.anchor,)))
        needs.append(Need(words=mark, bits=4))
        halves[1] = 6
    return Needs(
        needs=tuple(needs), is_enough=lambda said: _joined(said, halves) & complete == complete
    )


def _joined(said: int, halves: Mapping[int, int]) -> int:
    """Return what is said, with all that is said in two pieces."""
    for bit, both in halves.items():
        if said & both == both:
            said |= bit
    return said


def _is_clear(node: Select, where: Where) -> bool:
    """Tell whether it is clear which relation is the robot's where that is said elsewhere."""
    return all(w is where or w.relation not in SIDES for w in node.where)


_Part = tuple[Pattern, "Region | None", tuple[Select, ...]]


def _parts(node: Region | Floor) -> Iterator[_Part]:
    """Yield what a place is made of: words, what its slots are read for, and its anchors."""
    if isinstance(node, Floor):
        yield places.floor_words(node.side), None, (Select(category=node.furniture),)
    elif isinstance(node, Meets):
        for part in node.parts:
            yield from _parts(part)
    elif isinstance(node, Beside):
        yield beside_words(node.frame, node.side), node, (node.anchor,)
    elif isinstance(node, Direction):
        yield places.direction_words(node.frame, node.side), node, (node.anchor,)
    elif isinstance(node, Between):
        yield places.between_words(), node, (node.a, node.b)
    elif isinstance(node, Onto):
        yield places.onto_words(), node, (node.anchor,)
    elif isinstance(node, Into):
        yield places.into_words(), node, (node.anchor,)
    elif isinstance(node, Edge):
        yield borders.edge_words(node.side), node, ()
    elif isinstance(node, Corner):
        yield borders.corner_words(node.side, node.depth), node, ()
    elif isinstance(node, Missing):
        kind = Select(category=node.category, colour=node.colour)
        yield borders.missing_words(node.place), node, (kind,)


def _ranked(rank: Rank) -> Iterator[Need]:
    place, is_first = abs(rank.position), rank.position > 0
    yield Need(words=ranks.place_words(place), bits=_PLACE)
    if rank.axis == "distance":
        assert rank.anchor is not None, "checked by the program"
        whole, first, anchor = ranks.distance_words(is_first)
        for words, bits in ((whole, _FIRST | _FROM), (first, _FIRST), (anchor, _FROM)):
            yield Need(words=words, bits=bits, about=rank, anchors=(rank.anchor,))
        return
    order = ranks.order_words(rank.axis, is_first)
    yield Need(words=ranks.last_words(place), bits=_LAST)
    yield Need(words=order.first, bits=_FIRST, about=rank)
    yield Need(words=order.counted, bits=_COUNTED, about=rank)
    yield Need(words=order.reverse, bits=_REVERSE, about=rank)
    yield Need(words=order.hints)
    if place == 2:
        yield Need(words=order.next, bits=_PLACE | _FIRST, about=rank)


def _is_placed(rank: Rank, said: int) -> bool:
    """Tell whether the pieces that are said make the rank, with none left over."""
    is_named = bool(said & _PLACE)
    if rank.axis == "distance":
        return said & _FIRST != 0 and said & _FROM != 0 and (is_named or abs(rank.position) == 1)
    if said & _LAST:
        return said & _REVERSE != 0 and not said & (_PLACE | _COUNTED)
    if said & _REVERSE:
        return False
    if said & _COUNTED:
        return is_named
    return said & _FIRST != 0 and (is_named or abs(rank.position) == 1)


@functools.cache
def nouns_of(category: str | None, is_many: bool) -> Pattern:
    """Return the nouns of a category, as singulars or plurals."""
    return Pattern(lexicon.nouns(category, is_many=is_many))


@functools.cache
def _coloured(colour: str) -> Pattern:
    word = f"({lexicon.COLOURS.get(colour, colour)})"
    return Pattern(
        [
            f"{word} [coloured]",
            f"[in] {word} [in] colour",
            f"in {word}",
            f"of {word} colour",
            f"coloured [in] {word}",
            f"whose colour {word}",
            f"(with|has|having|of) {word} colour",
            f"colour {word}",
            f"(painted|painted in|all) {word}",
        ]
    )


@functools.cache
def _made_of(material: str) -> Pattern:
    word = f"({lexicon.MATERIALS.get(material, material)})"
    return Pattern(
        [
            word,
            f"[made] [out] (of|from) {word}",
            f"{word} made",
            f"made in {word}",
            f"{word} material",
            f"(of|with) {word} material",
            f"in {word}",
            f"[made] out of {word} material",
            f"made (of|from) {word} material",
            f"whose material {word}",
            f"made entirely of {word}",
        ]
    )


@functools.cache
def side_words(side: str) -> Pattern:
    """Return the words for a direction of a thing, of one or of several."""
    return Pattern(lexicon.sides(side))


def no_slot(name: str, at: int) -> Iterator[int]:
    """Read a slot of a pattern that has none."""
    raise AssertionError(f"{name!r} at {at}: a slot where none may be")
