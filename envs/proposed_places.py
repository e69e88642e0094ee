"""Regions of a wanted number of steps, proposed at random along the grammar."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

from refergym.envs.errors import TaskError
from refergym.envs.grammar import steps
from refergym.envs.programs import (
    Beside,
    Between,
    Corner,
    Direction,
    Edge,
    Into,
    Meets,
    Missing,
    Onto,
    Region,
    Turn,
)
from refergym.envs.proposals import Proposer
from refergym.envs.types import SIDES, Side


def propose_region(
    proposer: Proposer, count: int, kinds: Sequence[type[Region]], tries: int = 60
) -> Region | None:
    """Propose a region of `count` steps, or None; that it has a free place is not checked.

    Args:
        proposer: of the view; what comes to nothing is counted in its `refused`.
        count: steps.
        kinds: of regions.
        tries: proposals.
    """
    kinds = [k for k in kinds if (count == 1 if k in _FIXED else count >= _LEAST[k])]
    if not kinds:
        proposer.refused[f"no kind of place takes {count} steps"] += 1
        return None
    for _ in range(tries):
        kind = kinds[int(proposer.uniform(0, len(kinds)))]
        try:
            region = _REGIONS[kind](proposer, count)
        except TaskError as e:
            proposer.refused[str(e)] += 1
            continue
        if steps(region) == count:
            return region
        proposer.refused[f"no {kind.__name__.lower()} of {count} steps"] += 1
    return None


def _beside(p: Proposer, count: int) -> Region:
    anchor, index = p.anchor(count - 2)
    frame, facing = p.facing(index)
    return Beside(anchor=anchor, side=p.sides(), frame=frame, facing=facing)


def _direction(p: Proposer, count: int) -> Region:
    anchor, index = p.anchor(count - 2)
    frame, facing = p.facing(index)
    return Direction(
        anchor=anchor,
        side=p.sides(),
        distance=round(p.uniform(0.1, 0.3), 2),
        frame=frame,
        facing=facing,
    )


def _between(p: Proposer, count: int) -> Region:
    first, i = p.anchor(0)
    second, _ = p.anchor(count - 3, [i])
    return Between(a=first, b=second)


def _turn(p: Proposer, count: int) -> Region:
    first, i = p.anchor(0)
    second, _ = p.anchor(count - 3, [i])
    angle = 15.0 * round(p.uniform(-10, 10))
    return Turn(anchor=first, toward=second, angle=angle or 90.0,
                distance=round(p.uniform(0.1, 0.3), 2))  # fmt: skip


def _meets(p: Proposer, count: int) -> Region:
    first, i = p.anchor(0)
    second, _ = p.anchor(count - 4, [i])
    parts = tuple(Beside(anchor=a, side=p.sides()) for a in (first, second))
    return Meets(parts=parts)


def _edge(p: Proposer, count: int) -> Region:
    return Edge(side=p.sides())


def _corner(p: Proposer, count: int) -> Region:
    k = int(p.uniform(0, 4))
    return Corner(side=("left", "right")[k % 2], depth=("front", "behind")[k // 2])


def _onto(p: Proposer, count: int) -> Region:
    flat = [t.index for t in p.view.things if t.flat_top]
    return Onto(anchor=p.anchor(count - 2, fits=flat.__contains__)[0])


def _into(p: Proposer, count: int) -> Region:
    hollow = [i for i, body in enumerate(p.view.bodies) if body.hollow is not None]
    return Into(anchor=p.anchor(count - 2, fits=hollow.__contains__)[0])


def _missing(p: Proposer, count: int) -> Region:
    kinds = Counter(t.category for t in p.view.things)
    rows = sorted(c for c, n in kinds.items() if n >= 3)
    if not rows:
        raise TaskError("no kind of which three or more are there")
    where: tuple[Literal["gap"] | Side, ...] = ("gap", *SIDES)
    return Missing(category=rows[int(p.uniform(0, len(rows)))],
                   place=where[int(p.uniform(0, len(where)))])  # fmt: skip


_FIXED = (Edge, Corner, Missing)
"""places of one step"""
_LEAST: dict[type[Region], int] = {
    Beside: 2, Direction: 2, Onto: 2, Into: 2, Between: 3, Turn: 3, Meets: 4,
}  # fmt: skip
"""steps of the others, at least"""
_REGIONS: dict[type[Region], Callable[[Proposer, int], Region]] = {
    Beside: _beside,
    Direction: _direction,
    Between: _between,
    Turn: _turn,
    Meets: _meets,
    Edge: _edge,
    Corner: _corner,
    Onto: _onto,
    Into: _into,
    Missing: _missing,
}
