"""Poses in which a thing comes to rest on a table, each with its share of random throws.

Quasi-static: a thing lands on the face of its hull that its centre of mass sees below, then topples
over edges, always downhill. Source: Goldberg, Mirtich, Zhuang, Craig, Carlisle, Canny, "Part pose
statistics: estimators and experiments", IEEE Transactions on Robotics and Automation 15(5), 1999.
Unlike there, faces between which a thing rolls over a low edge are one pose: a can on its side
has one, not as many as its hull has facets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
import trimesh
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.builder import resting
from refergym.assets.library import StablePose

Points = NDArray[np.float64]
Indices = NDArray[np.int64]

MOST = 6
LEAST_SHARE = 0.02
"""rarer poses are left out"""
ROLLS = 0.04
"""of the height of the centre of mass: a rise that does not stop a thing from rolling on"""
ROLLS_TO = 0.77
"""cosine of the largest angle between two faces that such a rise separates; else it topples"""
LEVEL = 0.9994
"""cosine of the largest tilt of the foot of a thing that stands as it was modelled"""


def stable_poses(parts: Sequence[Points], com: Points) -> tuple[StablePose, ...]:
    """Find the poses in which a thing may rest, likeliest first.

    Args:
        parts: vertices [K, 3] m of each convex part.
        com: [3] m, centre of mass.

    Returns:
        At most MOST poses of at least LEAST_SHARE each. The orientation is the smallest turn that
        brings the pose's face down: exactly the identity for the pose that the asset is modelled
        in, which is kept however rare it is, as long as it is stable.

    Raises:
        ValueError: if the centre of mass is not inside the convex hull.
    """
    points = np.concatenate(list(parts))
    hull = _Hull.of(points, com)
    rest = _rest(hull)
    upright = _upright(hull, rest, points, com)
    basin = _merged(hull, rest, upright)
    share = {k: float(hull.share[basin == k].sum()) for k in np.unique(basin).tolist()}
    order = sorted(share, key=lambda k: (-round(share[k], 6), k != upright, k))
    kept = [k for k in order if share[k] >= LEAST_SHARE][:MOST]
    if upright is not None and upright not in kept:
        kept = [*kept[: MOST - 1], upright]
    return tuple(
        StablePose(
            orientation=(1.0, 0.0, 0.0, 0.0) if k == upright else _turn_down(hull.normals[k]),
            probability=round(min(share[k], 1.0), 4),
        )
        for k in kept
    )


@dataclass(frozen=True, kw_only=True)
class _Hull:
    normals: Points
    """[F, 3] outward"""
    heights: Points
    """[F] m, of the centre of mass above each face"""
    share: Points
    """[F] share of all directions in which the centre of mass sees each face"""
    over: Indices
    """[F, 3] face behind each edge, -1 where the centre of mass is not beyond that edge"""
    pairs: Indices
    """[E, 2] faces on either side of each edge"""
    passes: Points
    """[E] m, least height of the centre of mass while rolling over each edge"""

    @classmethod
    def of(cls, points: Points, com: Points) -> "_Hull":
        hull = trimesh.convex.convex_hull(points)
        t = np.asarray(hull.triangles, np.float64) - com
        normals = np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        heights = np.einsum("fd,fd->f", normals, t[:, 0])
        if heights.min() <= 0:
            at = [round(float(x), 4) for x in com]
            raise ValueError(f"com: expected a point inside the parts' hull, got {at}")
        neighbours, passes = _neighbours(np.asarray(hull.faces), hull, com)
        # Beyond an edge: outside the face's side of the upright plane through the edge.
        inward = np.cross(normals[:, None], np.roll(t, -1, axis=1) - t)
        inward /= np.linalg.norm(inward, axis=2, keepdims=True)
        foot = heights[:, None, None] * normals[:, None]
        beyond = -np.einsum("fkd,fkd->fk", inward, foot - t)
        worst = beyond == beyond.max(1, keepdims=True)
        over = np.where(worst & (beyond > 1e-9), neighbours, -1)
        return cls(
            normals=normals,
            heights=heights,
            share=_solid_angles(t) / (4 * np.pi),
            over=over,
            pairs=np.asarray(hull.face_adjacency, np.int64),
            passes=passes,
        )


def _neighbours(faces: Indices, hull: trimesh.Trimesh, com: Points) -> tuple[Indices, Points]:
    """Face behind each edge (k, k + 1) of each face, [F, 3], and the height of each adjacency."""
    pairs = np.asarray(hull.face_adjacency)
    ends = np.sort(np.asarray(hull.face_adjacency_edges), axis=1)
    behind = {
        (int(face), int(a), int(b)): int(other)
        for (f, g), (a, b) in zip(pairs, ends, strict=True)
        for face, other in ((f, g), (g, f))
    }
    edges = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=2), axis=2)
    found = [[behind[k, int(a), int(b)] for a, b in row] for k, row in enumerate(edges)]
    start, end = (np.asarray(hull.vertices)[ends[:, k]] - com for k in (0, 1))
    along = end - start
    t = np.clip(-(start * along).sum(1) / (along * along).sum(1), 0, 1)
    return np.array(found), np.linalg.norm(start + t[:, None] * along, axis=1)


def _rest(hull: _Hull) -> Indices:
    """Face on which a thing that landed on each face comes to rest, [F]."""
    rest = np.arange(len(hull.heights))
    for _ in range(len(rest)):
        over = hull.over[rest].max(1)
        # Between the triangles of one flat face rounding could go to and fro.
        moves = (over >= 0) & (hull.heights[over] <= hull.heights[rest] + 1e-12)
        if not moves.any():
            break
        rest = np.where(moves, over, rest)
    return rest


def _upright(hull: _Hull, rest: Indices, points: Points, com: Points) -> int | None:
    """Face on which the asset stands as it was modelled, if it does."""
    down = np.maximum(-hull.normals[:, 2], 1e-9)
    face = int(rest[(hull.heights / down).argmin()])
    normal = hull.normals[face]
    if -normal[2] < LEVEL:
        return None
    foot = points[hull.heights[face] - (points - com) @ normal < resting.COPLANAR]
    outline = shapely.MultiPoint(foot[:, :2]).convex_hull
    plumb = shapely.Point((com + hull.heights[face] * normal)[:2])
    is_in = outline.area > 0 and outline.contains(plumb)
    return face if is_in and outline.exterior.distance(plumb) >= resting.LEAST_MARGIN else None


def _merged(hull: _Hull, rest: Indices, upright: int | None) -> Indices:
    """Basin of each face, by the number of its lowest face: low edges between basins removed."""
    root = rest.copy()
    for e in np.argsort(hull.passes, kind="stable").tolist():
        a, b = (int(root[f]) for f in hull.pairs[e])
        if a == b:
            continue
        low, high = (a, b) if (hull.heights[a], a) <= (hull.heights[b], b) else (b, a)
        rise = hull.passes[e] - hull.heights[high]
        f, g = rest[hull.pairs[e]]
        if rise > ROLLS * hull.passes[e] or hull.normals[f] @ hull.normals[g] < ROLLS_TO:
            continue
        if high == upright:
            # What stands by its foot does not count as fallen, unless it rolls like a ball.
            if hull.heights[high] > (1 + ROLLS) * hull.heights[low]:
                continue
            low, high = high, low
        root[root == high] = low
    return root


def _solid_angles(t: Points) -> Points:
    """Solid angle of triangles [F, 3, 3] from the origin, sr. Source: Van Oosterom, Strackee 1983.

    Van Oosterom and Strackee, "The solid angle of a plane triangle", IEEE TBME 30(2).
    """
    a, b, c = np.moveaxis(t, 1, 0)
    la, lb, lc = (np.linalg.norm(x, axis=1) for x in (a, b, c))
    top = np.einsum("fd,fd->f", a, np.cross(b, c))
    ab, bc, ca = ((x * y).sum(1) for x, y in ((a, b), (b, c), (c, a)))
    return np.asarray(2 * np.arctan2(top, la * lb * lc + ab * lc + bc * la + ca * lb))


def _turn_down(normal: Points) -> tuple[float, float, float, float]:
    """Quaternion wxyz of the smallest turn that brings a unit vector to -z."""
    x, y, z = (float(v) for v in normal)
    turn = np.array([1 - z, -y, x, 0.0]) if z < 1 - 1e-9 else np.array([0.0, 1.0, 0.0, 0.0])
    w, i, j, k = (round(float(v), 8) + 0.0 for v in poses.canonical(turn))
    return (w, i, j, k)
