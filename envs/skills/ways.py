"""Ways of the arm: hover over the table, come straight down, go back to the parked posture."""

import math
from functools import lru_cache

import numpy as np
import shapely
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.footprints import support_polygon
from refergym.assets.robots import kinematics
from refergym.assets.spec import Pose, SceneSpec
from refergym.envs.geometry import heightmap
from refergym.envs.geometry.caster import Caster
from refergym.envs.types import State

Array = NDArray[np.float64]

_HOVER = np.array([0.26, 0.0, 0.50])
"""[3] m, robot-base frame: the TCP while the arm turns (with the first joint at zero)"""
_STEP = 0.04
_LEAST_CLEARANCE = 0.03
_ARM_LENGTH = 0.9
"""m, about, that the hand gets from the base"""


def base(spec: SceneSpec) -> Array:
    """Pose [4, 4] of the robot's base, world."""
    return _matrix(spec.robot.base)


@lru_cache(maxsize=64)
def _matrix(pose: Pose) -> Array:
    matrix = poses.matrix(poses.as_row(pose))
    matrix.setflags(write=False)
    return matrix


def tcp(spec: SceneSpec, joints: Array) -> Array:
    """Pose [4, 4] of the point between the pads, world, for joints [7] or [9]."""
    return _tcp(spec.robot.base, np.asarray(joints[:7], np.float64).tobytes())


@lru_cache(maxsize=256)
def _tcp(base_pose: Pose, joints: bytes) -> Array:
    """The arm is parked most of the time."""
    pose: Array = _matrix(base_pose) @ kinematics.tcp_pose(np.frombuffer(joints))
    pose.setflags(write=False)
    return pose


def closing_yaw(spec: SceneSpec, joints: Array) -> float:
    """Direction of the hand's y axis about world z, rad, in (-pi, pi]."""
    pose = tcp(spec, joints)
    return float(np.arctan2(pose[1, 1], pose[0, 1]))


def solve(
    spec: SceneSpec,
    position_w: Array,
    yaw: float,
    near: Array | None = None,
    *,
    exact: bool = False,
) -> Array | None:
    """Posture [7] with the TCP at a world point; see `kinematics.solve_down`."""
    m = base(spec)
    base_yaw = math.atan2(m[1, 0], m[0, 0])
    local = m[:3, :3].T @ (position_w - m[:3, 3])
    return kinematics.solve_down(local, yaw - base_yaw, near, exact=exact)


def reachable(spec: SceneSpec, point_w: Array) -> bool:
    """Whether the TCP can come to a world point, or 10 cm over it, in any yaw."""
    lifted = point_w + np.array([0, 0, 0.1])
    yaw = float(np.arctan2(point_w[1], point_w[0])) + np.pi / 2
    return solve(spec, point_w, yaw) is not None and solve(spec, lifted, yaw) is not None


def hover(posture: Array) -> Array:
    """Same turn of base and hand as a posture [7], but drawn back and high."""
    drawn = kinematics.solve_down(_HOVER, np.pi / 2)
    if drawn is None:
        raise AssertionError("the hover point is within reach by construction")
    drawn[0], drawn[6] = posture[0], posture[6]
    return drawn


def vertical(
    spec: SceneSpec, position_w: Array, yaw: float, clear: float, *, exact: bool = False
) -> tuple[Array, ...] | None:
    """Postures from over a point straight down to it, without a half turn on the way.

    Args:
        spec: the scene (for the robot's base).
        position_w: [3] m, where the TCP ends.
        yaw: rad, world.
        clear: height m, world, to start from; lowered as far as the arm needs it.
        exact: whether half a turn of the hand matters (it does when it holds something).

    Returns:
        Postures [7], the first over the point; None if any is out of reach.
    """
    last = solve(spec, position_w, yaw, exact=exact)
    if last is None:
        return None
    top = clear
    while True:
        start = solve(spec, np.array([position_w[0], position_w[1], top]), yaw, last, exact=exact)
        if start is not None and abs(start[6] - last[6]) < 1.0:
            break
        top -= 0.02
        if top < position_w[2] + _LEAST_CLEARANCE:
            return None
    n = max(1, int(np.ceil((top - position_w[2]) / _STEP)))
    way = []
    for k in range(n + 1):
        z = top + (position_w[2] - top) * k / n
        q = solve(spec, np.array([position_w[0], position_w[1], z]), yaw, last, exact=exact)
        if q is None or abs(q[6] - last[6]) > 1.0:
            return None
        way.append(q)
    return tuple(way)


def tallest(caster: Caster, spec: SceneSpec, state: State, skip: int = -1) -> float:
    """Height of the highest object or support in the arm's way, m, world."""
    tops = [spec.supports[0].top]
    if len(spec.supports) > 2:  # the first is the table, the second the floor
        base_xy = shapely.Point(spec.robot.base.position[:2])
        tops += [
            s.top
            for s in spec.supports[2:]
            if shapely.dwithin(support_polygon(s), base_xy, _ARM_LENGTH)
        ]
    for i in range(len(spec.objects)):
        if i != skip:
            tops.append(float(heightmap.bounds(caster, spec, state, i)[1][2]))
    return max(tops)
