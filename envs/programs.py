"""Referent programs: small typed trees that say which object, or which place, a task means.

A tree names things by what a viewer sees (category, colour, place in an order, relation to other
things), never by id, so that the same tree can be turned into words (`language`) and into objects
(`referents`). JSON with a tag `op`.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec

from refergym.assets.records import Record
from refergym.assets.spec import Positive
from refergym.envs.relations.bodies import Reference
from refergym.envs.types import Side

Axis = Literal["left-right", "front-back", "distance", "height", "size", "width"]
AXES: tuple[Axis, ...] = ("left-right", "front-back", "distance", "height", "size", "width")


class Rank(Record, frozen=True, kw_only=True, tag="rank", tag_field="op"):
    """A place in an order among the objects that fit otherwise."""

    axis: Axis
    """left-right and front-back are the viewer's; front is nearer"""
    position: Annotated[int, msgspec.Meta(ge=-9, le=9)]
    """1 is the first from the left, the front, the anchor, or the tallest, largest, widest; -1 the
    first from the other end"""
    anchor: "Select | None" = None
    """of a distance: from what"""


class Where(Record, frozen=True, kw_only=True, tag="where", tag_field="op"):
    """A relation that the object stands in."""

    relation: str
    """one of `relations.table.RELATIONS`"""
    anchors: tuple["Select", ...] = ()
    """to what"""
    frame: Reference = "viewer"
    """whose left, right, front and behind"""
    side: str = ""
    """a direction of the anchor: "handle" """
    value: float | None = None
    """m or degrees, of relations that compare with a number"""


class Select(Record, frozen=True, kw_only=True, tag="select", tag_field="op"):
    """The one object that fits: everything said of it holds, then it has its place in the order."""

    category: str | None = None
    """None: any object"""
    colour: str | None = None
    material: str | None = None
    where: tuple[Where, ...] = ()
    rank: Rank | None = None


class Direction(Record, frozen=True, kw_only=True, tag="direction", tag_field="op"):
    """The place at a distance from the anchor's middle, in a direction."""

    anchor: Select
    side: Side
    distance: Positive
    """m, on the table"""
    frame: Reference = "viewer"
    facing: str = ""
    """of frame "object": the direction of the anchor that is its front"""


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
    """The free place next to an object, on one side."""

    anchor: Select
    side: Side
    frame: Reference = "viewer"
    facing: str = ""
    """of frame "object": the direction of the anchor that is its front"""


class Meets(Record, frozen=True, kw_only=True, tag="meets", tag_field="op"):
    """Free space on given sides of several objects at once."""

    parts: Annotated[tuple[Beside, ...], msgspec.Meta(min_length=2, max_length=4)]


class Turn(Record, frozen=True, kw_only=True, tag="turn", tag_field="op"):
    """The place one comes to from an object, facing another, after a turn on the table."""

    anchor: Select
    toward: Select
    angle: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    """degrees, counter-clockwise seen from above"""
    distance: Positive
    """m from the anchor's middle"""


class Edge(Record, frozen=True, kw_only=True, tag="edge", tag_field="op"):
    """The free table along its edge on one side, as the viewer sees it."""

    side: Side


class Corner(Record, frozen=True, kw_only=True, tag="corner", tag_field="op"):
    """The free table in one corner, as the viewer sees it."""

    side: Literal["left", "right"]
    depth: Literal["front", "behind"]


class Missing(Record, frozen=True, kw_only=True, tag="missing", tag_field="op"):
    """The place that is left out of an evenly spaced row of things, or where it would go on."""

    category: str
    colour: str | None = None
    place: Literal["gap", "left", "right", "front", "behind"] = "gap"
    """the gap inside the row or grid, or the next place at one end of a row"""


class Floor(Record, frozen=True, kw_only=True, tag="floor", tag_field="op"):
    """The free floor beside a piece of furniture, as the viewer sees it, or under it."""

    furniture: str
    """English noun, singular"""
    side: Side | Literal["under"]


Region = (
    Direction | Between | Onto | Into | Beside | Meets | Turn | Edge | Corner | Missing
)  # fmt: skip


class Facing(Record, frozen=True, kw_only=True, tag="facing", tag_field="op"):
    """How what is put down is turned: to a side, towards a thing, or by an angle from a thing."""

    side: str
    """its direction that is meant: "handle" """
    to: Side | None = None
    """it points to this side of the viewer's"""
    toward: Select | None = None
    """it points towards this; with `angle`, it is turned against this"""
    angle: Annotated[float, msgspec.Meta(ge=-180, le=180)] | None = None
    """degrees, counter-clockwise seen from above, from where the same direction of `toward`
    points"""


class Move(Record, frozen=True, kw_only=True, tag="move", tag_field="op"):
    """Bring one object to a place."""

    what: Select
    where: Region
    facing: Facing | None = None
    """None: turned in any way"""


class Moves(Record, frozen=True, kw_only=True, tag="moves", tag_field="op"):
    """Several moves, one after the other."""

    parts: Annotated[tuple[Move, ...], msgspec.Meta(min_length=2, max_length=3)]


class Gather(Record, frozen=True, kw_only=True, tag="gather", tag_field="op"):
    """Bring all objects that fit to one place."""

    what: Select
    """without a rank: all that fit"""
    where: Region


class Arrange(Record, frozen=True, kw_only=True, tag="arrange", tag_field="op"):
    """Bring all objects that fit into an evenly spaced row."""

    what: Select
    """without a rank: all that fit"""
    axis: Literal["left-right", "front-back"]
    """of the viewer: along which the row goes"""


Program = Select | Region | Move | Floor | Moves | Gather | Arrange
Node = Select | Rank | Where | Region | Facing | Move | Floor | Moves | Gather | Arrange

REGIONS: Mapping[str, type[Region]] = MappingProxyType(
    {
        kind.__name__.lower(): kind
        for kind in (Beside, Direction, Between, Turn, Meets, Edge, Corner, Missing)
    }
)
"""regions of a support's face, by name"""


def children(node: Node) -> Iterator[tuple[str, Node]]:
    """Yield what a node is made of, with each one's path from it, in the order of the words."""
    if isinstance(node, Select):
        for k, clause in enumerate(node.where):
            yield f"where[{k}]", clause
        if node.rank is not None:
            yield "rank", node.rank
    elif isinstance(node, Where):
        for k, anchor in enumerate(node.anchors):
            yield f"anchors[{k}]", anchor
    elif isinstance(node, Rank):
        if node.anchor is not None:
            yield "anchor", node.anchor
    elif isinstance(node, Move):
        yield "what", node.what
        yield "where", node.where
        if node.facing is not None:
            yield "facing", node.facing
    elif isinstance(node, Gather):
        yield "what", node.what
        yield "where", node.where
    elif isinstance(node, Arrange):
        yield "what", node.what
    elif isinstance(node, Moves):
        for k, move in enumerate(node.parts):
            yield f"parts[{k}]", move
    elif isinstance(node, Facing):
        if node.toward is not None:
            yield "toward", node.toward
    elif isinstance(node, Between):
        yield "a", node.a
        yield "b", node.b
    elif isinstance(node, Meets):
        for k, part in enumerate(node.parts):
            yield f"parts[{k}]", part
    elif isinstance(node, Turn):
        yield "anchor", node.anchor
        yield "toward", node.toward
    elif isinstance(node, Direction | Onto | Into | Beside):
        yield "anchor", node.anchor


def walk(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Yield a node and all below it, with their paths from the root."""
    yield path, node
    for step, child in children(node):
        yield from walk(child, joined(path, step))


def joined(path: str, step: str) -> str:
    """Return the path of a node's part."""
    return f"{path}.{step}" if path else step


def anchors_of(region: Region) -> tuple[Select, ...]:
    """Return the objects that a region is described by, in the order of its words."""
    if isinstance(region, Meets):
        return tuple(p.anchor for p in region.parts)
    return tuple(c for _, c in children(region) if isinstance(c, Select))
