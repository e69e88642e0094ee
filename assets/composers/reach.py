"""What an arm beside a table reaches, and whether that is what a task wants."""

import math
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
from shapely import Polygon

from refergym.assets.composers.base import Wants
from refergym.assets.composers.layout import Place
from refergym.assets.composers.params import SceneParams
from refergym.assets.composers.things import Things

ORIGIN = Place(x=0.0, y=0.0, z=0.0, yaw=0.0)
"""where the arm stands in the world's frame"""
SIDE = math.radians(75)
"""rad, how far from straight ahead things still count as in reach"""


def in_reach(places: Sequence[Place], stance: Place, params: SceneParams) -> list[int]:
    """Return the indices of the places that an arm reaches from a stance in the same frame."""
    low, high = params.reach
    found = []
    for k, place in enumerate(places):
        dx, dy = place.x - stance.x, place.y - stance.y
        turn = math.remainder(math.atan2(dy, dx) - stance.yaw, 2 * math.pi)
        if low <= math.hypot(dx, dy) <= high and abs(turn) <= SIDE:
            found.append(k)
    return found


def reachable(params: SceneParams) -> Polygon:
    """Return where an arm reaches from `ORIGIN`, inside of `in_reach`, m, world."""
    low, high = params.reach
    angles = np.linspace(-SIDE, SIDE, 25)
    arc = np.column_stack([np.cos(angles), np.sin(angles)])
    # the outer corners lie on the circle, so the inner ones have to lie a little outside of theirs
    inner = low / math.cos(SIDE / 24)
    return Polygon([*(high * arc), *(inner * arc[::-1])])


def near(things: Things, stance: Place, params: SceneParams) -> list[int]:
    """Return the stacks whose lowest thing an arm reaches, thing by thing, lowest first."""
    there = set(in_reach(things.places, stance, params))
    return [k for root in things.roots if root in there for k in things.stack(root)]


def missing(
    things: Things,
    among: Collection[int],
    wants: Wants,
    params: SceneParams,
    stance: Place = ORIGIN,
) -> list[str]:
    """Return what some things lack: "graspable", "receptacle", "duplicate", "alike", each as often.

    Graspables and receptacles stand on the table, in reach, with nothing in or on them, and none
    counts as both.
    """
    lacking = []
    if wants.graspable or wants.receptacles or wants.alike:
        there = set(in_reach(things.places, stance, params)) & set(among)
        bare = [k for k in there if things.items[k].parent is None and not things.children(k)]
        graspable = {k for k in bare if _is_graspable(things, k, params)}
        receptacles = {k for k in bare if things.items[k].room() > 0}
        hold = max(0, wants.graspable - len(graspable))
        into = max(0, wants.receptacles - len(receptacles))
        both = wants.graspable + wants.receptacles - len(graspable | receptacles)
        lacking = ["graspable"] * hold + ["receptacle"] * max(into, both - hold)
        kinds = Counter(things.items[k].info.category for k in graspable)
        lacking += ["alike"] * (wants.alike - max(kinds.values(), default=0))
    if wants.duplicates:
        counts = Counter(things.items[k].info.category for k in among)
        if max(counts.values(), default=0) < 2:
            lacking.append("duplicate")
    return lacking


def _is_graspable(things: Things, index: int, params: SceneParams) -> bool:
    item = things.items[index]
    return item.info.grasp_rate(item.scale) >= params.min_grasp_rate
