"""Rehearse a carrying task by geometry before it is asked: the ground-truth points, kinematically.

A task whose right answer the arm cannot carry out (no room for the hand, a bowl too narrow for the
thing) says nothing about a policy.
"""

from functools import lru_cache

import numpy as np

from refergym.assets.library import Pack
from refergym.envs import areas
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.task_spec import HoldGoal, PutGoal
from refergym.envs.truth import grasp_pixel
from refergym.envs.types import Event
from refergym.envs.view import View


def failure(goal: HoldGoal | PutGoal, view: View) -> str | None:
    """Play a task's ground-truth points; return what goes wrong, or None if it works.

    Args:
        goal: what is to be held or put.
        view: of the scene at the start.
    """
    backend = _backend(view.pack)
    backend.restore(view.scene, view.state)
    target = view.scene.index(goal.object)
    pixel = grasp_pixel(view, target)
    if pixel is None:
        return "the target can't be seen"
    result = backend.pick(_point(view, pixel))
    if result.event is not Event.PICKED or result.object != target:
        return f"rehearsed pick: {result.event.name.lower()}"
    if isinstance(goal, HoldGoal):
        return None
    pixel = areas.goal_pixel(view, *areas.place_of(goal, view))
    if pixel is None:
        return "the place can't be seen"
    result = backend.place(_point(view, pixel))
    return None if result.event is Event.PLACED else f"rehearsed place: {result.event.name.lower()}"


def _point(view: View, pixel: tuple[int, int]) -> np.ndarray:
    point: np.ndarray = view.points(np.array([pixel[1]]), np.array([pixel[0]]))[0]
    return point


@lru_cache(maxsize=2)
def _backend(pack: Pack) -> KinematicBackend:
    return KinematicBackend(pack=pack)
