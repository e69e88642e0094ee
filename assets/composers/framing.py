"""The near view: a camera that shows what is in play, inside the room where that is possible."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely import Polygon

from refergym.assets.composers.infinigen_params import InfinigenParams
from refergym.assets.composers.picture import Picture, bodies
from refergym.assets.composers.search import Misfit
from refergym.assets.composers.things import Things
from refergym.assets.composers.viewpoint import Array, Sight, corners, draw_sight
from refergym.assets.library import Pack

WALL_GAP = 0.1
"""m between an eye inside the room and its walls and ceiling"""
TOUCH = 0.02
"""m that things may reach into a wall"""
THING_GAP = 0.12
"""m between an eye and all things"""


@dataclass(frozen=True, kw_only=True)
class Framing:
    """A camera, and what it makes of the things."""

    sight: Sight
    shown: tuple[int, ...]
    """those in play that can be seen well enough to be named"""
    cut: tuple[int, ...]
    """those of stacks that the picture's edge cuts"""
    outside: tuple[int, ...]
    """those of stacks that are not in the picture"""
    is_inside: bool
    """whether the eye is in the room and no wall stands in the way"""


def find_framing(
    pack: Pack,
    things: Things,
    play: Sequence[int],
    walls: Polygon,
    ceiling: float,
    params: InfinigenParams,
    rng: np.random.Generator,
    needed: Collection[int] = (),
    bare: Array | None = None,
) -> Framing:
    """Draw directions of view; return the best camera that shows all that is in play whole.

    Args:
        pack: where the assets are.
        things: in the world's frame.
        play: indices of those in play.
        walls: the room's floor, m, world.
        ceiling: m, world.
        params: ranges and limits.
        rng: draws the directions.
        needed: those in play that have to be seen well.
        bare: [K, 3] m, world: points that have to be seen as well, with nothing before them.

    Raises:
        Misfit: with the cause of the last try, if none does.
    """
    solids = bodies(pack, things.items, things.places)
    bare = np.empty((0, 3)) if bare is None else bare
    boxes = np.concatenate([*(corners(things.items[k], things.places[k]) for k in play), bare])
    best: Framing | None = None
    cause = ""
    for _ in range(params.camera_tries):
        sight = draw_sight(boxes, params, rng)
        if sight is None:
            cause = f"no camera pose shows all {len(play)} things in play"
        elif _is_crowded(sight, things):
            cause = "the camera would stand among the things"
        else:
            picture = Picture(things.items, things.places, solids, sight)
            found = _framing(things, picture, play, walls, ceiling, params)
            if not (set(needed) <= set(found.shown) and picture.shows(bare)):
                cause = "a row or its free place is not seen well"
            elif best is None or _rank(found, params) > _rank(best, params):
                best = found
    if best is None:
        raise Misfit(cause)
    if len(best.shown) < params.counts[0]:
        raise Misfit(f"fewer than {params.counts[0]} things in play are seen well")
    return best


def sees(eye: tuple[float, float, float], targets: Array, walls: Polygon, ceiling: float) -> bool:
    """Tell whether an eye is in the room and no wall stands before the targets [N, 2] m."""
    if not walls.buffer(-WALL_GAP).contains(shapely.Point(eye[:2])) or eye[2] > ceiling - WALL_GAP:
        return False
    lines = shapely.linestrings([[eye[:2], target] for target in targets.tolist()])
    # a table may stand straight against a wall
    return bool(shapely.covers(walls.buffer(TOUCH), lines).all())


def _rank(framing: Framing, params: InfinigenParams) -> tuple[bool, bool, int]:
    return len(framing.shown) >= params.counts[0], framing.is_inside, len(framing.shown)


def _framing(
    things: Things,
    picture: Picture,
    play: Sequence[int],
    walls: Polygon,
    ceiling: float,
    params: InfinigenParams,
) -> Framing:
    sight = picture.sight
    cut, outside = _beyond(things, picture, params)
    gone = () if params.crop == "none" else cut
    targets = np.array([(things.places[k].x, things.places[k].y) for k in play])
    return Framing(
        sight=sight,
        shown=tuple(k for k in play if picture.fault(k, params, gone) is None),
        cut=tuple(cut),
        outside=tuple(outside),
        is_inside=sees(sight.eye, targets, walls, ceiling),
    )


def _beyond(
    things: Things, picture: Picture, params: InfinigenParams
) -> tuple[list[int], list[int]]:
    """Things of the stacks that the picture cuts, and of those that are not in it."""
    cut: list[int] = []
    outside: list[int] = []
    for root in things.roots:
        stack = things.stack(root)
        if all(picture.lies_outside(k, params) for k in stack):
            outside += stack
        elif not all(picture.lies_inside(k, params) for k in stack):
            cut += stack
    return sorted(cut), sorted(outside)


def _is_crowded(sight: Sight, things: Things) -> bool:
    """Tell whether the eye is in or next to a thing."""
    x, y, z = sight.eye
    return any(
        math.hypot(place.x - x, place.y - y) < item.radius + THING_GAP
        and z < place.z + item.tallness + THING_GAP
        for item, place in zip(things.items, things.places, strict=True)
    )
