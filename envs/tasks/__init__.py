"""The tasks that ship with the package; a user's own needs no more than a `_target_`."""

from refergym.envs.tasks.carry import Pick, PickPlace
from refergym.envs.tasks.point import PointAtFreeSpace, PointAtObject
from refergym.envs.tasks.waypoint import PointAtWaypoint

__all__ = ["Pick", "PickPlace", "PointAtFreeSpace", "PointAtObject", "PointAtWaypoint"]
