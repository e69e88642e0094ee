"""Relations that compare two bodies: nearer, further left, taller, larger, above.

Each function gives a signed margin: by how much it holds of `a` against `b`; negative where the
opposite does. Swapping `a` and `b` changes the sign, and nothing else.
"""

import math

import numpy as np

from refergym.assets import camera as pinhole
from refergym.envs.errors import TaskError
from refergym.envs.relations.bodies import Body, Onlooker, Reference, facing_axes
from refergym.envs.types import Array


def right(a: Body, b: Body, by: Onlooker, frame: Reference = "viewer", side: str = "") -> float:
    """By how much `a` is further right, m.

    The viewer's and the robot's right are along their horizontal axes. What the viewer calls right
    must be so on the table and in the picture: the lesser of both counts, and nothing where they
    contradict each other, as perspective can turn an order round. The object's right is `b`'s own,
    facing its direction `side`.

    Raises:
        TaskError: for frame "world", which has no right, or if `b` has no such direction.
    """
    across, _ = _axes(b, by, frame, side)
    level = float((a.centre - b.centre) @ across)
    if frame != "viewer":
        return level
    px, z = pinhole.project(by.camera, np.stack([a.middle, b.middle]))
    seen = float(px[0, 0] - px[1, 0]) / by.camera.fx * float(z.mean())
    return _agreed(level, seen)


def left(a: Body, b: Body, by: Onlooker, frame: Reference = "viewer", side: str = "") -> float:
    """By how much `a` is further left, m; see `right`."""
    return -right(a, b, by, frame, side)


def front(a: Body, b: Body, by: Onlooker, frame: Reference = "viewer", side: str = "") -> float:
    """By how much `a` is further to the front, m.

    The viewer's front is nearer to the viewer: along the level line of sight and by distance from
    the camera, seen from above; the lesser counts, and nothing where they contradict each other.
    The robot's is nearer to the robot. The object's is where `b` faces with its direction `side`.

    Raises:
        TaskError: as `right`.
    """
    _, near = _axes(b, by, frame, side)
    level = float((a.centre - b.centre) @ near)
    if frame != "viewer":
        return level
    eye = by.eye[:2]
    away = float(np.linalg.norm(b.centre - eye) - np.linalg.norm(a.centre - eye))
    return _agreed(level, away)


def behind(a: Body, b: Body, by: Onlooker, frame: Reference = "viewer", side: str = "") -> float:
    """By how much `a` is further behind, m; see `front`."""
    return -front(a, b, by, frame, side)


def close(a: Body, b: Body, by: Onlooker, frame: Reference = "viewer") -> float:
    """By how much `a` is closer to the camera, or to the robot's base, m, in space."""
    return _away(b, by, frame) - _away(a, by, frame)


def far(a: Body, b: Body, by: Onlooker, frame: Reference = "viewer") -> float:
    """By how much `a` is farther from the camera, or from the robot's base, m, in space."""
    return -close(a, b, by, frame)


def depth(a: Body, b: Body, by: Onlooker) -> float:
    """By how much `a` is less deep in the picture: nearer along the optical axis, m."""
    _, z = pinhole.project(by.camera, np.stack([a.middle, b.middle]))
    return float(z[1] - z[0])


def image_above(a: Body, b: Body, by: Onlooker) -> float:
    """By how much `a` is higher in the picture, degrees of the angle of sight."""
    px, _ = pinhole.project(by.camera, np.stack([a.middle, b.middle]))
    down = np.degrees(np.arctan((px[:, 1] - by.camera.cy) / by.camera.fy))
    return float(down[1] - down[0])


def image_below(a: Body, b: Body, by: Onlooker) -> float:
    """By how much `a` is lower in the picture, degrees of the angle of sight."""
    return -image_above(a, b, by)


def world_above(a: Body, b: Body) -> float:
    """By how much `a` is above `b` in the world, m: between the middles of their heights.

    Where one stands on the other, or higher up on something else, this is what "above" means
    whatever the picture shows.
    """
    return (a.bottom + a.top - b.bottom - b.top) / 2


def world_below(a: Body, b: Body) -> float:
    """By how much `a` is below `b` in the world, m; see `world_above`."""
    return -world_above(a, b)


def tall(a: Body, b: Body) -> float:
    """By how much `a` is taller as it stands, m."""
    return a.height - b.height


def short(a: Body, b: Body) -> float:
    """By how much `a` is less tall as it stands, m."""
    return -tall(a, b)


def big(a: Body, b: Body) -> float:
    """By how much `a` is bigger, m.

    By the side of a cube of its box's volume, and by its box's diagonal; the lesser counts, and
    nothing where they contradict each other (a fork is longer than a cup, and smaller).
    """
    return _agreed(a.size - b.size, a.diagonal - b.diagonal)


def small(a: Body, b: Body) -> float:
    """By how much `a` is smaller, m; see `big`."""
    return -big(a, b)


def wide(a: Body, b: Body) -> float:
    """By how much `a` is wider, m: the longer level side of its box as it stands."""
    return a.width - b.width


def thin(a: Body, b: Body) -> float:
    """By how much `a` is less wide, m."""
    return -wide(a, b)


def _agreed(one: float, other: float) -> float:
    """The lesser of two readings of one order; 0 where they contradict each other."""
    if not (math.isfinite(one) and math.isfinite(other)) or one * other <= 0:
        return 0.0
    return one if abs(one) < abs(other) else other


def _axes(b: Body, by: Onlooker, frame: Reference, side: str) -> tuple[Array, Array]:
    if frame == "viewer":
        return by.axes
    if frame == "robot":
        return by.robot_axes
    if frame == "object":
        facing = b.facing(side)
        if facing is None:
            raise TaskError(f"{b.name}: has no level direction {side!r}")
        return facing_axes(facing)
    raise TaskError(f"frame {frame!r}: has no left, right, front or behind")


def _away(body: Body, by: Onlooker, frame: Reference) -> float:
    if frame not in ("viewer", "robot"):
        raise TaskError(f"frame {frame!r}: expected viewer or robot")
    if frame == "viewer":
        return float(np.linalg.norm(body.middle - by.eye))
    if by.robot is None:
        raise TaskError("frame 'robot': there is no robot")
    return float(np.linalg.norm(body.middle - np.array(by.robot.position)))
