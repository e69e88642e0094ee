"""Meshes that several tests are made of."""

import numpy as np
import trimesh
from PIL import Image

Mesh = tuple[np.ndarray, np.ndarray]


def joined(*meshes: trimesh.Trimesh) -> Mesh:
    """Vertices [V, 3] and faces [F, 3] of several meshes as one."""
    whole = trimesh.util.concatenate(list(meshes))
    return np.asarray(whole.vertices, np.float64), np.asarray(whole.faces, np.int64)


def box(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float]) -> trimesh.Trimesh:
    """A box between two ends on each axis."""
    low, high = np.transpose([x, y, z])
    mesh = trimesh.creation.box(high - low)
    mesh.apply_translation((low + high) / 2)
    return mesh


def textured(mesh: trimesh.Trimesh, image: np.ndarray, uv: np.ndarray) -> bytes:
    """A GLB (y up) of a mesh that is given z up; uv has its origin at the bottom left."""
    y_up = mesh.vertices[:, [0, 2, 1]] * (1, 1, -1)
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=Image.fromarray(image))
    visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
    normals = mesh.vertex_normals[:, [0, 2, 1]] * (1, 1, -1)
    out = trimesh.Trimesh(y_up, mesh.faces, visual=visual, vertex_normals=normals, process=False)
    data = out.export(file_type="glb", include_normals=True)
    assert isinstance(data, bytes)
    return data
