"""Whole instructions for programs."""

from typing import Any

import msgspec
import numpy as np

from refergym.envs.errors import TaskError
from refergym.envs.language import name_forms
from refergym.envs.language import place_forms as forms
from refergym.envs.language.nouns import ANYTHING, agreement, check_sayable, noun_phrase, way
from refergym.envs.language.parse import parse_instruction
from refergym.envs.language.places import floor, place, spot
from refergym.envs.language.voices import ANY, CANONICAL, Speaker, Voice
from refergym.envs.language.words import CHARSET, MAX_LENGTH
from refergym.envs.programs import (
    Arrange,
    Facing,
    Floor,
    Gather,
    Missing,
    Move,
    Moves,
    Node,
    Program,
    Select,
    Where,
    walk,
)


def instruct(
    kind: str,
    program: Program,
    rng: np.random.Generator | None = None,
    voice: Voice = ANY,
) -> str:
    """Say what to do.

    Args:
        kind: "pick" to have an object picked up; a program that moves things says so itself, any
            other is pointed at.
        program: what, or where.
        rng: chooses among equal ways; None takes the canonical one.
        voice: which ways there are to choose from.

    Returns:
        A sentence of CHARSET, MAX_LENGTH characters at most.

    Raises:
        TaskError: if English cannot say it without being taken for something else, or it is too
            long.
    """
    check_sayable(program)
    plain = sentence(kind, program, CANONICAL)
    _check_read_back(plain, program)
    text = plain if rng is None else sentence(kind, program, Speaker(voice=voice, rng=rng))
    if not set(text) <= set(CHARSET):
        raise TaskError(f"{text!r}: expected characters of CHARSET only")
    if len(text) > MAX_LENGTH:
        raise TaskError(f"{len(text)} characters: expected {MAX_LENGTH} at most")
    return text


def sentence(kind: str, program: Program, speaker: Speaker) -> str:
    """Say what to do as a speaker does, without the checks of `instruct`."""
    if isinstance(program, Move | Moves | Gather | Arrange):
        order = speaker.choose(forms.DO).format(what=_order(program, speaker))
        return order[0].upper() + order[1:]
    if isinstance(program, Select):
        frame = speaker.choose(forms.PICK if kind == "pick" else forms.POINT)
        return frame.format(what=noun_phrase(program, speaker, is_last=frame.endswith("{what}.")))
    what = floor(program, speaker) if isinstance(program, Floor) else spot(program, speaker)
    return speaker.choose(forms.POINT).format(what=what)


def _order(program: Move | Moves | Gather | Arrange, speaker: Speaker) -> str:
    """What to do, without the frame of a sentence: "put the cup into the bowl"."""
    if isinstance(program, Moves):
        said = _order(program.parts[0], speaker)
        for part in program.parts[1:]:
            said += speaker.choose(forms.THEN) + _order(part, speaker)
        return said
    is_set = not isinstance(program, Move)
    what = noun_phrase(program.what, speaker, is_set=is_set, is_last=False, is_placed=True)
    if isinstance(program, Arrange):
        return speaker.choose(forms.ARRANGE).format(what=what, to=forms.AXES[program.axis])
    where = place(program.where, speaker)
    if isinstance(program, Gather):
        return speaker.choose(forms.GATHER).format(what=what, place=where)
    if program.facing is not None:
        where += f", {_facing(program.facing, speaker)}"
    return speaker.choose(forms.MOVE).format(what=what, place=where)


def _facing(facing: Facing, speaker: Speaker) -> str:
    words = {"side": facing.side, **agreement(facing.side, is_set=False)}
    if facing.to is not None:
        return speaker.choose(forms.FACING_SIDE).format(to=forms.TO[facing.to], **words)
    assert facing.toward is not None, "checked by the program"
    if facing.angle is None:
        kind = forms.FACING_THING
    else:
        kind = forms.FACING_TURNED if facing.angle else forms.FACING_SAME
        words |= {"angle": speaker.angle(facing.angle), "way": way(facing.angle)}
    name = noun_phrase(facing.toward, speaker, is_last=False)
    return speaker.choose(kind).format(name, **words)


def _check_read_back(text: str, program: Program) -> None:
    """Raise TaskError if the canonical words would be read as another program."""
    try:
        _, found = parse_instruction(text)
    except TaskError as e:
        raise TaskError(f"it cannot be said clearly: {e}") from e
    if not _same_words(found, program):
        raise TaskError(f"{text!r} would be read as something else")


def _same_words(one: Program, other: Program) -> bool:
    """Tell whether two programs differ at most in what English does not tell apart.

    That is where a name ends and its colour and material begin, and frames that make no difference:
    a height is a height for everybody.
    """
    return _told(one) == _told(other)


def _told(program: Program) -> list[Any]:
    """What the words of a program tell, node by node."""
    return [(path, type(node), _parts(node)) for path, node in walk(program)]


def _parts(node: Node) -> list[Any]:
    raw = msgspec.structs.asdict(node)
    if isinstance(node, Select | Missing):
        words = (raw.pop("colour"), raw.pop("material", None), raw.pop("category"))
        raw["noun"] = " ".join(w for w in words if w) or ANYTHING
    if isinstance(node, Where) and (node.relation, node.frame, "") not in name_forms.CLAUSES:
        raw["frame"] = "viewer"
    return [v for v in raw.values() if isinstance(v, str | int | float | None)]
