"""The grammar of referent programs: reading them, checking them, counting their steps."""

from refergym.assets import records
from refergym.envs.errors import TaskError
from refergym.envs.programs import (
    Arrange,
    Beside,
    Between,
    Corner,
    Direction,
    Edge,
    Facing,
    Floor,
    Gather,
    Into,
    Missing,
    Move,
    Node,
    Onto,
    Program,
    Rank,
    Select,
    Turn,
    Where,
    children,
    walk,
)
from refergym.envs.relations.table import RELATIONS

MOST_DEEP = 6
"""levels of objects that are named by objects"""
_MOVED = (Move, Gather, Arrange)
"""nodes whose `what` is no anchor"""
_DIRECTIONAL = (
    Rank, Where, Direction, Beside, Between, Onto, Into, Turn, Edge, Corner, Missing, Facing,
    Arrange,
)  # fmt: skip


def steps(program: Node) -> int:
    """Count the steps of the reasoning that a program asks for.

    A step is an anchor or a directional phrase that narrows the search, as RefSpatial-Bench counts
    them: each object that something is related to, each relation, each place in an order, each
    direction of a place. A thing that is named by its kind and colour alone is one step.
    """
    nodes = [node for _, node in walk(program)]
    count = sum(2 if isinstance(n, Floor) else int(isinstance(n, _DIRECTIONAL)) for n in nodes)
    anchors = sum(
        isinstance(child, Select)
        for node in nodes
        if not isinstance(node, _MOVED)
        for _, child in children(node)
    )
    moved = [n.what for n in nodes if isinstance(n, _MOVED)]
    named = [program] if isinstance(program, Select) else moved
    return count + anchors + sum(not n.where and n.rank is None for n in named)


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
        if f".{path}".count(".anchor") > MOST_DEEP:
            raise TaskError(f"{path}: more than {MOST_DEEP} levels of anchors")


def _problem(node: Node) -> tuple[str, str] | None:
    """What is wrong with one node: its field, and a sentence."""
    if isinstance(node, Select) and not (
        node.category or node.colour or node.material or node.where or node.rank
    ):
        return "category", "expected something that tells which object is meant"
    for key in ("category", "colour", "material", "furniture"):
        word = getattr(node, key, None)
        if word is not None and not word.strip():
            return key, f"expected a word{_or_null(node, key)}, got an empty one"
    if isinstance(node, Rank):
        if node.position == 0:
            return "position", "expected 1 or more, or -1 or less, got 0"
        if (node.anchor is not None) != (node.axis == "distance"):
            asked = "an anchor" if node.axis == "distance" else "no anchor"
            return "anchor", f"a rank by {node.axis} has {asked}"
    if isinstance(node, Where):
        return _relation_problem(node)
    if isinstance(node, Facing):
        return _facing_problem(node)
    if isinstance(node, Gather | Arrange) and node.what.rank is not None:
        return "what.rank", "expected none: all that fit are meant"
    if isinstance(node, Direction | Beside):
        if node.frame == "world":
            return "frame", "expected viewer, object or robot, got world"
        if (node.frame == "object") != bool(node.facing):
            asked = "one of the anchor's directions" if node.frame == "object" else "nothing"
            return "facing", f"frame {node.frame} has {asked} here"
    return None


def _or_null(node: Node, key: str) -> str:
    is_needed = isinstance(node, Missing | Floor) and key != "colour"
    return "" if is_needed else " or null"


def _facing_problem(node: Facing) -> tuple[str, str] | None:
    if not node.side:
        return "side", "expected a direction of what is moved"
    if (node.to is None) == (node.toward is None):
        return "to", "expected either to or toward"
    if node.angle is not None and node.toward is None:
        return "angle", "an angle is counted from toward"
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
