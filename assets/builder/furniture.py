"""What a piece of furniture offers: its level upper face, and the body that carries it."""

import numpy as np
import shapely
import trimesh
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely import Polygon
from shapely.geometry.polygon import orient

from refergym.assets.builder import hulls
from refergym.assets.library import Top

Points = NDArray[np.float64]
Faces = NDArray[np.int64]

LEVEL = 0.995
"""cosine of the largest tilt of a triangle of an upper face"""
SAME = 0.004
"""m between heights that count as one face"""
LEAST_SHARE = 0.35
"""of what is covered seen from above: the area of an upper face worth the name"""
FILLED = 0.97
"""share of an outline's hull that is the face itself; below, the outline is shrunk"""
INSET = 0.002
"""m that the outline keeps from the edge of the face"""
MOST_CORNERS = 24
THICKNESS = (0.01, 0.06)
"""m, least and most of a slab"""
MOST_PARTS = 12


def top_of(vertices: Points, faces: Faces) -> Top:
    """Find the highest level face of some size.

    Args:
        vertices: [V, 3] m, z up, bottom at z = 0.
        faces: [F, 3].

    Raises:
        ValueError: if there is none.
    """
    t = vertices[faces]
    cross = np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])
    area = np.linalg.norm(cross, axis=1) / 2
    # Either way up: some makers' table tops are wound inside out.
    is_level = np.abs(cross[:, 2]) > LEVEL * 2 * area
    z = t[:, :, 2].mean(1)
    covered = float(shapely.convex_hull(shapely.multipoints(vertices[:, :2])).area)
    for height in _heights(z[is_level], area[is_level]):
        chosen = is_level & (np.abs(z - height) < SAME)
        if area[chosen].sum() < LEAST_SHARE * covered:
            continue
        height = float(np.average(z[chosen], weights=area[chosen]))
        outline = _outline(t[chosen][:, :, :2])
        return Top(
            height=round(height, 5),
            outline=tuple((round(float(x), 5), round(float(y), 5)) for x, y in outline),
            thickness=round(_thickness(vertices, faces, height, outline), 5),
        )
    raise ValueError(
        f"no level upper face: none covers {LEAST_SHARE:.0%} of what is seen from above"
    )


def legs(vertices: Points, faces: Faces, top: Top) -> list[Points]:
    """Convex parts [K, 3] m of what is below the slab: a hull of each connected piece."""
    under = top.height - top.thickness - 0.001
    t = vertices[faces]
    low = faces[t[:, :, 2].min(1) < under - 0.005]
    if not len(low):
        return []
    _, place = np.unique(np.round(vertices, 5), axis=0, return_inverse=True)
    corner = place.reshape(-1)[low]
    pairs = np.concatenate([corner[:, [0, 1]], corner[:, [1, 2]]])
    n = int(place.max()) + 1
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (n, n))
    label = connected_components(graph, directed=False)[1][corner[:, 0]]
    parts = []
    for k in np.unique(label):
        points = vertices[np.unique(low[label == k])].copy()
        points[:, 2] = np.minimum(points[:, 2], under)
        if hulls.has_body(points, least=0.002):
            parts.append(hulls.reduced_hull(points))
    parts.sort(key=lambda p: -float(trimesh.convex.convex_hull(p).volume))
    return parts[:MOST_PARTS]


def _heights(z: NDArray[np.float64], area: NDArray[np.float64]) -> list[float]:
    """Candidate heights, highest first."""
    if not len(z):
        return []
    cells = np.round(z / SAME).astype(int)
    return [float(np.average(z[cells == c], weights=area[cells == c])) for c in _falling(cells)]


def _falling(cells: NDArray[np.int64]) -> list[int]:
    return sorted(set(cells.tolist()), reverse=True)


def _outline(triangles: Points) -> Points:
    """Corners [K, 2] m of a convex polygon inside the union of triangles [N, 3, 2] m."""
    union = shapely.union_all(shapely.polygons(triangles).tolist(), grid_size=1e-6)
    face = max(shapely.get_parts(union.buffer(1e-4)), key=lambda p: float(p.area))
    face = Polygon(face.exterior)
    hull = face.convex_hull
    for inset in (INSET, 0.005, 0.01, 0.02, 0.04, 0.08):
        inner = hull.buffer(-inset, join_style="mitre")
        if inner.is_empty:
            break
        if inner.intersection(face).area >= FILLED * inner.area:
            return _few_corners(inner)
    raise ValueError("the upper face has no convex outline")


def _few_corners(polygon: Polygon) -> Points:
    for tolerance in (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016):
        simple = polygon.simplify(tolerance).convex_hull
        corners = shapely.get_coordinates(orient(simple))[:-1]
        if len(corners) <= MOST_CORNERS:
            return np.asarray(corners)
    return np.asarray(corners)


def _thickness(vertices: Points, faces: Faces, height: float, outline: Points) -> float:
    """Median way through the slab along plumb lines spread over it, m."""
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    middle = outline.mean(0)
    spots = np.concatenate([middle + s * (outline - middle) for s in (0.3, 0.6, 0.9)])
    starts = np.column_stack([spots, np.full(len(spots), height + 0.01)])
    points, ray, _ = mesh.ray.intersects_location(
        starts, np.tile([0.0, 0.0, -1.0], (len(spots), 1))
    )
    low, high = THICKNESS
    ways = []
    for k in range(len(spots)):
        depth = np.sort(height - points[ray == k, 2])
        through = depth[depth > 0.002]
        ways.append(float(through[0]) if len(through) else low)
    return min(max(float(np.median(ways)), low), high)
