"""Height maps: what an overhead depth sensor on the robot would see, cast straight from the meshes.

Skills plan on these, not on the policy's camera, so that occlusion in the policy's view does not
decide whether a grasp is found. An object's own patch of heights depends on its attitude alone, so
it is cast once and then laid onto maps, shifted to the nearest cell.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import shapely
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.footprints import support_polygon
from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec, SupportSpec
from refergym.envs.geometry.caster import Caster
from refergym.envs.types import ID_NOTHING, ID_SUPPORT, State

Array = NDArray[np.float64]
RESOLUTION = 0.003
"""m between cells"""
_LEVEL = (1.0, 0.0, 0.0, 0.0)
_CEILING = 2.0
_ATTITUDE_DIGITS = 5


@dataclass(frozen=True, kw_only=True)
class HeightMap:
    """Heights on a regular grid aligned with the world's axes."""

    origin: Array
    """[2] m, world, centre of cell (0, 0)"""
    heights: Array
    """[nx, ny] m, world z of the highest surface"""
    ids: NDArray[np.int32]
    """[nx, ny] whose surface it is, as in `envs.types`"""

    def rises_above(self, xy: Array, axis: Array, along: Array, across: Array, z: float) -> bool:
        """Whether anything in a turned rectangle of samples is higher than z.

        Args:
            xy: [2] m, world, the rectangle's origin.
            axis: [2] unit, the direction of `along`.
            along: [A] m, samples along the axis.
            across: [B] m, samples square to it.
            z: m, world.
        """
        i0, j0 = (xy - self.origin) / RESOLUTION
        a, b = along / RESOLUTION, across / RESOLUTION
        nx, ny = self.heights.shape
        i = (i0 + a[:, None] * axis[0] - b[None, :] * axis[1] + 0.5).astype(np.int64)
        j = (j0 + a[:, None] * axis[1] + b[None, :] * axis[0] + 0.5).astype(np.int64)
        np.maximum(np.minimum(i, nx - 1, out=i), 0, out=i)
        np.maximum(np.minimum(j, ny - 1, out=j), 0, out=j)
        return bool((self.heights[i, j] > z).any())

    def centres(self, cells: NDArray[np.int64]) -> Array:
        """Return the world xy [K, 2] of cells [K, 2]."""
        centres: Array = self.origin + cells * RESOLUTION
        return centres


@dataclass(frozen=True, kw_only=True)
class Patch:
    """One object's heights, relative to its origin, on cells counted from its origin."""

    low: tuple[int, int]
    """cell of the first row and column"""
    heights: Array
    """[nx, ny] m, highest surface (-inf beside it), or lowest (inf beside it)"""


def bounds(caster: Caster, spec: SceneSpec, state: State, index: int) -> tuple[Array, Array]:
    """Axis-aligned box of an object: (low [3], high [3]) m, world."""
    thing = spec.objects[index]
    return pose_bounds(caster, thing.asset, thing.scale, state.objects[index])


def pose_bounds(caster: Caster, asset: str, scale: float, pose: Array) -> tuple[Array, Array]:
    """Axis-aligned box of an asset at a pose [7]: (low [3], high [3]) m, world."""
    low, high = _extents(caster.pack, asset, scale, pose[3:].tobytes())
    return low + pose[:3], high + pose[:3]


def overhead(
    caster: Caster,
    spec: SceneSpec,
    state: State,
    low: Array,
    high: Array,
    *,
    skip: int = -1,
    align: Array | None = None,
) -> HeightMap:
    """Look straight down on a rectangle; the robot is not in it.

    Args:
        caster: ray caster of the scene's pack.
        spec: the scene.
        state: where its things are.
        low: [2] m, world.
        high: [2] m, world.
        skip: index of an object to leave out.
        align: [2] m, world, a point that lies at a cell's centre; objects there are laid on the
            map without a shift.
    """
    origin = np.asarray(low, np.float64)[:2]
    if align is not None:
        origin = align[:2] - np.ceil((align[:2] - origin) / RESOLUTION) * RESOLUTION
    nx, ny = (max(2, math.ceil((high[k] - origin[k]) / RESOLUTION) + 1) for k in (0, 1))
    heights = np.full((nx, ny), -np.inf)
    ids = np.full((nx, ny), ID_NOTHING, np.int32)
    _lay_supports(spec, origin, heights, ids)
    for i in range(len(spec.objects)):
        if i != skip:
            _lay(patch_of(caster, spec, state, i), state.objects[i, :3], origin, heights, ids, i)
    return HeightMap(origin=origin, heights=heights, ids=ids)


def underside(caster: Caster, spec: SceneSpec, state: State, index: int) -> HeightMap:
    """Look straight up at one object: heights of its lowest surface; inf beside it."""
    patch = patch_of(caster, spec, state, index, down=False)
    position = state.objects[index, :3]
    origin = position[:2] + np.array(patch.low) * RESOLUTION
    ids = np.where(np.isfinite(patch.heights), index, ID_NOTHING).astype(np.int32)
    return HeightMap(origin=origin, heights=patch.heights + position[2], ids=ids)


def patch_of(
    caster: Caster, spec: SceneSpec, state: State, index: int, *, down: bool = True
) -> Patch:
    """Return an object's patch at its present attitude (cached), seen from above or from below."""
    thing = spec.objects[index]
    turn = np.round(state.objects[index, 3:], _ATTITUDE_DIGITS) + 0.0
    return _patch(caster, thing.asset, thing.scale, turn.tobytes(), down)


@lru_cache(maxsize=1024)
def _patch(caster: Caster, asset: str, scale: float, turn: bytes, down: bool) -> Patch:
    attitude = poses.canonical(np.frombuffer(turn))
    low, high = _extents(caster.pack, asset, scale, attitude.tobytes())
    i, j = (math.floor(low[k] / RESOLUTION) - 1 for k in (0, 1))
    nx, ny = (math.ceil(high[k] / RESOLUTION) + 2 - first for k, first in ((0, i), (1, j)))
    origins = np.empty((nx * ny, 3))
    origins[:, 0] = np.repeat((i + np.arange(nx)) * RESOLUTION, ny)
    origins[:, 1] = np.tile((j + np.arange(ny)) * RESOLUTION, nx)
    pose = np.concatenate([np.zeros(3), attitude])
    sign = -1.0 if down else 1.0
    origins[:, 2] = -sign * _CEILING
    directions = np.broadcast_to(np.array([0.0, 0.0, sign]), origins.shape)
    t = caster.cast_object(asset, scale, pose, origins, directions)
    heights = (sign * (t - _CEILING)).reshape(nx, ny)
    heights.setflags(write=False)
    return Patch(low=(i, j), heights=heights)


@lru_cache(maxsize=4096)
def _extents(pack: Pack, asset: str, scale: float, turn: bytes) -> tuple[Array, Array]:
    """Box relative to the asset's origin; most things keep their attitude for many steps."""
    points = np.concatenate(pack.hulls(asset)) @ (poses.rotation(np.frombuffer(turn)).T * scale)
    return points.min(axis=0), points.max(axis=0)


def _lay_supports(spec: SceneSpec, origin: Array, heights: Array, ids: NDArray[np.int32]) -> None:
    """Lay the supports' upper faces; of furniture too, the slab alone decides where things stand.

    What the mesh shows is noise to a grasp.
    """
    for k, support in enumerate(spec.supports):
        if support.outline is None and support.pose.orientation == _LEVEL:
            cells = _box_cells(support, origin)
        else:
            cells = _prism_cells(support, origin, heights.shape)
        region = heights[cells[:2]]
        higher = region < support.top
        if cells[2] is not None:
            higher &= cells[2]
        region[higher] = support.top
        ids[cells[:2]][higher] = ID_SUPPORT - k


_Cells = tuple[slice, slice, NDArray[np.bool_] | None]
"""rows, columns, and which of the cells there are meant (none: all)"""


def _box_cells(support: SupportSpec, origin: Array) -> _Cells:
    """Cells on the upper face of a box that is not turned."""
    spans = []
    for axis in (0, 1):
        middle, half = support.pose.position[axis], support.size[axis] / 2
        first = math.ceil((middle - half - origin[axis]) / RESOLUTION)
        last = math.floor((middle + half - origin[axis]) / RESOLUTION)
        spans.append(slice(max(first, 0), max(last + 1, 0)))
    return spans[0], spans[1], None


def _prism_cells(support: SupportSpec, origin: Array, shape: tuple[int, ...]) -> _Cells:
    """Cells on the upper face of any slab: between the lower and the upper side of its outline."""
    low_x, low_y, high_x, high_y = _chains(support)
    nx, ny = shape
    first = max(0, math.ceil((low_x[0] - origin[0]) / RESOLUTION))
    last = min(nx - 1, math.floor((low_x[-1] - origin[0]) / RESOLUTION))
    rows = slice(first, max(first, last + 1))
    x = origin[0] + np.arange(rows.start, rows.stop) * RESOLUTION
    from_j = np.ceil((np.interp(x, low_x, low_y) - origin[1]) / RESOLUTION)
    to_j = np.floor((np.interp(x, high_x, high_y) - origin[1]) / RESOLUTION)
    if (from_j <= 0).all() and (to_j >= ny - 1).all():
        return rows, slice(0, ny), None
    j = np.arange(ny)
    return rows, slice(0, ny), (j >= from_j[:, None]) & (j <= to_j[:, None])


@lru_cache(maxsize=256)
def _chains(support: SupportSpec) -> tuple[Array, Array, Array, Array]:
    """A support's outline as two functions of x: (x, y) of its lower side, (x, y) of its upper."""
    ring = shapely.get_coordinates(support_polygon(support))[:-1]
    start = np.lexsort((ring[:, 1], ring[:, 0]))[0]
    ring = np.roll(ring, -start, axis=0)
    end = int(np.lexsort((-ring[:, 1], ring[:, 0]))[-1])  # the lowest of the rightmost
    turn = int(np.lexsort((ring[:, 1], ring[:, 0]))[-1])  # the highest of the rightmost
    lower = ring[: end + 1]
    upper = np.vstack([ring[turn:], ring[:1]])[::-1]
    if len(upper) > 1 and upper[0, 0] == upper[1, 0]:
        upper = upper[1:]  # an upright edge on the left: its upper end
    return lower[:, 0], lower[:, 1], upper[:, 0], upper[:, 1]


def _lay(
    patch: Patch,
    position: Array,
    origin: Array,
    heights: Array,
    ids: NDArray[np.int32],
    index: int,
) -> None:
    i, j = (round(float(position[k] - origin[k]) / RESOLUTION) + patch.low[k] for k in (0, 1))
    (nx, ny), (px, py) = heights.shape, patch.heights.shape
    a, b, c, d = max(i, 0), min(i + px, nx), max(j, 0), min(j + py, ny)
    if a >= b or c >= d:
        return
    z = patch.heights[a - i : b - i, c - j : d - j] + position[2]
    region = heights[a:b, c:d]
    higher = z > region
    region[higher] = z[higher]
    ids[a:b, c:d][higher] = index
