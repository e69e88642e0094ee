"""Which pixel of an object to name: to point at it, or to grasp it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from refergym.envs import areas
from refergym.envs.types import Array
from refergym.envs.view import View


def middle_pixel(view: View, index: int) -> tuple[int, int] | None:
    """Return the object's pixel nearest to the middle of its mask, off the silhouette."""
    xy = _inner(view, index)
    if not len(xy):
        return None
    best = int(((xy - xy.mean(0)) ** 2).sum(1).argmin())
    return int(xy[best, 0]), int(xy[best, 1])


def grasp_pixel(view: View, index: int, tried: Sequence[Array] = ()) -> tuple[int, int] | None:
    """Return the object's visible pixel that is best to grasp at: high, and near its middle."""
    xy = _inner(view, index)
    if not len(xy):
        return None
    thing = view.thing(index)
    points = view.points(xy[:, 1], xy[:, 0])
    away = np.hypot(*(points[:, :2] - thing.centre).T)
    cost = away + 0.5 * (thing.top - points[:, 2])
    cost[areas.is_tried(points, tried)] += 1.0
    best = int(cost.argmin())
    return int(xy[best, 0]), int(xy[best, 1])


def _inner(view: View, index: int) -> NDArray[np.int64]:
    """Pixels (x, y) of an object whose neighbours show it as well, if there are any."""
    mask = view.frame.ids == index
    inner = mask.copy()
    inner[1:-1, 1:-1] &= mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    inner[[0, -1]] = False
    inner[:, [0, -1]] = False
    ys, xs = np.nonzero(inner if inner.any() else mask)
    return np.column_stack([xs, ys])
