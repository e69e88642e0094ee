"""Relations of rotation, in degrees: turned on the table, tipped over, at an angle.

RefSpatial names "vertical rotate", "horizontal rotate" and "angle" without defining them; here the
first tips a thing over (its own up against the world's), the second turns it on the table (about
the vertical), the third is the angle at a body between two others, seen from above.
"""

import math

import numpy as np

from refergym.envs.errors import TaskError
from refergym.envs.relations.bodies import UP, Body


def horizontal_rotate(a: Body, b: Body, side: str, angle: float, tolerance: float) -> float:
    """How well `a` is turned on the table by an angle against `b`, degrees.

    Counter-clockwise seen from above, from where `b` points with a direction to where `a` does.
    What looks the same after a part of a turn (`symmetry`) counts as turned by any of them.

    Args:
        a: what is turned.
        b: against what; may be `a` as it was.
        side: a semantic direction that both have.
        angle: degrees.
        tolerance: degrees that may be missing or too much.

    Raises:
        TaskError: if one of them has no such level direction.
    """
    found = yaw(a, side) - yaw(b, side) - angle
    order = math.lcm(a.symmetry, b.symmetry)
    return tolerance - abs(math.remainder(found, 360.0 / order)) if order else tolerance


def vertical_rotate(a: Body, angle: float, tolerance: float) -> float:
    """How well `a` is tipped by an angle from upright, degrees: 0 stands, 90 lies."""
    return tolerance - abs(tilt(a) - angle)


def angle(a: Body, b: Body, c: Body, degrees: float, tolerance: float) -> float:
    """How well the angle at `b` between `a` and `c`, seen from above, is as given, degrees."""
    return tolerance - abs(angle_at(a, b, c) - degrees)


def angle_at(a: Body, b: Body, c: Body) -> float:
    """Angle at `b` between `a` and `c`, seen from above, degrees in [0, 180].

    Raises:
        TaskError: if one of them stands where `b` does.
    """
    one, other = a.centre - b.centre, c.centre - b.centre
    if min(np.linalg.norm(one), np.linalg.norm(other)) < 1e-9:
        raise TaskError(f"{b.name}: another body stands in its place")
    cross = float(one[0] * other[1] - one[1] * other[0])
    return math.degrees(abs(math.atan2(cross, float(one @ other))))


def yaw(body: Body, side: str) -> float:
    """Angle of a semantic direction from the world's x axis, degrees."""
    facing = body.facing(side)
    if facing is None:
        raise TaskError(f"{body.name}: has no level direction {side!r}")
    return math.degrees(math.atan2(facing[1], facing[0]))


def tilt(body: Body) -> float:
    """Angle between a body's own up and the world's, degrees in [0, 180]."""
    return math.degrees(math.acos(max(-1.0, min(1.0, float(body.up @ UP)))))
