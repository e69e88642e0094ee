"""Judge a state: was the goal reached, and if not, which stage failed first.

Stages: success, invalid (no usable point), wrong_object, point (right object but the point misses
what it should show), grasp, dropped, place, unstable, timeout.
"""

import math
from collections.abc import Sequence

import numpy as np
import shapely

from refergym.assets.library import Pack, open_pack
from refergym.assets.spec import SceneSpec
from refergym.envs import areas
from refergym.envs.task_spec import (
    Act,
    Area,
    HoldGoal,
    PointAreaGoal,
    PointObjectGoal,
    PutGoal,
    TaskSpec,
)
from refergym.envs.types import ID_SUPPORT, Event, State, Verdict
from refergym.envs.view import Layout, Thing

LIFTED = 0.05
"""m: an object this much above its start counts as lifted"""
RESTS = 0.02
"""m: how far a bottom may be from the table for the object to stand on it"""

_FAILED_BEFORE_GRASP = {
    Event.NO_SURFACE: "point",
    Event.OUT_OF_REACH: "point",
    Event.NO_GRASP: "grasp",
    Event.NOTHING_HELD: "grasp",
    Event.DROPPED: "dropped",
}


def judge(
    spec: TaskSpec,
    scene: SceneSpec,
    start: State,
    state: State,
    acts: Sequence[Act],
    pack: Pack | None = None,
) -> Verdict:
    """Judge any of the goals in `task_spec`.

    Args:
        spec: the task.
        scene: its scene.
        start: the state after reset.
        state: the state to judge, at rest.
        acts: every step between the two.
        pack: assets; None takes the package's own.
    """
    goal = spec.goal
    if isinstance(goal, PointObjectGoal):
        return _pointed_at_object(scene.index(goal.object), acts)
    if isinstance(goal, PointAreaGoal):
        return _pointed_at_area(goal, scene, acts)
    layout = Layout(scene, state, pack or open_pack())
    if isinstance(goal, HoldGoal):
        return _held(scene.index(goal.object), start, state, acts)
    return _put(goal, layout, acts)


def _pointed_at_object(target: int, acts: Sequence[Act]) -> Verdict:
    act = acts[-1] if acts else None
    if act is None:
        return _failed("timeout")
    if act.event == Event.INVALID:
        return _failed("invalid")
    if act.hit == target:
        return Verdict(success=True, progress=1.0, stage="success")
    return _failed("wrong_object" if act.hit >= 0 else "point")


def _pointed_at_area(goal: PointAreaGoal, scene: SceneSpec, acts: Sequence[Act]) -> Verdict:
    act = acts[-1] if acts else None
    if act is None:
        return _failed("timeout")
    if act.event == Event.INVALID:
        return _failed("invalid")
    if act.hit_w is None:
        return _failed("point")
    measures = {"distance_m": math.dist(act.hit_w, goal.area.goal)}
    inside = shapely.intersects_xy(areas.polygon_of(goal.area), act.hit_w[0], act.hit_w[1])
    is_support = act.hit == ID_SUPPORT - goal.support
    if is_support and inside and areas.on_face(scene.supports[goal.support], act.hit_w):
        return Verdict(success=True, progress=1.0, stage="success", measures=measures)
    return Verdict(success=False, progress=0.0, stage="point", measures=measures)


def _held(target: int, start: State, state: State, acts: Sequence[Act]) -> Verdict:
    lift = float(state.objects[target, 2] - start.objects[target, 2])
    measures = {"lift_m": lift}
    if state.held == target or (state.held < 0 and lift > LIFTED):
        return Verdict(success=True, progress=1.0, stage="success", measures=measures)
    return Verdict(
        success=False, progress=0.0, stage=_grasp_stage(target, state, acts), measures=measures
    )


def _put(goal: PutGoal, layout: Layout, acts: Sequence[Act]) -> Verdict:
    state, scene = layout.state, layout.scene
    target = scene.index(goal.object)
    thing = layout.thing(target)
    area, _ = areas.place_of(goal, layout)
    distance = math.dist(thing.centre, area.goal[:2])
    measures = {"distance_m": distance, "tilt_rad": _tilt(state, target)}
    picked = any(a.event == Event.PICKED and a.object == target for a in acts)
    progress = 0.5 if picked or state.held == target else 0.0
    if state.held < 0 and _in_place(goal, layout, thing, area, distance):
        if goal.upright is None or measures["tilt_rad"] <= goal.upright:
            last = acts[-1].event if acts else Event.NONE
            if last not in (Event.UNSTABLE, Event.DROPPED):
                return Verdict(success=True, progress=1.0, stage="success", measures=measures)
            stage = "dropped" if last == Event.DROPPED else "unstable"
            return Verdict(success=False, progress=progress, stage=stage, measures=measures)
        return Verdict(success=False, progress=progress, stage="unstable", measures=measures)
    stage = _put_stage(target, area, goal, state, acts)
    return Verdict(success=False, progress=progress, stage=stage, measures=measures)


def _in_place(goal: PutGoal, layout: Layout, thing: Thing, area: Area, distance: float) -> bool:
    """Tell whether the object rests on the right thing and inside its area."""
    centre = shapely.Point(thing.centre)
    if goal.relation in ("onto", "into"):
        anchor = layout.thing(layout.scene.index(goal.anchors[0]))
        if not anchor.footprint.covers(centre):
            return False
        # A cavity's recorded floor is that of its widest cylinder; narrow things go deeper.
        return anchor.bottom - 0.005 < thing.bottom < anchor.top + RESTS
    if abs(thing.bottom - layout.scene.supports[0].top) > RESTS:
        return False
    return distance <= goal.tolerance or bool(shapely.Polygon(area.ring).covers(centre))


def _put_stage(target: int, area: Area, goal: PutGoal, state: State, acts: Sequence[Act]) -> str:
    places = [a for a in acts if a.object == target and a.event in (Event.PLACED, Event.UNSTABLE)]
    last = acts[-1] if acts else None
    if last is not None and last.event == Event.INVALID:
        return _invalid_stage(target, acts)
    if places:
        point = places[-1].point_w
        if point is not None and _misses(point, area, goal):
            return "point"
        return "unstable" if places[-1].event == Event.UNSTABLE else "place"
    if state.held == target and last is not None:
        if last.event in (Event.NO_SURFACE, Event.OUT_OF_REACH):
            return "point"
        if last.event == Event.PLACE_BLOCKED:
            missed = last.point_w is not None and _misses(last.point_w, area, goal)
            return "point" if missed else "place"
        return "timeout"
    return _grasp_stage(target, state, acts)


def _misses(point_w: np.ndarray, area: Area, goal: PutGoal) -> bool:
    near = math.dist(point_w[:2], area.goal[:2]) <= goal.tolerance
    return not near and not shapely.Polygon(area.ring).covers(shapely.Point(point_w[:2]))


def _grasp_stage(target: int, state: State, acts: Sequence[Act]) -> str:
    """Why the target is not in the gripper, from the last step that tried."""
    if not acts:
        return "timeout"
    last = acts[-1]
    if last.event == Event.INVALID:
        return _invalid_stage(target, acts)
    if last.object >= 0 and last.object != target:
        return "wrong_object"
    if last.hit != target and last.event != Event.DROPPED:
        return "wrong_object" if last.hit >= 0 else "point"
    return _FAILED_BEFORE_GRASP.get(last.event, "timeout")


def _invalid_stage(target: int, acts: Sequence[Act]) -> str:
    """Tell an answer without a point from one for an object that was lost before."""
    lost = any(a.event == Event.DROPPED and a.object == target for a in acts)
    return "dropped" if lost else "invalid"


def _failed(stage: str) -> Verdict:
    return Verdict(success=False, progress=0.0, stage=stage)


def _tilt(state: State, index: int) -> float:
    """Angle in rad between an object's own z axis and the world's."""
    _, x, y, _ = state.objects[index, 3:]
    return math.acos(max(-1.0, min(1.0, 1 - 2 * (float(x) ** 2 + float(y) ** 2))))
