"""Height maps: what an overhead depth sensor on the robot would see, cast straight from the meshes.

Skills plan on these, not on the policy's camera, so that occlusion in the policy's view does not
decide whether a grasp is found.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec
from refergym.envs.geometry.caster import Caster
from refergym.envs.types import ID_NOTHING, ID_SUPPORT, State

Array = NDArray[np.float64]
RESOLUTION = 0.003
"""m between cells"""
_CEILING = 2.0


@dataclass(frozen=True, kw_only=True)
class HeightMap:
    """Heights on a regular grid aligned with the world's axes."""

    origin: Array
    """[2] m, world, centre of cell (0, 0)"""
    heights: Array
    """[nx, ny] m, world z of the highest surface"""
    ids: NDArray[np.int32]
    """[nx, ny] whose surface it is, as in `envs.types`"""
    resolution: float = RESOLUTION

    def cell(self, x: float, y: float) -> tuple[int, int]:
        """Return the cell that holds a world point, clipped to the grid."""
        i = round((x - self.origin[0]) / self.resolution)
        j = round((y - self.origin[1]) / self.resolution)
        nx, ny = self.heights.shape
        return min(max(i, 0), nx - 1), min(max(j, 0), ny - 1)

    def rises_above(self, xy: Array, axis: Array, along: Array, across: Array, z: float) -> bool:
        """Whether anything in a turned rectangle of samples is higher than z.

        Args:
            xy: [2] m, world, the rectangle's origin.
            axis: [2] unit, the direction of `along`.
            along: [A] m, samples along the axis.
            across: [B] m, samples square to it.
            z: m, world.
        """
        side = np.array([-axis[1], axis[0]])
        points = xy + along[:, None, None] * axis + across[None, :, None] * side
        cells = np.rint((points - self.origin) / self.resolution).astype(np.int64)
        nx, ny = self.heights.shape
        i, j = np.clip(cells[..., 0], 0, nx - 1), np.clip(cells[..., 1], 0, ny - 1)
        return bool((self.heights[i, j] > z).any())

    def centres(self, cells: NDArray[np.int64]) -> Array:
        """Return the world xy [K, 2] of cells [K, 2]."""
        centres: Array = self.origin + cells * self.resolution
        return centres


def bounds(caster: Caster, spec: SceneSpec, state: State, index: int) -> tuple[Array, Array]:
    """Axis-aligned box of an object: (low [3], high [3]) m, world."""
    thing = spec.objects[index]
    return pose_bounds(caster, thing.asset, thing.scale, state.objects[index])


def pose_bounds(caster: Caster, asset: str, scale: float, pose: Array) -> tuple[Array, Array]:
    """Axis-aligned box of an asset at a pose [7]: (low [3], high [3]) m, world."""
    low, high = _extents(caster.pack, asset, scale, pose[3:].tobytes())
    return low + pose[:3], high + pose[:3]


@lru_cache(maxsize=4096)
def _extents(pack: Pack, asset: str, scale: float, turn: bytes) -> tuple[Array, Array]:
    """Box relative to the asset's origin; most things keep their attitude for many steps."""
    points = np.concatenate(pack.hulls(asset)) @ (poses.rotation(np.frombuffer(turn)).T * scale)
    return points.min(axis=0), points.max(axis=0)


def overhead(
    caster: Caster,
    spec: SceneSpec,
    state: State,
    low: Array,
    high: Array,
    *,
    skip: int = -1,
    resolution: float = RESOLUTION,
) -> HeightMap:
    """Look straight down on the rectangle from `low` [2] to `high` [2] m, world; no robot in it."""
    nx, ny = (max(2, math.ceil((high[k] - low[k]) / resolution) + 1) for k in (0, 1))
    xs, ys = low[0] + resolution * np.arange(nx), low[1] + resolution * np.arange(ny)
    heights = np.full((nx, ny), -np.inf)
    ids = np.full((nx, ny), ID_NOTHING, np.int32)
    for k, support in enumerate(spec.supports):
        middle, size = support.pose.position, support.size
        inside = (np.abs(xs - middle[0]) <= size[0] / 2)[:, None] & (
            np.abs(ys - middle[1]) <= size[1] / 2
        )[None, :]
        higher = inside & (support.top > heights)
        heights[higher], ids[higher] = support.top, ID_SUPPORT - k
    for i in range(len(spec.objects)):
        if i == skip:
            continue
        box_low, box_high = bounds(caster, spec, state, i)
        a, b = np.searchsorted(xs, (box_low[0] - resolution, box_high[0] + resolution))
        c, d = np.searchsorted(ys, (box_low[1] - resolution, box_high[1] + resolution))
        if a >= b or c >= d:
            continue
        z = looking(caster, spec, state, i, xs[a:b], ys[c:d], down=True)
        higher = z > heights[a:b, c:d]
        heights[a:b, c:d][higher] = z[higher]
        ids[a:b, c:d][higher] = i
    return HeightMap(
        origin=np.array([low[0], low[1]]), heights=heights, ids=ids, resolution=resolution
    )


def underside(
    caster: Caster, spec: SceneSpec, state: State, index: int, *, resolution: float = RESOLUTION
) -> HeightMap:
    """Look straight up at one object: heights of its lowest surface; inf beside it."""
    low, high = bounds(caster, spec, state, index)
    nx, ny = (math.ceil((high[k] - low[k]) / resolution) + 1 for k in (0, 1))
    xs, ys = low[0] + resolution * np.arange(nx), low[1] + resolution * np.arange(ny)
    z = looking(caster, spec, state, index, xs, ys, down=False)
    ids = np.where(np.isfinite(z), index, ID_NOTHING).astype(np.int32)
    return HeightMap(origin=low[:2].copy(), heights=z, ids=ids, resolution=resolution)


def looking(
    caster: Caster, spec: SceneSpec, state: State, index: int, xs: Array, ys: Array, *, down: bool
) -> Array:
    """Heights [X, Y] of one object's highest (down) or lowest surface; -inf or inf beside it."""
    sign = -1.0 if down else 1.0
    origins = np.empty((len(xs) * len(ys), 3))
    origins[:, 0] = np.repeat(xs, len(ys))
    origins[:, 1] = np.tile(ys, len(xs))
    origins[:, 2] = -sign * _CEILING
    directions = np.broadcast_to(np.array([0.0, 0.0, sign]), origins.shape)
    thing = spec.objects[index]
    t = caster.cast_object(thing.asset, thing.scale, state.objects[index], origins, directions)
    z: Array = (sign * (t - _CEILING)).reshape(len(xs), len(ys))
    return z
