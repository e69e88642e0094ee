"""Judge a state: was the goal reached, and if not, which stage failed first.

Stages: success, invalid (no usable point), wrong_object, point (right object but the point misses
what it should show), grasp, dropped, place, turn, order, unstable, timeout.
"""

import math
from collections.abc import Sequence

import shapely

from refergym.assets.library import Pack, open_pack
from refergym.assets.spec import SceneSpec
from refergym.envs import areas, goals
from refergym.envs.task_spec import (
    Act,
    Area,
    Goal,
    HoldGoal,
    PointAreaGoal,
    PointObjectGoal,
    PutGoal,
    RowGoal,
    SeveralGoal,
)
from refergym.envs.types import ID_SUPPORT, Array, Event, State, Verdict
from refergym.envs.view import Layout

LIFTED = 0.05
"""m: an object this much above its start counts as lifted"""

_FAILED_BEFORE_GRASP = {
    Event.NO_SURFACE: "point",
    Event.OUT_OF_REACH: "point",
    Event.NO_GRASP: "grasp",
    Event.NOTHING_HELD: "grasp",
    Event.DROPPED: "dropped",
}


def judge(
    goal: Goal,
    scene: SceneSpec,
    start: State,
    state: State,
    acts: Sequence[Act],
    pack: Pack | None = None,
) -> Verdict:
    """Judge any of the goals in `task_spec`.

    Args:
        goal: what is asked.
        scene: the task's scene.
        start: the state after reset.
        state: the state to judge, at rest.
        acts: every step between the two.
        pack: assets; None takes the package's own.
    """
    if isinstance(goal, PointObjectGoal):
        return _pointed_at_object(scene.index(goal.object), acts)
    if isinstance(goal, PointAreaGoal):
        return _pointed_at_area(goal, scene, acts)
    layout = Layout(scene, state, pack or open_pack())
    if isinstance(goal, HoldGoal):
        return _held(scene.index(goal.object), start, state, acts)
    if isinstance(goal, SeveralGoal):
        return _several(goal, layout, acts)
    if isinstance(goal, RowGoal):
        return _row(goal, Layout(scene, start, pack or open_pack()), layout, acts)
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
    state = layout.state
    target = layout.scene.index(goal.object)
    area, _ = areas.place_of(goal, layout)
    measures = {
        "distance_m": math.dist(layout.thing(target).centre, area.goal[:2]),
        "tilt_rad": goals.tilt(layout, target),
    }
    if goal.turn is not None:
        measures["turn_deg"] = goals.turn_off(goal, layout)
    if state.held < 0 and goals.is_in_place(goal, layout):
        stage = _placed_stage(goal, layout, acts)
    else:
        stage = _put_stage(target, area, goal, state, acts)
    progress = 1.0 if stage == "success" else _half(target, state, acts)
    return Verdict(success=stage == "success", progress=progress, stage=stage, measures=measures)


def _placed_stage(goal: PutGoal, layout: Layout, acts: Sequence[Act]) -> str:
    """What is wrong with an object in its place: how it stands, is turned, or came there."""
    target = layout.scene.index(goal.object)
    if goal.upright is not None and goals.tilt(layout, target) > goal.upright:
        return "unstable"
    if acts and acts[-1].event == Event.UNSTABLE:
        return "unstable"
    return "success" if goals.is_turned(goal, layout) else "turn"


def _half(target: int, state: State, acts: Sequence[Act]) -> float:
    """Progress of a put that is not done: half, once the object was picked."""
    picked = any(a.event == Event.PICKED and a.object == target for a in acts)
    return 0.5 if picked or state.held == target else 0.0


def _several(goal: SeveralGoal, layout: Layout, acts: Sequence[Act]) -> Verdict:
    """Judge each object by itself; in order, those behind the first that is wrong do not count."""
    done = [goals.is_fulfilled(p, layout) for p in goal.parts]
    targets = [layout.scene.index(p.object) for p in goal.parts]
    reached = list(done)
    if goal.ordered:
        reached = [
            all(done[: k + 1]) and _in_order(targets[: k + 1], acts) for k in range(len(done))
        ]
    progress = sum(
        1.0 if ok else _half(t, layout.state, acts)
        for ok, t in zip(reached, targets, strict=True)
    ) / len(targets)  # fmt: skip
    measures = {"parts_done": float(sum(reached))}
    if not all(done) or layout.state.held >= 0:
        first = done.index(False) if not all(done) else len(done) - 1
        stage = _put(goal.parts[first], layout, acts).stage
        stage = "timeout" if stage == "success" else stage
        return Verdict(success=False, progress=progress, stage=stage, measures=measures)
    if not all(reached):
        return Verdict(success=False, progress=progress, stage="order", measures=measures)
    return Verdict(success=True, progress=1.0, stage="success", measures=measures)


def _in_order(targets: Sequence[int], acts: Sequence[Act]) -> bool:
    """Tell whether the objects were put down one after the other, each by its last time."""
    let_go = (Event.PLACED, Event.UNSTABLE)
    last = [
        max((k for k, a in enumerate(acts) if a.object == t and a.event in let_go), default=-1)
        for t in targets
    ]
    return last == sorted(last)


def _row(goal: RowGoal, start: Layout, layout: Layout, acts: Sequence[Act]) -> Verdict:
    whole, before, now = (
        len(goal.objects),
        goals.longest_row(goal, start),
        goals.longest_row(goal, layout),
    )
    measures = {"in_row": float(now)}
    if now == whole and layout.state.held < 0:
        return Verdict(success=True, progress=1.0, stage="success", measures=measures)
    progress = max(0.0, (now - before) / max(1, whole - before))
    left = goals.next_part(goal, layout)
    stage = "place" if left is None else _put(left, layout, acts).stage
    stage = "timeout" if stage == "success" else stage
    return Verdict(success=False, progress=progress, stage=stage, measures=measures)


def _put_stage(target: int, area: Area, goal: PutGoal, state: State, acts: Sequence[Act]) -> str:
    let_go = (Event.PLACED, Event.UNSTABLE)
    places = [k for k, a in enumerate(acts) if a.object == target and a.event in let_go]
    last = acts[-1] if acts else None
    if last is not None and last.event == Event.INVALID:
        return _invalid_stage(target, acts)
    if places:
        if _misses(_place_named(acts, places[-1]), area, goal):
            return "point"
        return "unstable" if acts[places[-1]].event == Event.UNSTABLE else "place"
    if state.held == target and last is not None:
        if last.event in (Event.NO_SURFACE, Event.OUT_OF_REACH):
            return "point"
        if last.event == Event.PLACE_BLOCKED:
            missed = _misses(_place_named(acts, len(acts) - 1), area, goal)
            return "point" if missed else "place"
        return "timeout"
    return _grasp_stage(target, state, acts)


def _place_named(acts: Sequence[Act], k: int) -> Array | None:
    """Where the k-th step put something: its point, or the one before that told the place."""
    aimed = [a for a in acts[:k] if a.event == Event.AIMED]
    return (aimed[-1] if aimed else acts[k]).point_w


def _misses(point_w: Array | None, area: Area, goal: PutGoal) -> bool:
    if point_w is None:
        return False
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
