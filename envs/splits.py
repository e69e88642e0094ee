"""Splits by what a task is made of: frozen by hash, so that none of it depends on a draw.

A task belongs to an unseen relation combination where the set of relations, orders and kinds of
places in its program is one of those that are never trained on: a fifth of all sets of two or more,
by the sha256 of their names. It involves an unseen category or instance where something that its
words name has an asset of that split of the pack.
"""

import hashlib
from typing import Literal

from refergym.assets.library import Pack
from refergym.assets.records import Record
from refergym.envs.binding import bound_objects
from refergym.envs.programs import Facing, Move, Moves, Program, Rank, Region, Where, walk
from refergym.envs.starts import Start

HELD_OUT = 5
"""one of so many combinations is never trained on"""
Combinations = Literal["any", "trained", "held_out"]
Involves = Literal["any", "unseen_category", "unseen_instance"]


class Only(Record, frozen=True, kw_only=True):
    """Which tasks belong to a split."""

    combinations: Combinations = "any"
    """of relations: those that are trained on, the others, or all"""
    involves: Involves = "any"
    """something that is named has an asset of this split of the pack"""

    def reason(self, start: Start, pack: Pack) -> str | None:
        """Say why a task does not belong to the split; None if it does."""
        if self.combinations != "any":
            is_held_out = held_out(start.task.program)
            if is_held_out != (self.combinations == "held_out"):
                return f"a combination of relations that is not {self.combinations}"
        if self.involves != "any" and not _involves(start, pack, self.involves):
            return f"nothing {self.involves} is named"
        return None


def combination(program: Program) -> tuple[str, ...]:
    """Return the names of the relations, orders and kinds of places of a program, sorted."""
    names: set[str] = set()
    for _, node in walk(program):
        if isinstance(node, Where):
            names.add(node.relation)
        elif isinstance(node, Rank):
            names.add(f"rank {node.axis}")
        elif isinstance(node, Region | Facing):
            names.add(type(node).__name__.lower())
    return tuple(sorted(names))


def held_out(program: Program) -> bool:
    """Tell whether a program's combination is one of those that are never trained on."""
    programs = [m for m in program.parts] if isinstance(program, Moves) else [program]
    return any(_is_held_out(p) for p in programs)


def _is_held_out(program: Program | Move) -> bool:
    names = combination(program)
    if len(names) < 2:
        return False
    digest = hashlib.sha256("+".join(names).encode()).digest()
    return int.from_bytes(digest[:8], "big") % HELD_OUT == 0


def _involves(start: Start, pack: Pack, split: str) -> bool:
    named = {name for names in bound_objects(start.task).values() for name in names}
    objects = start.scene.objects
    return any(pack[o.asset].split == split for o in objects if o.id in named)
