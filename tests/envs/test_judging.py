"""Verdicts of states that are planted, without a simulator; one for each stage."""

import numpy as np
import pytest

from refergym.assets.camera import camera_from_fov, look_at
from refergym.assets.library import open_pack
from refergym.assets.spec import ObjectSpec, Pose, SceneSpec, SupportSpec
from refergym.envs.areas import Room, area_of, beside, cavity_area, top_area
from refergym.envs.judging import judge
from refergym.envs.programs import Select
from refergym.envs.starts import rest_state
from refergym.envs.task_spec import (
    Act,
    Area,
    Certificate,
    HoldGoal,
    PointAreaGoal,
    PointObjectGoal,
    PutGoal,
    TaskSpec,
)
from refergym.envs.types import ID_FIXTURE, ID_NOTHING, ID_SUPPORT, Event, State
from refergym.envs.view import Layout

APPLE, OTHER, BOWL, PLATE = range(4)


def first(fits):
    return next(a for a in open_pack().manifest.assets if fits(a)).name


def make_scene():
    apple = first(lambda a: a.category == "apple")
    bowl = first(lambda a: a.category == "bowl" and a.cavity)
    plate = first(lambda a: a.category == "plate" and a.flat_top)
    places = [(apple, 0.45, -0.15), (apple, 0.5, 0.0), (bowl, 0.45, 0.2), (plate, 0.62, -0.2)]
    objects = tuple(
        ObjectSpec(id=f"thing_{i}", asset=a, pose=Pose(position=(x, y, 0.0)), scale=0.8)
        for i, (a, x, y) in enumerate(places)
    )
    table = SupportSpec(id="table", pose=Pose(position=(0.625, 0.0, -0.02)), size=(0.85, 1.3, 0.04))
    floor = SupportSpec(id="floor", pose=Pose(position=(0.5, 0.0, -0.8)), size=(5.0, 5.0, 0.1))
    return SceneSpec(
        pack=open_pack().digest,
        supports=(table, floor),
        objects=objects,
        camera=camera_from_fov(224, 224, 55, look_at((1.2, 0.0, 0.6), (0.5, 0.0, 0.0))),
        settled={"kinematic": tuple(o.pose for o in objects)},
    )


SCENE = make_scene()
START = rest_state(SCENE, "kinematic")
CERTIFICATE = Certificate(chance=0.0, backend="kinematic", renderer="none", version="0")


def task(goal):
    return TaskSpec(
        scene=SCENE.digest,
        kind="planted",
        instruction="Do it.",
        program=Select(category="apple"),
        goal=goal,
        certificate=CERTIFICATE,
    )


def state(held=-1, turn=None, **places):
    """The start's state with things moved: apple=(x, y, z)."""
    objects = START.objects.copy()
    for name, xyz in places.items():
        objects[{"apple": APPLE, "other": OTHER, "bowl": BOWL}[name], :3] = xyz
    if turn is not None:
        objects[APPLE, 3:] = turn
    return State(objects=objects, joints=START.joints, held=held)


def act(event, *, hit=APPLE, index=-1, at=None):
    point = None if at is None else np.array(at, float)
    return Act(
        point_uv=None if event == Event.INVALID else (0.5, 0.5),
        point_w=point,
        hit_w=point,
        hit=hit,
        event=event,
        object=index,
    )


def stage(goal, now, *acts):
    verdict = judge(goal, SCENE, START, now, acts)
    assert verdict.success == (verdict.stage == "success")
    return verdict.stage


POINT = PointObjectGoal(object="thing_0")
HOLD = HoldGoal(object="thing_0")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (act(Event.POINTED, hit=APPLE), "success"),
        (act(Event.POINTED, hit=OTHER), "wrong_object"),
        (act(Event.POINTED, hit=ID_SUPPORT), "point"),
        (act(Event.NO_SURFACE, hit=ID_NOTHING), "point"),
        (act(Event.INVALID, hit=ID_NOTHING), "invalid"),
    ],
)
def test_pointing_at_an_object(made, expected):
    assert stage(POINT, START, made) == expected


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (act(Event.POINTED, hit=ID_SUPPORT, at=(0.5, 0.1, 0)), "success"),
        (act(Event.POINTED, hit=APPLE, at=(0.5, 0.1, 0.05)), "point"),
        (act(Event.POINTED, hit=ID_SUPPORT, at=(0.5, 0.2, 0)), "point"),
        (act(Event.POINTED, hit=ID_SUPPORT - 1, at=(0.5, 0.1, -0.75)), "point"),
        (act(Event.POINTED, hit=ID_SUPPORT, at=(0.5, 0.1, -0.02)), "point"),
        (act(Event.POINTED, hit=ID_FIXTURE - 3, at=(0.5, 0.1, 0)), "point"),
        (act(Event.INVALID, hit=ID_NOTHING), "invalid"),
    ],
)
def test_pointing_at_a_place(made, expected):
    square = ((0.45, 0.05), (0.55, 0.05), (0.55, 0.15), (0.45, 0.15))
    goal = PointAreaGoal(
        area=Area(ring=square, height=0.0, goal=(0.5, 0.1, 0.0)), anchors=("thing_1",)
    )
    assert stage(goal, START, made) == expected


def test_a_place_beyond_the_edge_of_the_upper_face_is_none():
    """A mesh may reach farther than the slab that things stand on."""
    square = ((0.1, 0.05), (0.3, 0.05), (0.3, 0.15), (0.1, 0.15))
    area = Area(ring=square, height=0.0, goal=(0.25, 0.1, 0.0))
    goal = PointAreaGoal(area=area, anchors=("thing_1",))
    assert stage(goal, START, act(Event.POINTED, hit=ID_SUPPORT, at=(0.25, 0.1, 0))) == "success"
    assert stage(goal, START, act(Event.POINTED, hit=ID_SUPPORT, at=(0.15, 0.1, 0))) == "point"


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (act(Event.POINTED, hit=ID_SUPPORT - 1, at=(1.8, 0.1, -0.75)), "success"),
        (act(Event.POINTED, hit=ID_SUPPORT - 1, at=(1.5, 0.1, -0.75)), "point"),
        (act(Event.POINTED, hit=ID_SUPPORT - 1, at=(2.5, 0.1, -0.75)), "point"),
        (act(Event.POINTED, hit=ID_SUPPORT, at=(1.8, 0.1, -0.75)), "point"),
        (act(Event.NO_SURFACE, hit=ID_NOTHING), "point"),
    ],
)
def test_pointing_at_the_floor(made, expected):
    """The area is a square without another one."""
    ring = ((1.3, -0.5), (2.3, -0.5), (2.3, 0.5), (1.3, 0.5))
    taken = ((1.4, 0.0), (1.6, 0.0), (1.6, 0.2), (1.4, 0.2))
    area = Area(ring=ring, without=(taken,), height=-0.75, goal=(1.8, 0.1, -0.75))
    goal = PointAreaGoal(area=area, anchors=("table",), support=1)
    assert stage(goal, START, made) == expected


@pytest.mark.parametrize(
    ("now", "made", "expected"),
    [
        (state(held=APPLE), act(Event.PICKED, index=APPLE), "success"),
        (state(held=OTHER), act(Event.PICKED, hit=OTHER, index=OTHER), "wrong_object"),
        (START, act(Event.NO_GRASP, hit=OTHER), "wrong_object"),
        (START, act(Event.OUT_OF_REACH, hit=ID_SUPPORT), "point"),
        (START, act(Event.NO_GRASP), "grasp"),
        (START, act(Event.NOTHING_HELD), "grasp"),
        (START, act(Event.DROPPED, index=APPLE), "dropped"),
        (START, act(Event.INVALID, hit=ID_NOTHING), "invalid"),
    ],
)
def test_picking(now, made, expected):
    assert stage(HOLD, now, made) == expected


def put(relation, anchors=("thing_2",), upright=None):
    layout = Layout(SCENE, START, open_pack())
    things = [layout.thing(SCENE.index(a)) for a in anchors]
    if relation == "into":
        area = cavity_area(layout, things[0])
    elif relation == "onto":
        area = top_area(layout, things[0])
    else:
        sector = beside(layout, things[0], "left", Room())
        area = area_of(sector, layout, np.array([0.45, 0.02]))
    return PutGoal(
        object="thing_0",
        relation=relation,
        anchors=anchors,
        anchors_xy=tuple((float(t.centre[0]), float(t.centre[1])) for t in things),
        area=area,
        tolerance=0.05,
        upright=upright,
    )


PICKED = act(Event.PICKED, index=APPLE)


def placed(at, event=Event.PLACED):
    return act(event, hit=ID_SUPPORT, index=APPLE, at=at)


def test_into_wants_the_object_inside_and_above_the_floor():
    cavity = open_pack()[SCENE.objects[BOWL].asset].cavity
    inside = (0.45, 0.2, cavity.floor * 0.8)
    assert stage(put("into"), state(apple=inside), PICKED, placed(inside)) == "success"
    beyond = (0.45, 0.33, 0.0)
    assert stage(put("into"), state(apple=beyond), PICKED, placed(inside)) == "place"
    assert stage(put("into"), state(apple=beyond), PICKED, placed(beyond)) == "point"


def test_onto_wants_the_object_on_its_anchor():
    goal = put("onto", ("thing_3",))
    on = (0.62, -0.2, 0.02)
    assert stage(goal, state(apple=on), PICKED, placed(on)) == "success"
    assert stage(goal, state(apple=(0.62, -0.38, 0.0)), PICKED, placed(on)) == "place"


def test_into_follows_an_anchor_that_moved():
    goal = put("into")
    floor = open_pack()[SCENE.objects[BOWL].asset].cavity.floor * 0.8
    there = (0.45, 0.3, floor)
    assert stage(goal, state(apple=there), PICKED, placed(there)) == "point"
    moved = state(apple=there, bowl=(0.45, 0.3, 0.0))
    assert stage(goal, moved, PICKED, placed(there)) == "success"


def test_beside_wants_the_object_on_the_table_in_the_sector():
    goal = put("table")
    # the camera looks along -x, so its left is -y
    good = (0.45, 0.05, 0.0)
    assert stage(goal, state(apple=good), PICKED, placed(good)) == "success"
    right = (0.45, 0.4, 0.0)
    assert stage(goal, state(apple=right), PICKED, placed(right)) == "point"
    high = (0.45, 0.05, 0.08)
    assert stage(goal, state(apple=high), PICKED, placed(good)) == "place"


def test_holding_on_is_no_success():
    goal = put("table")
    good = (0.45, 0.05, 0.0)
    assert stage(goal, state(held=APPLE, apple=good), PICKED) == "timeout"
    blocked = placed(good, Event.PLACE_BLOCKED)
    assert stage(goal, state(held=APPLE), PICKED, blocked) == "place"


def test_unstable_releases_fail_even_in_place():
    goal = put("table")
    good = (0.45, 0.05, 0.0)
    assert stage(goal, state(apple=good), PICKED, placed(good, Event.UNSTABLE)) == "unstable"


def test_what_is_lost_on_the_way_and_comes_to_rest_in_its_place_is_there():
    """Nothing is left to do: a state that is right must not wait for another step."""
    lost = act(Event.DROPPED, index=APPLE)
    assert stage(put("table"), state(apple=(0.45, 0.05, 0.0)), PICKED, lost) == "success"
    assert stage(put("table"), state(apple=(0.9, 0.5, 0.0)), PICKED, lost) == "dropped"


def test_upright_is_asked_only_where_configured():
    good = (0.45, 0.05, 0.0)
    tipped = state(apple=good, turn=(0.924, 0.383, 0.0, 0.0))
    assert stage(put("table"), tipped, PICKED, placed(good)) == "success"
    assert stage(put("table", upright=0.2), tipped, PICKED, placed(good)) == "unstable"


def test_progress_is_half_after_the_pick():
    goal = put("table")
    assert judge(goal, SCENE, START, START, ()).progress == 0
    assert judge(goal, SCENE, START, state(held=APPLE), (PICKED,)).progress == 0.5
    now = state(apple=(0.45, 0.05, 0.0))
    assert judge(goal, SCENE, START, now, (PICKED, placed((0.45, 0.05, 0)))).progress == 1


def test_the_wrong_object_in_place_is_no_success():
    goal = put("table")
    acts = (act(Event.PICKED, hit=OTHER, index=OTHER), act(Event.PLACED, index=OTHER, hit=-10))
    assert stage(goal, state(other=(0.45, 0.05, 0.0)), *acts) == "wrong_object"
