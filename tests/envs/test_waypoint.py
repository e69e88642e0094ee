"""Waypoints for a mobile base in rooms with furniture, checked by a geometry of their own."""

import re

import furnished
import msgspec
import numpy as np
import pytest
import shapely
from furnished import BLOCKS, KINDS, RADIUS, SIZE, room, start
from shapely import affinity
from shapely.geometry.base import BaseGeometry

from refergym.assets import camera as pinhole
from refergym.assets import records
from refergym.assets.library import Pack
from refergym.assets.seeding import generator
from refergym.assets.spec import FixtureSpec, ObjectSpec, Pose, SceneSpec
from refergym.envs import floors, paths
from refergym.envs.areas import polygon_of
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.errors import TaskError
from refergym.envs.grammar import load_program
from refergym.envs.refer_env import ReferEnv
from refergym.envs.registration import make_env
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.task_spec import TaskSpec
from refergym.envs.tasks import PointAtWaypoint
from refergym.envs.types import ID_FIXTURE, ID_NOTHING, ID_ROBOT, ID_SUPPORT, SIDES
from refergym.envs.view import Layout

BASE, HIGH, BESIDE = 0.25, 0.3, 1.2
FAR = np.array([0.6, -2.0])
MIDDLE, YAW = np.array([0.65, 0.0]), 0.3
WORDS = {
    "left": r"\bleft (side )?of",
    "right": r"\bright (side )?of",
    "front": r"in front of|near side of|this side of",
    "behind": r"behind|far side of",
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
        "height": HIGH,
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


def low_parts(kind: str) -> list[shapely.Polygon]:
    """What of the table in `room` is lower than the base, seen from above."""
    if kind == "outline":
        return []
    boxes = [shapely.box(-0.05, -0.05, 0.05, 0.05)]
    if kind == "table":
        x, y = np.array(SIZE) / 2 - 0.05
        boxes = [shapely.box(-x, -y, x, y)]
        boxes += [shapely.box(-0.025, -0.025, 0.025, 0.025)] * 4
        at = [(0, 0), (x, y), (-x, y), (x, -y), (-x, -y)]
        boxes = [affinity.translate(b, *a) for b, a in zip(boxes, at, strict=True)]
    turned = [affinity.rotate(b, YAW, origin=(0, 0), use_radians=True) for b in boxes]
    return [affinity.translate(b, *MIDDLE) for b in turned]


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
    sides, shaded = set(), 0
    for eye in eyes:
        spec = room(furniture, kind, *BLOCKS, eye=eye)
        corners, toward = table_corners(kind), viewer(spec)
        walls = [shapely.box(*_ends(f)) for f in spec.fixtures if f.id.startswith("wall")]
        floor = shapely.Polygon(furnished.circle(2.6, 6) + np.array([0.5, 0.0]))
        table = shapely.Polygon(corners)
        arm = shapely.Point(0, 0).buffer(0.2)
        in_the_way = shapely.union_all([*walls, arm, *low_parts(kind)])
        for spec_ in places(spec, renderer, furniture, 5):
            side = next(s for s in SIDES if re.search(WORDS[s], spec_.instruction))
            sides.add(side)
            noun = {"outline": "table", "table": "dining table"}.get(kind, kind)
            assert re.search(rf" the {noun}[.?]$", spec_.instruction)
            assert "floor" in spec_.instruction
            area = polygon_of(spec_.goal.area)
            rng = np.random.default_rng(0)
            low, high = np.array(area.bounds).reshape(2, 2)
            drawn = rng.uniform(low, high, (400, 2))
            inside = drawn[shapely.contains_xy(area, *drawn.T)]
            assert spec_.goal.start == pytest.approx(eye[:2]), "nothing stands below the viewer"
            ways = shapely.linestrings([[eye[:2], at] for at in drawn])
            whole = shapely.contains_xy(shapely.Polygon(spec_.goal.area.ring), *drawn.T)
            is_free = shapely.contains_xy(area, *drawn.T)
            assert (shapely.distance(ways, in_the_way)[is_free] > BASE - 0.012).all()
            beside = shapely.distance(shapely.points(drawn), table) > BASE
            assert (shapely.distance(ways, in_the_way)[whole & beside & ~is_free] <= BASE).all()
            shaded += int((whole & beside & ~is_free).sum())
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
    assert shaded > 20


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
    post = shapely.box(at.x - 0.05, at.y - 0.05, at.x + 0.05, at.y + 0.05)
    for change, taken in (
        ({"objects": (*spec.objects, block)}, post.buffer(-0.025, join_style="mitre")),
        ({"fixtures": (*spec.fixtures, wall)}, post),
        ({"fixtures": (*spec.fixtures, lamp)}, None),
    ):
        after = _free(msgspec.structs.replace(spec, **change), furniture)
        lost = before.difference(after)
        if taken is None:
            assert lost.is_empty
            continue
        assert lost.buffer(1e-4).covers(taken.buffer(BASE - 0.012).intersection(before))
        ends = shapely.get_coordinates(lost.buffer(-1e-4))
        ways = shapely.linestrings([[FAR, end] for end in ends])
        assert (shapely.distance(ways, taken) <= BASE).all(), "what is lost is on or behind it"


def _free(spec: SceneSpec, pack: Pack) -> shapely.Polygon:
    layout = Layout(spec, start(spec), pack)
    return polygon_of(floors.area_at(layout, 0, "left", base(), BESIDE, FAR))


def base(height: float = HIGH) -> floors.Base:
    return floors.Base(radius=BASE, height=height)


def under(spec: SceneSpec, pack: Pack, height: float) -> BaseGeometry:
    """Where the base may stand under the table of a room, driving from where it starts."""
    layout = Layout(spec, start(spec), pack)
    at = floors.start_of(layout, base(height))
    return polygon_of(floors.area_at(layout, 0, "under", base(height), BESIDE, at))


def test_under_a_table_the_base_has_to_pass_its_legs_and_bars(furniture: Pack) -> None:
    ahead = MIDDLE + 1.5 * np.array([np.cos(YAW), np.sin(YAW)])
    spec = room(furniture, "table", eye=(*ahead, 1.15))
    with pytest.raises(TaskError, match="gets straight to"):
        under(spec, furniture, 0.29)
    where = under(spec, furniture, 0.27)
    assert shapely.Polygon(table_corners("table")).buffer(1e-4).covers(where)
    local = affinity.rotate(
        affinity.translate(where, *-MIDDLE), -YAW, origin=(0, 0), use_radians=True
    )
    x, y = SIZE[0] / 2 - 0.05, SIZE[1] / 2 - 0.05
    legs = shapely.multipoints([(x, y), (-x, y), (x, -y), (-x, -y)])
    assert local.distance(legs) > BASE - 0.005
    assert local.covers(shapely.box(-0.06, -0.25, 0.06, 0.25)), "between the legs there is room"


def test_what_is_under_a_table_behind_its_foot_is_not_got_to_straight(furniture: Pack) -> None:
    spec = room(furniture, "round table", eye=(2.1, 0.5, 1.15))
    where = under(spec, furniture, HIGH)
    ahead = np.array([2.1, 0.5]) - MIDDLE
    ahead /= np.hypot(*ahead)
    assert where.contains(shapely.Point(MIDDLE + 0.4 * ahead))
    assert not where.contains(shapely.Point(MIDDLE - 0.4 * ahead))


def test_a_bare_slab_hides_nothing_that_is_under_it(furniture: Pack) -> None:
    spec = room(furniture, "outline")
    slab = shapely.Polygon(table_corners("outline"))
    arm = shapely.Point(0, 0).buffer(floors.ARM + BASE)
    free = slab.difference(arm)
    assert free.area < 0.9 * slab.area, "the arm's pedestal stands next to it"
    assert under(spec, furniture, HIGH).area == pytest.approx(free.area, rel=0.02)
    with pytest.raises(TaskError, match="gets straight to"):
        under(spec, furniture, furnished.HEIGHT)


def test_places_under_a_table_are_asked_and_seen(furniture: Pack, renderer: EmbreeRenderer) -> None:
    spec = room(furniture, "round table", *BLOCKS)
    frame = renderer.render(spec, start(spec))
    made = task(furniture, sides=["under"]).sample(spec, start(spec), frame, generator(0, "test"))
    assert made.certificate.objects == len(BLOCKS)
    assert made.certificate.distractors == 0
    assert re.search(r" under the round table[.?]$", made.instruction)
    program = records.canonical_json(made.program)
    assert load_program(program) == made.program
    at = shapely.Point(made.goal.area.goal[:2])
    assert shapely.Polygon(table_corners("round table")).contains(at)


def test_the_certificate_tells_whether_the_pictures_middle_is_right(
    furniture: Pack, renderer: EmbreeRenderer
) -> None:
    told = set()
    goal = (0.5, 0.0, -0.25)
    for _ in range(2):
        spec = room(furniture, "round table", *BLOCKS, target=goal)
        frame = renderer.render(spec, start(spec))
        made = task(furniture, sides=["under"]).sample(
            spec, start(spec), frame, generator(0, "test")
        )
        ahead = pinhole.unproject(spec.camera, np.array([[112.5, 112.5]]), frame.depth[112, 112])[0]
        is_floor = abs(ahead[2] + furnished.HEIGHT) < 1e-3
        right = is_floor and shapely.contains_xy(polygon_of(made.goal.area), *ahead[:2])
        assert made.certificate.center == right
        told.add(right)
        goal = made.goal.area.goal
    assert told == {True, False}


def test_the_base_starts_beside_the_furniture_nearest_to_the_viewer(furniture: Pack) -> None:
    spec = room(furniture, "table", eye=(0.9, 0.1, 0.8))
    layout = Layout(spec, start(spec), furniture)
    at = shapely.Point(floors.start_of(layout, base()))
    table = shapely.Polygon(table_corners("table"))
    assert table.distance(at) == pytest.approx(BASE + paths.AIR, abs=0.01)
    assert at.distance(shapely.Point(0.9, 0.1)) == pytest.approx(
        table.exterior.distance(shapely.Point(0.9, 0.1)) + BASE + paths.AIR, abs=0.01
    )


def test_a_base_that_is_walled_in_gets_nowhere(furniture: Pack) -> None:
    spec = room(furniture, "table", eye=(2.1, 0.5, 1.15))
    walls = tuple(
        FixtureSpec(
            id=f"side_{k}",
            pose=Pose(position=(2.1 + x, 0.5 + y, 0.0)),
            size=(0.05 if x else 1.0, 0.05 if y else 1.0, 1.5),
        )
        for k, (x, y) in enumerate(((-0.5, 0), (0.5, 0), (0, -0.5), (0, 0.5)))
    )
    closed = msgspec.structs.replace(spec, fixtures=walls)
    layout = Layout(closed, start(closed), furniture)
    at = floors.start_of(layout, base())
    assert at == pytest.approx([2.1, 0.5])
    for side in floors.FLOOR_SIDES:
        with pytest.raises(TaskError, match="gets straight to"):
            floors.area_at(layout, 0, side, base(), 0.5, at)
    full = FixtureSpec(id="full", pose=Pose(position=(0.5, 0, -0.5)), size=(9.0, 9.0, 0.1))
    blocked = msgspec.structs.replace(spec, fixtures=(full,))
    with pytest.raises(TaskError, match="no floor where the base could start"):
        floors.start_of(Layout(blocked, start(blocked), furniture), base())


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
        ({"sides": ["above"]}, "sides: expected some of left, right, front, behind, under"),
        ({"sides": []}, "sides: expected some of"),
        ({"radius": 0.0}, "radius: expected > 0, got 0"),
        ({"height": 0.0}, "height: expected > 0, got 0"),
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
