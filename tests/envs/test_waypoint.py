"""Waypoints for a mobile base in rooms with furniture, checked by a geometry of their own."""

import furnished
import msgspec
import numpy as np
import pytest
import shapely
from furnished import BLOCKS, KINDS, RADIUS, SIZE, room, start

from refergym.assets import camera as pinhole
from refergym.assets.library import Pack
from refergym.assets.seeding import generator
from refergym.assets.spec import FixtureSpec, ObjectSpec, Pose, SceneSpec
from refergym.envs import floors
from refergym.envs.areas import polygon_of
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.errors import TaskError
from refergym.envs.refer_env import ReferEnv
from refergym.envs.registration import make_env
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.task_spec import TaskSpec
from refergym.envs.tasks import PointAtWaypoint
from refergym.envs.types import ID_FIXTURE, ID_NOTHING, ID_ROBOT, ID_SUPPORT, SIDES
from refergym.envs.view import Layout

BASE, BESIDE = 0.25, 1.2
MIDDLE, YAW = np.array([0.65, 0.0]), 0.3
WORDS = {
    "left": "to the left of",
    "right": "to the right of",
    "front": "in front of",
    "behind": "behind",
}


@pytest.fixture(scope="module")
def furniture(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return furnished.make_pack(tmp_path_factory.mktemp("furniture"))


@pytest.fixture(scope="module")
def renderer(furniture: Pack) -> EmbreeRenderer:
    return EmbreeRenderer(furniture)


def task(pack: Pack, **parts: object) -> PointAtWaypoint:
    limits: dict[str, object] = {
        "sides": SIDES,
        "radius": BASE,
        "beside": BESIDE,
        "pixels": 150,
        "furniture_pixels": 400,
    }
    return PointAtWaypoint(**{**limits, **parts}, pack=pack)  # type: ignore[arg-type]


def table_corners(kind: str) -> np.ndarray:
    """Of the table in `room`, [K, 2] m, world."""
    x, y = np.array(SIZE) / 2
    local = np.array([(-x, -y), (x, -y), (x, y), (-x, y)])
    if kind != "table":
        local = furnished.circle(RADIUS)
    c, s = np.cos(YAW), np.sin(YAW)
    return local @ np.array([[c, s], [-s, c]]) + MIDDLE


def viewer(spec: SceneSpec) -> dict[str, np.ndarray]:
    """What left, right, front and behind are, [2] each."""
    m = pinhole.pose_matrix(spec.camera.pose)
    away, right = (m[:2, k] / np.hypot(*m[:2, k]) for k in (2, 0))
    return {"left": -right, "right": right, "front": -away, "behind": away}


def places(spec: SceneSpec, renderer: EmbreeRenderer, pack: Pack, tries: int) -> list[TaskSpec]:
    """Tasks in a scene."""
    state = start(spec)
    frame = renderer.render(spec, state)
    return [task(pack).sample(spec, state, frame, generator(k, "test")) for k in range(tries)]


@pytest.mark.parametrize("kind", KINDS)
def test_places_are_where_the_words_say_and_have_room(
    furniture: Pack, renderer: EmbreeRenderer, kind: str
) -> None:
    eyes = ((2.1, 0.5, 1.15), (1.6, -1.6, 1.0), (1.9, 1.4, 0.9))
    sides = set()
    for eye in eyes:
        spec = room(furniture, kind, *BLOCKS, eye=eye)
        corners, toward = table_corners(kind), viewer(spec)
        walls = [shapely.box(*_ends(f)) for f in spec.fixtures]
        floor = shapely.Polygon(furnished.circle(2.6, 6) + np.array([0.5, 0.0]))
        table = shapely.Polygon(corners)
        for spec_ in places(spec, renderer, furniture, 5):
            side = next(s for s in SIDES if f" {WORDS[s]} the " in spec_.instruction)
            sides.add(side)
            noun = {"outline": "table", "table": "dining table"}.get(kind, kind)
            assert spec_.instruction.endswith(f" the {noun}.")
            assert "floor" in spec_.instruction
            area = polygon_of(spec_.goal.area)
            rng = np.random.default_rng(0)
            low, high = np.array(area.bounds).reshape(2, 2)
            drawn = rng.uniform(low, high, (400, 2))
            inside = drawn[shapely.contains_xy(area, *drawn.T)]
            for at in (*inside, np.array(spec_.goal.area.goal[:2])):
                ahead = at @ toward[side] - (corners @ toward[side]).max()
                assert -1e-4 < ahead < BESIDE + 1e-4
                across = np.array([-toward[side][1], toward[side][0]])
                lateral = at @ across
                assert lateral < (corners @ across).max() + ahead + 1e-4
                assert lateral > (corners @ across).min() - ahead - 1e-4
                point = shapely.Point(at)
                clear = min([table.distance(point)] + [w.distance(point) for w in walls])
                assert clear > BASE - 0.012, "corners are rounded coarsely"
                assert floor.exterior.distance(point) > BASE - 1e-3
                assert floor.contains(point)
                assert np.hypot(*at) > BASE + 0.15
    assert len(sides) >= 3


def _ends(fixture: FixtureSpec) -> tuple[float, float, float, float]:
    (x, y, _), (a, b, _) = fixture.pose.position, fixture.size
    return x - a / 2, y - b / 2, x + a / 2, y + b / 2


def test_the_sides_of_a_table_share_no_place_and_leave_none_out(furniture: Pack) -> None:
    spec = room(furniture, "table", *BLOCKS)
    layout = Layout(spec, start(spec), furniture)
    parts = [floors.side_of(layout, 0, side, 5.0) for side in SIDES]
    for k, one in enumerate(parts):
        for other in parts[k + 1 :]:
            assert one.intersection(other).area < 1e-6
    toward = viewer(spec)
    turned = table_corners("table") @ np.column_stack([toward["right"], toward["behind"]])
    rectangle = np.ptp(turned, axis=0)
    whole = np.prod(rectangle + 10.0)
    assert sum(p.area for p in parts) == pytest.approx(whole - np.prod(rectangle))


def test_furniture_of_one_name_or_none_is_not_named(furniture: Pack) -> None:
    spec = room(furniture, "table")
    table, floor = spec.supports
    disc = room(furniture, "round table").supports[0]
    bare = room(furniture, "outline").supports[0]

    def names(*supports: object) -> dict[int, str]:
        changed = msgspec.structs.replace(spec, supports=supports)
        return floors.names(Layout(changed, start(changed), furniture))

    assert names(table, floor) == {0: "dining table"}
    assert names(bare, floor) == {0: "table"}
    assert names(table, floor, disc) == {0: "dining table", 2: "round table"}
    assert names(table, floor, bare) == {0: "dining table"}
    assert names(table, floor, table) == {}
    assert names(bare, floor, disc) == {2: "round table"}, "a round table is a table"


def test_what_lies_or_stands_on_the_floor_is_kept_clear_of(furniture: Pack) -> None:
    spec = room(furniture, "table", *BLOCKS)
    before = _free(spec, furniture)
    at = before.representative_point()
    low = Pose(position=(at.x, at.y, -furnished.HEIGHT))
    block = ObjectSpec(id="lost", asset="block", pose=low)
    wall = FixtureSpec(id="post", pose=Pose(position=(at.x, at.y, 0.0)), size=(0.1, 0.1, 1.0))
    lamp = msgspec.structs.replace(wall, pose=Pose(position=(at.x, at.y, 1.5)))
    grown = 4 * 0.1 * BASE + np.pi * BASE**2
    for change, taken in (
        ({"objects": (*spec.objects, block)}, 4 * 0.05 * BASE + np.pi * BASE**2 + 0.05**2),
        ({"fixtures": (*spec.fixtures, wall)}, grown + 0.1**2),
        ({"fixtures": (*spec.fixtures, lamp)}, 0.0),
    ):
        after = _free(msgspec.structs.replace(spec, **change), furniture)
        lost = before.difference(after)
        assert lost.area <= taken + 1e-9
        assert lost.area >= 0.3 * taken


def _free(spec: SceneSpec, pack: Pack) -> shapely.Polygon:
    area = floors.area_beside(Layout(spec, start(spec), pack), 0, "left", BASE, BESIDE)
    return polygon_of(area)


def test_a_scene_that_shows_no_floor_says_so(furniture: Pack, renderer: EmbreeRenderer) -> None:
    near = room(furniture, "table", eye=(0.66, 0.0, 0.5), target=(0.65, 0.0, 0.0), hfov=40.0)
    alone = msgspec.structs.replace(near, supports=near.supports[:1])
    for spec, reason in ((near, "too little free floor is visible"), (alone, "has no floor")):
        frame = renderer.render(spec, start(spec))
        with pytest.raises(TaskError, match=reason) as caught:
            task(furniture).sample(spec, start(spec), frame, generator(0, "test"))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sides": ["above"]}, "sides: expected some of left, right, front, behind"),
        ({"sides": []}, "sides: expected some of"),
        ({"radius": 0.0}, "radius: expected > 0, got 0"),
        ({"beside": -1.0}, "beside: expected > 0, got -1"),
    ],
)
def test_limits_that_make_no_sense_are_refused(
    furniture: Pack, change: dict[str, object], message: str
) -> None:
    with pytest.raises(TaskError, match=message):
        task(furniture, **change)


def test_a_table_top_seen_from_afar_carries_the_task() -> None:
    wide = ["scene.back_off=[2.5,3.0]", "scene.camera_height=[0.3,3.0]", "scene.min_share=0.0001"]
    env = make_env("point_at_waypoint", "kinematic", overrides=wide)
    for index in range(3):
        _, info = env.reset(seed=1, options={"index": index})
        _, reward, *_ = env.step(np.array(info["truth"]["point_uv"]))
        assert reward == 1.0
    env.close()


class _Rooms:
    """A composer: always the same rooms, one after the other."""

    def __init__(self, pack: Pack, size: int) -> None:
        self.pack = pack
        self.image_size = (size, size)

    def compose(self, seed: int, index: int = 0, wants: object = None) -> SceneSpec:
        spec = room(self.pack, KINDS[index // 64 % len(KINDS)], *BLOCKS, size=self.image_size)
        return msgspec.structs.replace(spec, seed=index)


def waypoints(pack: Pack, size: int = 224, **parts: object) -> ReferEnv:
    made: dict[str, object] = {
        "composer": _Rooms(pack, size),
        "task": task(pack),
        "backend": KinematicBackend(pack),
        "renderer": EmbreeRenderer(pack),
        "pack": pack,
    }
    return ReferEnv(**{**made, **parts})  # type: ignore[arg-type]


@pytest.mark.parametrize(("pictures", "size"), [(True, 224), (False, 224), (False, 48)])
def test_the_truth_solves_every_waypoint(furniture: Pack, pictures: bool, size: int) -> None:
    env = waypoints(furniture, size, pictures=pictures)
    told = set()
    for index in range(8):
        _, info = env.reset(seed=3, options={"index": index})
        told.add(info["start"].task.instruction)
        *_, info = env.step(np.array(info["truth"]["point_uv"]))
        assert info["verdict"].success
        assert info["hit"] == ID_SUPPORT - 1
    env.close()
    assert len(told) >= 5
    assert any("dining table" in t for t in told)


def test_a_point_at_a_wall_decides_a_pointing_task_as_a_miss(furniture: Pack) -> None:
    env = waypoints(furniture)
    _, info = env.reset(seed=3)
    ids = info["truth"]._look().frame.ids
    for wanted in (ids <= ID_FIXTURE, ids == ID_SUPPORT, ids == ID_NOTHING, ids == ID_ROBOT):
        y, x = np.argwhere(wanted)[len(np.argwhere(wanted)) // 2]
        env.reset(seed=3)
        _, reward, terminated, _, step = env.step((np.array([x, y]) + 0.5) / 224)
        assert (reward, terminated) == (0.0, True)
        assert step["verdict"].stage == "point"
    env.close()
