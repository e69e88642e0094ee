"""Textures with mip levels, sampled bilinearly at the level that fits a pixel's footprint."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refergym.envs.render.look import F32, linear_of_srgb

LEVELS = 7
"""at most; a 256 px texture then ends at 4 px"""


@dataclass(frozen=True)
class MipTexture:
    """A texture at halving sizes, all levels in one flat array."""

    texels: NDArray[np.uint32]
    """[T] sRGB bytes r, g, b, 0"""
    widths: NDArray[np.int32]
    """[L] px"""
    heights: NDArray[np.int32]
    """[L] px"""
    offsets: NDArray[np.int32]
    """[L] where each level begins in `texels`"""
    repeats: bool
    """whether it tiles; else its edge texels go on"""

    @classmethod
    def build(cls, image: NDArray[np.uint8], *, repeats: bool) -> "MipTexture":
        """Average an sRGB picture [h, w, 3] down, in linear light."""
        levels = pyramid(image)
        flat = [
            np.concatenate([a, np.zeros_like(a[..., :1])], axis=2).reshape(-1, 4).view(np.uint32)
            for a in levels
        ]
        sizes = [a.shape[0] * a.shape[1] for a in levels]
        return cls(
            texels=np.concatenate(flat)[:, 0],
            widths=np.array([a.shape[1] for a in levels], np.int32),
            heights=np.array([a.shape[0] for a in levels], np.int32),
            offsets=np.array([0, *np.cumsum(sizes)[:-1]], np.int32),
            repeats=repeats,
        )

    def level(self, texels_per_pixel: F32 | float) -> NDArray[np.intp]:
        """Return the mip level [...] for a footprint in texels of the full size."""
        lod = np.rint(np.log2(np.maximum(texels_per_pixel, 1e-3)))
        out: NDArray[np.intp] = np.clip(lod, 0, len(self.widths) - 1).astype(np.intp)
        return out

    def sample(self, u: F32, v: F32, level: NDArray[np.intp]) -> F32:
        """Look colours up.

        Args:
            u: [N] right, in repetitions.
            v: [N] down, in repetitions.
            level: [N] or scalar.

        Returns:
            [N, 3] linear.
        """
        w, h = self.widths[level], self.heights[level]
        x = u * w.astype(np.float32) - np.float32(0.5)
        y = v * h.astype(np.float32) - np.float32(0.5)
        x0, y0 = np.floor(x), np.floor(y)
        fx, fy = (x - x0)[:, None], (y - y0)[:, None]
        xi, yi = x0.astype(np.int32), y0.astype(np.int32)
        if self.repeats:
            xa, xb, ya, yb = xi % w, (xi + 1) % w, yi % h, (yi + 1) % h
        else:
            xa, xb = (np.minimum(np.maximum(i, 0), w - 1) for i in (xi, xi + 1))
            ya, yb = (np.minimum(np.maximum(i, 0), h - 1) for i in (yi, yi + 1))
        row_a, row_b = self.offsets[level] + ya * w, self.offsets[level] + yb * w
        top = self._fetch(row_a + xa)
        top += (self._fetch(row_a + xb) - top) * fx
        low = self._fetch(row_b + xa)
        low += (self._fetch(row_b + xb) - low) * fx
        top += (low - top) * fy
        return top

    def _fetch(self, index: NDArray[np.int32]) -> F32:
        rgb = self.texels.take(index).view(np.uint8).reshape(-1, 4)[:, :3]
        return linear_of_srgb().take(rgb)


def pyramid(image: NDArray[np.uint8]) -> Sequence[NDArray[np.uint8]]:
    """Return the picture [h, w, 3] and its halvings (odd edges repeat), sRGB bytes."""
    levels = [np.ascontiguousarray(image[..., :3])]
    lin: F32 = linear_of_srgb()[levels[0]]
    while len(levels) < LEVELS and min(lin.shape[:2]) > 1:
        lin = np.pad(lin, ((0, lin.shape[0] % 2), (0, lin.shape[1] % 2), (0, 0)), mode="edge")
        total = lin[::2, ::2] + lin[1::2, ::2] + lin[::2, 1::2] + lin[1::2, 1::2]
        lin = (total / 4).astype(np.float32)
        levels.append(_srgb_bytes(lin))
    return levels


def _srgb_bytes(lin: F32) -> NDArray[np.uint8]:
    s = np.where(lin <= 0.0031308, lin * 12.92, 1.055 * lin ** (1 / 2.4) - 0.055)
    out: NDArray[np.uint8] = np.floor(s * 255 + 0.5).astype(np.uint8)
    return out
