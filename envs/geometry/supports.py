"""What rests on what, from geometry alone."""

import numpy as np
from numpy.typing import NDArray

from refergym.assets.spec import SceneSpec
from refergym.envs.geometry import heightmap
from refergym.envs.geometry.caster import Caster
from refergym.envs.types import State

Array = NDArray[np.float64]
TOUCH = 0.006
"""m, surfaces nearer than this touch"""


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


def _may_stand(upper: tuple[Array, Array], lower: tuple[Array, Array]) -> bool:
    """The upper box starts between the lower one's bottom and top, and its middle is over it."""
    x, y = (upper[0][:2] + upper[1][:2]) / 2
    over = lower[0][0] < x < lower[1][0] and lower[0][1] < y < lower[1][1]
    return bool(over and lower[0][2] + 0.001 < upper[0][2] < lower[1][2] + TOUCH)


def _gap(caster: Caster, spec: SceneSpec, state: State, upper: int, lower: int) -> float:
    """Least vertical distance between an object's underside and the surface of the one below."""
    belly = heightmap.underside(caster, spec, state, upper)
    patch = heightmap.patch_of(caster, spec, state, lower)
    position = state.objects[lower, :3]
    i, j = (
        round(float(belly.origin[k] - position[k]) / heightmap.RESOLUTION) - patch.low[k]
        for k in (0, 1)
    )
    top = np.full(belly.heights.shape, -np.inf)
    nx, ny = belly.heights.shape
    px, py = patch.heights.shape
    a, b, c, d = max(-i, 0), min(px - i, nx), max(-j, 0), min(py - j, ny)
    if a < b and c < d:
        top[a:b, c:d] = patch.heights[a + i : b + i, c + j : d + j] + position[2]
    both = np.isfinite(belly.heights) & np.isfinite(top)
    return float((belly.heights[both] - top[both]).min()) if both.any() else float("inf")
