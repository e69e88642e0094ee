"""Convex parts by CoACD, brought back to the mesh that they come from.

Source: Wei et al., Approximate Convex Decomposition for 3D Meshes with Collision-Aware Concavity
and Tree Search, 2022.
"""

import numpy as np
from numpy.typing import NDArray

from refergym.assets.builder import hulls
from refergym.assets.errors import BuildError

Points = NDArray[np.float64]

THRESHOLD = 0.1
"""concavity that is left, in units of the mesh scaled to [-1, 1]"""
MOST_PARTS = 16
MOST_CORNERS = 32
SEED = 0


def coacd_parts(
    vertices: Points,
    faces: NDArray[np.int64],
    *,
    threshold: float = THRESHOLD,
    most: int = MOST_PARTS,
) -> list[Points]:
    """Cut a mesh into convex parts.

    CoACD works on voxels, which blow parts up by 1 to 5 mm; corners are moved back into the mesh's
    bounding box.

    Args:
        vertices: [V, 3] m.
        faces: [F, 3].
        threshold: of CoACD.
        most: parts.

    Returns:
        Corners [K, 3] m of each part.

    Raises:
        BuildError: if coacd is not installed.
        ValueError: if the mesh has no volume.
    """
    if not hulls.has_body(vertices[np.unique(faces)]):
        raise ValueError("the mesh has no volume")
    try:
        import coacd
    except ImportError as e:
        raise BuildError("coacd is not installed: pip install 'refergym[pack]'") from e
    coacd.set_log_level("error")
    found = coacd.run_coacd(
        coacd.Mesh(vertices, faces),
        threshold=threshold,
        max_convex_hull=most,
        preprocess_mode="on",
        preprocess_resolution=30,
        resolution=500,
        mcts_iterations=20,
        mcts_nodes=10,
        mcts_max_depth=2,
        max_ch_vertex=MOST_CORNERS,
        decimate=True,
        seed=SEED,
    )
    low, high = vertices.min(0), vertices.max(0)
    parts = [np.clip(np.asarray(points, np.float64), low, high) for points, _ in found]
    return [hulls.reduced_hull(p) for p in parts if hulls.has_body(p, least=hulls.LEAST_WALL)]
