"""Phrases for places: "to the left of the bowl", "the free space to the left of the bowl"."""

from refergym.envs.language import place_forms as forms
from refergym.envs.language.nouns import has_clauses, noun_phrase, way
from refergym.envs.language.voices import CANONICAL, Forms, Speaker, is_closed
from refergym.envs.language.words import article, plural
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
    Region,
    Select,
    Turn,
)


def place(region: Region, speaker: Speaker = CANONICAL) -> str:
    """Say where something goes: "to the left of the bowl".

    Args:
        region: where.
        speaker: chooses among equal forms.

    Raises:
        TaskError: if a clause would be taken for one of another noun, or a number is too long.
    """
    if isinstance(region, Onto):
        return _at(forms.ONTO, speaker, region.anchor)
    if isinstance(region, Into):
        return _at(forms.INTO, speaker, region.anchor)
    if isinstance(region, Beside):
        kind = forms.BESIDE[region.frame, region.side]
        return _at(kind, speaker, region.anchor, side=region.facing)
    if isinstance(region, Between):
        return _at(forms.BETWEEN, speaker, region.a, region.b)
    if isinstance(region, Meets):
        return " and ".join(place(p, speaker) for p in region.parts)
    if isinstance(region, Direction):
        kind = forms.DIRECTION[region.frame, region.side]
        length = speaker.length(region.distance)
        return _at(kind, speaker, region.anchor, side=region.facing, length=length)
    if isinstance(region, Turn):
        return _turn(region, speaker)
    if isinstance(region, Edge):
        return speaker.choose(forms.EDGE).format(edge=forms.EDGES[region.side])
    if isinstance(region, Corner):
        edge = forms.EDGES[region.depth]
        return speaker.choose(forms.CORNER).format(edge=edge, side=region.side)
    return _missing(region, speaker)


def spot(region: Region, speaker: Speaker = CANONICAL) -> str:
    """Name a place: "the free space between the bowl and the cup"; as `place`."""
    if isinstance(region, Onto):
        return _at(forms.TOP, speaker, region.anchor)
    if isinstance(region, Into):
        return _at(forms.INSIDE, speaker, region.anchor)
    if isinstance(region, Missing):
        return _missing(region, speaker).removeprefix("in ").removeprefix("at ")
    named = forms.EXACT if isinstance(region, Direction | Turn) else forms.FREE
    if isinstance(region, Edge | Corner):
        named = forms.BARE
    return f"{speaker.choose(named)} {place(region, speaker)}"


def floor(program: Floor, speaker: Speaker = CANONICAL) -> str:
    """Name a part of the floor: "the free floor to the left of the dining table"."""
    kind = forms.UNDER if program.side == "under" else forms.BESIDE["viewer", program.side]
    what = speaker.choose(forms.FLOOR)
    return f"{what} {speaker.choose(kind).format(f'the {program.furniture}')}"


def _at(kind: Forms, speaker: Speaker, *anchors: Select, **words: str) -> str:
    form = speaker.choose(kind, is_closed if any(map(has_clauses, anchors)) else None)
    return form.format(*(noun_phrase(a, speaker, is_last=False) for a in anchors), **words)


def _turn(region: Turn, speaker: Speaker) -> str:
    form = speaker.choose(forms.TURNED if region.angle else forms.STRAIGHT)
    return form.format(
        noun_phrase(region.anchor, speaker, is_last=False),
        noun_phrase(region.toward, speaker, is_last=False),
        length=speaker.length(region.distance),
        angle=speaker.angle(region.angle),
        way=way(region.angle),
    )


def _missing(region: Missing, speaker: Speaker) -> str:
    one = " ".join(w for w in (region.colour, region.category) if w)
    form = speaker.choose(forms.GAP if region.place == "gap" else forms.END)
    to = "" if region.place == "gap" else forms.TO[region.place]
    return form.format(one=one, many=plural(one), a_one=article(one), to=to)
