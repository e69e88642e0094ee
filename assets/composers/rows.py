"""Evenly spaced rows and grids of like things on the table, with one of their places left free.

A row's free place is a gap, or the next place at an end that the viewer can name; a grid's is any.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from refergym.assets.composers.base import FEWEST, Arrangement, Wants
from refergym.assets.composers.choice import DRAWS, Catalogue, Item
from refergym.assets.composers.layout import Place
from refergym.assets.composers.params import SceneParams
from refergym.assets.composers.search import Misfit
from refergym.assets.footprints import placed

Array = NDArray[np.float64]

MOST = {"row": 5, "grid": 8}
"""things at most"""
GRIDS = ((2, 3), (3, 2), (3, 3))
"""places along the row, and rows"""
GRID_SHARE = 0.4
"""of the arrangements that may be either"""
ALIKE = 0.6
"""probability that all are one asset at one scale"""
OPEN = 0.065
"""m from the middle between open fingers to their outside, with a little air"""
SKEW = math.radians(20)
"""rad, the most between a row and the viewer's axis that names its ends"""
OBLIQUE = 0.3
"""probability of any other direction, where no end has to be named"""
SPOT = 0.03
"""m round the free place that has to be seen"""
_PLACES = 6
"""places on the table tried for each arrangement that was drawn"""


@dataclass(frozen=True, kw_only=True)
class Space:
    """The part of a table that a row may take, m, world."""

    middles: BaseGeometry
    """where the things' middles may be"""
    surface: Polygon
    """what holds their footprints"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row or a grid on the table."""

    items: tuple[Item, ...]
    places: tuple[Place, ...]
    """of the items, world"""
    free: Place
    """the place that is left out, world"""
    azimuth: float
    """degrees, the viewer's: its axes are those that a row follows"""

    @property
    def largest(self) -> Item:
        """What the free place has room for."""
        return max(self.items, key=lambda item: item.radius)

    def spot(self) -> Array:
        """Return points [9, 3] m, world, that show the free place: its middle and a ring."""
        angles = np.arange(8) * (math.pi / 4)
        ring = SPOT * np.column_stack([np.cos(angles), np.sin(angles)])
        flat = np.array([self.free.x, self.free.y]) + np.concatenate([np.zeros((1, 2)), ring])
        return np.column_stack([flat, np.full(len(flat), self.free.z)])


def kind_of_row(
    wants: Wants, params: SceneParams, most: int, rng: np.random.Generator
) -> Arrangement:
    """Return what a task wants, or draw whether a scene gets a row though no task asks for one.

    Args:
        wants: of the task.
        params: `rows`.
        most: things that the row may have, beside what the task wants.
        rng: for the draw.
    """
    if wants.arrangement:
        return wants.arrangement
    is_drawn = wants.duplicates and rng.random() < params.rows
    return "any" if is_drawn and most >= FEWEST["any"] else ""


def last_try(wants: Wants, params: SceneParams) -> int:
    """Return the last of `params.tries` that insists on a row; an unwanted one is given up."""
    return params.tries if wants.arrangement else params.tries // 2


def draw_row(
    catalogue: Catalogue,
    space: Space,
    params: SceneParams,
    kind: Arrangement,
    most: int,
    rng: np.random.Generator,
) -> Row:
    """Draw what stands in a row or grid, how it goes, and where.

    Args:
        catalogue: assets and scales.
        space: where it may stand.
        params: `reach` of the free place, `row_gap`, and where the viewer may stand.
        kind: "row", "grid", or "any" of the two.
        most: things at most.
        rng: all choices.

    Raises:
        Misfit: if nothing that is drawn fits the table.
    """
    for _ in range(DRAWS):
        along, rows = _shape(kind, most, rng)
        free = int(rng.integers(along * rows))
        is_end = rows == 1 and free in (0, along - 1)
        items = _items(catalogue, along * rows - 1, rng)
        azimuth = round(float(rng.uniform(*params.azimuth)), 3)
        heading = _heading(math.radians(azimuth), is_end, rng)
        turn = float(rng.uniform(-math.pi, math.pi))
        steps = _steps(items, turn, params, rng)
        cells = np.stack(np.meshgrid(np.arange(along), np.arange(rows)), -1).reshape(-1, 2)
        sites = (cells - cells.mean(axis=0)) * steps
        for at in rng.random((_PLACES, 2)).tolist():
            places = _placed(sites, at, heading, turn, space)
            left, others = places[free], places[:free] + places[free + 1 :]
            low, high = params.reach
            if low <= math.hypot(left.x, left.y) <= high and _fits(items, places, space):
                return Row(items=items, places=tuple(others), free=left, azimuth=azimuth)
    raise Misfit("a row does not fit the table")


def _shape(kind: Arrangement, most: int, rng: np.random.Generator) -> tuple[int, int]:
    """How many places an arrangement has along, and across; one is for no thing."""
    if kind == "any":
        is_grid = most >= FEWEST["grid"] and rng.random() < GRID_SHARE
        kind = "grid" if is_grid else "row"
    if kind == "row":
        return int(rng.integers(FEWEST["row"], min(MOST["row"], most) + 1)) + 1, 1
    fitting = [(a, b) for a, b in GRIDS if a * b - 1 <= most]
    return fitting[int(rng.integers(len(fitting)))]


def _items(catalogue: Catalogue, count: int, rng: np.random.Generator) -> tuple[Item, ...]:
    """Like things: of one category, often even one asset at one scale."""
    assets = catalogue.categories[catalogue.names[int(rng.integers(len(catalogue.names)))]]
    if rng.random() < ALIKE:
        return (catalogue.draw(assets, rng),) * count
    return tuple(catalogue.draw(assets, rng) for _ in range(count))


def _heading(azimuth: float, is_end: bool, rng: np.random.Generator) -> float:
    """Direction in rad, world, of a row: to the viewer's right or away from it, about."""
    if not is_end and rng.random() < OBLIQUE:
        return float(rng.uniform(-math.pi, math.pi))
    across = math.pi / 2 if rng.random() < 0.6 else math.pi
    return azimuth + across + float(rng.uniform(-SKEW, SKEW))


def _steps(
    items: Sequence[Item], turn: float, params: SceneParams, rng: np.random.Generator
) -> Array:
    """Draw the spacing [2] m along the row and across it; things are turned by `turn` rad."""
    c, s = math.cos(turn), math.sin(turn)
    highs, lows = [], []
    for item in items:
        x, y = item.shape.points[:, 0] * item.scale, item.shape.points[:, 1] * item.scale
        turned = np.stack([c * x - s * y, s * x + c * y])
        highs.append(turned.max(axis=1))
        lows.append(turned.min(axis=1))
    high, low = np.max(highs, axis=0), np.min(lows, axis=0)
    steps: Array = high - low + rng.uniform(*params.row_gap, 2)
    if any(i.info.grasp_rate(i.scale) >= params.min_grasp_rate for i in items):
        steps = np.maximum(steps, np.maximum(high, -low) + OPEN)
    return steps


def _placed(
    sites: Array, at: Sequence[float], heading: float, turn: float, space: Space
) -> list[Place]:
    """Put sites [N, 2] m on the table; `at` [2] in [0, 1] says where in the bounds of the space.

    Their middle is drawn where all of them lie inside these bounds, if that is possible.
    """
    x0, y0, x1, y1 = space.middles.bounds
    c, s = math.cos(heading), math.sin(heading)
    x, y = c * sites[:, 0] - s * sites[:, 1], s * sites[:, 0] + c * sites[:, 1]
    yaw = round(math.remainder(heading + turn, 2 * math.pi), 6)
    middle = []
    for share, flat, region in ((at[0], x, (x0, x1)), (at[1], y, (y0, y1))):
        low, high = region[0] - float(flat.min()), region[1] - float(flat.max())
        middle.append(low + share * (high - low))
    return [
        Place(x=round(middle[0] + a, 6), y=round(middle[1] + b, 6), z=0.0, yaw=yaw)
        for a, b in zip(x.tolist(), y.tolist(), strict=True)
    ]


def _fits(items: Sequence[Item], places: Sequence[Place], space: Space) -> bool:
    """Tell whether all places are in the space, also for the largest of the items."""
    largest = max(items, key=lambda item: item.radius)
    for place in places:
        if not shapely.intersects_xy(space.middles, place.x, place.y):
            return False
        shape = placed(largest.shape, place.x, place.y, place.yaw, largest.scale)
        if not space.surface.covers(shape):
            return False
    return True
