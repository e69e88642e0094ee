"""How fast the arm goes along a way: joint targets, one for each step of a simulator."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def paced(start: Array, way: Sequence[Array], speed: float, step: float) -> Iterator[Array]:
    """Yield targets [7] rad from a posture through others.

    The speed rises and falls smoothly over the whole way.

    Args:
        start: [7] rad, where the arm's target is.
        way: postures [7] rad.
        speed: rad/s of the fastest joint, at its peak.
        step: s between two targets.
    """
    points = np.vstack([start, *way])
    lengths = np.abs(np.diff(points, axis=0)).max(axis=1)
    at = np.concatenate([[0.0], np.cumsum(lengths)])
    n = int(np.ceil(1.5 * at[-1] / speed / step))
    for k in range(1, n + 1):
        t = k / n
        done = at[-1] * t * t * (3 - 2 * t)
        i = min(int(np.searchsorted(at, done, side="right")) - 1, len(lengths) - 1)
        share = (done - at[i]) / lengths[i] if lengths[i] > 0 else 1.0
        yield points[i] + (points[i + 1] - points[i]) * min(share, 1.0)
