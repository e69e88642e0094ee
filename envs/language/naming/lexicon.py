"""Other words for the nouns, directions, colours and materials of programs.

Harmless additions ("frying pan", "soda can") say what kind of thing it is anyway; none of them may
tell one thing of the pack from another. Mug and cup, pot and pan, box and crate stay different.
"""

import contextlib
import functools
from collections.abc import Mapping
from types import MappingProxyType

from refergym.envs.errors import TaskError
from refergym.envs.language.words import plural

ANYTHING = ("object", "thing", "item", "piece", "article")
"""nouns of a Select without a category"""

_ALSO: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "can": ("tin", "tin can"),
        "monitor": ("display monitor", "monitor screen"),
        "snack bag": (
            "bag of snack",
            "bag of snacks",
            "snacks bag",
            "snack packet",
            "snack pouch",
            "bag of chips",
            "chip bag",
            "packet of snacks",
            "bag for snacks",
        ),
        "book stack": (
            "stack of books",
            "pile of books",
            "book pile",
            "stacked books",
            "books in stack",
            "stack made of books",
            "books stacked up",
            "stack of book",
            "heap of books",
            "books stack",
        ),
        "wine glass": ("wineglass", "glass for wine"),
        "pot lid": (
            "potlid",
            "pot cover",
            "cover of pot",
            "lid of pot",
            "lid for pot",
            "pot 's lid",
            "cooking pot lid",
            "lid",
        ),
        "star fruit": ("starfruit", "star shaped fruit", "carambola"),
        "seashell": ("sea shell", "shell"),
        "cushion": ("pillow",),
        "kitchen counter": (
            "counter",
            "counter in kitchen",
            "kitchen countertop",
            "countertop",
            "kitchen worktop",
        ),
        "dining table": ("dinner table", "dining room table"),
        "desk": ("writing desk", "office desk", "work desk"),
        "crate": ("crate box",),
        "towel": ("piece of towel",),
        "lamp": ("lamp light",),
        "spatula": ("turner",),
    }
)
"""category -> other nouns for it"""

_BEFORE: Mapping[str, str] = MappingProxyType(
    {
        "apple": "whole fruit",
        "book": "reading",
        "bottle": "drink drinks water drinking beverage",
        "bowl": "soup mixing serving",
        "box": "open",
        "can": "soda drink drinks beverage tin cola pop food",
        "crate": "wood storage open",
        "cup": "drinking tea",
        "cushion": "seat throw sofa",
        "fork": "dinner table eating",
        "knife": "kitchen table dinner",
        "lamp": "desk table reading bedside",
        "monitor": "computer pc desktop lcd",
        "mug": "coffee tea drinking",
        "pan": "frying cooking fry sauce",
        "plate": "dinner dining",
        "pot": "cooking stew",
        "seashell": "sea",
        "snack bag": "chips",
        "spatula": "cooking kitchen",
        "spoon": "eating soup table",
        "towel": "cloth folded hand kitchen dish tea",
        "vase": "flower",
        "wine glass": "drinking stemmed",
    }
)
"""category -> words that may stand before its noun and say nothing new"""

_FRUIT = ("apple", "coconut", "durian", "pineapple", "star fruit", "strawberry")
_SIDES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "handle": ("grip", "grip handle", "handle grip", "handle part"),
        "face": (
            "screen",
            "front",
            "screen side",
            "front side",
            "display",
            "screen face",
            "front face",
            "display side",
        ),
        "opening": ("mouth", "open end", "open top", "open side"),
        "stem": ("stalk", "stem end"),
        "leaves": (
            "leaf crown",
            "crown",
            "crown of leaves",
            "leafy top",
            "leaf tuft",
            "foliage",
            "leafy end",
        ),
        "tines": ("prongs", "tine end", "tine", "prong end"),
        "spine": ("spine edge", "back spine"),
        "cover": ("front cover",),
        "neck": ("bottleneck",),
        "bowl": ("bowl part", "bowl end", "scoop"),
        "blade": ("blade end", "blade part"),
        "upright axis": (
            "vertical axis",
            "up axis",
            "up direction",
            "axis",
            "upward axis",
            "upward direction",
            "up vector",
            "own axis",
            "up-down axis",
            "upright direction",
            "vertical direction",
            "standing axis",
            "central axis",
        ),
    }
)
"""a thing's direction -> other words for it"""

COLOURS: Mapping[str, str] = MappingProxyType({"gold": "gold", "beige": "beige|tan"})
MATERIALS: Mapping[str, str] = MappingProxyType(
    {
        "cardboard": "cardboard|card|carton",
        "fabric": "fabric|cloth|textile",
        "metal": "metal",
        "wood": "wood",
    }
)

DIMENSIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "height": (
            "height|tallness",
            "tallest|highest",
            "taller",
            "tall|high",
            "shortest|least tall|lowest standing",
            "shorter",
            "short|low",
        ),
        "size": (
            "size|bulk",
            "largest|bulkiest|hugest",
            "larger|bulkier",
            "large|big|huge|bulky",
            "smallest|tiniest|littlest|least (big|large)",
            "smaller|tinier|littler",
            "small|tiny|little",
        ),
        "width": (
            "width|breadth",
            "widest|broadest",
            "wider|broader",
            "wide|broad",
            "narrowest|slimmest|thinnest|skinniest|least (wide|broad)",
            "narrower|slimmer|thinner",
            "narrow|slim|thin",
        ),
    }
)
"""what is measured -> noun, then most, more and much of it, then least, less and little of it"""


@functools.cache
def nouns(category: str | None, *, is_many: bool) -> tuple[str, ...]:
    """Return templates for the nouns of a category, as singulars or plurals."""
    if category is None:
        many = tuple(plural(n) for n in ANYTHING)
        return (
            (*many, "everything") if is_many else (*ANYTHING, "whatever", "something", "anything")
        )
    names = (category, *_ALSO.get(category, ()))
    if category in _FRUIT:
        names += (f"{category} fruit",)
    before = "|".join(_BEFORE.get(category, "").split())
    form = f"[{before}] {{}}" if before else "{}"
    if not is_many:
        return tuple(form.format(n) for n in names)
    return tuple(form.format(m) for n in names for m in _many(n))


@functools.cache
def sides(side: str) -> tuple[str, ...]:
    """Return templates for a direction of a thing, of one or of several."""
    found = [side, *_SIDES.get(side, ())]
    with contextlib.suppress(TaskError):
        found.append(plural(side))
    return tuple(f"{s} [side]" for s in found)


def _many(noun: str) -> tuple[str, ...]:
    head, of, rest = noun.partition(" of ")
    if of:
        return (f"{plural(head)} of {rest}",)
    return () if noun.endswith(" up") or " in " in noun else (plural(noun),)
