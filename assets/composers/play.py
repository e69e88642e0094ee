"""What is in play: the things in reach that the picture is about, and whether a task can use them.

A stack is in play as a whole or not at all.
"""

import math
from collections.abc import Collection, Sequence

import numpy as np

from refergym.assets.composers.base import Wants
from refergym.assets.composers.infinigen_params import InfinigenParams
from refergym.assets.composers.layout import Place
from refergym.assets.composers.params import SceneParams
from refergym.assets.composers.reach import ORIGIN, missing, near
from refergym.assets.composers.search import Misfit
from refergym.assets.composers.things import Things

FOCUSES = 8
"""choices of what is in play that are tried where not all of it can be"""


def choose_play(
    things: Things,
    wants: Wants,
    params: InfinigenParams,
    rng: np.random.Generator,
    needed: Sequence[int] = (),
) -> list[int]:
    """Choose what is in play: all that is in reach, or some of it that stands together.

    Args:
        things: in the world's frame, the robot's base at its origin.
        wants: what it has to hold, beside what is needed.
        params: `counts`, `reach`.
        rng: draws how many, and round what.
        needed: things on the table that have to be in play, all in reach: a row.

    Raises:
        Misfit: if it comes to too few, or does not hold what is wanted.
    """
    reached = near(things, ORIGIN, params)
    low, high = params.counts
    if len(reached) < low:
        raise Misfit(f"fewer than {low} things in reach")
    others = [k for k in reached if k not in needed]
    refuse(things, others, wants, params, "in reach")
    count = min(high, max(int(rng.integers(low, high + 1)), len(needed) + wants.least))
    if len(reached) <= count:
        return reached
    roots = [k for k in others if things.items[k].parent is None]
    for _ in range(FOCUSES if roots else 0):
        among = needed or roots
        focus = things.places[among[int(rng.integers(len(among)))]]
        more = _round(things, roots, focus, count - len(needed))
        if len(needed) + len(more) >= low and not missing(things, more, wants, params):
            return [*needed, *more]
    raise Misfit(f"no {low} to {high} things that stand together hold what is wanted")


def refuse(
    things: Things, among: Collection[int], wants: Wants, params: SceneParams, where: str
) -> None:
    """Raise Misfit if some things, of which is told where they are, lack what is wanted."""
    lacking = missing(things, among, wants, params)
    if lacking:
        raise Misfit(f"too few {where}: {lacking[0]}")


def _round(things: Things, roots: Sequence[int], focus: Place, count: int) -> list[int]:
    """Stacks round a place, nearest first, as many as come to at most `count` things."""
    away = {
        k: math.hypot(things.places[k].x - focus.x, things.places[k].y - focus.y) for k in roots
    }
    play: list[int] = []
    for root in sorted(roots, key=lambda k: (away[k], k)):
        stack = things.stack(root)
        if len(play) + len(stack) > count:
            break
        play += stack
    return play
