"""Evenly spaced rows and grids of things: which place is missing, and where a row goes on.

World frame, metres, seen from above.
"""

from collections.abc import Sequence

import numpy as np

from refergym.envs.errors import TaskError
from refergym.envs.seen import Laid
from refergym.envs.types import Array, Side

STRAIGHT = 0.015
"""m off its line, at most, for a thing to stand in a row"""
EVEN = 0.12
"""of the spacing: how uneven a row may be"""
LEAST = 3
"""things that make a row"""
LEAST_GRID = 6
"""places of a grid; any right angle would be a grid of four with a gap"""
ALONG = 0.85
"""cosine, at least, between a row and the viewer's direction by which its end is named"""


def missing(layout: Laid, members: Sequence[int], place: str) -> Array:
    """Find the place [2] m that a row or grid lacks.

    Args:
        layout: what stands where.
        members: indices of the objects that make it up.
        place: "gap" for the one that is left out inside, or the viewer's side to which a row goes
            on.

    Raises:
        TaskError: if they stand in no such row or grid, or it has no such place, or several.
    """
    if len(members) < LEAST:
        raise TaskError(f"{len(members)} things make no row")
    points = np.array([layout.thing(i).centre for i in members])
    if place == "gap":
        return _gap(points)
    side: Side = place  # type: ignore[assignment]
    return _end(points, layout.direction(side))


def _end(points: Array, toward: Array) -> Array:
    along, axis = _line(points)
    if abs(float(axis @ toward)) < ALONG:
        raise TaskError("the row goes another way")
    order = np.argsort(along)
    steps = np.diff(along[order])
    if np.ptp(steps) > EVEN * steps.mean():
        raise TaskError("the things are not evenly spaced")
    step = float(steps.mean())
    if axis @ toward > 0:
        return np.asarray(points[order[-1]] + step * axis)
    return np.asarray(points[order[0]] - step * axis)


def _gap(points: Array) -> Array:
    try:
        along, _ = _line(points)
    except TaskError:
        return _grid_gap(points)
    order = np.argsort(along)
    steps = np.diff(along[order])
    step = float(np.delete(steps, steps.argmax()).mean())
    wide = np.flatnonzero(np.abs(steps - 2 * step) <= EVEN * 2 * step)
    even = np.abs(steps - step) <= EVEN * step
    if len(wide) != 1 or even.sum() != len(steps) - 1:
        raise TaskError("the row has no gap, or more than one")
    k = int(wide[0])
    return np.asarray((points[order[k]] + points[order[k + 1]]) / 2)


def _line(points: Array) -> tuple[Array, Array]:
    """Places along the line through points [N, 2], and its direction [2]."""
    middle = points.mean(0)
    _, _, axes = np.linalg.svd(points - middle)
    off = (points - middle) @ axes[1]
    if np.abs(off).max() > STRAIGHT:
        raise TaskError("the things do not stand in a row")
    return (points - middle) @ axes[0], axes[0]


def _grid_gap(points: Array) -> Array:
    """The one free place of a grid of points [N, 2] with two or more rows."""
    for a in range(len(points)):
        for b in range(len(points)):
            u = points[b] - points[a]
            if a == b or not 0.03 < np.linalg.norm(u) < 0.5:
                continue
            v = np.array([-u[1], u[0]]) / np.linalg.norm(u)
            found = _lattice_gap(points, points[a], u, v)
            if found is not None:
                return found
    raise TaskError("the things stand in no row or grid with one gap")


def _lattice_gap(points: Array, origin: Array, u: Array, v: Array) -> Array | None:
    """The free place of a lattice along a step u [2] and across it, if exactly one is free."""
    length = float(np.linalg.norm(u))
    across = np.abs((points - origin) @ v)
    across = across[across > EVEN * length]
    if not len(across):
        return None
    step = float(across.min())
    cells = np.column_stack([(points - origin) @ u / length**2, (points - origin) @ v / step])
    whole = np.rint(cells)
    if np.abs(cells - whole).max() > EVEN:
        return None
    low, high = whole.min(0).astype(int), whole.max(0).astype(int)
    size = high - low + 1
    taken = {(int(x), int(y)) for x, y in whole}
    free = [
        (x, y)
        for x in range(low[0], high[0] + 1)
        for y in range(low[1], high[1] + 1)
        if (x, y) not in taken
    ]
    if min(size) < 2 or size.prod() < LEAST_GRID or len(free) != 1 or len(taken) != len(points):
        return None
    return np.asarray(origin + free[0][0] * u + free[0][1] * step * v)
