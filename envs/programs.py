"""Referent programs: small typed trees that say which object, or which place, a task means.

A tree names things by what a viewer sees (category, colour, place in an order, relation to other
things), never by id, so that the same tree can be turned into words (`language`) and into objects
(`referents`). JSON with a tag `op`.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec

from refergym.assets import records
from refergym.assets.records import Record
from refergym.assets.spec import Positive
from refergym.envs.errors import TaskError
from refergym.envs.relations.bodies import Reference
from refergym.envs.relations.table import RELATIONS
from refergym.envs.types import Side

Axis = Literal["left-right", "front-back", "distance", "height", "size", "width"]
AXES: tuple[Axis, ...] = ("left-right", "front-back", "distance", "height", "size", "width")
MOST_DEEP = 6
"""levels of objects that are named by objects"""


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


class Move(Record, frozen=True, kw_only=True, tag="move", tag_field="op"):
    """Bring one object to a place."""

    what: Select
    where: Region


Program = Select | Region | Move | Floor
Node = Select | Rank | Where | Region | Move | Floor

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
        yield from walk(child, f"{path}.{step}" if path else step)


def anchors_of(region: Region) -> tuple[Select, ...]:
    """Return the objects that a region is described by, in the order of its words."""
    if isinstance(region, Meets):
        return tuple(p.anchor for p in region.parts)
    return tuple(c for _, c in children(region) if isinstance(c, Select))


def steps(program: Node) -> int:
    """Count the steps of the reasoning that a program asks for.

    A step is an anchor or a directional phrase that narrows the search, as RefSpatial-Bench counts
    them: each object that something is related to, each relation, each place in an order, each
    direction of a place. A thing that is named by its kind and colour alone is one step.
    """
    count = sum(_own_steps(node) for _, node in walk(program))
    anchors = sum(
        isinstance(child, Select)
        for _, node in walk(program)
        if not isinstance(node, Move)
        for _, child in children(node)
    )
    plain = sum(
        not node.where and node.rank is None
        for node in (
            (program,) if isinstance(program, Select) else
            (program.what,) if isinstance(program, Move) else ()
        )
    )  # fmt: skip
    return count + anchors + plain


def _own_steps(node: Node) -> int:
    directional = (Rank, Where, Direction, Beside, Between, Onto, Into, Turn, Edge, Corner, Missing)
    return 2 if isinstance(node, Floor) else int(isinstance(node, directional))


def load_program(data: bytes | str) -> Program:
    """Decode and check a program.

    Raises:
        TaskError: naming the node by path, e.g. "what.rank.axis: ...".
    """
    program: Program = records.decode(data, Program, error=TaskError)  # type: ignore[arg-type]
    check_program(program)
    return program


def check_program(program: Program) -> None:
    """Check what the types alone do not: ranks, relations, frames, anchors, depth.

    Raises:
        TaskError: naming the node by path.
    """
    for path, node in walk(program):
        problem = _problem(node)
        if problem:
            field, text = problem
            raise TaskError(f"{path}.{field}: {text}" if path else f"{field}: {text}")
        if path.count(".anchor") >= MOST_DEEP:
            raise TaskError(f"{path}: more than {MOST_DEEP} levels of anchors")


def _problem(node: Node) -> tuple[str, str] | None:
    """What is wrong with one node: its field, and a sentence."""
    if isinstance(node, Select):
        if not (node.category or node.colour or node.material or node.where or node.rank):
            return "category", "expected something that tells which object is meant"
        for key in ("category", "colour", "material"):
            if getattr(node, key) == "":
                return key, "expected a word or null, got an empty one"
    if isinstance(node, Rank):
        if node.position == 0:
            return "position", "expected 1 or more, or -1 or less, got 0"
        if (node.anchor is not None) != (node.axis == "distance"):
            asked = "an anchor" if node.axis == "distance" else "no anchor"
            return "anchor", f"a rank by {node.axis} has {asked}"
    if isinstance(node, Where):
        return _relation_problem(node)
    if isinstance(node, Direction | Beside):
        if node.frame == "world":
            return "frame", "expected viewer, object or robot, got world"
        if (node.frame == "object") != bool(node.facing):
            asked = "one of the anchor's directions" if node.frame == "object" else "nothing"
            return "facing", f"frame {node.frame} has {asked} here"
    return None


def _relation_problem(node: Where) -> tuple[str, str] | None:
    relation = RELATIONS.get(node.relation)
    if relation is None or "point" in relation.needs:
        names = ", ".join(n for n, r in RELATIONS.items() if "point" not in r.needs)
        return "relation", f"expected one of {names}; got {node.relation!r}"
    if len(node.anchors) != relation.anchors:
        return "anchors", (
            f"{node.relation} has {relation.anchors} of them, got {len(node.anchors)}"
        )
    if node.frame not in relation.frames:
        return "frame", f"expected one of {', '.join(relation.frames)}; got {node.frame}"
    needs_side = "side" in relation.needs or (
        node.frame == "object" and "object" in relation.frames
    )
    if needs_side != bool(node.side):
        return "side", "expected a direction of the anchor" if needs_side else "expected nothing"
    if ("value" in relation.needs) != (node.value is not None):
        return "value", f"expected {'a number' if 'value' in relation.needs else 'nothing'}"
    return None
