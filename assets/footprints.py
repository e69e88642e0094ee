"""Footprints: what an asset covers on a surface, as convex polygons, and what is left free.

A footprint is the convex hull of the asset's convex parts seen from above.
"""

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from refergym.assets import poses
from refergym.assets.errors import SpecError
from refergym.assets.library import Pack
from refergym.assets.spec import FixtureSpec, Pose, SupportSpec

Array = NDArray[np.float64]

UPRIGHT = 1e-3
"""largest |x| and |y| of a quaternion that still counts as upright (0.1 degrees of tilt)"""
SLACK = 1e-6
"""m by which an outline may leave its slab, and share by which it may fall short of its hull"""


@dataclass(frozen=True, kw_only=True)
class Outline:
    """An asset seen from above, at scale 1, in its own frame."""

    points: Array
    """[K, 2] m, the convex hull's corners, counter-clockwise, read-only"""
    outer: float
    """m, radius of the smallest circle round the origin that holds it"""
    inner: float
    """m, radius of the largest circle round the origin inside it; 0 if the origin is outside"""
    area: float
    """m2"""
    perimeter: float
    """m"""

    def grown_area(self, scale: float, margin: float) -> float:
        """Area in m2 of the scaled outline grown by `margin` m all round (Steiner's formula)."""
        return (
            self.area * scale * scale + self.perimeter * scale * margin + math.pi * margin * margin
        )


@functools.lru_cache(maxsize=1024)
def outline(pack: Pack, name: str) -> Outline:
    """Return an asset's outline at scale 1 (cached).

    Raises:
        PackError: if the asset is not in the pack or its file is damaged.
    """
    points = np.concatenate(pack.hulls(name))[:, :2]
    return outline_of(points)


def outline_of(points: Array) -> Outline:
    """Return the outline of points [N, 2] m, at least three of them not on one line."""
    hull = _hull(points)
    corners = np.ascontiguousarray(shapely.get_coordinates(hull)[:-1])
    corners.setflags(write=False)
    origin = shapely.Point(0.0, 0.0)
    inner = float(hull.exterior.distance(origin)) if hull.contains(origin) else 0.0
    outer = float(np.sqrt((corners**2).sum(axis=1)).max())
    return Outline(points=corners, outer=outer, inner=inner, area=hull.area, perimeter=hull.length)


def placed(shape: Outline, x: float, y: float, yaw: float, scale: float = 1.0) -> Polygon:
    """Return an outline's polygon when the asset stands upright at (x, y) m, turned by yaw rad."""
    c, s = math.cos(yaw) * scale, math.sin(yaw) * scale
    px, py = shape.points[:, 0], shape.points[:, 1]
    corners = np.empty_like(shape.points)
    corners[:, 0], corners[:, 1] = x + c * px - s * py, y + s * px + c * py
    return Polygon(corners)


def footprint(pack: Pack, name: str, pose: Pose, scale: float = 1.0) -> Polygon:
    """Return what an asset covers, seen from above, in any pose.

    Args:
        pack: where the asset is.
        name: the asset.
        pose: of the asset's frame, world.
        scale: uniform.

    Returns:
        A convex polygon in world x, y (m).
    """
    w, qx, qy, qz = pose.orientation
    x, y, _ = pose.position
    if abs(qx) < UPRIGHT and abs(qy) < UPRIGHT:
        return placed(outline(pack, name), x, y, 2 * math.atan2(qz, w), scale)
    points = np.concatenate(pack.hulls(name)) * scale
    r = poses.rotation(pose.orientation)
    flat = points[:, 0, None] * r[:2, 0] + points[:, 1, None] * r[:2, 1]
    return _hull(flat + points[:, 2, None] * r[:2, 2] + (x, y))


@functools.lru_cache(maxsize=256)
def low_parts(pack: Pack, name: str, pose: Pose, height: float) -> tuple[Polygon, ...]:
    """Return what an upright asset covers below a height: of a table, its legs and low bars.

    Args:
        pack: where the asset is.
        name: the asset, at scale 1.
        pose: of the asset's frame, world.
        height: m, world.

    Returns:
        A convex polygon for each convex part that comes so low, cut off at the height, in world
        x, y (m).
    """
    x, y, z = pose.position
    found = []
    for points in pack.hulls(name):
        low = _below(points, height - z)
        hull = shapely.convex_hull(shapely.multipoints(low)) if len(low) else None
        if isinstance(hull, Polygon):
            yaw = 2 * math.atan2(pose.orientation[3], pose.orientation[0])
            found.append(placed(outline_of(low), x, y, yaw))
    return tuple(found)


def overlaps(a: BaseGeometry, b: BaseGeometry, margin: float = 0.0) -> bool:
    """Tell whether two footprints overlap or come nearer to each other than `margin` m.

    Touching, or exactly `margin` apart, is no overlap.
    """
    if margin > 0:
        return bool(shapely.distance(a, b) < margin)
    return bool(a.intersects(b) and not a.touches(b))


@functools.lru_cache(maxsize=1024)
def support_corners(support: SupportSpec) -> Array:
    """Return the corners [K, 2] m of a support's upper face about its centre, counter-clockwise.

    Raises:
        SpecError: naming the support, if its outline is not as `SupportSpec` says.
    """
    half = np.array(support.size[:2]) / 2
    corners: Array
    if support.outline is None:
        corners = half * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    else:
        corners = np.array(support.outline, np.float64)
        fault = _outline_fault(corners, half)
        if fault is not None:
            raise SpecError(f"supports: outline of {support.id!r}: {fault}")
    corners.setflags(write=False)
    return corners


@functools.lru_cache(maxsize=256)
def support_polygon(support: SupportSpec) -> Polygon:
    """Return the upper face of a support that lies flat, in world x, y (m)."""
    w, _, _, qz = support.pose.orientation
    yaw = 2 * math.atan2(qz, w)
    c, s = math.cos(yaw), math.sin(yaw)
    x, y, _ = support.pose.position
    turned = [(x + c * u - s * v, y + s * u + c * v) for u, v in support_corners(support).tolist()]
    return Polygon(turned)


@functools.lru_cache(maxsize=256)
def furniture_pose(pack: Pack, support: SupportSpec) -> Pose:
    """Return where the furniture that is seen instead of a support's slab stands, world.

    Raises:
        SpecError: naming the support, if its asset has no upper face.
        PackError: if the asset is not in the pack.
    """
    assert support.asset is not None, "asked for furniture only"
    top = pack[support.asset].top
    if top is None:
        raise SpecError(
            f"supports: asset {support.asset!r} of {support.id!r} has no `top`; "
            "expected furniture, or none"
        )
    x, y, _ = support.pose.position
    return Pose(position=(x, y, support.top - top.height), orientation=support.pose.orientation)


def fixture_polygon(fixture: FixtureSpec) -> Polygon:
    """Return what a fixture covers, seen from above, in world x, y (m)."""
    half = np.array(fixture.size) / 2
    signs = np.array([[(i >> a & 1) * 2 - 1 for a in range(3)] for i in range(8)])
    corners = (signs * half) @ poses.rotation(fixture.pose.orientation).T
    return _hull(corners[:, :2] + fixture.pose.position[:2])


def free_region(
    surface: BaseGeometry,
    footprints: Iterable[BaseGeometry],
    margin: float = 0.0,
    edge: float = 0.0,
) -> BaseGeometry:
    """Return the part of a surface that is free.

    Args:
        surface: polygon of the surface.
        footprints: what stands on it.
        margin: m kept clear round each footprint.
        edge: m kept clear along the surface's own edge.

    Returns:
        A polygon, several, or an empty one.
    """
    room = surface.buffer(-edge, join_style="mitre") if edge > 0 else surface
    grown = [f.buffer(margin) if margin > 0 else f for f in footprints]
    return room.difference(shapely.union_all(grown)) if grown else room


def _below(points: Array, height: float) -> Array:
    """Cut the convex hull of points [N, 3] m at a height: points [K, 2] that span what is below."""
    low, high = points[points[:, 2] < height], points[points[:, 2] >= height]
    if not len(low) or not len(high):
        return low[:, :2]
    a, b = low[:, None], high[None]
    share = (height - a[..., 2:]) / (b[..., 2:] - a[..., 2:])
    cut = a[..., :2] + share * (b[..., :2] - a[..., :2])
    return np.concatenate([low[:, :2], cut.reshape(-1, 2)])


def _hull(points: Array) -> Polygon:
    hull = shapely.convex_hull(shapely.multipoints(points))
    if not isinstance(hull, Polygon):
        raise ValueError(f"footprint: expected points that span an area, got {hull.geom_type}")
    return orient(hull)


def _outline_fault(corners: Array, half: Array) -> str | None:
    """Say what is wrong with an outline [K, 2] m on a slab of half sizes [2] m, or None."""
    if len(corners) < 3:
        return f"expected at least 3 corners, got {len(corners)}"
    if not np.isfinite(corners).all():
        return f"expected finite corners, got {corners.tolist()}"
    if (np.abs(corners) > half + SLACK).any():
        k = int((np.abs(corners) - half).max(axis=1).argmax())
        return f"expected corners within +-{half.tolist()} m (size / 2), got {corners[k].tolist()}"
    ring = shapely.LinearRing(corners)
    area = Polygon(corners).area
    if not (ring.is_simple and ring.is_ccw) or area < ring.convex_hull.area * (1 - SLACK):
        return "expected the corners of a convex polygon, counter-clockwise"
    return None
