"""Tell whether two meshes are one shape, whatever their size, heading, triangles or colour."""

import numpy as np
from numpy.typing import NDArray

from refergym.assets import seeding
from refergym.assets.builder import sampling

Points = NDArray[np.float64]

ALIKE = 0.006
"""of the size: difference below which two meshes are one shape; copies that were decimated, turned
and rescaled stay below 0.004, siblings of one Infinigen factory above 0.008"""
SAMPLES = 40_000
QUANTILES = 64


def descriptor(vertices: Points, faces: NDArray[np.int64]) -> Points:
    """Describe a shape by how its surface spreads; turns about z and size do not matter.

    Args:
        vertices: [V, 3], z up.
        faces: [F, 3].

    Returns:
        [3, QUANTILES] sorted distances of the surface from the upright axis through its middle,
        heights, and distances from the middle, each over the root mean square of the last.
    """
    area = sampling.areas(vertices, faces)
    rng = seeding.generator(0, "likeness")
    points = sampling.points(vertices, faces, SAMPLES, rng)
    points -= (area[:, None] * vertices[faces].mean(1)).sum(0) / area.sum()
    far = np.linalg.norm(points, axis=1)
    spread = np.stack([np.linalg.norm(points[:, :2], axis=1), points[:, 2], far])
    spread /= np.sqrt((far * far).mean())
    return np.asarray(np.quantile(spread, (np.arange(QUANTILES) + 0.5) / QUANTILES, axis=1).T)


def difference(a: Points, b: Points) -> float:
    """Compare two descriptors: 0 for one shape, about 1 for a bowl and a bottle."""
    return float(np.abs(a - b).mean(axis=1).max())
