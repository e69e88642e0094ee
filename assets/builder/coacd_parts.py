"""Convex parts of any mesh by CoACD, with what its voxels do to the shape taken back.

CoACD first turns the mesh into a closed one on a grid of voxels, which reaches 1.5 to 5 mm beyond
the surface. So each part's corners are drawn back to the surface, all parts together are stretched
to the mesh's bounds, and parts that have become too thin for simulators are thickened. Drawing
back brings parts and mesh closer by a tenth (intersection over union; cup 0.52 to 0.59, mushroom
0.69 to 0.80), and makes a coarse grid as good as a fine one.
Source: Wei, Liu, Ling, Su, "Approximate convex decomposition for 3D meshes with collision-aware
concavity and tree search", ACM Transactions on Graphics 41(4), 2022.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError, cKDTree

from refergym.assets.builder import hulls
from refergym.assets.errors import AssetError

Points = NDArray[np.float64]
Faces = NDArray[np.int64]

THRESHOLD = 0.1
"""concavity at which CoACD stops cutting"""
MOST_PARTS = 16
GRID = 30
"""voxels along the longest side"""
SEARCH: Mapping[str, int] = MappingProxyType(
    {"resolution": 500, "mcts_iterations": 20, "mcts_nodes": 10, "mcts_max_depth": 2}
)
"""how hard CoACD looks for good cuts: a tenth of its usual time"""
REACH = 2.5
"""voxels: corners nearer than this to the surface are drawn back to it"""
SAMPLES = 30000
MOST_CORNERS = 32
FOOT = 12
"""corners kept round the foot of a part that stands on the bottom"""
FINE = 0.0002
"""m: corners that stand out less are left out"""


def convex_parts(
    vertices: Points,
    faces: Faces,
    *,
    threshold: float = THRESHOLD,
    most: int = MOST_PARTS,
    seed: int = 0,
    grid: int = GRID,
) -> list[Points]:
    """Cut a mesh into convex parts. The same arguments give the same parts on one machine.

    Args:
        vertices: [V, 3] m.
        faces: [F, 3]; need not be closed.
        threshold: concavity that is left, 0.01 (fine) to 1 (one hull).
        most: parts.
        seed: of CoACD's tree search.
        grid: voxels along the longest side, 20 to 100.

    Returns:
        Vertices [K, 3] m of each part, K <= 32, largest first, within the mesh's bounds where
        those are at least `hulls.LEAST_WALL` apart.

    Raises:
        ValueError: for a mesh without volume: no triangles, or all of them in one plane.
        AssetError: if CoACD is not installed, or finds no part.
    """
    corners = vertices[np.unique(faces)] if len(faces) else vertices[:0]
    if not hulls.has_body(corners):
        size = np.round(np.ptp(corners, axis=0), 6).tolist() if len(corners) else [0, 0, 0]
        raise ValueError(f"mesh: it has no volume (size {size} m), so no convex parts")
    raw = _decomposed(vertices, faces, threshold, most, seed, grid)
    near = REACH * float(np.ptp(corners, axis=0).max()) / grid
    surface = _Surface(vertices, faces)
    # Both sides of a sheet are drawn to one: such a part stays as it is, with some body.
    drawn = [d if hulls.has_body(d := surface.drawn(p, near)) else p for p in raw]
    low, high = corners.min(0), corners.max(0)
    parts = [sparse_hull(p) for p in _stretched(drawn, low, high) if hulls.has_body(p)]
    if not parts:
        raise AssetError("mesh: CoACD found no convex part with a body; is its surface closed?")
    parts = [_thickened(p, low, high) for p in _stretched(parts, low, high)]
    return sorted(parts, key=lambda p: -float(trimesh.convex.convex_hull(p).volume))


def sparse_hull(points: Points) -> Points:
    """Keep the corners of a hull that stand out most, one after the other, and its foot's.

    Args:
        points: [K, 3] m.

    Returns:
        [at most MOST_CORNERS, 3] m, a subset of `points` with the same bounds.
    """
    corners = np.asarray(trimesh.convex.convex_hull(points).vertices, np.float64)
    if len(corners) <= MOST_CORNERS:
        return corners
    foot = np.flatnonzero(corners[:, 2] < corners[:, 2].min() + hulls.SLAB)
    angle = np.arange(FOOT) * (2 * np.pi / FOOT)
    round_it = corners[foot, :2] @ np.stack([np.cos(angle), np.sin(angle)])
    axes = np.concatenate([np.eye(3), -np.eye(3)])
    kept = {*foot[round_it.argmax(0)].tolist(), *(corners @ axes.T).argmax(0).tolist()}
    while len(kept) < MOST_CORNERS:
        try:
            equations = ConvexHull(corners[sorted(kept)]).equations
        except QhullError:  # all in one plane so far: take what is furthest from it
            middle = corners[sorted(kept)].mean(0)
            normal = np.linalg.svd(corners[sorted(kept)] - middle)[2][2]
            equations = np.array([[*normal, -normal @ middle], [*-normal, normal @ middle]])
        beyond = (corners @ equations[:, :3].T + equations[:, 3]).max(1)
        beyond[sorted(kept)] = 0.0
        if beyond.max() < FINE:
            break
        kept.add(int(beyond.argmax()))
    return corners[sorted(kept)]


def _decomposed(
    vertices: Points, faces: Faces, threshold: float, most: int, seed: int, grid: int
) -> list[Points]:
    try:
        import coacd
    except ImportError as e:
        raise AssetError(
            "convex parts need CoACD, which is not installed; run: pip install 'refergym[pack]'"
        ) from e
    coacd.set_log_level("error")
    mesh: Any = coacd.Mesh(vertices, faces)
    found = coacd.run_coacd(
        mesh,
        threshold=threshold,
        max_convex_hull=most,
        preprocess_mode="on",
        preprocess_resolution=grid,
        seed=seed,
        **SEARCH,
    )
    return [np.asarray(v, np.float64) for v, _ in found]


class _Surface:
    """Nearest points of a mesh, by the triangles of the nearest samples."""

    def __init__(self, vertices: Points, faces: Faces) -> None:
        mesh = trimesh.Trimesh(vertices, faces, process=False)
        samples, owner = trimesh.sample.sample_surface(mesh, SAMPLES, seed=0)
        self.triangles = np.concatenate([vertices[faces[owner]], vertices[faces]])
        self.tree = cKDTree(np.concatenate([samples, vertices[faces].mean(1)]))

    def drawn(self, points: Points, near: float) -> Points:
        """Move points [K, 3] that are within `near` m of the surface onto it."""
        _, nearest = self.tree.query(points, k=8)
        on = trimesh.triangles.closest_point(  # type: ignore[no-untyped-call]
            self.triangles[nearest].reshape(-1, 3, 3), np.repeat(points, 8, axis=0)
        ).reshape(-1, 8, 3)
        distance = np.linalg.norm(on - points[:, None], axis=2)
        best = distance.argmin(1)
        rows = np.arange(len(points))
        return np.where((distance[rows, best] < near)[:, None], on[rows, best], points)


def _stretched(parts: list[Points], low: Points, high: Points) -> list[Points]:
    """Stretch parts, all alike, until their bounds are `low` and `high`."""
    joined = np.concatenate(parts)
    first, span = joined.min(0), np.maximum(np.ptp(joined, axis=0), 1e-9)
    return [low + (p - first) * ((high - low) / span) for p in parts]


def _thickened(points: Points, low: Points, high: Points) -> Points:
    """Widen a part across its thinnest direction to LEAST_WALL, then move it within the bounds."""
    normals = np.asarray(trimesh.convex.convex_hull(points).face_normals)
    width = np.ptp(points @ normals.T, axis=0)
    thin = int(width.argmin())
    if width[thin] < hulls.LEAST_WALL:
        off = (points @ normals[thin]) - (points @ normals[thin]).mean()
        grow = hulls.LEAST_WALL / max(width[thin], 1e-9) - 1
        points = points + np.outer(off * grow, normals[thin])
    # Upwards last: where the bounds themselves are too thin, nothing ends below the bottom.
    points = points + np.minimum(high - points.max(0), 0)
    points = points + np.maximum(low - points.min(0), 0)
    # Six decimals survive the OBJ file.
    return np.round(points, 6) + 0.0
