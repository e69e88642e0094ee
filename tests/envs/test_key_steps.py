"""Key steps: their order, their kinds, and values measured again from the scene."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import shapely

from refergym.assets import camera as pinhole
from refergym.assets.library import open_pack
from refergym.assets.spec import ObjectSpec, Pose, SceneSpec, SupportSpec
from refergym.envs import areas
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.binding import names_in
from refergym.envs.key_steps import KeyStep, key_steps
from refergym.envs.language import noun_phrase
from refergym.envs.programs import (
    Beside,
    Edge,
    Facing,
    Gather,
    Move,
    Program,
    Rank,
    Select,
    Where,
)
from refergym.envs.referents import Clarity, read, read_all
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.starts import look, rest_state
from refergym.envs.task_spec import Goal, PointObjectGoal, PutGoal, TaskSpec
from refergym.envs.tasks.common import task_spec
from refergym.envs.types import Event, State
from refergym.envs.view import View

CLARITY = Clarity()
MUG, APPLE, BOTTLE = Select(category="mug"), Select(category="apple"), Select(category="bottle")
LEFT = Select(category="mug", rank=Rank(axis="left-right", position=1))
RIGHTMOST = Select(category="mug", rank=Rank(axis="left-right", position=-1))
LEFT_MUG, MIDDLE_MUG, RIGHT_MUG, AN_APPLE, A_BOTTLE = range(5)
SCALES = (0.8, 0.7, 1.0, 0.8, 1.0)


def first(category: str) -> str:
    return next(a.name for a in open_pack().manifest.assets if a.category == category)


def make_scene() -> SceneSpec:
    """Three mugs from left to right as the camera sees them, an apple before, a bottle behind."""
    mug = first("mug")
    places = [(mug, 0.5, -0.18, 110), (mug, 0.5, -0.02, 0), (mug, 0.5, 0.16, 10),
              (first("apple"), 0.65, -0.08, 0), (first("bottle"), 0.36, 0.05, 0)]  # fmt: skip
    objects = tuple(
        ObjectSpec(
            id=f"thing_{i}",
            asset=a,
            scale=SCALES[i],
            pose=Pose(
                position=(x, y, 0.0),
                orientation=(math.cos(math.radians(d / 2)), 0, 0, math.sin(math.radians(d / 2))),
            ),
        )
        for i, (a, x, y, d) in enumerate(places)
    )
    table = SupportSpec(id="table", pose=Pose(position=(0.625, 0.0, -0.02)), size=(0.85, 1.3, 0.04))
    pose = pinhole.look_at((1.2, 0.0, 0.6), (0.5, 0.0, 0.0))
    return SceneSpec(
        pack=open_pack().digest,
        supports=(table,),
        objects=objects,
        camera=pinhole.camera_from_fov(224, 224, 55, pose),
        settled={"kinematic": tuple(o.pose for o in objects)},
    )


SCENE = make_scene()


@pytest.fixture(scope="module")
def renderer() -> Iterator[EmbreeRenderer]:
    made = EmbreeRenderer()
    yield made
    made.close()


@pytest.fixture(scope="module")
def view(renderer: EmbreeRenderer) -> View:
    return seen(renderer, rest_state(SCENE, "kinematic"))


def seen(renderer: EmbreeRenderer, state: State) -> View:
    return View(SCENE, state, look(renderer, SCENE, state), open_pack())


def asked(program: Program, view: View, goal: Goal | None = None) -> TaskSpec:
    readings: list[Any] = [
        read_all(s, view, CLARITY) if isinstance(program, Gather) and path == "what"
        else read(s, view, CLARITY)
        for path, s in names_in(program)
    ]  # fmt: skip
    return task_spec(
        view, kind="planted", instruction="Do it.", program=program, subgoals=(), names=readings,
        goal=goal or PointObjectGoal(object=SCENE.objects[readings[0].index].id),
    )  # fmt: skip


def steps(program: Program, view: View, goal: Goal | None = None) -> list[KeyStep]:
    return list(key_steps(asked(program, view, goal), view))


def told(found: list[KeyStep]) -> list[tuple[str, str]]:
    return [(s.perception, s.target) for s in found]


def shows(view: View, step: KeyStep) -> list[int]:
    """What the pixels of a position show."""
    points = zip(step.value[::2], step.value[1::2], strict=True)
    pixels = [pinhole.pixel_of_point(view.scene.camera, u, v) for u, v in points]
    return [int(view.frame.ids[y, x]) for x, y in pixels]


@pytest.mark.parametrize(
    ("perception", "value", "text"),
    [
        ("Position", (0.245, 0.1466), "[Position] [the cup]: [(0.245, 0.147)]"),
        (
            "Position",
            (0.1, 0.2, 0.3, 0.4),
            "[Position] [the cup]: [(0.100, 0.200), (0.300, 0.400)]",
        ),
        ("Orientation", (-0.0, 0.6, -0.8), "[Orientation] [the cup]: (0.000, 0.600, -0.800)"),
        ("Size", (0.1249,), "[Size] [the cup]: 0.12"),
    ],
)
def test_the_text_is_that_of_an_answer(perception: Any, value: Any, text: str) -> None:
    assert KeyStep(perception=perception, target="the cup", value=value).text == text


def test_a_position_is_that_of_a_pixel_of_the_thing(view: View) -> None:
    for index, select in [(LEFT_MUG, LEFT), (AN_APPLE, APPLE), (A_BOTTLE, BOTTLE)]:
        (step,) = steps(select, view)
        assert told([step]) == [("Position", noun_phrase(select))]
        assert shows(view, step) == [index]


def test_anchors_come_before_what_they_tell(view: View) -> None:
    near = Rank(axis="distance", position=1, anchor=BOTTLE)
    close = Select(category="mug", where=(Where(relation="right", anchors=(APPLE,)),), rank=near)
    apple, bottle, mug = steps(close, view)
    assert [shows(view, s) for s in (apple, bottle, mug)] == [[AN_APPLE], [A_BOTTLE], [MIDDLE_MUG]]
    assert told([apple, bottle]) == [("Position", "the apple"), ("Position", "the bottle")]
    deep = Select(category="apple", where=(Where(relation="front", anchors=(LEFT,)),))
    assert [shows(view, s) for s in steps(deep, view)] == [[LEFT_MUG], [AN_APPLE]]


def test_what_is_named_twice_is_told_once(view: View) -> None:
    clauses = (
        Where(relation="left", anchors=(BOTTLE,)),
        Where(relation="front", anchors=(BOTTLE,)),
    )
    select = Select(category="apple", where=clauses)
    assert [shows(view, s) for s in steps(select, view)] == [[A_BOTTLE], [AN_APPLE]]


MEASURES: Mapping[str, Any] = {
    "height": lambda size: size[2],
    "size": lambda size: math.prod(size) ** (1 / 3),
    "width": lambda size: max(size[:2]),
}


def measured(index: int, name: str) -> float:
    size = open_pack()[SCENE.objects[index].asset].size
    return float(MEASURES[name](size)) * SCALES[index]


@pytest.mark.parametrize("axis", MEASURES)
@pytest.mark.parametrize(("position", "index"), [(1, RIGHT_MUG), (-1, MIDDLE_MUG)])
def test_an_order_by_size_asks_for_the_size(
    view: View, axis: Any, position: int, index: int
) -> None:
    select = Select(category="mug", rank=Rank(axis=axis, position=position))
    phrase = noun_phrase(select)
    size, at = steps(select, view)
    assert told([size, at]) == [("Size", phrase), ("Position", phrase)]
    assert size.value == pytest.approx([measured(index, axis)], abs=2e-3)
    assert shows(view, at) == [index]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("is_more", [True, False])
def test_a_comparison_asks_for_both_sizes(view: View, measure: str, is_more: bool) -> None:
    """The bottle is taller, bigger and wider than the apple."""
    relations = {"height": ("short", "tall"), "size": ("small", "big"), "width": ("thin", "wide")}
    subject, anchor = (BOTTLE, APPLE) if is_more else (APPLE, BOTTLE)
    where = Where(relation=relations[measure][is_more], anchors=(anchor,))
    select = Select(category=subject.category, where=(where,))
    found = steps(select, view)
    phrase, other = noun_phrase(select), noun_phrase(anchor)
    expected = [("Position", other), ("Size", other), ("Size", phrase), ("Position", phrase)]
    assert told(found) == expected
    indices = (A_BOTTLE, AN_APPLE) if is_more else (AN_APPLE, A_BOTTLE)
    values = [found[2].value[0], found[1].value[0]]
    assert values == pytest.approx([measured(i, measure) for i in indices], abs=2e-3)


def direction_c(index: int, side: str) -> np.ndarray:
    """A direction of an object in the camera's frame, from the poses alone."""
    w, _, _, z = SCENE.objects[index].pose.orientation
    angle = 2 * math.atan2(z, w)
    x, y, up = open_pack()[SCENE.objects[index].asset].directions[side]
    c, s = math.cos(angle), math.sin(angle)
    way = np.array([c * x - s * y, s * x + c * y, up])
    eye, at = np.array([1.2, 0.0, 0.6]), np.array([0.5, 0.0, 0.0])
    ahead = (at - eye) / np.linalg.norm(at - eye)
    right = np.cross(ahead, [0, 0, 1.0])
    right /= np.linalg.norm(right)
    camera = np.stack([right, np.cross(ahead, right), ahead])
    found: np.ndarray = camera @ way
    return found


def check_direction(step: KeyStep, index: int, phrase: str) -> None:
    assert (step.perception, step.target) == ("Orientation", f"the handle of {phrase}")
    assert step.value == pytest.approx(direction_c(index, "handle"), abs=1e-3)
    assert np.linalg.norm(step.value) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("relation", "mug", "index"), [("face", LEFT, LEFT_MUG), ("back", RIGHTMOST, RIGHT_MUG)]
)
def test_a_relation_to_a_side_asks_where_that_side_points(
    view: View, relation: str, mug: Select, index: int
) -> None:
    where = Where(relation=relation, anchors=(mug,), frame="object", side="handle")
    anchor, way, bottle = steps(Select(category="bottle", where=(where,)), view)
    assert (shows(view, anchor), shows(view, bottle)) == ([index], [A_BOTTLE])
    check_direction(way, index, noun_phrase(mug))


def put(index: int, x: float, y: float, **changes: Any) -> PutGoal:
    ring = shapely.get_coordinates(shapely.Point(x, y).buffer(0.06, quad_segs=4).exterior)[:-1]
    area = areas.Area(ring=tuple((a, b) for a, b in ring.tolist()), height=0.0, goal=(x, y, 0.0))
    return PutGoal(object=SCENE.objects[index].id, relation="table", anchors=(), anchors_xy=(),
                   area=area, tolerance=0.05, **changes)  # fmt: skip


def test_an_objects_own_left_asks_where_it_faces(view: View) -> None:
    beside = Beside(anchor=LEFT, side="left", frame="object", facing="handle")
    moved = Move(what=APPLE, where=beside)
    apple, mug, way, place = steps(moved, view, put(AN_APPLE, 0.62, 0.2))
    assert (shows(view, apple), shows(view, mug)) == ([AN_APPLE], [LEFT_MUG])
    check_direction(way, LEFT_MUG, noun_phrase(LEFT))
    x, y = pinhole.pixel_of_point(SCENE.camera, *place.value)
    at = view.points(np.array([y]), np.array([x]))[0]
    assert place.perception == "Position"
    assert at == pytest.approx([0.62, 0.2, 0.0], abs=0.01)


@pytest.mark.parametrize("is_angle", [False, True])
def test_a_turn_asks_where_the_thing_points_and_what_it_is_turned_by(
    view: View, is_angle: bool
) -> None:
    facing = Facing(side="handle", toward=RIGHTMOST, angle=90.0 if is_angle else None)
    move = Move(what=LEFT, where=Edge(side="left"), facing=facing)
    found = steps(move, view, put(LEFT_MUG, 0.62, 0.2))
    assert [s.perception for s in found] == ["Position"] * 3 + ["Orientation"] * (1 + is_angle)
    assert [shows(view, s)[0] for s in (found[0], found[2])] == [LEFT_MUG, RIGHT_MUG]
    check_direction(found[3], LEFT_MUG, noun_phrase(LEFT))
    if is_angle:
        check_direction(found[4], RIGHT_MUG, noun_phrase(RIGHTMOST))


def test_a_name_for_several_has_the_position_of_each(view: View) -> None:
    gather = Gather(what=MUG, where=Edge(side="left"))
    mugs, *_ = steps(gather, view, put(LEFT_MUG, 0.62, 0.2))
    assert mugs.target == "all the mugs"
    assert shows(view, mugs) == [LEFT_MUG, MIDDLE_MUG, RIGHT_MUG]


def test_what_was_moved_stays_what_the_words_meant(view: View, renderer: EmbreeRenderer) -> None:
    """The leftmost mug is carried to the right of all; the words alone would now mean another."""
    task = asked(LEFT, view)
    (before,) = key_steps(task, view)
    backend = KinematicBackend()
    backend.reset(SCENE)
    x, y = pinhole.pixel_of_point(SCENE.camera, *before.value)
    assert backend.pick(view.points(np.array([y]), np.array([x]))[0]).event is Event.PICKED
    carried = seen(renderer, backend.state())
    assert all(shows(carried, s) == [LEFT_MUG] for s in key_steps(task, carried))
    assert backend.place(np.array([0.5, 0.32, 0.0])).event is Event.PLACED
    after = seen(renderer, backend.state())
    (now,) = key_steps(task, after)
    assert read(LEFT, after, CLARITY).index == MIDDLE_MUG
    assert now.target == before.target
    assert shows(after, now) == [LEFT_MUG]
    assert now.value[0] - before.value[0] > 0.2, "it is farther to the right in the picture"
