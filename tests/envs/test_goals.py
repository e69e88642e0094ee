"""Goals of several parts, of rows and of turns, in states that are planted."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import shapely

from refergym.assets.camera import camera_from_fov, look_at
from refergym.assets.library import open_pack
from refergym.assets.spec import ObjectSpec, Pose, SceneSpec, SupportSpec
from refergym.envs import goals
from refergym.envs.judging import judge
from refergym.envs.starts import rest_state
from refergym.envs.task_spec import Act, Area, PutGoal, RowGoal, SeveralGoal, TurnGoal
from refergym.envs.types import ID_SUPPORT, Array, Event, State, Verdict
from refergym.envs.view import Layout

MUG, APPLE, OTHER = range(3)
PLACES = {MUG: (0.45, 0.15), APPLE: (0.45, 0.0), OTHER: (0.45, -0.15)}
"""[2] m: where each is to be put"""


def first(category: str) -> str:
    return next(a.name for a in open_pack().manifest.assets if a.category == category)


def make_scene() -> SceneSpec:
    starts = [(first("mug"), 0.6, 0.2), (first("apple"), 0.62, 0.0), (first("apple"), 0.6, -0.22)]
    objects = tuple(
        ObjectSpec(id=f"thing_{i}", asset=a, pose=Pose(position=(x, y, 0.0)))
        for i, (a, x, y) in enumerate(starts)
    )
    table = SupportSpec(id="table", pose=Pose(position=(0.625, 0.0, -0.02)), size=(0.85, 1.3, 0.04))
    return SceneSpec(
        pack=open_pack().digest,
        supports=(table,),
        objects=objects,
        camera=camera_from_fov(224, 224, 55, look_at((1.2, 0.0, 0.6), (0.5, 0.0, 0.0))),
        settled={"kinematic": tuple(o.pose for o in objects)},
    )


SCENE = make_scene()
START = rest_state(SCENE, "kinematic")


def about_z(degrees: float) -> tuple[float, float, float, float]:
    half = math.radians(degrees) / 2
    return math.cos(half), 0.0, 0.0, math.sin(half)


def about_x(degrees: float) -> tuple[float, float, float, float]:
    half = math.radians(degrees) / 2
    return math.cos(half), math.sin(half), 0.0, 0.0


def state(
    at: dict[int, Sequence[float]] | None = None,
    turned: dict[int, tuple[float, float, float, float]] | None = None,
    held: int = -1,
) -> State:
    """The start's state with some objects at [2] or [3] m, and some turned."""
    objects = START.objects.copy()
    for index, place in (at or {}).items():
        objects[index, : len(place)] = place
    for index, quaternion in (turned or {}).items():
        objects[index, 3:] = quaternion
    return State(objects=objects, joints=START.joints, held=held)


def layout(now: State) -> Layout:
    return Layout(SCENE, now, open_pack())


def act(event: Event, index: int = -1, at: Sequence[float] | None = None) -> Act:
    point = None if at is None else np.array([*at, 0.0][:3])
    return Act(point_uv=(0.5, 0.5), point_w=point, hit_w=point, hit=ID_SUPPORT, event=event,
               object=index)  # fmt: skip


def put(index: int, **changes: Any) -> PutGoal:
    x, y = PLACES[index]
    ring = shapely.get_coordinates(shapely.Point(x, y).buffer(0.06, quad_segs=4).exterior)[:-1]
    area = Area(ring=tuple((a, b) for a, b in ring.tolist()), height=0.0, goal=(x, y, 0.0))
    return PutGoal(object=f"thing_{index}", relation="table", anchors=(), anchors_xy=(),
                   area=area, tolerance=0.05, **changes)  # fmt: skip


def moved(index: int) -> list[Act]:
    return [act(Event.PICKED, index), act(Event.PLACED, index, PLACES[index])]


def several(now: State, acts: Sequence[Act], *, ordered: bool = True) -> Verdict:
    goal = SeveralGoal(parts=(put(MUG), put(APPLE)), ordered=ordered)
    return judge(goal, SCENE, START, now, acts)


BOTH = state({MUG: PLACES[MUG], APPLE: PLACES[APPLE]})


def test_several_parts_count_half_when_picked_and_whole_when_placed() -> None:
    picked = [act(Event.PICKED, MUG)]
    one = state({MUG: PLACES[MUG]})
    steps: list[tuple[State, list[Act], float]] = [
        (START, [], 0.0),
        (state(held=MUG), picked, 0.25),
        (one, moved(MUG), 0.5),
        (state({MUG: PLACES[MUG]}, held=APPLE), [*moved(MUG), act(Event.PICKED, APPLE)], 0.75),
        (BOTH, moved(MUG) + moved(APPLE), 1.0),
    ]
    for ordered in (True, False):
        for now, acts, progress in steps:
            verdict = several(now, acts, ordered=ordered)
            assert verdict.progress == progress
            assert verdict.success == (progress == 1)
            assert verdict.measures["parts_done"] == math.floor(2 * progress)


def test_the_wrong_order_is_a_stage_only_where_an_order_is_asked() -> None:
    turned_round = moved(APPLE) + moved(MUG)
    assert several(BOTH, turned_round, ordered=False).success
    verdict = several(BOTH, turned_round)
    assert (verdict.success, verdict.stage, verdict.progress) == (False, "order", 0.75)
    again = several(BOTH, turned_round + moved(APPLE))
    assert (again.success, again.stage) == (True, "success")


def test_before_its_turn_a_part_in_its_place_counts_half() -> None:
    now = state({APPLE: PLACES[APPLE]})
    assert several(now, moved(APPLE)).progress == 0.25
    assert several(now, moved(APPLE), ordered=False).progress == 0.5


def test_a_part_that_is_undone_later_does_not_count() -> None:
    knocked = state({MUG: (0.6, 0.2), APPLE: PLACES[APPLE]})
    verdict = several(knocked, moved(MUG) + moved(APPLE), ordered=False)
    assert (verdict.success, verdict.progress, verdict.stage) == (False, 0.75, "place")
    assert several(knocked, moved(MUG) + moved(APPLE)).progress == 0.5
    lifted = state({APPLE: PLACES[APPLE]}, held=MUG)
    assert several(lifted, [*moved(MUG), *moved(APPLE), act(Event.PICKED, MUG)]).progress == 0.5


def test_the_stage_of_several_is_that_of_the_first_part_that_fails() -> None:
    now = state({MUG: PLACES[MUG], APPLE: (0.6, 0.3)})
    missed = act(Event.PLACED, APPLE, (0.6, 0.3))
    verdict = several(now, [*moved(MUG), act(Event.PICKED, APPLE), missed])
    assert verdict.stage == "point"
    other = act(Event.PICKED, OTHER)
    assert several(state(held=OTHER), [other]).stage == "wrong_object"


def test_the_next_part_is_the_held_one_or_the_first_that_is_left() -> None:
    goal = SeveralGoal(parts=(put(MUG), put(APPLE)), ordered=True)
    for now, expected in [
        (START, MUG),
        (state(held=APPLE), APPLE),
        (state({MUG: PLACES[MUG]}), APPLE),
        (BOTH, None),
    ]:
        part = goals.next_part(goal, layout(now))
        assert (None if part is None else SCENE.index(part.object)) == expected


def row_goal(n: int = 3, along: tuple[float, float] = (0.0, 1.0)) -> RowGoal:
    return RowGoal(objects=tuple(f"thing_{k}" for k in range(n)), along=along,
                   slots=((0.45, -0.15), (0.45, 0.0), (0.45, 0.15))[:n], straight=0.03, even=0.35,
                   angle=20.0, tolerance=0.03)  # fmt: skip


def points(*xy: tuple[float, float]) -> list[Array]:
    return [np.array(p) for p in xy]


def turned_row(degrees: float, gap: float = 0.1, n: int = 3) -> list[Array]:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [np.array([0.5, 0.1]) + k * gap * np.array([c, s]) for k in range(n)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (points((0, 0), (0, 0.1), (0, 0.2)), True),
        (points((0, 0.2), (0, 0), (0, 0.1)), True),  # in any order
        # the middle is 2 h / 3 off the line that fits best, the ends h / 3
        (points((0, 0), (0.044, 0.1), (0, 0.2)), True),
        (points((0, 0), (0.046, 0.1), (0, 0.2)), False),
        # gaps of 1 +- e times their mean
        (points((0, 0), (0, 0.134), (0, 0.2)), True),
        (points((0, 0), (0, 0.136), (0, 0.2)), False),
        (turned_row(90 - 19), True),
        (turned_row(90 + 19), True),
        (turned_row(-90 + 19), True),
        (turned_row(90 - 21), False),
        (turned_row(0), False),
        (turned_row(90, n=5), True),
    ],
)
def test_a_row_is_straight_even_and_along_its_axis(rows: list[Array], expected: bool) -> None:
    assert goals.is_row(row_goal(), rows) == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (state({0: (0.5, -0.1), 1: (0.5, 0.0), 2: (0.5, 0.1)}), 3),
        (state({0: (0.5, -0.1), 1: (0.5, 0.0), 2: (0.7, 0.1)}), 2),
        (state({0: (0.3, 0.0), 1: (0.5, 0.0), 2: (0.7, 0.0)}), 1),
        (state({0: (0.5, -0.1), 1: (0.5, 0.0), 2: (0.5, 0.1)}, held=1), 2),
        (state({0: (0.5, -0.1), 1: (0.5, 0.0), 2: (0.5, 0.1, 0.08)}), 2),
    ],
)
def test_only_what_stands_on_the_table_is_in_the_longest_row(now: State, expected: int) -> None:
    assert goals.longest_row(row_goal(), layout(now)) == expected


def test_progress_of_a_row_counts_from_the_start() -> None:
    line = {0: (0.45, -0.15), 1: (0.45, 0.0), 2: (0.45, 0.15)}
    one = state({0: (0.3, 0.0), 1: (0.5, 0.0), 2: (0.7, 0.0)})
    two = state({0: line[0], 1: line[1], 2: (0.7, 0.3)})

    def verdict(start: State, now: State) -> Verdict:
        return judge(row_goal(), SCENE, start, now, [act(Event.PLACED, 1, (0.45, 0.0))])

    assert verdict(one, one).progress == 0
    assert verdict(one, two).progress == 0.5
    assert verdict(two, two).progress == 0
    assert verdict(two, one).progress == 0
    whole = verdict(two, state(line))
    assert (whole.success, whole.progress, whole.measures["in_row"]) == (True, 1.0, 3.0)
    elsewhere = {k: (x + 0.1, y) for k, (x, y) in line.items()}
    assert verdict(two, state(elsewhere)).success, "any row counts, not only that of the slots"
    held = verdict(two, state(line, held=2))
    assert (held.success, held.progress) == (False, 0.0)


def facing(now: State) -> Array:
    found = layout(now).bodies[MUG].facing("handle")
    assert found is not None
    return found


@pytest.mark.parametrize("degrees", [-170, -90, -26, -24, 0, 24, 26, 90, 180])
def test_a_turn_is_measured_from_the_named_direction(degrees: float) -> None:
    x, y = facing(START)
    goal = put(MUG, turn=TurnGoal(side="handle", to=(x, y), tolerance=25.0))
    now = state({MUG: PLACES[MUG]}, {MUG: about_z(degrees)})
    assert goals.turn_off(goal, layout(now)) == pytest.approx(abs(degrees), abs=1e-4)
    verdict = judge(goal, SCENE, START, now, moved(MUG))
    is_right = abs(degrees) <= 25
    assert verdict.stage == ("success" if is_right else "turn")
    assert verdict.progress == (1.0 if is_right else 0.5)
    assert goals.is_fulfilled(goal, layout(now)) == is_right


def test_what_lies_on_its_side_has_no_level_direction_left() -> None:
    turn = TurnGoal(side="handle", to=(1.0, 0.0), tolerance=25.0)
    x, y = facing(START)
    half = math.radians(90) / 2
    up = (math.cos(half), -y * math.sin(half), x * math.sin(half), 0.0)
    assert goals.turn_off(put(MUG, turn=turn), layout(state(turned={MUG: up}))) == 180


def test_a_miss_is_told_by_the_place_not_by_the_point_of_the_way() -> None:
    x, y = facing(START)
    goal = put(MUG, turn=TurnGoal(side="handle", to=(x, y), tolerance=25.0))
    away = state({MUG: (0.6, 0.3)})
    for named, stage in [(PLACES[MUG], "place"), ((0.6, 0.3), "point")]:
        told = (named[0] + 0.3, named[1])
        for event, now in [(Event.PLACED, away), (Event.PLACE_BLOCKED, state(held=MUG))]:
            acts = [act(Event.PICKED, MUG), act(Event.AIMED, MUG, named), act(event, MUG, told)]
            assert judge(goal, SCENE, START, now, acts).stage == stage


@pytest.mark.parametrize(("degrees", "stands"), [(0, True), (11, True), (12, False)])
def test_upright_is_part_of_being_done_where_it_is_asked(degrees: float, stands: bool) -> None:
    now = layout(state({APPLE: (*PLACES[APPLE], 0.01)}, {APPLE: about_x(degrees)}))
    assert goals.tilt(now, APPLE) == pytest.approx(math.radians(degrees))
    assert goals.is_fulfilled(put(APPLE), now)
    assert goals.is_fulfilled(put(APPLE, upright=0.2), now) == stands
