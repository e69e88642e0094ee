"""What has to hold of the numbers in one asset's record, whatever its mesh.

Lengths in metres at scale 1, z up.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from refergym.assets.library import AssetInfo

DENSITY = (50.0, 9000.0)
"""kg/m3 of the convex parts' volume"""
HEAVIEST = 3.0
"""kg that the arm carries"""
DIRECTIONS = 3
SLACK = 0.0015
"""m between a length of the record and the bounding box"""
UNIT = 1e-3
"""off unit length"""


def record_faults(info: AssetInfo, space: float | None) -> Iterator[str]:
    """Find what is wrong with an asset's record.

    Args:
        info: the record.
        space: m3 of its convex parts; None if that is not known.

    Returns:
        One line for each fault.
    """
    if space is not None:
        yield from _mass(info, space)
    yield from _inertia(info)
    yield from _directions(info)
    yield from _stable_poses(info)
    yield from _grasps(info)
    yield from _top(info)
    for field in ("category", "plural", "shape", "licence"):
        if not getattr(info, field).strip():
            yield f"{field}: empty"


def mm(v: NDArray[np.float64] | Sequence[float]) -> str:
    """Write lengths in m as people read them, in mm."""
    return " x ".join(f"{1000 * float(x):.1f}" for x in v) + " mm"


def _mass(info: AssetInfo, space: float) -> Iterator[str]:
    density = info.mass / max(space, 1e-9)
    low, high = DENSITY
    if not low <= density <= high:
        yield (
            f"mass: {info.mass:g} kg in {1e6 * space:.0f} cm3 of convex parts is"
            f" {density:.0f} kg/m3, not {low:g} to {high:g}"
        )
    if info.use == "item" and info.mass > HEAVIEST:
        yield f"mass: {info.mass:g} kg, more than the {HEAVIEST:g} kg that the arm carries"


def _inertia(info: AssetInfo) -> Iterator[str]:
    xx, yy, zz, xy, xz, yz = info.inertia
    a, b, c = np.linalg.eigvalsh(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))
    if a <= 0:
        yield f"inertia: not positive definite: its least moment is {a:.3g} kg m2"
    elif c > (a + b) * (1 + 1e-3):
        yield f"inertia: no body has moments {a:.3g}, {b:.3g}, {c:.3g}: the third exceeds the sum"
    # No body reaches further than its bounding box.
    elif c > info.mass * float(np.square(info.size).sum()) / 4 * (1 + 1e-3):
        yield f"inertia: {c:.3g} kg m2 is more than its mass and size allow"
    x, y, z = info.size
    inside = np.abs(info.com[:2]) <= np.array([x, y]) / 2
    if not inside.all() or not 0 <= info.com[2] <= z:
        yield f"com: {mm(np.array(info.com))} lies outside the bounding box {mm(info.size)}"


def _directions(info: AssetInfo) -> Iterator[str]:
    if len(info.directions) > DIRECTIONS:
        yield f"directions: expected at most {DIRECTIONS}, got {len(info.directions)}"
    for word, vector in info.directions.items():
        length = float(np.linalg.norm(vector))
        if not word.strip() or abs(length - 1) > UNIT:
            yield f"directions[{word!r}]: expected a named unit vector, got length {length:.4g}"


def _stable_poses(info: AssetInfo) -> Iterator[str]:
    for i, pose in enumerate(info.stable_poses):
        length = float(np.linalg.norm(pose.orientation))
        if abs(length - 1) > UNIT:
            yield f"stable_poses[{i}]: expected a unit quaternion, got length {length:.4g}"
    chances = [p.probability for p in info.stable_poses]
    if sum(chances) > 1 + UNIT:
        yield f"stable_poses: their probabilities add up to {sum(chances):.3f}"
    if chances != sorted(chances, reverse=True):
        yield "stable_poses: the likeliest does not come first"


def _grasps(info: AssetInfo) -> Iterator[str]:
    for i, g in enumerate(info.grasps):
        if g.tries < 1 or not 0 <= g.placed <= g.successes <= g.tries:
            yield f"grasps[{i}]: {g.placed} placed of {g.successes} lifted of {g.tries} tries"
        for field in ("yaws", "widths"):
            got = len(getattr(g, field))
            if got not in (0, g.successes):
                yield f"grasps[{i}].{field}: expected {g.successes} values, got {got}"


def _top(info: AssetInfo) -> Iterator[str]:
    if (info.use == "furniture") != (info.top is not None):
        yield f"top: {'none' if info.top is None else 'one'}, but its use is {info.use}"
    if info.top is None:
        return
    height, outline = info.top.height, np.array(info.top.outline).reshape(-1, 2)
    if height > info.size[2] + SLACK or info.top.thickness > height:
        yield f"top: {height:g} m high and {info.top.thickness:g} m thick on {mm(info.size)}"
    along = np.roll(outline, -1, axis=0) - outline
    after = np.roll(along, -1, axis=0)
    turns = along[:, 0] * after[:, 1] - along[:, 1] * after[:, 0]
    if len(outline) < 3 or (turns < -1e-9).any():
        yield "top.outline: expected the counter-clockwise corners of a convex outline"
    elif (np.abs(outline).max(0) > np.array(info.size[:2]) / 2 + SLACK).any():
        yield "top.outline: it reaches beyond the mesh"
