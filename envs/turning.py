"""Placing with a turn: the first point says where, the second where a direction points to.

As the grasp skill is told which pixels belong to the thing that is pointed at, the place skill is
told where the held thing's direction (its handle) is; which way it shall point is for the policy to
say.
"""

import math

import numpy as np

from refergym.envs import goals
from refergym.envs.task_spec import Goal, PutGoal, SeveralGoal
from refergym.envs.types import Array
from refergym.envs.view import Layout

NEAREST = 0.005
"""m between the two points, at least, for them to tell a direction"""


def is_asked(goal: Goal) -> bool:
    """Tell whether any object of a goal has to be turned."""
    if isinstance(goal, SeveralGoal):
        return any(p.turn is not None for p in goal.parts)
    return isinstance(goal, PutGoal) and goal.turn is not None


def yaw(goal: Goal, before: Layout, held: int, place_w: Array, toward_w: Array) -> float | None:
    """Return by how much the held object is to be turned, rad about world z.

    Args:
        goal: of the task.
        before: what stood where before the object was picked.
        held: the object's index.
        place_w: [3] m, world: where it is put.
        toward_w: [3] m, world: what its direction shall point to from there.

    Returns:
        None where the goal asks no turn of this object, it has no such direction, or the points
        are too near to each other.
    """
    parts = [p for p in goals.parts_of(goal, before) if before.scene.index(p.object) == held]
    turn = parts[0].turn if parts else None
    to = toward_w[:2] - place_w[:2]
    if turn is None or np.linalg.norm(to) < NEAREST:
        return None
    facing = before.bodies[held].facing(turn.side)
    return None if facing is None else math.radians(goals.angle_between(facing, to))
