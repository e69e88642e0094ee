"""Convex hulls: fewer corners without losing the foot a thing stands on, and OBJ text."""

import itertools
from collections.abc import Sequence

import numpy as np
import trimesh
from numpy.typing import NDArray

Points = NDArray[np.float64]

LEAST_WALL = 0.002
"""m; thinner walls are thickened inwards, as simulators lose contact with thinner ones"""
SLAB = 0.0004
"""m from the lowest and highest point that count as foot and top"""


def reduced_hull(points: Points, directions: int = 48, rim: int = 16) -> Points:
    """Keep the corners of a convex hull that lie furthest along evenly spread directions.

    The foot and the top keep up to `rim` corners each, so that a round thing stands as it did,
    and the bounding box stays as it is.

    Args:
        points: [K, 3] m.
        directions: number of directions over the sphere.
        rim: number of directions round the foot and the top.

    Returns:
        [at most directions + 2 rim + 6, 3] m, a subset of `points`.
    """
    corners = np.asarray(trimesh.convex.convex_hull(points).vertices, np.float64)
    if len(corners) <= 24:
        return corners
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    keep = set(np.argmax(corners @ np.concatenate([_sphere(directions), axes]).T, axis=0).tolist())
    angle = np.arange(rim) / max(rim, 1) * 2 * np.pi
    flat = np.stack([np.cos(angle), np.sin(angle)])
    low, high = corners[:, 2].min(), corners[:, 2].max()
    for end in (corners[:, 2] < low + SLAB, corners[:, 2] > high - SLAB):
        slab = np.flatnonzero(end)
        keep |= set(slab[np.argmax(corners[slab, :2] @ flat, axis=0)].tolist())
    return corners[sorted(keep)]


def has_body(points: Points, least: float = 0.0003) -> bool:
    """Tell whether points span a volume: at least four, and none thinner than `least` m."""
    if len(points) < 4:
        return False
    centred = points - points.mean(0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    return bool(np.ptp(centred @ axes.T, axis=0).min() > least)


def open_box(vertices: Points, faces: NDArray[np.int64]) -> list[Points]:
    """Floor and four walls of a box that is open at the top (baskets, trays).

    Walls get the thickness that rays from the middle measure, and no holes.

    Args:
        vertices: [V, 3] m, z up, bottom at z = 0, origin under the middle.
        faces: [F, 3].
    """
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    low, high = vertices.min(0), vertices.max(0)
    above = np.array([[0.0, 0.0, high[2] + 0.1]])
    floor = mesh.ray.intersects_location(above, [[0.0, 0.0, -1.0]], multiple_hits=False)[0]
    floor_z = max(float(floor[0, 2]) if len(floor) else 0.0, LEAST_WALL)
    walls = []
    height = floor_z + 0.25 * (high[2] - floor_z)
    for axis, side in ((0, 0), (0, 1), (1, 0), (1, 1)):
        direction = np.zeros(3)
        direction[axis] = 2 * side - 1
        start = np.array([[0.0, 0.0, height]])
        hit = mesh.ray.intersects_location(start, [direction], multiple_hits=False)[0]
        outside = (low, high)[side][axis]
        inside = float(hit[0, axis]) if len(hit) else outside - 0.003 * direction[axis]
        a, b = low.copy(), high.copy()
        inside = min(inside, outside - LEAST_WALL) if side else max(inside, outside + LEAST_WALL)
        a[axis], b[axis] = min(inside, outside), max(inside, outside)
        walls.append(_box(a, b))
    return [_box(low, np.array([high[0], high[1], floor_z])), *walls]


def slabs(vertices: Points, faces: NDArray[np.int64], axis: int, count: int) -> list[Points]:
    """Hulls of even slices along an axis: for bent and waisted things.

    Args:
        vertices: [V, 3] m.
        faces: [F, 3].
        axis: 0, 1 or 2.
        count: slices.
    """
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    cuts = np.linspace(vertices[:, axis].min(), vertices[:, axis].max(), count + 1)
    normal = np.eye(3)[axis]
    parts = []
    for low, high in itertools.pairwise(cuts):
        piece = mesh
        for n, at in ((normal, low), (-normal, high)):
            piece = trimesh.intersections.slice_mesh_plane(  # type: ignore[no-untyped-call]
                piece, n, at * normal
            )
        points = np.asarray(piece.vertices)[np.unique(piece.faces)]
        if has_body(points):
            parts.append(reduced_hull(points, directions=32, rim=12))
    return parts


def reduced_outline(points: Points) -> Points:
    """Corners of the convex outline of points in a plane, [K, 2] m; few points come back as is."""
    from scipy.spatial import ConvexHull, QhullError

    if len(points) < 4:
        return points
    try:
        return np.asarray(points[np.sort(ConvexHull(points).vertices)], np.float64)
    except QhullError:
        return points


def parts_obj(parts: Sequence[Points]) -> bytes:
    """Write convex parts as an OBJ file with one object for each, vertices to 1 micrometre."""
    lines, first = [], 1
    for k, points in enumerate(parts):
        hull = trimesh.convex.convex_hull(np.round(points, 6))
        lines.append(f"o part{k}")
        lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in np.asarray(hull.vertices) + 0.0]
        lines += [f"f {a} {b} {c}" for a, b, c in np.asarray(hull.faces) + first]
        first += len(hull.vertices)
    return ("\n".join(lines) + "\n").encode()


def _box(low: Points, high: Points) -> Points:
    return np.array(
        [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    )


def _sphere(count: int) -> Points:
    """Evenly spread unit vectors (Fibonacci lattice), [count, 3]."""
    k = np.arange(count) + 0.5
    z = 1 - 2 * k / count
    angle = np.pi * (1 + 5**0.5) * k
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(angle), r * np.sin(angle), z], axis=1)
