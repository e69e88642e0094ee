"""Furniture that things stand on: its level upper face, and convex parts of what carries it."""

import numpy as np
import shapely
import trimesh
from numpy.typing import NDArray
from shapely import Polygon
from shapely.geometry.polygon import orient

from refergym.assets.builder import coacd_parts, hulls, volume
from refergym.assets.library import Top

Points = NDArray[np.float64]
Faces = NDArray[np.int64]

LEVEL = 0.999
"""least z of a unit normal that counts as level"""
STEP = 0.004
"""m, heights of one face"""
HIGH = 0.5
"""of the height: lower faces are shelves and feet, not tops"""
MOST_CORNERS = 24
WASTE = 0.002
"""of the face: what leaving out a corner of its outline may cost"""
CONVEX = 0.97
"""share of its convex hull from which a face counts as convex"""
CELLS = 64
"""along the longer side, for the largest rectangle in a face that is not"""
LEAST_SIDE = 0.1
"""m"""
RAYS = 21
"""along either side, for the thickness"""
LEAST_THICKNESS = 0.003
"""m"""
BLOCK = 0.03
"""m, thickness that the top of something solid gets; the rest carries it"""
SEAM = 0.0005
"""m between triangles that still join"""
MOST_LEGS = 12
LEG_THRESHOLD = 0.15
"""concavity that CoACD leaves in legs"""
LEG_GRID = 80
"""CoACD's voxels along the longest side: furniture is large and its legs are thin"""
SOLID_SHARE = 0.8
"""of its hull's volume from which a piece counts as convex"""


def top_of(vertices: Points, faces: Faces) -> Top:
    """Find the largest level face that lies open above.

    Args:
        vertices: [V, 3] m, z up, bottom at z = 0.
        faces: [F, 3] counter-clockwise from outside.

    Returns:
        Its height, thickness and a convex outline of at most MOST_CORNERS corners inside it.

    Raises:
        ValueError: if no level face of at least LEAST_SIDE squared lies in the upper half.
    """
    face, height = _level_face(vertices, faces)
    outline = _convex_outline(face)
    return Top(
        height=round(height, 4),
        outline=tuple((round(float(x), 4), round(float(y), 4)) for x, y in outline),
        thickness=round(_thickness(vertices, faces, outline, height), 4),
    )


def legs(vertices: Points, faces: Faces, top: Top) -> list[Points]:
    """Cut what lies below a top into convex parts.

    Args:
        vertices: [V, 3] m, as for `top_of`.
        faces: [F, 3].
        top: of the same mesh; its slab is not among the parts.

    Returns:
        Vertices [K, 3] m of at most MOST_LEGS parts; none for a top without anything below.
    """
    level = top.height - top.thickness
    below = trimesh.intersections.slice_mesh_plane(  # type: ignore[no-untyped-call]
        trimesh.Trimesh(vertices, faces, process=False), [0.0, 0.0, -1.0], [0.0, 0.0, level]
    )
    points, triangles = np.asarray(below.vertices), np.asarray(below.faces, np.int64)
    pieces = [f for f in volume.pieces(points, triangles) if hulls.has_body(points[np.unique(f)])]
    if not pieces:
        return []
    if len(pieces) <= MOST_LEGS and all(_is_convex(points, f) for f in pieces):
        parts = [coacd_parts.sparse_hull(points[np.unique(f)]) for f in pieces]
    else:
        parts = coacd_parts.convex_parts(
            points,
            np.concatenate(pieces),
            threshold=LEG_THRESHOLD,
            most=MOST_LEGS,
            grid=LEG_GRID,
        )
    # A part that rounding puts a hair too high would touch the slab's things through its edge.
    return [np.minimum(p, [np.inf, np.inf, level]) for p in parts]


def _level_face(vertices: Points, faces: Faces) -> tuple[Polygon, float]:
    """Outline [m] and height of the largest level face that is seen from above."""
    t = vertices[faces]
    normal = np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])
    area = np.linalg.norm(normal, axis=1)
    total = float(vertices[:, 2].max())
    heights = t[:, :, 2].max(1)
    # Either way round: makers' table tops are inside out as often as not.
    is_level = (np.abs(normal[:, 2]) > LEVEL * area) & (area > 0) & (heights > HIGH * total)
    best: tuple[Polygon, float] | None = None
    covered = Polygon()
    # From the top down: what a higher face covers does not lie open.
    for height in _steps(heights[is_level]):
        chosen = is_level & (np.abs(heights - height) <= STEP / 2)
        grown = [Polygon(x).buffer(SEAM, join_style="mitre") for x in t[chosen][:, :, :2]]
        flat = shapely.union_all(grown).buffer(-SEAM, join_style="mitre")
        face = _largest(flat.difference(covered))
        covered = covered.union(flat)
        if best is None or face.area > 1.5 * best[0].area:
            best = (face, float(np.average(heights[chosen], weights=area[chosen])))
    if best is None or best[0].area < LEAST_SIDE**2:
        raise ValueError(
            f"mesh: no level face of at least {LEAST_SIDE} m squared in its upper half; "
            "is it furniture, and is z up?"
        )
    return best


def _steps(heights: Points) -> list[float]:
    """Middle of each group of heights that are within STEP, highest first."""
    found: list[float] = []
    left = np.sort(heights)[::-1]
    while len(left):
        group = left[left > left[0] - STEP]
        found.append(float(group.min() + group.max()) / 2)
        left = left[len(group) :]
    return found


def _largest(shape: shapely.geometry.base.BaseGeometry) -> Polygon:
    pieces = [g for g in getattr(shape, "geoms", [shape]) if isinstance(g, Polygon)]
    return max(pieces, key=lambda g: float(g.area), default=Polygon())


def _convex_outline(face: Polygon) -> Points:
    """Corners [K, 2] of a convex polygon inside a face, counter-clockwise."""
    hull = face.convex_hull
    solid = Polygon(face.exterior)
    if solid.area >= CONVEX * hull.area and face.area >= CONVEX * solid.area:
        corners = _ring(hull)
        # Corners of the hull lie on the face; where its sides cut across a dent, they move in.
        dent = hull.difference(solid).area
        if dent > 1e-9:
            corners = _shrunk(corners, solid)
    else:
        corners = _rectangle(face)
    return _simplified(corners)


def _ring(polygon: Polygon) -> Points:
    return np.asarray(orient(polygon).exterior.coords, np.float64)[:-1]


def _shrunk(corners: Points, solid: Polygon) -> Points:
    """Scale an outline about its middle until it fits."""
    middle = corners.mean(0)
    for share in np.linspace(1.0, 0.9, 41):
        smaller = middle + share * (corners - middle)
        if Polygon(smaller).difference(solid).area < 1e-7:
            return np.asarray(smaller)
    return _rectangle(solid)


def _rectangle(face: Polygon) -> Points:
    """Largest upright rectangle of a grid's cells inside a face that is not convex."""
    x0, y0, x1, y1 = face.bounds
    cell = max(x1 - x0, y1 - y0) / CELLS
    nx, ny = max(int((x1 - x0) / cell), 1), max(int((y1 - y0) / cell), 1)
    boxes = shapely.box(
        *(b.ravel() for b in np.meshgrid(x0 + np.arange(nx) * cell, y0 + np.arange(ny) * cell)),
        *(
            b.ravel()
            for b in np.meshgrid(x0 + np.arange(1, nx + 1) * cell, y0 + np.arange(1, ny + 1) * cell)
        ),
    )
    is_in = np.asarray(shapely.covers(face.buffer(1e-6), boxes)).reshape(ny, nx)
    best, found = 0, (0, 0, 0, 0)
    height = np.zeros(nx, int)
    for row in range(ny):
        height = np.where(is_in[row], height + 1, 0)
        for left in range(nx):
            lowest = np.minimum.accumulate(height[left:])
            area = lowest * np.arange(1, len(lowest) + 1)
            k = int(area.argmax())
            if area[k] > best:
                best, found = int(area[k]), (left, left + k + 1, row + 1 - int(lowest[k]), row + 1)
    a, b, c, d = (o + k * cell for o, k in zip((x0, x0, y0, y0), found, strict=True))
    return np.array([[a, c], [b, c], [b, d], [a, d]])


def _simplified(corners: Points) -> Points:
    """Leave out the corners that cost least area; what is left lies inside."""
    whole = Polygon(corners).area
    while len(corners) > 3:
        before, after = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
        a, b = corners - before, after - before
        cost = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
        least = int(cost.argmin())
        if len(corners) <= MOST_CORNERS and cost[least] > WASTE * whole:
            break
        corners = np.delete(corners, least, axis=0)
    return corners


def _thickness(vertices: Points, faces: Faces, outline: Points, height: float) -> float:
    """Median distance from a face down to the next surface, m."""
    low, high = outline.min(0), outline.max(0)
    share = (np.arange(RAYS) + 0.5) / RAYS
    grid = np.stack(np.meshgrid(share, share), axis=-1).reshape(-1, 2)
    points = low + grid * (high - low)
    points = points[shapely.contains_xy(Polygon(outline), points[:, 0], points[:, 1])]
    starts = np.column_stack([points, np.full(len(points), height - 1e-3)])
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    hit, _, _ = mesh.ray.intersects_location(
        starts, np.tile([0.0, 0.0, -1.0], (len(starts), 1)), multiple_hits=False
    )
    found = float(np.median(height - hit[:, 2])) if len(hit) > len(starts) / 2 else 0.0
    # Where the next thing below is the floor, or far down, there is no slab: a block or a sheet.
    return max(found, LEAST_THICKNESS) if 0 < found <= 0.5 * height else min(BLOCK, 0.5 * height)


def _is_convex(points: Points, faces: Faces) -> bool:
    hull = trimesh.convex.convex_hull(points[np.unique(faces)])
    t = points[faces]
    # Open where the plane has cut it: measured from a point of that plane, the lid adds nothing.
    t = t - [0.0, 0.0, float(points[faces][..., 2].max())]
    inside = np.einsum("fd,fd->f", t[:, 0], np.cross(t[:, 1], t[:, 2])).sum() / 6
    return bool(abs(inside) > SOLID_SHARE * hull.volume)
