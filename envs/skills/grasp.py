"""Antipodal grasp search from above on a height map.

16 yaws x 3 depths round the pointed object: where the closing fingers meet opposite faces no wider
than the gripper, with room for the open fingers and for the palm.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from refergym.assets.robots.kinematics import FINGERTIP, TCP_OFFSET
from refergym.envs.geometry.heightmap import RESOLUTION, HeightMap
from refergym.envs.types import Grasp

Array = NDArray[np.float64]
Index = NDArray[np.int64]

YAWS = 16
DEPTHS = (0.045, 0.032, 0.02)
"""m that the fingertips go below the local top"""
MAX_WIDTH = 0.074
"""m between the contacts; the gripper opens 0.08"""
CLEARANCE = 0.111
"""m round an object that the map must show: half a hand"""
_TIP_GROUND = 0.003
_FINGER_INNER, _FINGER_OUTER = 0.0385, 0.058
_PALM_ALONG, _PALM_ACROSS = np.linspace(-0.105, 0.105, 29), np.linspace(-0.033, 0.033, 9)
_PALM_ABOVE_TIP = FINGERTIP - 0.066
_LINES = np.array([-0.010, 0.0, 0.010])
_YAWS = np.arange(YAWS) * math.pi / YAWS - math.pi / 2 + math.pi / YAWS
_FILLED = 0.0015
_MAX_SHIFT = 0.035
_MAX_SKEW = 0.024
_FIRST, _MORE = 8, 60
_HEART = 0.7


@dataclass(frozen=True, kw_only=True)
class _Batch:
    centre: Array
    score: Array
    yaw: Array
    mid: Array
    width: Array
    tip: Array


def candidates(
    view: HeightMap, own: NDArray[np.bool_], point: Array, ground: float
) -> Iterator[Grasp]:
    """Yield grasps, best first; the caller takes the first that its arm can reach.

    Args:
        view: height map with CLEARANCE round the object.
        own: [nx, ny] the cells that belong to the object.
        point: [3] m, world, the point that was asked for.
        ground: height of the support under the object, m.
    """
    cells = np.argwhere(own)
    if len(cells) == 0:
        return
    centres = view.centres(cells)
    to_point = np.sqrt(((centres - point[:2]) ** 2).sum(axis=1))
    to_heart = np.sqrt(((centres - centres.mean(axis=0)) ** 2).sum(axis=1))
    # off its middle an object turns in the fingers; the point says which side of it is meant
    away = _HEART * to_heart + (1 - _HEART) * to_point
    order = np.argsort(away, kind="stable")
    surface = np.where(own, view.heights, -np.inf)
    closest = int(to_point.argmin())
    for chosen in (
        np.concatenate([[closest], order[:: max(1, len(order) // _FIRST)]]),
        order[:: max(1, len(order) // _MORE)],
    ):
        yield from _ranked(view, surface, cells[chosen], away[chosen], ground)


def _ranked(
    view: HeightMap, surface: Array, cells: Index, away: Array, ground: float
) -> Iterator[Grasp]:
    batch = _evaluate(view, surface, cells, away, ground)
    for k in np.argsort(-batch.score, kind="stable"):
        yaw = float(batch.yaw[k])
        axis = np.array([math.cos(yaw), math.sin(yaw)])
        xy = batch.centre[k] + axis * batch.mid[k]
        if palm_hits(view, xy, axis, float(batch.tip[k])):
            continue
        position = np.array([xy[0], xy[1], batch.tip[k] + FINGERTIP - TCP_OFFSET])
        yield Grasp(
            position=position, yaw=yaw, width=float(batch.width[k]), score=float(batch.score[k])
        )


def _evaluate(view: HeightMap, surface: Array, cells: Index, away: Array, ground: float) -> _Batch:
    res = RESOLUTION
    reach, steps = _lines(res)
    # own cells lie CLEARANCE inside the map, so no line leaves it and flat indices do
    ny = view.heights.shape[1]
    middle = (cells[:, 0] * ny + cells[:, 1])[:, None]
    heights = view.heights.ravel()[middle + (steps @ (ny, 1))[None]].reshape(
        len(cells), 1, YAWS, len(_LINES), -1
    )
    tops = surface.ravel()[middle + _disc(ny)].max(axis=1)
    tips = np.maximum(tops[:, None] - np.array(DEPTHS)[None, :], ground + _TIP_GROUND)  # [K, depth]
    filled = heights > tips[:, :, None, None, None] + _FILLED  # [K, depth, yaw, line, sample]
    pads = filled.any(axis=3)
    low, high = _run_through(pads, reach)
    width = (high - low + 1) * res
    mid = (high + low) / 2 * res
    fits = pads[..., reach] & (width <= MAX_WIDTH) & (np.abs(mid) <= _MAX_SHIFT)
    at = np.argwhere(fits)
    free = _fingers_free(pads[fits], mid[fits], reach, res)
    at, width, mid = at[free], width[fits][free], mid[fits][free]
    skew = _skew(filled[at[:, 0], at[:, 1], at[:, 2]], reach)
    square = skew <= _MAX_SKEW
    at, width, mid, skew = at[square], width[square], mid[square], skew[square]
    k, depth, yaw = at.T
    centre = view.centres(cells)
    score = (
        -16 * away[k] - 6 * width - 25 * skew + 15 * (tops[k] - tips[k, depth]) - 8 * np.abs(mid)
    )
    return _Batch(
        centre=centre[k], score=score, yaw=_YAWS[yaw], mid=mid, width=width, tip=tips[k, depth]
    )


@lru_cache(maxsize=4)
def _lines(res: float) -> tuple[int, Index]:
    """Sample offsets in cells, [yaw * line * sample, 2], along the closing axis, and the middle."""
    reach = math.ceil((_MAX_SHIFT + _FINGER_OUTER) / res)
    along = np.arange(-reach, reach + 1) * res
    axis = np.stack([np.cos(_YAWS), np.sin(_YAWS)], axis=1)[:, None, None, :]
    across = np.stack([-axis[..., 1], axis[..., 0]], axis=-1)
    points = across * _LINES[None, :, None, None] + axis * along[None, None, :, None]
    return reach, np.rint(points / res).astype(np.int64).reshape(-1, 2)


@lru_cache(maxsize=256)
def _disc(ny: int) -> Index:
    """Flat offsets of the cells within a pad's width, for a map of ny columns."""
    span = np.arange(-math.ceil(0.012 / RESOLUTION), math.ceil(0.012 / RESOLUTION) + 1)
    return (span[:, None] * ny + span[None, :]).ravel()


def _skew(filled: NDArray[np.bool_], reach: int) -> Array:
    """How far the contact faces are from square to the closing axis, m, for [N, line, sample].

    The shift of both faces from one outer line to the other (20 mm); from the middle line, doubled,
    where the object ends before one of them: so corners of boxes, whose faces run apart, stand out.
    """
    low, high = _run_through(filled, reach)
    there = filled[..., reach]

    def shift(a: int, b: int) -> Array:
        both: Array = np.abs(low[:, a] - low[:, b]) + np.abs(high[:, a] - high[:, b])
        return both * RESOLUTION

    one = 2 * np.where(there[:, 0], shift(0, 1), shift(1, 2))
    one = np.where(there[:, 0] | there[:, 2], one, 0.012)
    return np.where(there[:, 0] & there[:, 2], shift(0, 2), one)


def _run_through(filled: NDArray[np.bool_], middle: int) -> tuple[Array, Array]:
    """First and last sample (relative to the middle) of the filled run through the middle.

    A run that reaches the end of the samples ends there; it is too wide to matter.
    """
    right = ~filled[..., middle:]
    left = ~filled[..., middle::-1]
    right[..., -1] = left[..., -1] = True
    return 1.0 - left.argmax(axis=-1), right.argmax(axis=-1) - 1.0


def _fingers_free(pads: NDArray[np.bool_], mid: Array, reach: int, res: float) -> NDArray[np.bool_]:
    """Nothing where the open fingers come down on either side, for [N, sample] and mids [N]."""
    summed = np.zeros((len(pads), pads.shape[1] + 1), np.int16)
    np.cumsum(pads, axis=1, out=summed[:, 1:])
    rows = np.arange(len(pads))

    def count(a: Array, b: Array) -> NDArray[np.int16]:
        i = np.clip(np.rint(a / res).astype(np.int64) + reach, 0, pads.shape[1])
        j = np.clip(np.rint(b / res).astype(np.int64) + reach + 1, 0, pads.shape[1])
        counted: NDArray[np.int16] = summed[rows, j] - summed[rows, i]
        return counted

    right = count(mid + _FINGER_INNER, mid + _FINGER_OUTER)
    left = count(mid - _FINGER_OUTER, mid - _FINGER_INNER)
    free: NDArray[np.bool_] = (right + left) == 0
    return free


def palm_hits(view: HeightMap, xy: Array, axis: Array, tip: float) -> bool:
    """Whether the hand's body, its fingertips at height `tip`, would meet something."""
    return view.rises_above(xy, axis, _PALM_ALONG, _PALM_ACROSS, tip + _PALM_ABOVE_TIP)
