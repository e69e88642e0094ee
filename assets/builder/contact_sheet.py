"""A contact sheet: one small picture of each asset with its name, for people to look at.

Cast with Embree at a fixed three-quarter view. For looking through a pack, never for policies.
"""

from collections.abc import Sequence

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from refergym.assets.meshes import VisualMesh

LABEL = 16
"""px under each picture"""
PITCH = 0.62
"""rad, how far the view looks down"""
YAW = -0.5
"""rad, of the view's direction round z"""


def contact_sheet(
    meshes: Sequence[tuple[str | None, VisualMesh]], columns: int = 6, size: int = 160
) -> Image.Image:
    """Draw meshes in rows, each filling its picture, with a label under each.

    Args:
        meshes: label and mesh of each picture; without any label there is no room for them.
        columns: pictures in a row.
        size: px, side of a picture.
    """
    rows = -(-len(meshes) // columns)
    height = size + (LABEL if any(label for label, _ in meshes) else 0)
    sheet = Image.new("RGB", (columns * size, rows * height), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (label, mesh) in enumerate(meshes):
        x, y = i % columns * size, i // columns * height
        sheet.paste(Image.fromarray(picture(mesh, size)), (x, y))
        if label:
            draw.text((x + 3, y + size + 2), _fitting(draw, label, size - 6), fill="black")
    return sheet


def _fitting(draw: ImageDraw.ImageDraw, label: str, width: int) -> str:
    """Shorten a label until it is no wider than `width` px."""
    while label and draw.textlength(label) > width:
        label = label[:-1]
    return label


def picture(mesh: VisualMesh, size: int, *, samples: int = 2) -> NDArray[np.uint8]:
    """Draw one mesh orthographically on a light ground, [size, size, 3] sRGB.

    Args:
        mesh: what to draw.
        size: px.
        samples: rays per pixel and axis.
    """
    n = size * samples
    forward = np.array([np.cos(PITCH) * np.cos(YAW + np.pi / 2), 0.0, -np.sin(PITCH)])
    forward[1] = np.cos(PITCH) * np.sin(YAW + np.pi / 2)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    corners = mesh.vertices - (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    half = 1.08 * max(np.abs(corners @ right).max(), np.abs(corners @ down).max())
    middle = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    s = (np.arange(n) + 0.5) / n * 2 - 1
    u, v = np.meshgrid(s * half, s * half)
    origins = (middle - 4 * half * forward) + u.reshape(-1, 1) * right + v.reshape(-1, 1) * down
    body = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    points, ray, triangle = body.ray.intersects_location(
        origins, np.tile(forward, (n * n, 1)), multiple_hits=False
    )
    image = np.full((n * n, 3), 0.93)
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces[triangle]].astype(np.float64), 1, 0)
    whole = np.cross(b - a, c - a)
    area = np.maximum((whole * whole).sum(1), 1e-20)
    share = [(np.cross(q - p, points - p) * whole).sum(1) / area for p, q in ((b, c), (c, a))]
    bary = np.stack([*share, 1 - share[0] - share[1]], axis=1)
    corner = mesh.faces[triangle]
    uv = np.einsum("nk,nkd->nd", bary, mesh.uv[corner])
    normal = np.einsum("nk,nkd->nd", bary, mesh.normals[corner])
    h, w = mesh.texture.shape[:2]
    px = np.clip((uv * [w, h]).astype(int), 0, [w - 1, h - 1])
    light = np.array([0.35, -0.45, 0.8])
    shade = 0.45 + 0.6 * np.clip(normal @ (light / np.linalg.norm(light)), 0, 1)
    linear = (mesh.texture[px[:, 1], px[:, 0]] / 255) ** 2.2 * shade[:, None]
    image[ray] = np.clip(linear, 0, 1) ** (1 / 2.2)
    image = image.reshape(size, samples, size, samples, 3).mean((1, 3))
    return np.asarray(image * 255 + 0.5).astype(np.uint8)
