"""Certificates, counted again from the ids: pixel by pixel, with a geometry of its own."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
import shapely

from refergym.assets.camera import look_at
from refergym.assets.library import open_pack
from refergym.envs.programs import Select
from refergym.envs.referents import Clarity, Reading, read
from refergym.envs.registration import make_env
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.starts import look, rest_state
from refergym.envs.task_spec import (
    Area,
    Certificate,
    Goal,
    PointObjectGoal,
    PutGoal,
    SeveralGoal,
    TaskSpec,
)
from refergym.envs.tasks.common import task_spec
from refergym.envs.types import ID_SUPPORT
from refergym.envs.view import View

KINDS = {
    "point_at_object": ["task.steps=[1,3]"],
    "point_at_free_space": ["task.steps=[2,3]"],
    "pick": ["task.steps=[2,2]"],
    "pick_place": ["task.relations=[onto,into]"],
    "place_turned": [],
    "put_all": [],
    "sequence": ["task.moves=[2,2]"],
    "arrange_row": [],
}
UNPROVEN = ["task.rehearsed=false"]
Case = tuple[TaskSpec, View]


@pytest.fixture(scope="module")
def renderer() -> Iterator[EmbreeRenderer]:
    made = EmbreeRenderer()
    yield made
    made.close()


@pytest.fixture(scope="module")
def cases(renderer: EmbreeRenderer) -> dict[str, Case]:
    found = {}
    for kind, asked in KINDS.items():
        moves = [] if kind.startswith("point") else UNPROVEN
        env = make_env(kind, "kinematic", overrides=["pictures=false", *asked, *moves])
        start = env.reset(seed=2)[1]["start"]
        env.close()
        state = rest_state(start.scene, "kinematic")
        frame = look(renderer, start.scene, state)
        found[kind] = start.task, View(start.scene, state, frame, open_pack())
    return found


def names_of(goal: Any) -> list[str]:
    if isinstance(goal, SeveralGoal):
        return [p.object for p in goal.parts]
    if hasattr(goal, "objects"):
        return list(goal.objects)
    return [goal.object] if hasattr(goal, "object") else []


def ground(view: View) -> np.ndarray:
    """[H, W, 3] m, world: what each pixel shows."""
    camera, depth = view.scene.camera, view.frame.depth
    ys, xs = np.indices(depth.shape)
    rays = np.stack([(xs + 0.5 - camera.cx) / camera.fx, (ys + 0.5 - camera.cy) / camera.fy,
                     np.ones_like(depth)], -1)  # fmt: skip
    w, x, y, z = camera.pose.orientation
    turn = np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
    shown: np.ndarray = rays * depth[..., None] @ turn.T + camera.pose.position
    return shown


def count(view: View, area: Area, shows: int) -> int:
    """Pixels that show an area on a thing, or on the table's upper face."""
    points = ground(view)
    ring = shapely.Polygon(area.ring)
    right = shapely.contains_xy(ring, points[..., 0], points[..., 1]) & (view.frame.ids == shows)
    if shows == ID_SUPPORT:
        right &= np.abs(points[..., 2] - area.height) < 0.003
    return int(right.sum())


def counts(task: TaskSpec, view: View) -> list[int]:
    """How many pixels are right for each point that a task takes."""
    goal: Any = task.goal
    found = [int((view.frame.ids == view.scene.index(n)).sum()) for n in names_of(goal)]
    parts = goal.parts if isinstance(goal, SeveralGoal) else [goal] if hasattr(goal, "area") else []
    for part in parts:
        inside = getattr(part, "relation", "table") != "table"
        shows = view.scene.index(part.anchors[0]) if inside else ID_SUPPORT
        found.append(count(view, part.area, shows))
        turn = getattr(part, "turn", None)
        if turn is not None:
            away = ground(view)[..., :2] - part.area.goal[:2]
            length = np.linalg.norm(away, axis=-1)
            cosine = away @ turn.to / np.maximum(length, 1e-9)
            told = (cosine >= math.cos(math.radians(turn.tolerance))) & (length >= 0.005)
            found.append(int((told & (view.frame.depth > 0)).sum()))
    for slot in getattr(goal, "slots", ()):
        circle = shapely.Point(slot).buffer(goal.tolerance, quad_segs=8)
        ring = tuple((float(x), float(y)) for x, y in circle.exterior.coords[:-1])
        found.append(count(view, Area(ring=ring, height=0.0, goal=(*slot, 0.0)), ID_SUPPORT))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_the_chance_is_that_of_random_points(cases: dict[str, Case], kind: str) -> None:
    task, view = cases[kind]
    right = counts(task, view)
    expected = math.prod(n / view.frame.ids.size for n in right)
    # a pixel on an area's very edge may fall to either side
    least = math.prod(1 - 2 / n for n in right)
    assert task.certificate.chance == pytest.approx(expected, rel=1.001 / least - 1)


@pytest.mark.parametrize("kind", KINDS)
def test_things_and_their_pixels_are_counted(cases: dict[str, Case], kind: str) -> None:
    task, view = cases[kind]
    certificate, goal = task.certificate, task.goal
    targets = [view.scene.index(n) for n in names_of(goal)]
    bound = {view.scene.index(o) for b in task.bound for o in b.objects}
    assert certificate.objects == len(view.scene.objects)
    if targets:
        assert certificate.target_pixels == (view.frame.ids == targets[0]).sum()
    anchors = [int((view.frame.ids == i).sum()) for i in bound - set(targets)]
    assert sorted(certificate.anchor_pixels) == sorted(anchors)
    about = set(targets) or bound
    kinds = {view.thing(i).category for i in about}
    alike = {i for i in range(len(view)) if view.thing(i).category in kinds}
    assert certificate.distractors == len(alike - about)


@pytest.mark.parametrize("kind", ["point_at_object", "pick"])
def test_the_margin_is_the_least_that_a_name_rests_on(cases: dict[str, Case], kind: str) -> None:
    """A little more is too much to ask, a little less is not."""
    task, view = cases[kind]
    assert isinstance(task.program, Select)
    reading = read(task.program, view, Clarity())
    least = min(r.margin for r in reading.named())
    expected = None if math.isinf(least) else pytest.approx(least, abs=1e-4)
    assert task.certificate.margin == expected
    assert least > 1


def task_for(view: View, goal: Goal, targets: Sequence[int], places: Any = ()) -> Certificate:
    names = [
        Reading(index=i, margin=math.inf, select=Select(category=view.thing(i).category))
        for i in targets
    ]
    return task_spec(
        view, kind="planted", instruction="Do it.", program=names[0].select, goal=goal,
        subgoals=(), names=names[:1], targets=targets, places=places,
    ).certificate  # fmt: skip


def put(name: str) -> PutGoal:
    area = Area(ring=((0.4, 0.0), (0.5, 0.0), (0.5, 0.1)), height=0.0, goal=(0.45, 0.05, 0.0))
    return PutGoal(object=name, relation="table", anchors=(), anchors_xy=(), area=area,
                   tolerance=0.05)  # fmt: skip


def test_the_middle_of_the_picture_may_be_a_right_first_point(
    cases: dict[str, Case], renderer: EmbreeRenderer
) -> None:
    """The camera of a start is turned to one of its objects."""
    _, seen = cases["point_at_object"]
    scene = seen.scene
    for one in range(len(seen)):
        thing = seen.thing(one)
        pose = look_at(scene.camera.pose.position, (*thing.centre, (thing.bottom + thing.top) / 2))
        camera = msgspec.structs.replace(scene.camera, pose=pose)
        turned = msgspec.structs.replace(scene, camera=camera)
        frame = look(renderer, turned, seen.state)
        view = View(turned, seen.state, frame, open_pack())
        if frame.ids[112, 112] == one:
            break
    other = (one + 1) % len(seen)
    names = [scene.objects[i].id for i in (other, one)]
    point = PointObjectGoal(object=names[1])
    parts = tuple(put(n) for n in names)
    assert task_for(view, point, [one]).center
    assert not task_for(view, point, [other]).center
    assert not task_for(view, SeveralGoal(parts=parts, ordered=True), [other, one]).center
    assert task_for(view, SeveralGoal(parts=parts, ordered=False), [other, one]).center
    middle, beside = np.array([[3, 4], [112, 112]]), np.array([[112, 3], [3, 112]])
    names_only = [Reading(index=one, margin=math.inf, select=Select(category="cup"))]
    for pixels, expected in [(middle, True), (beside, False)]:
        spec = task_spec(
            view, kind="planted", instruction="Do it.", program=names_only[0].select, goal=point,
            subgoals=(), names=names_only, places=[pixels],
        )  # fmt: skip
        assert spec.certificate.center == expected
