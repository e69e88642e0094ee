"""A support's collision shapes: its slab, and of furniture what lies under the slab.

The slab alone decides the upper face, so that all backends agree on where things can stand: the
furniture's convex parts are cut off at the slab's lower face.
"""

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from refergym.assets.footprints import furniture_pose, support_corners
from refergym.assets.library import Pack
from refergym.assets.spec import SupportSpec

Array = NDArray[np.float64]

LEAST = 1e-4
"""m; a part that is thinner is left out"""


@lru_cache(maxsize=256)
def convex_parts(pack: Pack, support: SupportSpec) -> tuple[Array, ...]:
    """Return the corners [K, 3] m of a support's convex parts about its slab's centre.

    The slab comes first, as a prism, unless it is a plain box (which simulators know as such).

    Raises:
        SpecError: for an outline or a piece of furniture that is none.
        PackError: if the furniture is not in the pack or its file is damaged.
    """
    corners, half = support_corners(support), support.size[2] / 2
    rings = [np.column_stack([corners, np.full(len(corners), z)]) for z in (-half, half)]
    slab = () if support.outline is None else (np.vstack(rings),)
    if support.asset is None:
        return slab
    bottom = furniture_pose(pack, support).position[2] - support.pose.position[2]
    below = [cut(part + (0, 0, bottom), -half) for part in pack.hulls(support.asset)]
    return (*slab, *(part for part in below if part is not None))


def cut(points: Array, height: float) -> Array | None:
    """Return the corners [M, 3] m of the part of a convex hull that lies below a height.

    Args:
        points: [K, 3] m, whose hull it is.
        height: m.

    Returns:
        None where less than `LEAST` of it lies below.
    """
    low = points[:, 2] <= height
    under, over = points[low], points[~low]
    if len(under) and len(over):
        # every edge that crosses the height joins a corner below to one above; other such lines
        # run inside the hull
        share = (height - under[:, None, 2]) / (over[None, :, 2] - under[:, None, 2])
        crossing = under[:, None] + share[..., None] * (over[None] - under[:, None])
        under = np.vstack([under, crossing.reshape(-1, 3)])
    if len(under) < 4 or np.ptp(under, axis=0).min() < LEAST:
        return None
    try:
        out: Array = under[np.sort(ConvexHull(under).vertices)]
    except QhullError:
        return None
    return out


def shared_rows(points: Array) -> list[list[float]]:
    """Return points [N, 3] as lists, the same ones each time for a number of points.

    PyBullet never lets go of a list of vertices; new ones for each world would pile up.
    """
    rows = _rows(len(points))
    for row, point in zip(rows, points.tolist(), strict=True):
        row[:] = point
    return rows


@cache
def _rows(count: int) -> list[list[float]]:
    return [[0.0, 0.0, 0.0] for _ in range(count)]
