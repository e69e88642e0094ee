"""Rehearse a carrying task by geometry before it is asked: the ground-truth points, kinematically.

A task whose right answer the arm cannot carry out (no room for the hand, a bowl too narrow for the
thing) says nothing about a policy. No picture is made on the way: what is named is what the first
picture shows; `proofs` plays a task as a policy would.
"""

from functools import lru_cache

import numpy as np

from refergym.assets import camera as pinhole
from refergym.assets.library import Pack
from refergym.envs import areas, goals, turning
from refergym.envs.aiming import grasp_pixel
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.judging import judge
from refergym.envs.task_spec import Act, HoldGoal, Proof, PutGoal, RowGoal, SeveralGoal
from refergym.envs.truth import direction_pixel
from refergym.envs.types import Array, Event
from refergym.envs.view import Layout, View

Carried = HoldGoal | PutGoal | SeveralGoal | RowGoal


def rehearse(goal: Carried, view: View) -> Proof | str:
    """Play a task's ground-truth points; return the proof that they work, or what goes wrong.

    Args:
        goal: what is to be held, put or arranged.
        view: of the scene at the start.
    """
    play = _Play(goal, view)
    parts = goals.parts_of(goal, view)
    wrong = play.pick(goal.object) if isinstance(goal, HoldGoal) else None
    for k, part in enumerate(parts):
        if wrong is None and not goals.is_fulfilled(part, play.layout):
            wrong = play.pick(part.object) or play.place(part, is_first=k == 0)
    if wrong is not None:
        return wrong
    verdict = judge(goal, view.scene, view.state, play.backend.state(), play.acts, view.pack)
    if not verdict.success:
        return f"rehearsed: {verdict.stage}"
    return Proof(
        backend=play.backend.kind,
        start=view.state.digest(),
        end=play.backend.state().digest(),
        points=tuple(a.point_uv for a in play.acts if a.point_uv is not None),
    )


class _Play:
    """A task that is being played."""

    def __init__(self, goal: Carried, view: View) -> None:
        self.goal, self.view = goal, view
        self.acts: list[Act] = []
        self.backend = _backend(view.pack)
        self.backend.restore(view.scene, view.state)
        self._before = view.state

    @property
    def layout(self) -> Layout:
        return Layout(self.view.scene, self.backend.state(), self.view.pack)

    def pick(self, name: str) -> str | None:
        """Pick an object up; returns what goes wrong."""
        target = self.view.scene.index(name)
        pixel = grasp_pixel(self.view, target)
        if pixel is None:
            return "the target can't be seen"
        self._before = self.backend.state()
        point = self._point(pixel)
        result = self.backend.pick(point)
        self._note(point, result.event, result.object, target)
        if result.event is not Event.PICKED or result.object != target:
            return f"rehearsed pick: {result.event.name.lower()}"
        return None

    def place(self, part: PutGoal, *, is_first: bool) -> str | None:
        """Put the held object down; returns what goes wrong."""
        area, shows = areas.place_of(part, self.layout)
        pixel = areas.goal_pixel(self.view, area, shows)
        if pixel is None and is_first:
            return "the place can't be seen"
        # what hides a later place now may be gone by then
        point = np.array(area.goal) if pixel is None else self._point(pixel)
        turn, told = None, point
        if part.turn is not None:
            held = self.view.scene.index(part.object)
            way = direction_pixel(self.view, point, part.turn.to, without=held)
            if way is None:
                return "no point that is seen tells the way"
            told = self._point(way)
            before = Layout(self.view.scene, self._before, self.view.pack)
            turn = turning.yaw(self.goal, before, held, point, told)
            self._note(point, Event.AIMED, held, shows)
            shows = int(self.view.frame.ids[way[1], way[0]])
        result = self.backend.place(point, turn)
        self._note(told, result.event, result.object, shows)
        if result.event is Event.PLACED:
            return None
        return f"rehearsed place: {result.event.name.lower()}"

    def _note(self, point: Array, event: Event, index: int, hit: int) -> None:
        camera = self.view.scene.camera
        px, _ = pinhole.project(camera, point[None])
        uv = (float(px[0, 0]) / camera.width, float(px[0, 1]) / camera.height)
        act = Act(point_uv=uv, point_w=point, hit_w=point, hit=hit, event=event, object=index)
        self.acts.append(act)

    def _point(self, pixel: tuple[int, int]) -> Array:
        point: Array = self.view.points(np.array([pixel[1]]), np.array([pixel[0]]))[0]
        return point


@lru_cache(maxsize=2)
def _backend(pack: Pack) -> KinematicBackend:
    return KinematicBackend(pack=pack)
