"""Tileable pictures for tables and floors, drawn by code from seeded noise.

Colours stay near neutral or wood, so that nothing that stands on them vanishes. Each picture
repeats without a seam: all noise is periodic. The same code gives the same pixels.
"""

import functools
import hashlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from refergym.assets import seeding
from refergym.assets.library import TextureInfo

SIZE = 256
"""px, side of each picture"""
LICENCE = "Apache-2.0"

Field = NDArray[np.float64]
Colour = tuple[float, float, float]


def write_textures(folder: Path, pack: Path) -> tuple[TextureInfo, ...]:
    """Draw all textures into `folder` and return their records for the pack's manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for name, (use, _) in TEXTURES.items():
        data = _encoded(name)
        path = folder / f"{name}.png"
        path.write_bytes(data)
        records.append(
            TextureInfo(
                name=name,
                file=path.relative_to(pack).as_posix(),
                sha256=hashlib.sha256(data).hexdigest(),
                use=use,
                licence=LICENCE,
            )
        )
    return tuple(records)


@functools.cache
def _encoded(name: str) -> bytes:
    """Return a texture as PNG; a build writes each several times, and packing takes a while."""
    buffer = io.BytesIO()
    Image.fromarray(render(name)).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def render(name: str) -> NDArray[np.uint8]:
    """Draw one texture of TEXTURES, [SIZE, SIZE, 3] sRGB."""
    _, draw = TEXTURES[name]
    rgb = draw(seeding.generator(0, f"texture {name}"))
    # Few levels keep the PNG small; the eye does not miss the rest.
    return (np.clip(rgb * 255, 0, 255) // 3 * 3).astype(np.uint8)


def noise(rng: np.random.Generator, cells: tuple[int, int], octaves: int = 4) -> Field:
    """Periodic value noise with zero mean and unit deviation, [SIZE, SIZE].

    Args:
        rng: source of the lattice.
        cells: lattice cells down and across at the coarsest octave.
        octaves: each has twice the cells and half the height.
    """
    total = np.zeros((SIZE, SIZE))
    for k in range(octaves):
        rows, columns = (min(c * 2**k, SIZE) for c in cells)
        lattice = rng.standard_normal((rows, columns))
        y, x = np.arange(SIZE) * rows / SIZE, np.arange(SIZE) * columns / SIZE
        total += _interpolated(lattice, y, x) * 0.5**k
    return np.asarray((total - total.mean()) / total.std())


def _interpolated(lattice: Field, y: Field, x: Field) -> Field:
    i, j = y.astype(int), x.astype(int)
    fy, fx = y - i, x - j
    fy, fx = (fy * fy * (3 - 2 * fy))[:, None], fx * fx * (3 - 2 * fx)
    i1, j1 = (i + 1) % lattice.shape[0], (j + 1) % lattice.shape[1]
    top = lattice[i][:, j] * (1 - fx) + lattice[i][:, j1] * fx
    bottom = lattice[i1][:, j] * (1 - fx) + lattice[i1][:, j1] * fx
    return np.asarray(top * (1 - fy) + bottom * fy)


def _wood(light: Colour, dark: Colour, boards: int) -> Callable[[np.random.Generator], Field]:
    """Boards along x, each with its own tone and grain."""

    def draw(rng: np.random.Generator) -> Field:
        width = SIZE // boards
        warp = noise(rng, (4, 2), 3)
        grain = noise(rng, (64, 2), 2)
        y = np.arange(SIZE)[:, None]
        board = np.minimum(y // width, boards - 1)
        phase = rng.uniform(0, 6, boards)[board]
        rings = np.sin(2 * np.pi * (y * 12 / SIZE + 0.5 * warp) + phase)
        tone = rng.normal(0, 0.25, boards)[board]
        t = np.clip(0.42 + 0.10 * rings + 0.13 * grain + 0.06 * warp + 0.45 * tone, 0, 1)
        rgb = _mix(light, dark, t)
        return np.asarray(rgb * np.where(y % width == 0, 0.72, 1.0)[..., None])

    return draw


def _plain(colour: Colour, cells: int, strength: float) -> Callable[[np.random.Generator], Field]:
    """One colour with a little noise: laminate, felt, carpet."""

    def draw(rng: np.random.Generator) -> Field:
        return _tinted(colour, strength * noise(rng, (cells, cells), 3))

    return draw


def _cloth(colour: Colour) -> Callable[[np.random.Generator], Field]:
    """A linen weave."""

    def draw(rng: np.random.Generator) -> Field:
        k = np.arange(SIZE) * (2 * np.pi * 32 / SIZE)
        weave = np.sin(k)[:, None] * np.sin(k)[None, :]
        slub = noise(rng, (64, 4), 1) + noise(rng, (4, 64), 1)
        return _tinted(colour, 0.035 * weave + 0.025 * slub)

    return draw


def _marble(ground: Colour, vein: Colour) -> Callable[[np.random.Generator], Field]:
    def draw(rng: np.random.Generator) -> Field:
        u = np.arange(SIZE) / SIZE
        warp = noise(rng, (3, 3), 5)
        lines = np.abs(np.sin(np.pi * (2 * u[:, None] + u[None, :] + 0.55 * warp)))
        t = np.clip(1 - lines * 3.5, 0, 1) * 0.6 + np.clip(0.06 * noise(rng, (2, 2), 5), 0, 1)
        return _mix(ground, vein, np.clip(t, 0, 1))

    return draw


def _stone(colour: Colour, strength: float) -> Callable[[np.random.Generator], Field]:
    """Speckled stone or concrete."""

    def draw(rng: np.random.Generator) -> Field:
        cloud, speck = noise(rng, (4, 4), 5), noise(rng, (128, 128), 1)
        return _tinted(colour, strength * (0.6 * cloud + 0.5 * speck))

    return draw


def _tiles(colour: Colour, joint: Colour, count: int) -> Callable[[np.random.Generator], Field]:
    """Square tiles with joints."""

    def draw(rng: np.random.Generator) -> Field:
        width = SIZE // count
        k = np.arange(SIZE)
        tone = rng.normal(0, 0.025, (count, count))[k[:, None] // width, k[None, :] // width]
        rgb = _tinted(colour, tone + 0.012 * noise(rng, (8, 8), 4))
        is_joint = (k % width < 3)[:, None] | (k % width < 3)[None, :]
        return np.asarray(np.where(is_joint[..., None], np.array(joint), rgb))

    return draw


def _mix(a: Colour, b: Colour, t: Field) -> Field:
    return np.asarray(np.array(a) * (1 - t[..., None]) + np.array(b) * t[..., None])


def _tinted(colour: Colour, change: Field) -> Field:
    return np.asarray(np.array(colour) * (1 + change[..., None]))


TEXTURES: Mapping[
    str, tuple[Literal["table", "floor", "wall"], Callable[[np.random.Generator], Field]]
] = MappingProxyType(
    {
        "oak": ("table", _wood((0.83, 0.71, 0.55), (0.62, 0.48, 0.33), 4)),
        "birch": ("table", _wood((0.90, 0.83, 0.71), (0.76, 0.66, 0.52), 2)),
        "walnut": ("table", _wood((0.51, 0.38, 0.28), (0.31, 0.21, 0.15), 3)),
        "wenge": ("table", _wood((0.33, 0.27, 0.23), (0.17, 0.13, 0.11), 4)),
        "laminate": ("table", _plain((0.86, 0.86, 0.84), 32, 0.012)),
        "marble": ("table", _marble((0.88, 0.88, 0.87), (0.55, 0.56, 0.58))),
        "granite": ("table", _stone((0.48, 0.48, 0.49), 0.16)),
        "slate": ("table", _stone((0.30, 0.31, 0.33), 0.10)),
        "linen": ("table", _cloth((0.74, 0.70, 0.63))),
        "felt": ("table", _plain((0.45, 0.46, 0.47), 64, 0.05)),
        "parquet": ("floor", _wood((0.70, 0.55, 0.39), (0.48, 0.35, 0.23), 4)),
        "grey_boards": ("floor", _wood((0.66, 0.63, 0.59), (0.47, 0.44, 0.41), 4)),
        "tiles": ("floor", _tiles((0.78, 0.77, 0.74), (0.52, 0.51, 0.49), 2)),
        "carpet": ("floor", _plain((0.52, 0.49, 0.46), 64, 0.12)),
        "concrete": ("floor", _stone((0.58, 0.58, 0.57), 0.07)),
        "plaster": ("wall", _plain((0.87, 0.86, 0.83), 48, 0.014)),
        "warm_plaster": ("wall", _plain((0.82, 0.77, 0.69), 48, 0.018)),
        "cool_plaster": ("wall", _plain((0.72, 0.76, 0.79), 48, 0.014)),
        "wall_tiles": ("wall", _tiles((0.86, 0.87, 0.86), (0.66, 0.67, 0.66), 4)),
        "rough_plaster": ("wall", _stone((0.80, 0.78, 0.74), 0.03)),
    }
)
"""name: use and how to draw it"""
