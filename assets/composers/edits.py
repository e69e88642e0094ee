"""Change what stands on a solved table: swap things, take some away, add some where they fit.

All of it by footprints and contact heights; what is changed stays free of everything else.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from refergym.assets.composers.choice import Catalogue, Item, can_carry, draw_child
from refergym.assets.composers.infinigen_params import InfinigenParams
from refergym.assets.composers.layout import Place, joined, resting, stack
from refergym.assets.composers.reach import SIDE, in_reach
from refergym.assets.composers.rows import Row
from refergym.assets.composers.solved_table import SolvedTable
from refergym.assets.composers.things import Things, covered
from refergym.assets.footprints import overlaps
from refergym.assets.library import AssetInfo

CLEAR = 0.003
"""m between the footprint of what is swapped in and all others: about the solver's own gap"""
EDGE = 0.02
"""m between the footprint of what is added and the table's edge"""
SWAPS = 6
"""assets tried for each thing that is swapped"""


def swap(
    things: Things,
    table: SolvedTable,
    catalogue: Catalogue,
    share: float,
    rng: np.random.Generator,
) -> Things:
    """Put others of their category in the place of some things, where they fit.

    What the catalogue does not allow is swapped in any case, or else taken away.
    """
    gone = []
    for k, item in enumerate(things.items):
        is_chosen, is_allowed = rng.random() < share, catalogue.allows(item.info)
        if is_allowed and not is_chosen:
            continue
        swapped = _swapped(things, k, table, catalogue, rng)
        if swapped is not None:
            things = swapped
        elif not is_allowed:
            gone.append(k)
    return things.without(gone)


def remove(things: Things, share: float, rng: np.random.Generator) -> Things:
    """Take some of the things away that carry nothing."""
    drawn = rng.random(len(things))
    return things.without(
        [k for k in range(len(things)) if drawn[k] < share and not things.children(k)]
    )


def add(
    things: Things,
    table: SolvedTable,
    stance: Place,
    catalogue: Catalogue,
    params: InfinigenParams,
    needs: Sequence[str],
    rng: np.random.Generator,
) -> Things:
    """Add things where there is room in the arm's reach.

    Args:
        things: what is there, table's frame.
        table: what they stand on.
        stance: where the arm stands, table's frame.
        catalogue: what there is to add.
        params: how many, and how near to each other.
        needs: what to add first: "graspable", "receptacle", or the name of a category.
        rng: draws all of it.
    """
    low, high = params.add
    count = max(int(rng.integers(low, high + 1)), min(len(needs), high))
    for n in range(count):
        need = needs[n] if n < len(needs) else None
        is_stacked = rng.random() < params.stacked and need is None
        found = _stacked(things, stance, catalogue, params, rng) if is_stacked else None
        if found is None:
            item = _drawn(catalogue, need, rng)
            found = _standing(item, things, table, stance, params, rng)
        if found is not None:
            things = things.plus(*found)
    return things


def clear(things: Things, row: Row, margin: float) -> Things:
    """Take away the stacks in a row's way, and all that is of its category.

    Args:
        things: in the row's frame.
        row: what is to stand there; its free place is kept clear too.
        margin: m between footprints.
    """
    taken = [covered(i, p) for i, p in zip(row.items, row.places, strict=True)]
    taken.append(covered(row.largest, row.free))
    gone = []
    for root in things.roots:
        shapes = [things.footprint(k) for k in things.stack(root)]
        if any(overlaps(own, other, margin) for own in shapes for other in taken):
            gone.append(root)
    alike = row.items[0].info.category
    gone += [k for k, item in enumerate(things.items) if item.info.category == alike]
    return things.without(gone)


def _swapped(
    things: Things, index: int, table: SolvedTable, catalogue: Catalogue, rng: np.random.Generator
) -> Things | None:
    old = things.items[index]
    pool = [a for a in catalogue.categories.get(old.info.category, ()) if a.name != old.info.name]
    for _ in range(SWAPS if pool else 0):
        new = dataclasses.replace(catalogue.draw(pool, rng), parent=old.parent)
        items = (*things.items[:index], new, *things.items[index + 1 :])
        places = _settled(dataclasses.replace(things, items=items), index, catalogue)
        if places is not None:
            swapped = Things(items=items, places=places)
            if _is_free(swapped, index, table):
                return swapped
    return None


def _settled(things: Things, index: int, catalogue: Catalogue) -> tuple[Place, ...] | None:
    """Places after a thing was swapped: its own, and those of all that stands in or on it."""
    places = list(things.places)
    for k in things.stack(index):
        parent = things.items[k].parent
        if parent is None:
            continue
        local, carrier = things.offset(k), things.items[parent]
        found = resting(
            catalogue.pack, things.items[k], carrier, places[parent], (local.x, local.y), local.yaw
        )
        if found is None or carrier.room() <= 0:
            return None
        places[k] = found
    return tuple(places)


def _is_free(things: Things, index: int, table: SolvedTable) -> bool:
    """Tell whether a thing is on the table, and meets only what it stands on or carries."""
    own = things.footprint(index)
    if not table.surface.covers(own):
        return False
    if not all(own.covers(things.footprint(k)) for k in things.children(index)):
        return False
    related = {*things.below(index), *things.stack(index)}
    others = (things.footprint(k) for k in range(len(things)) if k not in related)
    return not any(overlaps(own, other, CLEAR) for other in others)


def _drawn(catalogue: Catalogue, need: str | None, rng: np.random.Generator) -> Item:
    if need == "graspable" and catalogue.graspable:
        return catalogue.draw_graspable(rng)
    pool: Sequence[AssetInfo] = ()
    if need == "receptacle":
        pool = catalogue.receptacles
    elif need is not None:
        pool = catalogue.categories.get(need, ())
    if not pool:
        pool = catalogue.categories[catalogue.names[int(rng.integers(len(catalogue.names)))]]
    return catalogue.draw(pool, rng)


def _standing(
    item: Item,
    things: Things,
    table: SolvedTable,
    stance: Place,
    params: InfinigenParams,
    rng: np.random.Generator,
) -> tuple[Item, Place] | None:
    """Find room for an item on the table, in reach."""
    surface = table.surface.buffer(-EDGE, join_style="mitre")
    others = [things.footprint(k) for k in range(len(things))]
    low, high = params.reach
    for u, v, w in rng.random((params.object_tries, 3)).tolist():
        radius, turn = low + u * (high - low), SIDE * (2 * v - 1)
        x, y = radius * math.cos(turn), radius * math.sin(turn)
        place = joined(stance, Place(x=x, y=y, z=0.0, yaw=math.pi * (2 * w - 1)))
        own = covered(item, place)
        if surface.covers(own) and not any(overlaps(own, o, params.margin) for o in others):
            return item, place
    return None


def _stacked(
    things: Things,
    stance: Place,
    catalogue: Catalogue,
    params: InfinigenParams,
    rng: np.random.Generator,
) -> tuple[Item, Place] | None:
    """Find something that goes into or onto an empty thing in reach."""
    free = [
        k
        for k in in_reach(things.places, stance, params)
        if things.items[k].parent is None
        and not things.children(k)
        and can_carry(things.items[k], params)
    ]
    if not free:
        return None
    k = free[int(rng.integers(len(free)))]
    parent = things.items[k]
    child = draw_child(
        catalogue, parent, k, lambda: _drawn(catalogue, None, rng), lambda _: True, rng
    )
    if child is None:
        return None
    place = stack(catalogue.pack, child, parent, things.places[k], rng)
    return None if place is None else (child, place)
