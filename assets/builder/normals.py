"""Vertex normals that are smooth over curved surfaces and sharp at edges."""

import numpy as np
from numpy.typing import NDArray

CREASE = 0.7
"""rad between neighbouring faces beyond which an edge stays sharp"""


def smooth(
    vertices: NDArray[np.float64],
    uv: NDArray[np.float64],
    faces: NDArray[np.int64],
    crease: float = CREASE,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Give each corner the mean normal of the faces round its place that bend less than `crease`.

    Seams of the texture do not show, as places are compared and not indices.

    Args:
        vertices: [V, 3] m.
        uv: [V, 2]; may have no columns.
        faces: [F, 3].
        crease: rad.

    Returns:
        [N, 3 + uv] vertex and uv, [N, 3] unit normals, [F, 3] faces; corners alike are shared.
    """
    t = vertices[faces]
    cross = np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])
    length = np.linalg.norm(cross, axis=1, keepdims=True)
    unit = cross / np.maximum(length, 1e-15)
    edges = np.stack([t[:, (k + 1) % 3] - t[:, k] for k in range(3)], axis=1)
    edges /= np.maximum(np.linalg.norm(edges, axis=2, keepdims=True), 1e-15)
    cosine = -np.einsum("fkd,fkd->fk", edges, np.roll(edges, 1, axis=1))
    angle = np.arccos(np.clip(cosine, -1, 1))

    _, place = np.unique(np.round(vertices, 6), axis=0, return_inverse=True)
    corner_place = place.reshape(-1)[faces].reshape(-1)
    corner_face = np.repeat(np.arange(len(faces)), 3)
    order = np.argsort(corner_place, kind="stable")
    starts = np.searchsorted(corner_place[order], np.arange(place.max() + 2))
    normal = np.empty((len(corner_place), 3))
    weight = angle.reshape(-1, 1) * (length[corner_face] > 1e-15)
    for k in range(len(starts) - 1):
        group = order[starts[k] : starts[k + 1]]
        n = unit[corner_face[group]]
        near = (n @ n.T) > np.cos(crease)
        normal[group] = near @ (n * weight[group])
    size = np.linalg.norm(normal, axis=1, keepdims=True)
    normal = np.where(size > 1e-12, normal / np.maximum(size, 1e-12), unit[corner_face])
    # Faces without area have no normal; any unit vector does.
    normal[np.linalg.norm(normal, axis=1) < 0.5] = [0.0, 0.0, 1.0]

    corner = np.concatenate([vertices, uv], axis=1)[faces.reshape(-1)]
    key = np.round(np.concatenate([corner, normal], axis=1), 5)
    _, first, index = np.unique(key, axis=0, return_index=True, return_inverse=True)
    return corner[first], normal[first], index.reshape(-1, 3).astype(np.int64)
