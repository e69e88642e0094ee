"""Between an asset's own frame and its rigid body's: the principal axes at the centre of mass."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from refergym.assets import poses

Array = NDArray[np.float64]


def xyzw(q: Sequence[float] | Array) -> list[float]:
    """Turn a quaternion [4] wxyz into PyBullet's order."""
    return [float(q[1]), float(q[2]), float(q[3]), float(q[0])]


def wxyz(q: Sequence[float]) -> Array:
    """Turn a quaternion [4] from PyBullet's order."""
    return np.array([q[3], q[0], q[1], q[2]])


def to_body(pose: Array, frame: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return position [3] m and quaternion [4] of a body whose asset stands at a pose [7].

    Args:
        pose: of the asset's own frame, world.
        frame: position and quaternion of the body's principal frame in the asset's.
    """
    position = pose[:3] + poses.rotation(pose[3:]) @ frame[0]
    return position, poses.multiply(pose[3:], frame[1])


def from_body(position: Array, turn: Array, frame: tuple[Array, Array]) -> Array:
    """Undo `to_body`: the pose [7] of the asset's own frame."""
    back = frame[1] * np.array([1.0, -1.0, -1.0, -1.0])
    own = poses.canonical(poses.multiply(turn, back))
    return np.concatenate([position - poses.rotation(own) @ frame[0], own])
