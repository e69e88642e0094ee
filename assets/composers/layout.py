"""Where things stand: upright, turned at random, footprints apart, close enough for the camera."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import shapely
from shapely import Polygon

from refergym.assets import poses
from refergym.assets.composers.choice import Item
from refergym.assets.composers.params import TabletopParams
from refergym.assets.composers.search import Misfit
from refergym.assets.composers.stacking import rest_height
from refergym.assets.footprints import overlaps, placed
from refergym.assets.library import Pack
from refergym.assets.spec import ObjectSpec

GROWTH = 1.3
"""the part of the table in use grows by this when things do not fit in it"""
STACK_TRIES = 6


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where something stands, upright; world, if nothing else is said."""

    x: float
    """m"""
    y: float
    """m"""
    z: float
    """m"""
    yaw: float
    """rad"""


def joined(base: Place, local: Place) -> Place:
    """Return a place that is given in the frame of another one."""
    c, s = math.cos(base.yaw), math.sin(base.yaw)
    return Place(
        x=round(base.x + c * local.x - s * local.y, 6),
        y=round(base.y + s * local.x + c * local.y, 6),
        z=round(base.z + local.z, 6),
        yaw=round(math.remainder(base.yaw + local.yaw, 2 * math.pi), 6),
    )


@dataclass(frozen=True)
class _Window:
    """The part of the table in use; footprints stay inside."""

    x: tuple[float, float]
    y: tuple[float, float]


def arrange(
    items: list[Item],
    params: TabletopParams,
    rng: np.random.Generator,
    fixed: Mapping[int, Place] = MappingProxyType({}),
    kept: Sequence[tuple[Item, Place]] = (),
) -> dict[int, Place]:
    """Place all items that stand on the table itself.

    Args:
        items: all of the scene.
        params: region, density, margins.
        rng: draws the part of the table in use, and places.
        fixed: places of items that have theirs already.
        kept: places that stay free for something like the item.

    Returns:
        A place for the index of each item without a parent.

    Raises:
        Misfit: if they do not fit.
    """
    ground = [k for k, item in enumerate(items) if item.parent is None]
    free = [k for k in ground if k not in fixed]
    order = sorted(free, key=lambda k: (-items[k].radius, k))
    there = [(items[k], fixed[k]) for k in ground if k in fixed] + list(kept)
    done = [(i, p, placed(i.shape, p.x, p.y, p.yaw, i.scale)) for i, p in there]
    using = [items[k] for k in ground] + [item for item, _ in kept]
    area = sum(item.shape.grown_area(item.scale, params.margin / 2) for item in using)
    size = area / rng.uniform(*params.density)
    aspect = rng.uniform(*params.aspect)
    whole = _side(params.region_x, params.spill) * _side(params.region_y, params.spill)
    while True:
        window = _holding(_window(size, aspect, params, rng), [polygon for _, _, polygon in done])
        places = _fill(items, order, window, params, rng, done)
        if places is not None:
            return {**fixed, **places}
        if size >= whole:
            raise Misfit("footprints do not fit")
        size *= GROWTH


def stack(
    pack: Pack, child: Item, parent: Item, base: Place, rng: np.random.Generator
) -> Place | None:
    """Draw a place in or on a thing where an item stands; None if none of a few will do."""
    slack = max(0.0, parent.room() - child.radius)
    for _ in range(STACK_TRIES):
        angle, yaw = (math.pi * (2 * rng.random(2) - 1)).tolist()
        out = slack * float(rng.random())
        at = out * math.cos(angle), out * math.sin(angle)
        place = resting(pack, child, parent, base, at, yaw)
        if place is not None:
            return place
    return None


def resting(
    pack: Pack, child: Item, parent: Item, base: Place, offset: tuple[float, float], yaw: float
) -> Place | None:
    """Return where an item comes to rest in or on another, or None if it would tip.

    Args:
        pack: where both are.
        child: the upper item.
        parent: the lower item.
        base: its place.
        offset: [2] m, the upper one's middle in the lower one's frame.
        yaw: rad, likewise.
    """
    names = parent.info.name, parent.scale, child.info.name, child.scale
    height = rest_height(pack, *names, offset, yaw)
    if height is None:
        return None
    return joined(base, Place(x=offset[0], y=offset[1], z=height, yaw=yaw))


def as_objects(items: Sequence[Item], places: Sequence[Place]) -> tuple[ObjectSpec, ...]:
    """Return items where they stand as records, named after their categories."""
    seen: Counter[str] = Counter()
    objects = []
    for item, place in zip(items, places, strict=True):
        name = item.info.category.replace(" ", "_")
        row = np.array([place.x, place.y, place.z, *poses.about_z(place.yaw)])
        objects.append(
            ObjectSpec(
                id=f"{name}_{seen[name]}",
                asset=item.info.name,
                pose=poses.as_pose(row),
                scale=item.scale,
            )
        )
        seen[name] += 1
    return tuple(objects)


def _fill(
    items: list[Item],
    order: list[int],
    window: _Window,
    params: TabletopParams,
    rng: np.random.Generator,
    there: Sequence[tuple[Item, Place, Polygon]],
) -> dict[int, Place] | None:
    places: dict[int, Place] = {}
    done = list(there)
    for k in order:
        item = items[k]
        draws = rng.random((params.object_tries, 3))
        for u, v, w in draws.tolist():
            place = _draw(item, u, v, w, window, params)
            if place is None:
                continue
            polygon = _if_clear(item, place, window, done, params.margin)
            if polygon is not None:
                places[k] = place
                done.append((item, place, polygon))
                break
        else:
            return None
    return places


def _draw(
    item: Item, u: float, v: float, w: float, window: _Window, params: TabletopParams
) -> Place | None:
    x = _within(u, window.x, params.region_x, item)
    y = _within(v, window.y, params.region_y, item)
    if item.is_wanted and not params.reach[0] <= math.hypot(x, y) <= params.reach[1]:
        return None
    yaw = (2 * w - 1) * math.pi
    return Place(x=round(x, 6), y=round(y, 6), z=0.0, yaw=round(yaw, 6))


def _within(
    share: float, window: tuple[float, float], region: tuple[float, float], item: Item
) -> float:
    """Draw a coordinate of a middle that keeps at least the inner circle inside the window."""
    keep = item.shape.inner * item.scale
    low, high = max(window[0] + keep, region[0]), min(window[1] - keep, region[1])
    return low + share * (high - low) if high > low else (low + high) / 2


def _if_clear(
    item: Item,
    place: Place,
    window: _Window,
    done: list[tuple[Item, Place, Polygon]],
    margin: float,
) -> Polygon | None:
    """Return the footprint if it is inside the window and clear of all others."""
    inner = item.shape.inner * item.scale
    near: list[Polygon] = []
    for other, at, polygon in done:
        apart = math.hypot(at.x - place.x, at.y - place.y) - margin
        if apart < inner + other.shape.inner * other.scale:
            return None
        if apart < item.radius + other.radius:
            near.append(polygon)
    own = placed(item.shape, place.x, place.y, place.yaw, item.scale)
    x0, y0, x1, y1 = own.bounds
    if x0 < window.x[0] or x1 > window.x[1] or y0 < window.y[0] or y1 > window.y[1]:
        return None
    return None if any(overlaps(own, polygon, margin) for polygon in near) else own


def _window(
    size: float, aspect: float, params: TabletopParams, rng: np.random.Generator
) -> _Window:
    full_x, full_y = _side(params.region_x, params.spill), _side(params.region_y, params.spill)
    side_x = min(full_x, math.sqrt(size / aspect))
    side_y = min(full_y, size / side_x)
    side_x = min(full_x, size / side_y)
    x = params.region_x[0] - params.spill + rng.random() * (full_x - side_x)
    y = params.region_y[0] - params.spill + rng.random() * (full_y - side_y)
    return _Window((x, x + side_x), (y, y + side_y))


def _holding(window: _Window, shapes: Sequence[Polygon]) -> _Window:
    """Move a window, and widen it where it is too small, so that shapes lie inside."""
    if not shapes:
        return window
    x0, y0, x1, y1 = shapely.total_bounds(shapes).tolist()
    spans = []
    for (low, high), a, b in ((window.x, x0, x1), (window.y, y0, y1)):
        side = max(high - low, b - a)
        start = min(max(low, b - side), a)
        spans.append((start, max(start + side, b)))
    return _Window(spans[0], spans[1])


def _side(region: tuple[float, float], spill: float) -> float:
    return region[1] - region[0] + 2 * spill
