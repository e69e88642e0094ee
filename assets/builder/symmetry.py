"""How often a shape looks the same in one turn about its vertical axis, by comparing surfaces."""

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from refergym.assets import seeding

Points = NDArray[np.float64]
Faces = NDArray[np.int64]

ROUND = 0
"""order of a shape that any turn leaves as it is"""
HIGHEST = 8
"""largest order that is told from round: after decimation, round things are polygons themselves"""
TOLERANCE = 0.03
"""of the radius: distance between surfaces that still counts as none"""
OUTLIERS = 0.02
"""share of the surface that may lie further off (a seam, coarse triangles)"""
BULGES = 0.001
"""share of the surface that may lie twice as far off: a small handle has more"""
SAMPLES = 6000
"""points that are turned"""
FEW = 16
"""of those, one in so many is tried first"""
DENSE = 30000
"""points that stand for the surface"""
NEAR = 8
"""nearest samples whose triangles are tried for a point"""
ODD_TURNS = (0.1618, 0.4171, 0.7853, 1.1314, 1.7725, 2.6131)
"""rad; no order up to HIGHEST has them all"""


def order(vertices: Points, faces: Faces, tolerance: float = TOLERANCE) -> int:
    """Find the order of rotational symmetry about the z axis through the origin.

    Args:
        vertices: [V, 3] m, z up.
        faces: [F, 3].
        tolerance: of the radius, see TOLERANCE.

    Returns:
        0 where every turn leaves the shape as it is (prisms of more than ten sides count), the
        highest order n in 2 to HIGHEST where a turn by 360 / n degrees does, 1 where none does.

    Raises:
        ValueError: for a mesh without surface.
    """
    surface = _Surface(vertices, faces)
    least = tolerance * float(np.linalg.norm(vertices[faces][..., :2], axis=-1).max())
    if all(surface.is_kept(angle, least) for angle in ODD_TURNS):
        return ROUND
    for n in range(HIGHEST, 1, -1):
        # Half the turns: a decagon is near itself after an eleventh of a turn, not after five.
        if all(surface.is_kept(2 * np.pi * k / n, least) for k in range(1, n // 2 + 1)):
            return n
    return 1


class _Surface:
    """Samples spread evenly over a mesh, and distances to it."""

    def __init__(self, vertices: Points, faces: Faces) -> None:
        self.triangles = vertices[faces]
        edges = self.triangles[:, 1:] - self.triangles[:, :1]
        area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
        if not area.sum() > 0:
            raise ValueError("mesh: expected triangles with an area, got none")
        rng = seeding.generator(0, "symmetry")
        at = (np.arange(DENSE) + rng.random(DENSE)) / DENSE * area.sum()
        self.owner = np.minimum(np.searchsorted(np.cumsum(area), at), len(area) - 1)
        u = rng.random((DENSE, 2))
        u = np.where(u.sum(1, keepdims=True) > 1, 1 - u, u)
        dense = self.triangles[self.owner, 0] + np.einsum("nk,nkd->nd", u, edges[self.owner])
        self.tree = cKDTree(dense)
        self.points = dense[:: DENSE // SAMPLES][:SAMPLES]

    def is_kept(self, angle: float, least: float) -> bool:
        """Tell whether the surface, turned by `angle` rad, lies within `least` m of itself."""
        c, s = np.cos(angle), np.sin(angle)
        turned = self.points @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        # Most turns are far off, which a few points show.
        if (self._distances(turned[::FEW], least) > least).mean() > 4 * OUTLIERS:
            return False
        off = self._distances(turned, least)
        return bool((off > least).mean() <= OUTLIERS and (off > 2 * least).mean() <= BULGES)

    def _distances(self, points: Points, least: float) -> Points:
        """Distances to the surface, [N] m; below `least`, upper bounds."""
        found = self.tree.query(points, k=NEAR)
        distance, nearest = np.array(found[0])[:, 0], np.asarray(found[1])
        far = np.flatnonzero(distance > least)
        if len(far):
            # A nearest sample is an upper bound only: what it leaves open, its triangles decide.
            triangles = self.triangles[self.owner[nearest[far]]].reshape(-1, 3, 3)
            wanted = np.repeat(points[far], NEAR, axis=0)
            on = trimesh.triangles.closest_point(  # type: ignore[no-untyped-call]
                triangles, wanted
            )
            distance[far] = np.linalg.norm(on - wanted, axis=1).reshape(-1, NEAR).min(1)
        return distance
