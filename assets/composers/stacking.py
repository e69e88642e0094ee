"""How high a thing stands in or on another: from the convex parts that physics will use."""

import functools
import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from refergym.assets.footprints import outline
from refergym.assets.library import Pack

Array = NDArray[np.float64]

CONTACT = 0.003
"""m within which a point of the bottom counts as a contact"""
LIFT = 0.0005
"""m that a stacked thing starts above its contacts"""
UPRIGHT = 1e-6
"""faces whose normal has a smaller z than this are upright"""
_GRID = 9


@dataclass(frozen=True)
class _Solid:
    """The faces [P, F, 3] of an asset's P convex parts, padded with faces that bound nothing."""

    up: Array
    """[a, b, c] of faces that bound a part from above: z <= a x + b y + c"""
    down: Array
    """from below: z >= a x + b y + c"""
    sides: Array
    """upright ones: a x + b y + c <= 0"""


def tops(pack: Pack, name: str, points: Array) -> Array:
    """Return the height in m of an asset's upper surface over points [N, 2] m, at scale 1.

    -inf where there is nothing.
    """
    high, _, is_inside = _heights(pack, name, points)
    best: Array = np.where(is_inside, high, -np.inf).max(axis=0, initial=-np.inf)
    return best


def bottoms(pack: Pack, name: str, points: Array) -> Array:
    """Return the height in m of an asset's lower surface over points [N, 2] m, at scale 1.

    inf where there is nothing.
    """
    _, low, is_inside = _heights(pack, name, points)
    best: Array = np.where(is_inside, low, np.inf).min(axis=0, initial=np.inf)
    return best


def rest_height(
    pack: Pack,
    parent: str,
    parent_scale: float,
    child: str,
    child_scale: float,
    offset: tuple[float, float] = (0.0, 0.0),
    yaw: float = 0.0,
) -> float | None:
    """Return the height at which an upright asset comes to stand in or on another.

    Args:
        pack: where both are.
        parent: the lower asset.
        parent_scale: its scale.
        child: the upper asset.
        child_scale: its scale.
        offset: [2] m, the child's middle in the parent's frame.
        yaw: rad, of the child in the parent's frame.

    Returns:
        m above the parent's bottom; None if its middle is not among its contacts (it would tip).
    """
    points, under = _underside(pack, child)
    c, s = math.cos(yaw) * child_scale, math.sin(yaw) * child_scale
    x = offset[0] + c * points[:, 0] - s * points[:, 1]
    y = offset[1] + s * points[:, 0] + c * points[:, 1]
    surface = tops(pack, parent, np.stack([x, y], axis=1) / parent_scale) * parent_scale
    gap = surface - under * child_scale
    height = float(gap.max())
    if not math.isfinite(height):
        return None
    touching = gap >= height - CONTACT
    contacts = shapely.multipoints(np.stack([x, y], axis=1)[touching])
    if not contacts.convex_hull.buffer(1e-4).contains(shapely.Point(offset)):
        return None
    return height + LIFT


@functools.lru_cache(maxsize=1024)
def _underside(pack: Pack, name: str) -> tuple[Array, Array]:
    """Points [N, 2] m spread over an asset's outline, and the bottom's height there [N] m."""
    shape = outline(pack, name)
    low, high = shape.points.min(axis=0), shape.points.max(axis=0)
    # an odd number of lines, so that the middle, where round bottoms touch, is among them
    grid = np.meshgrid(*(np.linspace(a, b, _GRID) for a, b in zip(low, high, strict=True)))
    points = np.concatenate([np.stack([g.ravel() for g in grid], axis=1), shape.points * 0.99])
    under = bottoms(pack, name, points)
    there = np.isfinite(under)
    return points[there], under[there]


@functools.lru_cache(maxsize=1024)
def _solid(pack: Pack, name: str) -> _Solid:
    ups, downs, sides = [], [], []
    for vertices in pack.hulls(name):
        try:
            faces = np.unique(ConvexHull(vertices).equations.round(9), axis=0)
        except QhullError:  # a part without volume carries nothing
            continue
        slope = faces[:, 2]
        up, down = faces[slope > UPRIGHT], faces[slope < -UPRIGHT]
        ups.append(-up[:, [0, 1, 3]] / up[:, 2:3])
        downs.append(-down[:, [0, 1, 3]] / down[:, 2:3])
        sides.append(faces[np.abs(slope) <= UPRIGHT][:, [0, 1, 3]])
    return _Solid(_padded(ups, np.inf), _padded(downs, -np.inf), _padded(sides, -np.inf))


def _padded(parts: list[Array], nothing: float) -> Array:
    out = np.zeros((len(parts), max((len(p) for p in parts), default=0) + 1, 3))
    out[:, :, 2] = nothing
    for k, part in enumerate(parts):
        out[k, : len(part)] = part
    return out


def _heights(pack: Pack, name: str, points: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Each part's upper and lower height over points, and where the part is; [P, N] each."""
    solid = _solid(pack, name)
    high = _planes(solid.up, points).min(axis=1)
    low = _planes(solid.down, points).max(axis=1)
    is_inside = (high >= low) & (_planes(solid.sides, points) <= 1e-9).all(axis=1)
    return high, low, is_inside


def _planes(planes: Array, points: Array) -> Array:
    """Values [P, F, N] of planes at points; elementwise, so that every machine rounds alike."""
    a, b, c = planes[:, :, 0, None], planes[:, :, 1, None], planes[:, :, 2, None]
    values: Array = a * points[:, 0] + b * points[:, 1] + c
    return values
