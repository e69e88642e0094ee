"""Phrases for a direction of a thing: "the mug's handle", "which way its spine points"."""

from collections.abc import Iterator, Sequence

from refergym.envs.language.naming.needs import no_slot, nouns_of, side_words
from refergym.envs.language.naming.patterns import Pattern
from refergym.envs.language.naming.reader import Reader
from refergym.envs.language.naming.tokens import POSSESSIVE
from refergym.envs.programs import Select, walk

_WAY = (
    "[in|along] (direction|way|orientation|heading|direction vector|pointing direction"
    "|facing direction|facing|where|axis) [(of|in|along|to|toward|for)]"
)
_POINTS = (
    "(points|point|faces|face|facing|turned|looks|looking|directed|aims|aimed|goes|extends|heading"
    "|pointed|turned) [(to|toward|at|in|along)] [direction]"
)
_MACROS = {"way": _WAY, "points": _POINTS, "of": "(of|on|from|at|for|belonging to|attached to)"}
_OWNED = Pattern(
    [
        "[<way>] {side} <of> {0} [<points>]",
        "[<way>] {side} (direction|orientation) <of> {0}",
        "[<way>] {side} <of> {0} (direction|orientation)",
    ],
    _MACROS,
)
_FACING = Pattern(
    [
        "(facing direction|facing) <of> {0}",
        "<way> {0} (faces|facing|looks|looking)",
        "<way> {0} ~ (faces|facing)",
        "{0} 's facing direction",
    ],
    _MACROS,
)
"""of what has a face"""
_BEFORE = Pattern(["<way>"], _MACROS)
_AFTER = Pattern(["<points>", "direction", "orientation", "direction [<points>]", "axis"], _MACROS)


def is_side(words: Sequence[str], node: Select, side: str) -> bool:
    """Tell whether words name a direction of a thing.

    Args:
        words: as `tokens` gives them.
        node: what names the thing.
        side: the direction.
    """
    reader = Reader(words)

    def slot(name: str, at: int) -> Iterator[int]:
        if name == "side":
            yield from side_words(side).ends(words, at, no_slot)
        else:
            yield from reader.name(node, at)

    forms = (_OWNED, _FACING) if side == "face" else (_OWNED,)
    if any(len(words) in f.ends(words, 0, slot) for f in forms):
        return True
    return any(Reader(rest).is_name(node) for rest in _owners(words, node, side))


def _owners(words: Sequence[str], node: Select, side: str) -> Iterator[Sequence[str]]:
    """Yield what is left where a direction follows the noun: "toppled mug's handle by the pan".

    After a second noun it would be that one's.
    """
    starts = [0, *_BEFORE.ends(words, 0, no_slot)]
    for k in range(1, len(words)):
        noun_end = k - 1 if words[k - 1] == POSSESSIVE else k
        named = _noun_ends(words[:noun_end], node)
        if named != {noun_end}:
            continue
        for end in side_words(side).ends(words, k, no_slot):
            for after in (end, *_AFTER.ends(words, end, no_slot)):
                for start in starts:
                    yield (*words[start:noun_end], *words[after:])


def _noun_ends(words: Sequence[str], node: Select) -> set[int]:
    kinds = {n.category for _, n in walk(node) if isinstance(n, Select)}
    patterns = [nouns_of(k, is_many) for k in kinds for is_many in (False, True)]
    return {e for k in range(len(words)) for p in patterns for e in p.ends(words, k, no_slot)}
