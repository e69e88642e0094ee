"""What a privileged policy may know: the scene, its state, and where to point now.

`Truth` stands in `info["truth"]`, never in an observation. It is a Mapping; the parts that cost
time are worked out when first read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refergym.assets import camera as pinhole
from refergym.envs import areas, goals, turning
from refergym.envs.aiming import grasp_pixel, middle_pixel
from refergym.envs.key_steps import key_steps
from refergym.envs.task_spec import (
    HoldGoal,
    PointAreaGoal,
    PointObjectGoal,
    PutGoal,
    TaskSpec,
    TurnGoal,
)
from refergym.envs.types import Array
from refergym.envs.view import Layout, View

KEYS = (
    "scene", "state", "task", "target", "ids", "mask", "mask_w", "point_uv", "key_steps", "stage"
)  # fmt: skip
REACH = (0.04, 0.4)
"""m from a named place: how far a point lies that is chosen to tell a direction"""
AIM = 5.0
"""degrees: how exactly such a point is chosen"""
Aim = PointObjectGoal | PointAreaGoal | HoldGoal | PutGoal


class Truth(Mapping[str, Any]):
    """A mapping of facts about the current step.

    scene (SceneSpec), state (State), task (TaskSpec), target (index, or -1 for a place or where
    nothing is left to do), ids ([H, W]: index of the object that a pixel shows, or < 0), mask
    ([H, W] bool: the pixels that are right now: the target's, the area's once the target is held,
    or those in the right direction once the place is named), mask_w ([K, 3] m, world: what those
    pixels show), stage (what is asked for now, in a word: see `stage_of`), point_uv ((u, v) to name
    now, or None where nothing right can be seen) and key_steps (see `envs.key_steps`).
    """

    def __init__(
        self,
        task: TaskSpec,
        look: Callable[[], View],
        tried: Sequence[Array] = (),
        named: Array | None = None,
    ) -> None:
        """Keep what is needed.

        Args:
            task: the task.
            look: gives the view of the current state.
            tried: points [3] m, world, that failed since something last worked.
            named: [3] m, world: the place that was named, where the direction is still to tell.
        """
        self._task = task
        self._named = named
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
        if key == "ids":
            return view.frame.ids
        if key == "mask":
            return mask_of(self._task, view, self._named)
        if key == "mask_w":
            return view.points(*np.nonzero(self["mask"]))
        if key == "stage":
            return stage_of(self._task, view, self._named)
        if key == "key_steps":
            return key_steps(self._task, view)
        return point_of(self._task, view, self._tried, self._named)


def _restore(task: TaskSpec, facts: dict[str, Any]) -> Truth:
    truth = Truth(task, _nothing)
    truth._known = facts
    return truth


def _nothing() -> View:
    raise AssertionError("a restored truth knows every fact")


def aim_of(task: TaskSpec, view: Layout) -> Aim | None:
    """Return the part of a task's goal to work on now; None where nothing is left to do."""
    goal = task.goal
    if isinstance(goal, PointObjectGoal | PointAreaGoal):
        return goal
    if isinstance(goal, HoldGoal):
        return None if view.state.held == view.scene.index(goal.object) else goal
    return goals.next_part(goal, view)


def target_of(task: TaskSpec, view: Layout) -> int:
    """Index of the object to point at or to move; -1 for a place alone, or if all is done."""
    aim = aim_of(task, view)
    if aim is None or isinstance(aim, PointAreaGoal):
        return -1
    return view.scene.index(aim.object)


def stage_of(task: TaskSpec, view: Layout, named: Array | None = None) -> str:
    """Name what is asked for now: "point", "pick ID", "place ID", "turn ID", or "" if all is done.

    Args:
        task: the task.
        view: the current state.
        named: the place that was named, where the direction is still to tell.
    """
    aim = aim_of(task, view)
    if isinstance(aim, PointObjectGoal | PointAreaGoal):
        return "point"
    if aim is None:
        return ""
    if isinstance(aim, HoldGoal) or _is_to_grasp(aim, view):
        return f"pick {aim.object}"
    return f"{'place' if named is None else 'turn'} {aim.object}"


def stages_needed(task: TaskSpec, view: Layout) -> int:
    """Count the stages from a state to the end, at least 1: so many right points solve the task."""
    goal = task.goal
    if isinstance(goal, PointObjectGoal | PointAreaGoal | HoldGoal):
        return 1
    left = [p for p in goals.parts_of(goal, view) if not goals.is_fulfilled(p, view)]
    return max(1, sum(2 if p.turn is None else 3 for p in left))


def mask_of(task: TaskSpec, view: View, named: Array | None = None) -> NDArray[np.bool_]:
    """Pixels [H, W] that are right for the next step; see `Truth`."""
    mask = np.zeros(view.frame.ids.shape, bool)
    aim = aim_of(task, view)
    if aim is None:
        return mask
    if isinstance(aim, PointObjectGoal | HoldGoal) or _is_to_grasp(aim, view):
        target: NDArray[np.bool_] = view.frame.ids == target_of(task, view)
        return target
    if named is not None and isinstance(aim, PutGoal) and aim.turn is not None:
        return direction_mask(view, named, aim.turn)
    area, shows = areas.place_of(aim, view)
    xy = areas.pixels_of(view, area, shows)
    mask[xy[:, 1], xy[:, 0]] = True
    return mask


def point_of(
    task: TaskSpec, view: View, tried: Sequence[Array] = (), named: Array | None = None
) -> tuple[float, float] | None:
    """Return the point (u, v) to name next, or None where nothing right can be seen.

    What was tried in vain (points [3] m, world) is not tried again. See `Truth` for `named`.
    """
    aim = aim_of(task, view)
    pixel: tuple[int, int] | None
    if aim is None:
        pixel = None
    elif isinstance(aim, PointObjectGoal):
        pixel = middle_pixel(view, target_of(task, view))
    elif isinstance(aim, HoldGoal) or _is_to_grasp(aim, view):
        pixel = grasp_pixel(view, target_of(task, view), tried)
    elif named is not None and isinstance(aim, PutGoal) and aim.turn is not None:
        pixel = direction_pixel(view, named, aim.turn.to)
    else:
        # as near to the area's best point as can be seen: something may hide that one by now
        pixel = areas.goal_pixel(view, *areas.place_of(aim, view), tried, np.inf)
    if pixel is None:
        return None
    return pinhole.point_of_pixel(view.scene.camera, *pixel)


def _is_to_grasp(aim: PointAreaGoal | PutGoal, view: Layout) -> bool:
    return isinstance(aim, PutGoal) and view.state.held != view.scene.index(aim.object)


def direction_pixel(
    view: View, named: Array, to: tuple[float, float], without: int | None = None
) -> tuple[int, int] | None:
    """Return the pixel that best shows a direction [2] from a named place [3] m, not too near.

    What shows the object `without` is left out.
    """
    off = _off_direction(view, named, to)
    off[view.frame.ids == without] = np.inf
    if not np.isfinite(off).any():
        return None
    y, x = np.unravel_index(int(off.argmin()), off.shape)
    good = np.argwhere(off <= max(AIM, float(off[y, x])))
    middle = good[int(((good - good.mean(0)) ** 2).sum(1).argmin())]
    return int(middle[1]), int(middle[0])


def direction_mask(view: View, named: Array, turn: TurnGoal) -> NDArray[np.bool_]:
    """Pixels [H, W] that tell the direction of a turn at a named place [3] m."""
    off = _off_direction(view, named, turn.to, reach=(turning.NEAREST, np.inf))
    right: NDArray[np.bool_] = off <= turn.tolerance
    return right


def direction_error(view: View, named: Array, to: tuple[float, float]) -> float:
    """Return by how many degrees the best pixel misses a direction [2] from a place [3] m."""
    return float(_off_direction(view, named, to).min())


def _off_direction(
    view: View, named: Array, to: tuple[float, float], reach: tuple[float, float] = REACH
) -> Array:
    """Degrees [H, W] between a direction and that from a place to what each pixel shows.

    Infinite where nothing is seen, or what is seen is nearer to the place or farther than `reach`.
    """
    off = np.full(view.frame.ids.shape, np.inf)
    ys, xs = np.nonzero(view.frame.depth > 0)
    away = view.points(ys, xs)[:, :2] - named[:2]
    length = np.hypot(*away.T)
    cosine = away @ np.array(to) / np.maximum(length, 1e-9)
    angle = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    angle[(length < reach[0]) | (length > reach[1])] = np.inf
    off[ys, xs] = angle
    return off
