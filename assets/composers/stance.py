"""Where the arm stands beside a table: its pedestal clear of table and walls, much in its reach."""

import math

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon, box

from refergym.assets.composers.base import Wants
from refergym.assets.composers.infinigen_params import InfinigenParams
from refergym.assets.composers.layout import Place
from refergym.assets.composers.reach import missing, near
from refergym.assets.composers.search import Misfit
from refergym.assets.composers.solved_table import SolvedTable, moved
from refergym.assets.composers.things import Things

FOOT = (-0.16, -0.13, 0.10, 0.13)
"""[4] m, low x and y, high x and y, robot-base frame: the pedestal that renderers draw"""
BODY = (-0.19, -0.31, 0.10, 0.31)
"""[4] m, likewise: the parked arm with its pedestal, but for what is over the table"""
STEP = 0.05
"""m between the places that are looked at"""
GOOD = 0.8
"""places with this share of what the best one has in reach are as good"""


def find_stance(
    table: SolvedTable,
    things: Things,
    wants: Wants,
    params: InfinigenParams,
    rng: np.random.Generator,
) -> Place:
    """Draw one of the places beside a table from which most is in reach, first of what is wanted.

    Args:
        table: the table, in its room.
        things: on it, table's frame.
        wants: what a task needs.
        params: `reach`, `gap`.
        rng: draws the gap, and one of the good places.

    Returns:
        The robot's base, table's frame; x points away from it over the table, z is the table's.

    Raises:
        Misfit: if the arm can stand nowhere.
    """
    out = FOOT[2] + round(float(rng.uniform(*params.gap)), 4)
    stances = _clear(table, _round(table.body, float(rng.uniform(0, STEP)), out))
    if not stances:
        raise Misfit("no room beside the table for the arm")
    found = [near(things, s, params) for s in stances]
    lacking = [
        len(missing(things, there, wants, params, s))
        for s, there in zip(stances, found, strict=True)
    ]
    least = min(lacking)
    counts = [len(there) if n == least else -1 for there, n in zip(found, lacking, strict=True)]
    good = [s for s, n in zip(stances, counts, strict=True) if n >= GOOD * max(counts)]
    return good[int(rng.integers(len(good)))]


def _round(body: Polygon, start: float, out: float) -> list[Place]:
    """Places all round a convex outline, `out` m away from it, that look straight at it."""
    corners = np.array(body.exterior.coords)
    found = []
    along = start
    for (ax, ay), (bx, by) in zip(corners[:-1].tolist(), corners[1:].tolist(), strict=True):
        length = math.hypot(bx - ax, by - ay)
        while along < length:
            ux, uy = (bx - ax) / length, (by - ay) / length
            x, y = ax + ux * along + uy * out, ay + uy * along - ux * out
            found.append(Place(x=x, y=y, z=0.0, yaw=math.atan2(ux, -uy)))
            along += STEP
        along -= length
    return found


def _clear(table: SolvedTable, stances: list[Place]) -> list[Place]:
    """Leave out the places where the arm would stand in a wall or in the furniture."""
    if not stances:
        return []
    bodies, feet = _rectangles(BODY, stances), _rectangles(FOOT, stances)
    free = shapely.covers(table.walls, bodies) & ~shapely.intersects(table.body, feet)
    return [s for s, is_free in zip(stances, free.tolist(), strict=True) if is_free]


def _rectangles(
    bounds: tuple[float, float, float, float], stances: list[Place]
) -> NDArray[np.object_]:
    """[N] rectangles that are given in the frames of the places."""
    corners = np.array(box(*bounds).exterior.coords)
    placed = np.stack([moved(stance, corners) for stance in stances])
    rectangles: NDArray[np.object_] = shapely.polygons(placed)
    return rectangles
