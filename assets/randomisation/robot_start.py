"""Axis of the robot's start: where the arm waits."""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from refergym.assets.library import Pack
from refergym.assets.randomisation.base import axis
from refergym.assets.randomisation.shapes import arm_gap
from refergym.assets.randomisation.sight import arm_share, is_kept, sights
from refergym.assets.robots import kinematics
from refergym.assets.spec import SceneSpec

TURN = 0.15
"""rad of the first joint, at most"""
OUT = 0.04
"""m outwards or inwards, at most"""
UP = 0.04
"""m up or down, at most"""
YAW = 0.4
"""rad that the hand turns about the vertical, at most"""
CLEAR = 0.05
"""m that the waiting arm keeps from everything, at least, unless it was nearer"""
SEEN = 0.001
"""share of the picture that it may cover more than it did"""
DRAWS = 8

Array = NDArray[np.float64]
Joints = tuple[float, float, float, float, float, float, float]


@axis
def robot_start(
    scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float
) -> SceneSpec:
    """Let the arm wait elsewhere, the gripper still pointing down, no more in view than before."""
    before, share = sights(scene, pack), arm_share(scene)
    near = min(CLEAR, arm_gap(scene, pack))
    for offsets in (rng.uniform(-1, 1, (DRAWS, 4)) * strength).tolist():
        joints = _moved(scene.robot.parked, *offsets)
        if joints is None:
            continue
        robot = msgspec.structs.replace(scene.robot, parked=joints)
        after = msgspec.structs.replace(scene, robot=robot)
        is_hidden = arm_share(after) <= share + SEEN
        if is_hidden and arm_gap(after, pack) >= near and is_kept(before, sights(after, pack)):
            return after
    return scene


def _moved(parked: Joints, turn: float, out: float, up: float, yaw: float) -> Joints | None:
    """Return a waiting posture after offsets in [-1, 1]; None where the arm does not reach it.

    A posture whose gripper does not point down only turns about the first joint.
    """
    q = np.array(parked)
    tcp = kinematics.tcp_pose(q)
    closing = math.atan2(tcp[1, 1], tcp[0, 1])
    moved = q.copy()
    moved[0] += TURN * turn
    if _solve(tcp[:3, 3], closing, q, 1e-3) is not None:
        radius = math.hypot(tcp[0, 3], tcp[1, 3])
        angle = math.atan2(tcp[1, 3], tcp[0, 3]) + TURN * turn
        reach = radius + OUT * out
        there = np.array([reach * math.cos(angle), reach * math.sin(angle), tcp[2, 3] + UP * up])
        solved = _solve(there, closing + TURN * turn + YAW * yaw, moved, 1.0)
        if solved is None:
            return None
        moved = solved
    inside = (moved >= kinematics.LOWER).all() and (moved <= kinematics.UPPER).all()
    a, b, c, d, e, f, g = (round(float(v), 6) for v in moved)
    return (a, b, c, d, e, f, g) if inside else None


def _solve(position: Array, yaw: float, near: Array, within: float) -> Array | None:
    """Posture of a gripper that points down, within rad of another one; None if there is none."""
    solved = kinematics.solve_down(position, yaw, near)
    is_near = solved is not None and float(np.abs(solved - near).max()) < within
    return solved if is_near else None
