"""Points spread evenly over a mesh's surface."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Faces = NDArray[np.int64]


def areas(vertices: Points, faces: Faces) -> Points:
    """Return the area of each triangle, [F]."""
    t = vertices[faces]
    return np.asarray(np.linalg.norm(np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]), axis=1) / 2)


def spread(
    vertices: Points, faces: Faces, count: int, rng: np.random.Generator
) -> tuple[Faces, Points]:
    """Draw points, as many for each area.

    Args:
        vertices: [V, 3].
        faces: [F, 3].
        count: of points.
        rng: source of the places.

    Returns:
        The face of each point, [count], and the shares of its corners, [count, 3].
    """
    total = np.cumsum(areas(vertices, faces))
    at = (np.arange(count) + rng.random(count)) / count * total[-1]
    face = np.minimum(np.searchsorted(total, at), len(faces) - 1)
    u = rng.random((count, 2))
    u = np.where(u.sum(1, keepdims=True) > 1, 1 - u, u)
    return face.astype(np.int64), np.concatenate([u, 1 - u.sum(1, keepdims=True)], axis=1)


def points(vertices: Points, faces: Faces, count: int, rng: np.random.Generator) -> Points:
    """Draw points as `spread` does and return their places, [count, 3]."""
    face, bary = spread(vertices, faces, count, rng)
    return np.asarray(np.einsum("nk,nkd->nd", bary, vertices[faces[face]]))
