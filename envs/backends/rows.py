"""Lists of vertices that PyBullet is given, and never lets go of."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


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
