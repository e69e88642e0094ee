"""Convex bodies of a scene's objects and of the waiting arm, and how near they are."""

import functools

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from refergym.assets import poses
from refergym.assets.library import Pack
from refergym.assets.robots import kinematics
from refergym.assets.robots.panda_model import panda_visuals
from refergym.assets.spec import ObjectSpec, RobotSpec, SceneSpec

Array = NDArray[np.float64]
Box = tuple[Array, Array]
"""low and high corner, [3] m each, world"""

MOUNTED = 2
"""links, from the base up, that stand where they are whatever the arm does"""


def body(pack: Pack, thing: ObjectSpec) -> Array:
    """Return the corners [K, 3] m, world, of an object's convex hull at its composed pose."""
    points = _corners(pack, thing.asset) * thing.scale
    return points @ poses.rotation(thing.pose.orientation).T + thing.pose.position


def links(robot: RobotSpec) -> list[Array]:
    """Return the corners [K, 3] m, world, of each link's convex hull while the arm waits."""
    base = poses.matrix(poses.as_row(robot.base))
    joints = np.array([*robot.parked, kinematics.FINGER_MAX, kinematics.FINGER_MAX])
    placed = base @ kinematics.link_poses(joints)
    return [h @ m[:3, :3].T + m[:3, 3] for h, m in zip(_link_corners(), placed, strict=True)]


def box(points: Array) -> Box:
    """Return the box along the world's axes that holds points [K, 3]."""
    return points.min(axis=0), points.max(axis=0)


def apart(a: Box, b: Box) -> float:
    """Return the distance in m between two boxes; 0 where they overlap."""
    gaps = np.maximum(np.maximum(a[0] - b[1], b[0] - a[1]), 0)
    return float(np.sqrt((gaps * gaps).sum()))


def arm_gap(scene: SceneSpec, pack: Pack) -> float:
    """Return how far the waiting arm is from all objects and supports, m, at least.

    It is measured between boxes along the world's axes.
    """
    arm = [box(points) for points in links(scene.robot)]
    things = [box(body(pack, o)) for o in scene.objects]
    slabs = []
    for s in scene.supports:
        half = np.abs(poses.rotation(s.pose.orientation)) @ (np.array(s.size) / 2)
        slabs.append((s.pose.position - half, s.pose.position + half))
    gaps = [apart(a, b) for a in arm for b in things]
    gaps += [apart(a, b) for a in arm[MOUNTED:] for b in slabs]
    return min(gaps)


@functools.lru_cache(maxsize=1024)
def _corners(pack: Pack, asset: str) -> Array:
    points = np.concatenate(pack.hulls(asset))
    return _hull(points)


@functools.cache
def _link_corners() -> tuple[Array, ...]:
    return tuple(_hull(np.asarray(v.vertices, np.float64)) for v in panda_visuals())


def _hull(points: Array) -> Array:
    try:
        points = points[np.sort(ConvexHull(points).vertices)]
    except QhullError:
        points = points.copy()
    points.setflags(write=False)
    return points
