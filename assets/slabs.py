"""A support's collision shapes: its slab, and of furniture what lies under the slab.

The slab alone decides the upper face, so that all backends agree on where things can stand: the
furniture's convex parts are cut off at the slab's lower face.
"""

from functools import lru_cache

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
    shift = np.subtract(furniture_pose(pack, support).position, support.pose.position)
    below = [cut(part + shift, -half) for part in pack.hulls(support.asset)]
    return (*slab, *(part for part in below if part is not None))


def cut(points: Array, height: float) -> Array | None:
    """Return the corners [M, 3] m of the part of a convex hull that lies below a height.

    Args:
        points: [K, 3] m, whose hull it is.
        height: m.

    Returns:
        None where less than `LEAST` of it lies below.
    """
    is_low = points[:, 2] <= height
    if is_low.all():
        return points
    try:
        both_ways = [(0, 1), (1, 0), (1, 2), (2, 1), (2, 0), (0, 2)]
        edges = ConvexHull(points).simplices[:, both_ways].reshape(-1, 2)
        a, b = (points[edges[is_low[edges[:, 0]] > is_low[edges[:, 1]], k]] for k in (0, 1))
        share = (height - a[:, 2]) / (b[:, 2] - a[:, 2])
        kept = np.vstack([points[is_low], a + share[:, None] * (b - a)])
        if len(kept) < 4 or np.ptp(kept, axis=0).min() < LEAST:
            return None
        out: Array = kept[np.sort(ConvexHull(kept).vertices)]
    except QhullError:
        return None
    return out
