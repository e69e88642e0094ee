"""What rests on what, from geometry alone."""

import numpy as np

from refergym.assets.spec import SceneSpec
from refergym.envs.geometry import heightmap
from refergym.envs.geometry.caster import Caster
from refergym.envs.types import State

TOUCH = 0.006
"""m, surfaces nearer than this touch"""
_COARSE = 0.006


def resting_on(caster: Caster, spec: SceneSpec, state: State, index: int) -> list[int]:
    """Indices of the objects that stand on or in an object, and of what stands on those."""
    boxes = [heightmap.bounds(caster, spec, state, i) for i in range(len(spec.objects))]
    found: list[int] = []
    queue = [index]
    while queue:
        below = queue.pop()
        for i in range(len(spec.objects)):
            if i in (index, state.held) or i in found or not _may_stand(boxes[i], boxes[below]):
                continue
            if _gap(caster, spec, state, i, below) < TOUCH:
                found.append(i)
                queue.append(i)
    return found


def _may_stand(upper: tuple[np.ndarray, np.ndarray], lower: tuple[np.ndarray, np.ndarray]) -> bool:
    """The upper box starts above the lower one's bottom, below its top, and its middle lies in it."""
    middle = (upper[0] + upper[1]) / 2
    over = bool((middle[:2] > lower[0][:2]).all() and (middle[:2] < lower[1][:2]).all())
    return over and bool(lower[0][2] + 0.001 < upper[0][2] < lower[1][2] + TOUCH)


def _gap(caster: Caster, spec: SceneSpec, state: State, upper: int, lower: int) -> float:
    """Least vertical distance between an object's underside and the surface of the one below."""
    belly = heightmap.underside(caster, spec, state, upper, resolution=_COARSE)
    nx, ny = belly.heights.shape
    xs, ys = belly.origin[0] + _COARSE * np.arange(nx), belly.origin[1] + _COARSE * np.arange(ny)
    top = heightmap.looking(caster, spec, state, lower, xs, ys, down=True)
    both = np.isfinite(belly.heights) & np.isfinite(top)
    return float((belly.heights[both] - top[both]).min()) if both.any() else float("inf")
