"""Franka Panda: forward kinematics, and closed-form inverse kinematics of a downward gripper.

Joint origins are those of the URDF in `panda/` (franka_description). With joints 3 and 5 at zero,
the arm moves in one vertical plane through its base, and a downward gripper is a two-link problem
with one answer inside the joint limits: no null space, no iteration, no seed. Every answer is
checked against the forward kinematics.
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LINKS = (
    "link0", "link1", "link2", "link3", "link4", "link5", "link6", "link7",
    "hand", "leftfinger", "rightfinger",
)  # fmt: skip
LOWER = np.array([-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973])
"""[7] rad, soft joint limits"""
UPPER = np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973])
"""[7] rad"""
FINGER_MAX = 0.04
"""m, travel of one finger; the gap between the pads is twice a finger's position"""
TCP_OFFSET = 0.105
"""m from the hand's frame along its z axis to the middle between the pads"""
FINGERTIP = 0.112
"""m from the hand's frame along its z axis to the fingers' ends"""
PAYLOAD = 3.0
"""kg"""

_SHOULDER = 0.333
_UPPER_ARM, _FOREARM, _ELBOW = 0.316, 0.384, 0.0825
_WRIST, _FLANGE = 0.088, 0.107
_L1, _L2 = math.hypot(_UPPER_ARM, _ELBOW), math.hypot(_FOREARM, _ELBOW)
_A1, _A2 = math.atan2(_ELBOW, _UPPER_ARM), math.atan2(_ELBOW, _FOREARM)
_RESIDUAL = 1e-6
_EXACT = -math.pi / 2


def _origin(x: float, y: float, z: float, roll: float = 0.0, yaw: float = 0.0) -> Array:
    cr, sr, cy, sy = math.cos(roll), math.sin(roll), math.cos(yaw), math.sin(yaw)
    return np.array(
        [[cy, -sy * cr, sy * sr, x], [sy, cy * cr, -cy * sr, y], [0, sr, cr, z], [0, 0, 0, 1]]
    )


_H = math.pi / 2
_ORIGINS = np.stack(
    [
        _origin(0, 0, _SHOULDER),
        _origin(0, 0, 0, -_H),
        _origin(0, -_UPPER_ARM, 0, _H),
        _origin(_ELBOW, 0, 0, _H),
        _origin(-_ELBOW, _FOREARM, 0, -_H),
        _origin(0, 0, 0, _H),
        _origin(_WRIST, 0, 0, _H),
    ]
)
_HAND = _origin(0, 0, _FLANGE, 0, -math.pi / 4)


def link_poses(joints: Array) -> Array:
    """Forward kinematics.

    Args:
        joints: [7] rad, or [9] with the two finger positions in m.

    Returns:
        [11, 4, 4] pose of each of LINKS in the robot's base frame.
    """
    q = np.asarray(joints, np.float64)
    turns = np.zeros((7, 4, 4))
    c, s = np.cos(q[:7]), np.sin(q[:7])
    turns[:, 0, 0] = turns[:, 1, 1] = c
    turns[:, 0, 1], turns[:, 1, 0] = -s, s
    turns[:, 2, 2] = turns[:, 3, 3] = 1
    steps = _ORIGINS @ turns
    out = np.empty((11, 4, 4))
    out[0] = np.eye(4)
    for i in range(7):
        out[i + 1] = out[i] @ steps[i]
    out[8] = out[7] @ _HAND
    left, right = (q[7], q[8]) if len(q) == 9 else (0.0, 0.0)
    out[9] = out[8] @ _origin(0, left, 0.0584)
    out[10] = out[8] @ _origin(0, -right, 0.0584)
    return out


def tcp_pose(joints: Array) -> Array:
    """Return the [4, 4] pose of the point between the pads, base frame; y is the closing axis."""
    pose: Array = link_poses(joints)[8] @ _origin(0, 0, TCP_OFFSET)
    return pose


def solve_down(
    position: Array, yaw: float, near: Array | None = None, *, exact: bool = False
) -> Array | None:
    """Inverse kinematics of a gripper that points straight down.

    Args:
        position: [3] m, where the TCP shall be, robot-base frame.
        yaw: rad, direction of the hand's y axis (the closing axis) about base z.
        near: [7] rad; of the two half turns take the one whose last joint is nearer to this
            posture's. None takes the one nearer to the middle of its range.
        exact: False leaves the posture free to use yaw + pi, which is the same for a gripper with
            two equal fingers (but not for what it holds).

    Returns:
        [7] rad within the limits, or None where the arm does not reach.
    """
    x, y, z = (float(v) for v in position)
    r = math.hypot(x, y)
    dr, dz = r - _WRIST, z + _FLANGE + TCP_OFFSET - _SHOULDER
    cos = (dr * dr + dz * dz - _L1 * _L1 - _L2 * _L2) / (2 * _L1 * _L2)
    if not -1 <= cos <= 1 or r < 1e-6:
        return None
    bend = math.acos(cos)
    q1 = math.atan2(y, x)
    q2 = math.atan2(dr, dz) - math.atan2(_L2 * math.sin(bend), _L1 + _L2 * cos) - _A1
    q4 = -(bend + _A1 + _A2)
    q6 = q2 - q4
    # at q7 = pi/4 the hand's y axis lies across the arm's plane; q7 turns it backwards
    halves = (0.0,) if exact else (0.0, math.pi)
    last = [_wrap(q1 - yaw + math.pi / 4 + _EXACT + half) for half in halves]
    middle = float(near[6]) if near is not None else math.pi / 4
    last.sort(key=lambda a: abs(a - middle))
    for q7 in last:
        q = np.array([q1, q2, 0.0, q4, 0.0, q6, q7])
        if (q >= LOWER).all() and (q <= UPPER).all() and _residual(q, position, yaw) < _RESIDUAL:
            return q
    return None


def _residual(q: Array, position: Array, yaw: float) -> float:
    """Largest miss (m or rad, modulo half a turn) of a planar posture, by going forward again."""
    lean = float(q[1])
    r = _UPPER_ARM * math.sin(lean) + _ELBOW * math.cos(lean)
    z = _SHOULDER + _UPPER_ARM * math.cos(lean) - _ELBOW * math.sin(lean)
    lean -= float(q[3])
    r += _FOREARM * math.sin(lean) - _ELBOW * math.cos(lean) + _WRIST
    z += _FOREARM * math.cos(lean) + _ELBOW * math.sin(lean) - _FLANGE - TCP_OFFSET
    tilt = abs(lean - float(q[5]))
    miss = max(
        abs(r * math.cos(q[0]) - position[0]),
        abs(r * math.sin(q[0]) - position[1]),
        abs(z - position[2]),
    )
    turn = abs(math.sin(float(q[0] - q[6]) + math.pi / 4 + _EXACT - yaw))
    return float(max(miss, tilt, turn))


def _wrap(angle: float) -> float:
    return (angle + math.pi) % (2 * math.pi) - math.pi
