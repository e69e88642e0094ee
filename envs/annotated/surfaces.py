"""What things stand on: annotated tables and floors, and level planes that the depth shows.

The rule is RefSpatial's (arXiv 2506.04308, appendix): a surface within 0.05 m of a thing's bottom
that lies under at least 70 % of it. World frame, metres.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage
from shapely import Polygon

from refergym.envs.annotated.frame import AnnotatedObject
from refergym.envs.annotated.pixels import corners_of
from refergym.envs.relations.bodies import Body
from refergym.envs.types import Array

SUPPORTS = frozenset(
    {
        "bed", "bench", "bookshelf", "cabinet", "chest", "coffee table", "counter", "countertop",
        "cupboard", "desk", "dining table", "dresser", "end table", "floor", "kitchen counter",
        "kitchen island", "nightstand", "ottoman", "shelf", "side table", "sideboard", "stool",
        "table", "tv stand", "windowsill",
    }
)  # fmt: skip
"""categories whose boxes' upper faces carry things"""
TABLE = "table"
"""what the words for places call a surface"""
WITHIN = 0.05
"""m between a thing's bottom and what it stands on"""
UNDER = 0.7
"""least share of a thing that lies over it"""
LEVEL = 0.015
"""m by which points of one plane differ in height"""
CELL = 0.02
"""m, of the grid on which a plane's points are joined"""
LEAST = 0.036
"""m2: RefSpatial's least free area, and here the least plane"""
_ROUND = 0.3
"""m beyond a thing in which its plane is looked for"""
_POINTS = 60
"""points that make a height"""


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A level face that things stand on."""

    polygon: Polygon
    """outline, m, seen from above"""
    height: float
    """m"""
    owner: AnnotatedObject | None
    """whose upper face it is; none of a plane found from depth"""

    @property
    def is_table(self) -> bool:
        """Whether it is what one calls a table, and so has edges and corners of its own."""
        return self.owner is not None and self.owner.category.endswith(TABLE)

    def carries(self, body: Body) -> bool:
        """Tell whether a body stands on it."""
        if abs(body.bottom - self.height) > WITHIN:
            return False
        over = body.footprint.intersection(self.polygon).area
        return bool(over >= UNDER * body.footprint.area)


def annotated_surfaces(objects: Sequence[AnnotatedObject]) -> list[Surface]:
    """Return the upper faces of the objects whose category is one of `SUPPORTS`."""
    found = []
    for o in objects:
        if o.category in SUPPORTS:
            corners = corners_of(o.box)
            outline = shapely.convex_hull(shapely.multipoints(corners[:, :2]))
            found.append(Surface(polygon=outline, height=float(corners[:, 2].max()), owner=o))
    return found


def plane_under(body: Body, points: Array) -> Surface | None:
    """Find the level plane that a thing stands on among points that show no thing.

    Args:
        body: the thing.
        points: [N, 3] m, world, finite.

    Returns:
        The convex outline of the plane's seen part, which the thing itself may hide in its middle;
        None if no plane of `LEAST` m2 lies under it.
    """
    near = np.abs(points[:, 2] - body.bottom) <= WITHIN
    close = points[near]
    round_it = shapely.buffer(body.footprint, _ROUND)
    close = close[shapely.contains_xy(round_it, close[:, 0], close[:, 1])]
    if len(close) < _POINTS:
        return None
    height = float(np.median(close[:, 2]))
    level = points[np.abs(points[:, 2] - height) <= LEVEL, :2]
    part = _joined(level, body)
    if len(part) < 3:
        return None
    outline = shapely.convex_hull(shapely.multipoints(part))
    if not isinstance(outline, Polygon) or outline.area < LEAST:
        return None
    found = Surface(polygon=outline, height=height, owner=None)
    return found if found.carries(body) else None


def _joined(points: Array, body: Body) -> Array:
    """The points [K, 2] that are joined, over cells and the thing's own place, to a thing's."""
    reach = shapely.buffer(body.footprint, 2 * CELL)
    x0, y0, x1, y1 = reach.bounds
    low = np.minimum(points.min(0), (x0, y0))
    cells = np.floor((points - low) / CELL).astype(int)
    high = np.floor((np.maximum(points.max(0), (x1, y1)) - low) / CELL).astype(int)
    grid = np.zeros(high + 1, bool)
    grid[cells[:, 0], cells[:, 1]] = True
    own: NDArray[np.bool_] = np.zeros_like(grid)
    i0, j0 = np.floor((np.array([x0, y0]) - low) / CELL).astype(int)
    i1, j1 = np.floor((np.array([x1, y1]) - low) / CELL).astype(int)
    own[i0 : i1 + 1, j0 : j1 + 1] = True
    grid = ndimage.binary_closing(np.pad(grid | own, 2), iterations=2)[2:-2, 2:-2] | own
    labels, _ = ndimage.label(grid)
    label = labels[(i0 + i1) // 2, (j0 + j1) // 2]
    joined: NDArray[np.bool_] = labels[cells[:, 0], cells[:, 1]] == label
    return np.asarray(points[joined])
