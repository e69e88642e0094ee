"""Which object each name in a program means: bound at the start, and kept while things move."""

from collections.abc import Iterator, Sequence

from refergym.envs.programs import (
    Beside,
    Direction,
    Node,
    Program,
    Select,
    Where,
    children,
    joined,
    walk,
)
from refergym.envs.referents import Reading
from refergym.envs.relations.bodies import Reference
from refergym.envs.task_spec import Bound, TaskSpec
from refergym.envs.view import Layout


def names_in(node: Node, path: str = "") -> Iterator[tuple[str, Select]]:
    """Yield the names that a node is made of, with their paths, but none within another name."""
    if isinstance(node, Select):
        yield path, node
        return
    for step, child in children(node):
        yield from names_in(child, joined(path, step))


def bind(program: Program, readings: Sequence[Reading | Sequence[Reading]],
         layout: Layout) -> tuple[Bound, ...]:  # fmt: skip
    """Bind all names of a program.

    Args:
        program: the tree.
        readings: what its outermost names mean, in the order of `names_in`; several for a name
            that means all that fit.
        layout: tells the objects' ids.
    """
    found: list[Bound] = []
    for (path, select), meant in zip(names_in(program), readings, strict=True):
        several = [meant] if isinstance(meant, Reading) else list(meant)
        ids = tuple(layout.scene.objects[r.index].id for r in several)
        found.append(Bound(path=path, objects=ids))
        if several:
            found += _below(select, path, several[0], layout)
    return tuple(found)


def bound_objects(task: TaskSpec) -> dict[str, tuple[str, ...]]:
    """Return the ids of what each name means, by its path in the program."""
    return {b.path: b.objects for b in task.bound}


def frame_of(program: Program) -> Reference:
    """Return whose left and right are meant; of several, the first that is not the viewer's."""
    frames: list[Reference] = [
        node.frame
        for _, node in walk(program)
        if isinstance(node, Where | Beside | Direction) and node.frame in ("object", "robot")
    ]
    return frames[0] if frames else "viewer"


def _below(select: Select, path: str, reading: Reading, layout: Layout) -> list[Bound]:
    """Bind the names within a name; a reading has them in the order of the words."""
    found: list[Bound] = []
    inner = [pair for step, child in children(select)
             for pair in names_in(child, joined(path, step))]  # fmt: skip
    for (where, name), meant in zip(inner, reading.anchors, strict=True):
        found.append(Bound(path=where, objects=(layout.scene.objects[meant.index].id,)))
        found += _below(name, where, meant, layout)
    return found
