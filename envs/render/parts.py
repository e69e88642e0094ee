"""Triangles to draw: their record, slabs made into some, and how dense a texture lies on them."""

import functools
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from refergym.envs.render.look import F32
from refergym.envs.render.textures import MipTexture

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Triangles in their own frame, with a texture or with a colour for each face."""

    vertices: F32
    """[V, 3] m"""
    normals: F32
    """[V, 3] unit"""
    faces: NDArray[np.int32]
    """[F, 3]"""
    uv: F32 | None = None
    """[V, 2] origin at the texture's top left"""
    image: NDArray[np.uint8] | None = None
    """[h, w, 3] sRGB"""
    texture: MipTexture | None = None
    """the same with mip levels"""
    texels_per_metre: float = 0.0
    """of the full-size texture, on average over the surface"""
    colours: NDArray[np.uint8] | None = None
    """[F, 3] sRGB, where there is no texture"""

    @functools.cached_property
    def corners(self) -> Array:
        """[8, 3] m, of the bounding box."""
        low, high = self.vertices.min(axis=0), self.vertices.max(axis=0)
        return np.array([[(low, high)[i >> a & 1][a] for a in range(3)] for i in range(8)])


def prism(
    corners: Array,
    height: float,
    texture_scale: float,
    texture: MipTexture | None = None,
    image: NDArray[np.uint8] | None = None,
) -> Part:
    """Return an upright prism round the origin, with the texture mapping of a box.

    Args:
        corners: [K, 2] m, of its convex outline, counter-clockwise.
        height: m.
        texture_scale: m per repetition of the texture.
        texture: that repeats; none makes it white.
        image: [h, w, 3] sRGB, the same.
    """
    count = len(corners)
    after = np.roll(corners, -1, axis=0)
    along = after - corners
    length = np.hypot(*along.T)
    walked = np.concatenate([[0.0], np.cumsum(length)])
    low, high = np.full((count, 1), -height / 2), np.full((count, 1), height / 2)
    sides = [np.hstack(p) for p in ((corners, low), (after, low), (after, high), (corners, high))]
    outward = np.column_stack([along[:, 1], -along[:, 0], np.zeros(count)]) / length[:, None]
    walls = np.array([(walked[:-1], low[:, 0]), (walked[1:], low[:, 0]),
                      (walked[1:], high[:, 0]), (walked[:-1], high[:, 0])])  # fmt: skip
    vertices = np.vstack([np.hstack([corners, high]), np.hstack([corners, low]), *sides])
    up = np.tile((0.0, 0.0, 1.0), (count, 1))
    uv = np.vstack([corners, corners, *walls.transpose(0, 2, 1)]) / texture_scale
    fan = np.array([(0, k, k + 1) for k in range(1, count - 1)])
    k = np.arange(count)[:, None] + 2 * count
    quads = np.vstack([k + np.array([0, 1, 2]) * count, k + np.array([0, 2, 3]) * count])
    part = Part(
        vertices=vertices.astype(np.float32),
        normals=np.vstack([up, -up, *[outward] * 4]).astype(np.float32),
        faces=np.vstack([fan, fan[:, ::-1] + count, quads]).astype(np.int32),
        uv=uv.astype(np.float32),
        image=image,
        texture=texture,
    )
    if texture is None:
        white = np.full((len(part.faces), 3), 255, np.uint8)
        return replace(part, uv=None, colours=white)
    size = math.sqrt(float(texture.widths[0]) * float(texture.heights[0]))
    return replace(part, texels_per_metre=size / texture_scale)


def density(v: F32, uv: F32, faces: NDArray[np.int32], shape: tuple[int, ...]) -> float:
    """Texels per metre: the root of the ratio of all triangles' areas in texture and in space."""
    a, b, c = (v[faces[:, k]].astype(np.float64) for k in range(3))
    surface = float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum())
    p, q, r = (uv[faces[:, k]].astype(np.float64) * (shape[1], shape[0]) for k in range(3))
    s, t = q - p, r - p
    texels = float(np.abs(s[:, 0] * t[:, 1] - s[:, 1] * t[:, 0]).sum())
    return float(np.sqrt(texels / surface)) if surface > 0 else 0.0
