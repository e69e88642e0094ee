"""Convex hulls as triangles, for files that have faces."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

Array = NDArray[np.float64]


def hull_mesh(points: Array) -> tuple[Array, NDArray[np.int32]]:
    """Return the corners [V, 3] and triangles [F, 3] of the convex hull of points [K, 3].

    The triangles are counter-clockwise from outside.
    """
    found = ConvexHull(points)
    index = np.full(len(points), -1, np.int32)
    index[found.vertices] = np.arange(len(found.vertices), dtype=np.int32)
    corners, faces = points[found.vertices], index[found.simplices]
    a, b, c = (corners[faces[:, k]] for k in range(3))
    is_inward = (np.cross(b - a, c - a) * found.equations[:, :3]).sum(axis=1) < 0
    faces[is_inward] = faces[is_inward][:, ::-1]
    return corners, faces
