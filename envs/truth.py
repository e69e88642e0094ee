"""What a privileged policy may know: the scene, its state, and where to point now.

`Truth` stands in `info["truth"]`, never in an observation. It is a Mapping; the parts that cost
time are worked out when first read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refergym.assets import camera as pinhole
from refergym.envs import areas
from refergym.envs.task_spec import HoldGoal, PointAreaGoal, PointObjectGoal, TaskSpec
from refergym.envs.types import Array
from refergym.envs.view import View

KEYS = ("scene", "state", "task", "target", "mask", "point_uv")


class Truth(Mapping[str, Any]):
    """A mapping of facts about the current step.

    scene (SceneSpec), state (State), task (TaskSpec), target (index, or -1 for a place), mask
    ([H, W] bool: the pixels that are right now: the target's, or the area's once the target is
    held) and point_uv ((u, v) to name now, or None where nothing right can be seen).
    """

    def __init__(
        self, task: TaskSpec, look: Callable[[], View], tried: Sequence[Array] = ()
    ) -> None:
        """Keep what is needed.

        Args:
            task: the task.
            look: gives the view of the current state.
            tried: points [3] m, world, that failed since something last worked.
        """
        self._task = task
        self._tried = tuple(tried)
        self._look = look
        self._known: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        """Return a fact."""
        if key not in KEYS:
            raise KeyError(key)
        if key not in self._known:
            self._known[key] = self._find(key)
        return self._known[key]

    def __iter__(self) -> Iterator[str]:
        """Go over the keys."""
        return iter(KEYS)

    def __len__(self) -> int:
        """Count the keys."""
        return len(KEYS)

    def __eq__(self, other: object) -> bool:
        """Tell whether two truths are about the same task in bitwise the same state."""
        if not isinstance(other, Truth):
            return NotImplemented
        return self._task == other._task and self["state"].digest() == other["state"].digest()

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as plain facts."""
        return (_restore, (self._task, dict(self)))

    def _find(self, key: str) -> Any:
        view = self._look()
        if key == "scene":
            return view.scene
        if key == "state":
            return view.state
        if key == "task":
            return self._task
        if key == "target":
            return target_of(self._task, view)
        if key == "mask":
            return mask_of(self._task, view)
        return point_of(self._task, view, self._tried)


def _restore(task: TaskSpec, facts: dict[str, Any]) -> Truth:
    truth = Truth(task, _nothing)
    truth._known = facts
    return truth


def _nothing() -> View:
    raise AssertionError("a restored truth knows every fact")


def target_of(task: TaskSpec, view: View) -> int:
    """Index of the object to point at or to move; -1 for a task that names a place alone."""
    goal = task.goal
    return -1 if isinstance(goal, PointAreaGoal) else view.scene.index(goal.object)


def mask_of(task: TaskSpec, view: View) -> NDArray[np.bool_]:
    """Pixels [H, W] that are right for the next step."""
    goal = task.goal
    target = target_of(task, view)
    if isinstance(goal, PointObjectGoal | HoldGoal) or (target >= 0 and view.state.held != target):
        return np.asarray(view.frame.ids == target)
    mask = np.zeros(view.frame.ids.shape, bool)
    area, shows = areas.place_of(goal, view)
    xy = areas.pixels_of(view, area, shows)
    mask[xy[:, 1], xy[:, 0]] = True
    return mask


def point_of(task: TaskSpec, view: View, tried: Sequence[Array] = ()) -> tuple[float, float] | None:
    """Return the point (u, v) to name next, or None where nothing right can be seen.

    What was tried in vain (points [3] m, world) is not tried again.
    """
    goal = task.goal
    target = target_of(task, view)
    pixel: tuple[int, int] | None
    if isinstance(goal, PointObjectGoal):
        pixel = middle_pixel(view, target)
    elif isinstance(goal, HoldGoal) or (target >= 0 and view.state.held != target):
        pixel = grasp_pixel(view, target, tried)
    else:
        # to a task that only points, every pixel of the area is as good
        within = np.inf if isinstance(goal, PointAreaGoal) else areas.NEAR
        pixel = areas.goal_pixel(view, *areas.place_of(goal, view), tried, within)
    if pixel is None:
        return None
    return pinhole.point_of_pixel(view.scene.camera, *pixel)


def middle_pixel(view: View, index: int) -> tuple[int, int] | None:
    """Return the object's pixel nearest to the middle of its mask, off the silhouette."""
    xy = _inner(view, index)
    if not len(xy):
        return None
    best = int(((xy - xy.mean(0)) ** 2).sum(1).argmin())
    return int(xy[best, 0]), int(xy[best, 1])


def grasp_pixel(view: View, index: int, tried: Sequence[Array] = ()) -> tuple[int, int] | None:
    """Return the object's visible pixel that is best to grasp at: high, and near its middle."""
    xy = _inner(view, index)
    if not len(xy):
        return None
    thing = view.thing(index)
    points = view.points(xy[:, 1], xy[:, 0])
    away = np.hypot(*(points[:, :2] - thing.centre).T)
    cost = away + 0.5 * (thing.top - points[:, 2])
    cost[areas.is_tried(points, tried)] += 1.0
    best = int(cost.argmin())
    return int(xy[best, 0]), int(xy[best, 1])


def _inner(view: View, index: int) -> NDArray[np.int64]:
    """Pixels (x, y) of an object whose neighbours show it as well, if there are any."""
    mask = view.frame.ids == index
    inner = mask.copy()
    inner[1:-1, 1:-1] &= mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    inner[[0, -1]] = False
    inner[:, [0, -1]] = False
    ys, xs = np.nonzero(inner if inner.any() else mask)
    return np.column_stack([xs, ys])
