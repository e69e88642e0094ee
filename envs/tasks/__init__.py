"""The tasks that ship with the package; a user's own needs no more than a `_target_`."""

from refergym.envs.tasks.arrange import ArrangeRow
from refergym.envs.tasks.mixed import Mixed
from refergym.envs.tasks.pick import Pick
from refergym.envs.tasks.pick_place import PickPlace
from refergym.envs.tasks.point import PointAtFreeSpace, PointAtObject
from refergym.envs.tasks.several import MoveSequence, PutAll
from refergym.envs.tasks.turned import PlaceTurned
from refergym.envs.tasks.waypoint import PointAtWaypoint

__all__ = [
    "ArrangeRow",
    "Mixed",
    "MoveSequence",
    "Pick",
    "PickPlace",
    "PlaceTurned",
    "PointAtFreeSpace",
    "PointAtObject",
    "PointAtWaypoint",
    "PutAll",
]
