"""Find how a thing lies at rest on a table, by geometry."""

from collections.abc import Sequence

import numpy as np
import trimesh
from numpy.typing import NDArray

from refergym.assets.builder import hulls

Points = NDArray[np.float64]

COPLANAR = 0.0002
"""m off a face's plane that still rests on the table"""
LEAST_MARGIN = 0.0012
"""m from the plumb line of the centre of mass to the nearest edge of the foot"""


def resting_rotation(parts: Sequence[Points], com: Points) -> Points:
    """Return the smallest turn that puts a stable face down.

    Args:
        parts: vertices [K, 3] m of each convex part.
        com: [3] m, centre of mass.

    Returns:
        [3, 3] rotation; identity where no face is stable.
    """
    hull = trimesh.convex.convex_hull(np.concatenate(list(parts)))
    corners = np.asarray(hull.vertices)
    normals = np.asarray(hull.face_normals)
    order = np.argsort(normals[:, 2], kind="stable")
    for n, point in zip(normals[order], np.asarray(hull.triangles_center)[order], strict=True):
        if n[2] > -0.3:
            break
        turn = _turn_down(n)
        foot = corners[np.abs((corners - point) @ n) < COPLANAR] @ turn.T
        if _margin(foot[:, :2], (turn @ com)[:2]) >= LEAST_MARGIN:
            return turn
    return np.eye(3)


def _margin(foot: Points, point: Points) -> float:
    """Distance from a point to the edge of a foot's outline, m; negative outside."""
    outline = hulls.reduced_outline(foot)
    if len(outline) < 3:
        return -1.0
    middle = outline.mean(0)
    order = np.argsort(np.arctan2(outline[:, 1] - middle[1], outline[:, 0] - middle[0]))
    a = outline[order]
    along = np.roll(a, -1, axis=0) - a
    length = np.linalg.norm(along, axis=1)
    to = point - a
    return float(((along[:, 0] * to[:, 1] - along[:, 1] * to[:, 0]) / length).min())


def _turn_down(normal: Points) -> Points:
    """Smallest rotation that turns a unit vector to -z."""
    down = np.array([0.0, 0.0, -1.0])
    axis = np.cross(normal, down)
    sine, cosine = float(np.linalg.norm(axis)), float(normal @ down)
    if sine < 1e-9:
        return np.eye(3)
    k = axis / sine
    cross = np.array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])
    return np.asarray(np.eye(3) + sine * cross + (1 - cosine) * cross @ cross)
