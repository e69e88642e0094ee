"""What relations look at: bodies with boxes, hulls and directions, and who looks at them.

World frame, metres, z up. A `Body` says nothing of where it comes from: an object of a simulated
scene, or a box that somebody drew into an RGB-D frame.
"""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import shapely
from shapely import Polygon

from refergym.assets import camera as pinhole
from refergym.assets.spec import CameraSpec, Pose
from refergym.envs.errors import TaskError
from refergym.envs.types import Array, Side

Reference = Literal["viewer", "object", "robot", "world"]
"""whose left, right, front, behind, near and far are meant"""

UP = np.array([0.0, 0.0, 1.0])
_LEVEL = 1e-6


@dataclass(frozen=True, kw_only=True)
class Hollow:
    """The room inside an open container: an upright cylinder."""

    centre: tuple[float, float]
    """[2] m, of its axis"""
    radius: float
    """m"""
    floor: float
    """m, world"""
    rim: float
    """m, world"""


@dataclass(frozen=True, kw_only=True)
class Body:
    """One thing as it stands."""

    name: str
    """tells it from the others"""
    category: str
    """English noun, singular"""
    rotation: Array
    """[3, 3], columns are the axes of its oriented box in the world; the third is its own up"""
    middle: Array
    """[3] m, of its oriented box"""
    half: Array
    """[3] m, half the sides of its oriented box"""
    corners: Array
    """[K, 3] m, of its convex hull; at least those of its box"""
    colour: str | None = None
    """a name that may be said"""
    material: str | None = None
    directions: Mapping[str, Array] = field(default_factory=dict)
    """semantic directions by name ("handle", "spine"): [3] unit vectors, world"""
    hollow: Hollow | None = None
    symmetry: int = 1
    """order of rotation about its own up; 0 for any angle"""

    @functools.cached_property
    def footprint(self) -> Polygon:
        """Convex outline seen from above, m."""
        return shapely.convex_hull(shapely.multipoints(self.corners[:, :2]))

    @functools.cached_property
    def centre(self) -> Array:
        """[2] m, middle of its box seen from above."""
        return np.asarray(self.middle[:2])

    @functools.cached_property
    def bottom(self) -> float:
        """m, of its lowest point."""
        return float(self.corners[:, 2].min())

    @functools.cached_property
    def top(self) -> float:
        """m, of its highest point."""
        return float(self.corners[:, 2].max())

    @property
    def height(self) -> float:
        """m, as it stands."""
        return self.top - self.bottom

    @functools.cached_property
    def width(self) -> float:
        """m, the longer level side of its oriented box, as it stands."""
        level = np.argsort(np.abs(self.rotation[2]))[:2]
        return float(2 * self.half[level].max())

    @property
    def size(self) -> float:
        """m, side of the cube that is as large as its oriented box."""
        return float(2 * math.prod(self.half) ** (1 / 3))

    @property
    def diagonal(self) -> float:
        """m, of its oriented box."""
        return float(2 * np.linalg.norm(self.half))

    @property
    def up(self) -> Array:
        """[3] its own up in the world."""
        return np.asarray(self.rotation[:, 2])

    @property
    def facings(self) -> list[str]:
        """Its semantic directions that are level."""
        return [word for word in self.directions if self.facing(word) is not None]

    def facing(self, word: str) -> Array | None:
        """Level unit vector [2] of a semantic direction; None if it has none, or up or down."""
        direction = self.directions.get(word)
        if direction is None or np.linalg.norm(direction[:2]) < 0.5:
            return None
        level = direction[:2] / np.linalg.norm(direction[:2])
        return np.asarray(level)


def boxed(
    name: str, middle: Array, sides: Array, rotation: Array | None = None, category: str = ""
) -> Body:
    """Return a body of which only an oriented box is known.

    Args:
        name: tells it from the others.
        middle: [3] m, world.
        sides: [3] m.
        rotation: [3, 3], columns are the box's axes in the world; None for the world's own.
        category: English noun; empty takes the name.
    """
    turn = np.eye(3) if rotation is None else np.asarray(rotation, np.float64)
    half = np.asarray(sides, np.float64) / 2
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    centre = np.asarray(middle, np.float64)
    return Body(
        name=name,
        category=category or name,
        rotation=turn,
        middle=centre,
        half=half,
        corners=centre + (signs * half) @ turn.T,
    )


@dataclass(frozen=True, kw_only=True)
class Onlooker:
    """Who looks: the camera, and the robot with its own left and right."""

    camera: CameraSpec
    robot: Pose | None = None
    """of its base, looking along x; none where there is no robot"""

    @functools.cached_property
    def axes(self) -> tuple[Array, Array]:
        """The viewer's right and near directions on the table, [2] each, unit length, world."""
        m = pinhole.pose_matrix(self.camera.pose)
        right, near = m[:2, 0], -m[:2, 2]
        if np.linalg.norm(near) < 1e-3:
            near = m[:2, 1]  # straight down: the picture's lower edge is the front
        return right / np.linalg.norm(right), near / np.linalg.norm(near)

    @functools.cached_property
    def eye(self) -> Array:
        """[3] m, of the camera."""
        return np.array(self.camera.pose.position)

    @functools.cached_property
    def robot_axes(self) -> tuple[Array, Array]:
        """The robot's right and near directions on the table, [2] each: near is towards it."""
        if self.robot is None:
            raise TaskError("frame 'robot': there is no robot")
        forward = pinhole.pose_matrix(self.robot)[:2, 0]
        forward = forward / np.linalg.norm(forward)
        return np.array([forward[1], -forward[0]]), -forward


def sided(axes: tuple[Array, Array], side: Side) -> Array:
    """Return a side as a unit vector [2], of somebody's right and near directions."""
    right, near = axes
    return {"left": -right, "right": right, "front": near, "behind": -near}[side]


def facing_axes(toward: Array) -> tuple[Array, Array]:
    """Right and front of something that faces a level direction [2]: its own right hand."""
    return np.array([toward[1], -toward[0]]), toward
