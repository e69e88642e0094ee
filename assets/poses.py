"""Rigid poses as matrices, quaternions (wxyz) and records."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from refergym.assets.spec import Pose

Array = NDArray[np.float64]


def rotation(quat: Sequence[float] | Array) -> Array:
    """Return the [3, 3] matrix of a unit quaternion [4] wxyz."""
    w, x, y, z = (float(v) for v in quat)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion(matrix: Array) -> Array:
    """Return the quaternion [4] wxyz, w >= 0, of a rotation matrix [3, 3]."""
    m = matrix
    # the largest of the four squares is far from zero, so dividing by its root is safe
    squares = np.array(
        [
            1 + m[0, 0] + m[1, 1] + m[2, 2],
            1 + m[0, 0] - m[1, 1] - m[2, 2],
            1 - m[0, 0] + m[1, 1] - m[2, 2],
            1 - m[0, 0] - m[1, 1] + m[2, 2],
        ]
    )
    k = int(squares.argmax())
    s = 2 * math.sqrt(squares[k])
    if k == 0:
        q = [s / 4, (m[2, 1] - m[1, 2]) / s, (m[0, 2] - m[2, 0]) / s, (m[1, 0] - m[0, 1]) / s]
    elif k == 1:
        q = [(m[2, 1] - m[1, 2]) / s, s / 4, (m[0, 1] + m[1, 0]) / s, (m[0, 2] + m[2, 0]) / s]
    elif k == 2:
        q = [(m[0, 2] - m[2, 0]) / s, (m[0, 1] + m[1, 0]) / s, s / 4, (m[1, 2] + m[2, 1]) / s]
    else:
        q = [(m[1, 0] - m[0, 1]) / s, (m[0, 2] + m[2, 0]) / s, (m[1, 2] + m[2, 1]) / s, s / 4]
    return canonical(np.array(q))


def canonical(quat: Array) -> Array:
    """Return the same rotation with unit length and w >= 0 (first non-zero part positive)."""
    q: Array = quat / math.sqrt(float((quat * quat).sum()))
    for part in q:
        if abs(part) > 1e-12:
            return -q if part < 0 else q
    return q


def multiply(a: Array, b: Array) -> Array:
    """Return the quaternion product [4] wxyz: first b, then a."""
    aw, ax, ay, az = a
    bw, bx, by, bz = b
    return np.array(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ]
    )


def about_z(angle: float) -> Array:
    """Return the quaternion [4] wxyz of a turn about z by `angle` rad."""
    return np.array([math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)])


def as_row(pose: Pose) -> Array:
    """Return a pose as [7]: position m, quaternion wxyz."""
    return np.array([*pose.position, *pose.orientation])


def matrix(row: Array) -> Array:
    """Return a pose [7] as a [4, 4] matrix."""
    out = np.eye(4)
    out[:3, :3], out[:3, 3] = rotation(row[3:]), row[:3]
    return out


def moved(row: Array, motion: Array) -> Array:
    """Return a pose [7] after a rigid motion [4, 4] of the world."""
    m = motion @ matrix(row)
    return np.concatenate([m[:3, 3], quaternion(m[:3, :3])])


def as_pose(row: Array, digits: int = 6) -> Pose:
    """Return [7] as a record, rounded so that its JSON is short and stable."""
    q = canonical(row[3:7])
    x, y, z = (round(float(v), digits) + 0.0 for v in row[:3])
    w, i, j, k = (round(float(v), digits + 2) + 0.0 for v in q)
    return Pose(position=(x, y, z), orientation=(w, i, j, k))
