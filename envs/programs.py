"""Referent programs: small typed trees that say which object, or which place, a task means.

A tree names things by what a viewer sees (category, colour, rank), never by id, so that the same
tree can be turned into words (`language`) and into objects (`referents`). JSON with a tag `op`.
"""

from typing import Annotated, Literal

import msgspec

from refergym.assets import records
from refergym.assets.records import Record
from refergym.assets.spec import Positive
from refergym.envs.errors import TaskError

Axis = Literal["left-right", "front-back", "size"]
Side = Literal["left", "right", "front", "behind"]

AXES: tuple[Axis, ...] = ("left-right", "front-back", "size")
SIDES: tuple[Side, ...] = ("left", "right", "front", "behind")


class Rank(Record, frozen=True, kw_only=True, tag="rank", tag_field="op"):
    """A place in an order among the objects that fit otherwise."""

    axis: Axis
    """left-right and front-back are the viewer's; front is nearer"""
    position: Annotated[int, msgspec.Meta(ge=-9, le=9)]
    """1 is the first from the left, the front or the largest; -1 the first from the other end"""


class Select(Record, frozen=True, kw_only=True, tag="select", tag_field="op"):
    """The one object of a category that fits."""

    category: str
    colour: str | None = None
    rank: Rank | None = None


class Direction(Record, frozen=True, kw_only=True, tag="direction", tag_field="op"):
    """The place at a distance from the anchor's middle, in a direction of the viewer's."""

    anchor: Select
    side: Side
    distance: Positive
    """m, on the table"""


class Between(Record, frozen=True, kw_only=True, tag="between", tag_field="op"):
    """The free place between two objects."""

    a: Select
    b: Select


class Onto(Record, frozen=True, kw_only=True, tag="onto", tag_field="op"):
    """The top of an object."""

    anchor: Select


class Into(Record, frozen=True, kw_only=True, tag="into", tag_field="op"):
    """The inside of an open container."""

    anchor: Select


class Beside(Record, frozen=True, kw_only=True, tag="beside", tag_field="op"):
    """The free place next to an object, on one side as the viewer sees it."""

    anchor: Select
    side: Side


class Floor(Record, frozen=True, kw_only=True, tag="floor", tag_field="op"):
    """The free floor beside a piece of furniture, on one side as the viewer sees it."""

    furniture: str
    """English noun, singular"""
    side: Side


Region = Direction | Between | Onto | Into | Beside


class Move(Record, frozen=True, kw_only=True, tag="move", tag_field="op"):
    """Bring one object to a place."""

    what: Select
    where: Region


Program = Select | Region | Move | Floor


def anchors_of(region: Region) -> tuple[Select, ...]:
    """Return the objects that a region is described by, in the order of its words."""
    return (region.a, region.b) if isinstance(region, Between) else (region.anchor,)


def load_program(data: bytes | str) -> Program:
    """Decode a program.

    Raises:
        TaskError: naming the node by path, e.g. "what.rank.axis: ...".
    """
    program: Program = records.decode(data, Program, error=TaskError)  # type: ignore[arg-type]
    for path, select in _selects(program, ""):
        if select.rank is not None and select.rank.position == 0:
            raise TaskError(f"{path}rank.position: expected 1 or more, or -1 or less, got 0")
    return program


def _selects(node: Program, path: str) -> list[tuple[str, Select]]:
    if isinstance(node, Select):
        return [(path, node)]
    if isinstance(node, Move):
        return _selects(node.what, f"{path}what.") + _selects(node.where, f"{path}where.")
    if isinstance(node, Floor):
        return []
    if isinstance(node, Between):
        return [(f"{path}a.", node.a), (f"{path}b.", node.b)]
    return [(f"{path}anchor.", node.anchor)]
