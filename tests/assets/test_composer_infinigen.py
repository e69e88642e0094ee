"""The composer `infinigen` on solved scenes of plain tables: frames, edits, pictures, rooms."""

import itertools
import math
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from shapely import Polygon, box
from solved_pack import AIR, ELL, SQUARE, add_scene, write

from refergym.assets import camera as cameras
from refergym.assets import poses
from refergym.assets.composers import Infinigen, Tabletop, Wants
from refergym.assets.composers.stance import FOOT
from refergym.assets.errors import ComposeError, PackError, SpecError
from refergym.assets.footprints import fixture_polygon, footprint, support_polygon
from refergym.assets.library import Manifest, Pack
from refergym.assets.robots.panda_model import PEDESTAL_CENTRE, PEDESTAL_SIZE
from refergym.assets.solved import SolvedScene, load_solved
from refergym.assets.spec import FixtureSpec, ObjectSpec, SceneSpec

AS_SOLVED = {"swap": 0, "remove": 0, "add": [0, 0], "crop": "none"}
NAMES = ("dining_a", "coffee_a", "desk_a")
ROOMS = {"dining_a": SQUARE, "coffee_a": ELL, "desk_a": SQUARE}
Array = NDArray[np.float64]


def scenes_of(pack: Pack, count: int, **params: object) -> list[SceneSpec]:
    composer = Infinigen(pack=pack, **params)
    return [composer.compose(seed) for seed in range(count)]


def changed(pack: Pack, folder: Path, manifest: Manifest) -> Pack:
    """The same files with another manifest."""
    for entry in pack.folder.iterdir():
        if entry.name != "manifest.json":
            (folder / entry.name).symlink_to(entry)
    return write(folder, manifest)


def room_in_world(pack: Pack, scene: SceneSpec, name: str) -> Polygon:
    """The room's floor, found by way of the table alone."""
    solved = load_solved(pack, name)
    table = poses.matrix(poses.as_row(scene.supports[0].pose))
    to_world = table @ np.linalg.inv(poses.matrix(poses.as_row(solved.table_pose)))
    corners = np.array([(*c, 0.0, 1.0) for c in solved.room.floor])
    return Polygon((corners @ to_world.T)[:, :2])


def outline_px(pack: Pack, scene: SceneSpec, thing: ObjectSpec) -> tuple[Array, Array]:
    points = np.concatenate(pack.hulls(thing.asset)) * thing.scale
    points = points @ poses.rotation(thing.pose.orientation).T + thing.pose.position
    return cameras.project(scene.camera, points)


def test_as_solved_every_thing_keeps_its_place_among_the_others(solved_pack: Pack) -> None:
    for name in NAMES:
        solved = load_solved(solved_pack, name)
        scene = Infinigen(pack=solved_pack, scenes=[name], **AS_SOLVED).compose(1)
        assert Counter(o.asset for o in scene.objects) == Counter(i.asset for i in solved.items)
        assert all(o.scale == 1 for o in scene.objects)
        was = {i.asset: i.pose for i in solved.items}
        now = {o.asset: o.pose for o in scene.objects}
        once = [a for a, n in Counter(i.asset for i in solved.items).items() if n == 1]
        for a, b in itertools.combinations(once, 2):
            before = np.subtract(was[a].position[:2], was[b].position[:2])
            after = np.subtract(now[a].position[:2], now[b].position[:2])
            assert np.hypot(*after) == pytest.approx(np.hypot(*before), abs=1e-5)
            turn = [poses.multiply(np.array(now[k].orientation), inverse(was[k])) for k in (a, b)]
            assert abs(float(turn[0] @ turn[1])) == pytest.approx(1, abs=1e-6)


def inverse(pose: object) -> Array:
    return np.array(pose.orientation) * (1, -1, -1, -1)  # type: ignore[attr-defined]


def test_the_air_that_the_solver_leaves_is_let_out(solved_pack: Pack) -> None:
    composer = Infinigen(pack=solved_pack)
    for name in NAMES:
        scene, left = composer.as_solved(name)
        items = load_solved(solved_pack, name).items
        assert len(left) == len(items) == len(scene.objects)
        on_table = [k for k, o in enumerate(scene.objects) if o.pose.position[2] == 0]
        assert len(on_table) == sum(i.on < 0 for i in items)
        for k, thing in enumerate(scene.objects):
            fall = left[k].position[2] - thing.pose.position[2]
            # what stands on another thing leaves that one's air below as well
            assert fall == pytest.approx(AIR if k in on_table else 2 * AIR, abs=1e-5)
            assert left[k].position[:2] == pytest.approx(thing.pose.position[:2], abs=2e-6)


def test_the_arm_stands_beside_the_table_with_its_pedestal_free(solved_pack: Pack) -> None:
    (cx, cy), (sx, sy) = PEDESTAL_CENTRE, PEDESTAL_SIZE
    assert pytest.approx((cx - sx / 2, cy - sy / 2, cx + sx / 2, cy + sy / 2)) == FOOT
    for name in NAMES:
        composer = Infinigen(pack=solved_pack, scenes=[name])
        for seed in range(6):
            scene = composer.compose(seed)
            foot, table = box(*FOOT), support_polygon(scene.supports[0])
            assert 0.05 - 1e-6 <= foot.distance(table) <= 0.15 + 1e-6
            assert room_in_world(solved_pack, scene, name).buffer(1e-6).covers(foot)
            # straight ahead lies the table
            assert table.intersects(shapely.LineString([(0, 0), (0.6, 0)]))
            assert scene.robot.base.position == (0, 0, 0)


def test_most_of_what_could_be_in_reach_is(solved_pack: Pack) -> None:
    for name in NAMES:
        composer = Infinigen(pack=solved_pack, scenes=[name], **AS_SOLVED)
        for seed in range(4):
            scene = composer.compose(seed)
            places = np.array([o.pose.position[:2] for o in scene.objects])
            room = room_in_world(solved_pack, scene, name)
            rim = support_polygon(scene.supports[0]).buffer(0.2, join_style="mitre").exterior
            best = max(
                reached(places - rim.interpolate(along).coords[0])
                for along in np.arange(0, rim.length, 0.1)
                if room.buffer(-0.3).covers(rim.interpolate(along))
            )
            assert reached(places) >= 0.6 * best


def reached(places: Array) -> int:
    away = np.hypot(*places.T)
    return int(((away >= 0.30) & (away <= 0.70)).sum())


def test_the_table_is_seen_as_its_furniture_and_the_floor_is_the_room_s(solved_pack: Pack) -> None:
    for name in NAMES:
        scene = Infinigen(pack=solved_pack, scenes=[name]).compose(2)
        table, floor = scene.supports
        top = solved_pack[load_solved(solved_pack, name).table].top
        assert top is not None
        assert solved_pack[str(table.asset)].top == top
        assert support_polygon(table).area == pytest.approx(Polygon(top.outline).area, rel=1e-4)
        assert table.top == 0
        assert floor.top == pytest.approx(-top.height, abs=1e-6)
        room = room_in_world(solved_pack, scene, name)
        if name == "coffee_a":
            assert floor.outline is None
            assert support_polygon(floor).area == pytest.approx(25, rel=1e-4)
            assert support_polygon(floor).buffer(1e-4).covers(room)
        else:
            assert support_polygon(floor).symmetric_difference(room).area < 1e-3


def test_walls_stand_round_the_room_and_hold_its_windows_and_doors(solved_pack: Pack) -> None:
    for name in NAMES:
        solved = load_solved(solved_pack, name)
        scene = Infinigen(pack=solved_pack, scenes=[name]).compose(3)
        room = room_in_world(solved_pack, scene, name)
        walls = [f for f in scene.fixtures if f.id.startswith("wall")]
        assert len(walls) == len(ROOMS[name])
        outsides = shapely.union_all([fixture_polygon(w) for w in walls])
        assert outsides.intersection(room).area < 1e-4
        # no gap, even at the corners, but for the notch of a corner that points inwards
        assert room.buffer(0.049, join_style="mitre").difference(room.union(outsides)).area < 1e-3
        height = solved.room.height
        for wall in walls:
            low = wall.pose.position[2] - wall.size[2] / 2
            assert low == pytest.approx(scene.supports[1].top, abs=1e-5)
            assert wall.size[2] == pytest.approx(height)
        plates = [f for f in scene.fixtures if not f.id.startswith("wall")]
        assert len(plates) == len(solved.room.windows) + len(solved.room.doors)
        for plate in plates:
            is_window = plate.id.startswith("window")
            assert (plate.glow > 0.5) == is_window
            seen = fixture_polygon(plate).intersection(room).area / plate.size[0]
            assert seen == pytest.approx(0.01, abs=1e-4)


def test_light_comes_from_the_largest_window(solved_pack: Pack) -> None:
    for seed in range(4):
        scene = Infinigen(pack=solved_pack, scenes=["dining_a"]).compose(seed)
        window = next(f for f in scene.fixtures if f.id == "window_0")
        to = np.subtract(window.pose.position[:2], scene.supports[0].pose.position[:2])
        x, y, z = scene.light.direction
        assert math.atan2(y, x) == pytest.approx(math.atan2(to[1], to[0]), abs=0.01)
        # the window's middle is 0.75 m above the table, 2.1 m away
        assert math.degrees(math.asin(z)) == pytest.approx(25, abs=0.01)
        assert 0.8 <= scene.light.intensity <= 1.2
    high = Infinigen(pack=solved_pack, scenes=["dining_a"], light_elevation=[5, 70]).compose(0)
    up = math.degrees(math.asin(high.light.direction[2]))
    assert up == pytest.approx(math.degrees(math.atan2(0.75, 2.1)), abs=1)


@pytest.mark.parametrize("crop", ["none", "cut", "outside"])
def test_the_picture_s_edge_cuts_nothing_unless_all_stays(solved_pack: Pack, crop: str) -> None:
    kinds = Counter[str]()
    for scene in scenes_of(solved_pack, 12, **{**AS_SOLVED, "crop": crop}):
        size = np.array((scene.camera.width, scene.camera.height))
        for thing in scene.objects:
            px, depth = outline_px(solved_pack, scene, thing)
            if not (depth > 0).all():
                continue
            low, high = px.min(axis=0), px.max(axis=0)
            if (low >= 0).all() and (high <= size).all():
                kinds["whole"] += 1
            elif (high <= 0).any() or (low >= size).any():
                kinds["outside"] += 1
            else:
                kinds["cut"] += 1
    assert kinds["whole"] > 40
    assert (kinds["cut"] > 0) == (crop == "none")
    assert (kinds["outside"] > 0) == (crop != "outside")


def test_a_narrow_room_is_looked_into_from_outside_past_the_wall_that_is_cut_away(
    solved_pack: Pack, tmp_path: Path
) -> None:
    solved = load_solved(solved_pack, "dining_a")
    # 0.1 m behind the table and 0.6 m before it
    floor = ((1.5, 1.35), (3.3, 1.35), (3.3, 2.95), (1.5, 2.95))
    room = msgspec.structs.replace(solved.room, floor=floor, windows=(), doors=())
    narrow = msgspec.structs.replace(solved, name="narrow", room=room)
    pack = with_scene(solved_pack, tmp_path, narrow)
    missing = Counter[int]()
    low = {"pitch": [-30, -25], "camera_tries": 1}
    for seed in range(8):
        scene = Infinigen(pack=pack, scenes=["narrow"], **low).compose(seed)
        inside = room_in_world(pack, scene, "narrow")
        eye = shapely.Point(scene.camera.pose.position[:2])
        walls = [f for f in scene.fixtures if f.id.startswith("wall")]
        missing[4 - len(walls)] += 1
        assert (len(walls) == 4) == inside.covers(eye)
        for thing in scene.objects:
            sight = shapely.LineString([eye, thing.pose.position[:2]])
            assert not any(fixture_polygon(w).intersects(sight) for w in walls)
    assert missing[0] < 8


def with_scene(pack: Pack, folder: Path, scene: SolvedScene) -> Pack:
    info = add_scene(folder, scene)
    manifest = msgspec.structs.replace(pack.manifest, scenes=(*pack.manifest.scenes, info))
    return changed(pack, folder, manifest)


def test_the_wide_view_shows_the_table_and_much_floor(solved_pack: Pack) -> None:
    for scene in scenes_of(solved_pack, 9, view="room"):
        table = support_polygon(scene.supports[0])
        corners = np.array([(x, y, 0.0) for x, y in table.exterior.coords])
        px, depth = cameras.project(scene.camera, corners)
        assert (depth > 0).all()
        assert px.min() >= 0
        assert px.max() <= 224
        height = scene.camera.pose.position[2] - scene.supports[1].top
        assert 1.39 <= height <= 2.21
        assert sum(f.id.startswith("wall") for f in scene.fixtures) in (4, 6)
        assert floor_share(scene) >= 0.17
    asked = Infinigen(pack=solved_pack).compose(0, wants=Wants(floor=True))
    assert asked.camera == Infinigen(pack=solved_pack, view="room").compose(0).camera


def floor_share(scene: SceneSpec) -> float:
    """Share of pixels whose ray meets the floor's slab inside it, by brute force."""
    rays = cameras.rays_c(scene.camera)[::37] @ cameras.pose_matrix(scene.camera.pose)[:3, :3].T
    eye = np.array(scene.camera.pose.position)
    down = rays[:, 2] < 0
    at = [eye[:2] + rays[down, :2] * ((z - eye[2]) / rays[down, 2:]) for z in tops(scene)]
    table, floor = (support_polygon(s) for s in scene.supports)
    on_table = shapely.contains_xy(table, at[0][:, 0], at[0][:, 1])
    on_floor = shapely.contains_xy(floor, at[1][:, 0], at[1][:, 1])
    return float((on_floor & ~on_table).sum() / len(rays))


def tops(scene: SceneSpec) -> list[float]:
    return [s.top for s in scene.supports]


def test_swapped_things_are_others_of_the_same_categories_and_fit(solved_pack: Pack) -> None:
    params = {**AS_SOLVED, "swap": 1.0}
    swapped = 0
    for name in NAMES:
        items = load_solved(solved_pack, name).items
        solved = Counter(solved_pack[i.asset].category for i in items)
        assets = {i.asset for i in items}
        for seed in range(4):
            scene = Infinigen(pack=solved_pack, scenes=[name], **params).compose(seed)
            assert Counter(solved_pack[o.asset].category for o in scene.objects) == solved
            new = [o for o in scene.objects if o.scale != 1 or o.asset not in assets]
            swapped += len(new)
            assert all(0.85 <= o.scale <= 1.15 for o in new)
            assert_apart(solved_pack, scene, 0.003)
    assert swapped > 40


def assert_apart(pack: Pack, scene: SceneSpec, least: float) -> None:
    ground = [o for o in scene.objects if o.pose.position[2] == 0]
    polygons = [footprint(pack, o.asset, o.pose, o.scale) for o in ground]
    for k, own in enumerate(polygons):
        assert support_polygon(scene.supports[0]).covers(own)
        assert all(own.distance(other) >= least - 1e-6 for other in polygons[:k])


def test_things_are_removed_and_added_in_reach(solved_pack: Pack) -> None:
    bare = {**AS_SOLVED, "counts": [1, 12]}
    for seed in range(5):
        all_there = Infinigen(pack=solved_pack, **bare).compose(seed)
        fewer = Infinigen(pack=solved_pack, **{**bare, "remove": 0.5}).compose(seed)
        more = Infinigen(pack=solved_pack, **{**bare, "add": [2, 2], "stacked": 0}).compose(seed)
        assert len(fewer.objects) < len(all_there.objects)
        assert len(more.objects) <= len(all_there.objects) + 2
        for thing in more.objects[len(all_there.objects) :]:
            assert 0.30 <= math.hypot(*thing.pose.position[:2]) <= 0.70
            own = footprint(solved_pack, thing.asset, thing.pose, thing.scale)
            others = [o for o in more.objects if o is not thing]
            gaps = [own.distance(footprint(solved_pack, o.asset, o.pose, o.scale)) for o in others]
            assert min(gaps) >= 0.025 - 1e-6


def test_a_full_removal_leaves_what_carries_something(solved_pack: Pack) -> None:
    params = {**AS_SOLVED, "remove": 1, "counts": [1, 12], "tries": 20}
    scene = Infinigen(pack=solved_pack, scenes=["dining_a"], **params).compose(0)
    assert len(scene.objects) == 1
    assert solved_pack[scene.objects[0].asset].flat_top


def test_added_things_go_into_and_onto_others(solved_pack: Pack) -> None:
    params = {**AS_SOLVED, "add": [4, 4], "stacked": 1.0}
    composer = Infinigen(pack=solved_pack, scenes=["coffee_a"], **params)
    raised = [o for s in range(6) for o in composer.compose(s).objects if o.pose.position[2] > 0]
    assert len(raised) >= 3


def test_what_a_task_wants_is_added_where_it_is_missing(solved_pack: Pack, tmp_path: Path) -> None:
    pack = with_scene(solved_pack, tmp_path, only_ungraspable(solved_pack))
    wants = Wants(graspable=1, receptacles=1, duplicates=True)
    bare = {**AS_SOLVED, "counts": [1, 12], "scenes": ["plain"], "tries": 6}
    with pytest.raises(ComposeError, match=r"too few in reach: graspable: 6 of 6 tries"):
        Infinigen(pack=pack, **bare).compose(0, wants=wants)
    for seed in range(4):
        scene = Infinigen(pack=pack, **{**bare, "add": [0, 3], "tries": 40}).compose(seed, 0, wants)
        lifted = [o for o in scene.objects if pack[o.asset].grasp_rate(o.scale) >= 0.8]
        assert lifted


def only_ungraspable(pack: Pack) -> SolvedScene:
    solved = load_solved(pack, "desk_a")
    poor = next(
        a.name
        for a in pack.manifest.assets
        if a.use == "item"
        and a.grasp_rate(1) < 0.5
        and max(a.size) < 0.25
        and not a.flat_top
        and not a.cavity
    )
    item = msgspec.structs.replace(solved.items[7], asset=poor)
    return msgspec.structs.replace(solved, name="plain", items=(item,))


def test_other_splits_and_categories_are_swapped_or_taken_away(
    solved_pack: Pack, tmp_path: Path
) -> None:
    used = {o.asset for s in scenes_of(solved_pack, 6, **AS_SOLVED) for o in s.objects}
    hidden = sorted(used)[::2]
    assets = tuple(
        msgspec.structs.replace(a, split="unseen_instance") if a.name in hidden else a
        for a in solved_pack.manifest.assets
    )
    manifest = msgspec.structs.replace(solved_pack.manifest, assets=assets)
    pack = changed(solved_pack, tmp_path, manifest)
    for kind in (Infinigen, Tabletop):
        shown = {
            o.asset
            for seed in range(6)
            for o in kind(pack=pack, splits=["seen"]).compose(seed).objects
        }
        assert shown
        assert not shown & set(hidden)
    assert {o.asset for s in scenes_of(pack, 6, **AS_SOLVED) for o in s.objects} & set(hidden)
    category = solved_pack[hidden[0]].category
    few = scenes_of(solved_pack, 3, categories=[category], counts=[1, 9], add=[2, 3])
    assert {solved_pack[o.asset].category for s in few for o in s.objects} == {category}


def test_scenes_and_kinds_are_chosen_by_name(solved_pack: Pack) -> None:
    composer = Infinigen(pack=solved_pack, kinds=["desk", "coffee table"])
    assert composer.scenes == ("coffee_a", "desk_a")
    tables = {composer.compose(seed).supports[0].asset for seed in range(8)}
    assert tables == {"table_b", "desk_a"}
    with pytest.raises(ComposeError, match=r"scene.kinds: 'bed' is not in pack .* \(has: coffee"):
        Infinigen(pack=solved_pack, kinds=["bed"])
    with pytest.raises(ComposeError, match=r"scene.scenes: 'attic' .* \(has: dining_a, coffee_a"):
        Infinigen(pack=solved_pack, scenes=["attic"])


def test_what_cannot_be_met_says_which_constraint_failed(solved_pack: Pack, tmp_path: Path) -> None:
    far = Infinigen(pack=solved_pack, camera_height=[0.3, 0.3], pitch=[-60, -59], tries=5)
    with pytest.raises(ComposeError, match=r"scene 0 of seed 0 from 3 solved: .*: \d of 5 tries"):
        far.compose(0)
    short = Infinigen(pack=solved_pack, reach=[0.1, 0.12], tries=3)
    with pytest.raises(ComposeError, match=r"fewer than 3 things in reach: 3 of 3 tries"):
        short.compose(0)
    with pytest.raises(ComposeError, match=r"wants: 13 objects wanted, .* allows 12"):
        Infinigen(pack=solved_pack).compose(0, wants=Wants(graspable=13))
    solved = load_solved(solved_pack, "dining_a")
    floor = ((1.6, 1.4), (3.2, 1.4), (3.2, 2.4), (1.6, 2.4))
    full = msgspec.structs.replace(
        solved, name="full", room=msgspec.structs.replace(solved.room, floor=floor)
    )
    tight = Infinigen(pack=with_scene(solved_pack, tmp_path, full), scenes=["full"], tries=2)
    with pytest.raises(ComposeError, match=r"no room beside the table for the arm: 2 of 2"):
        tight.compose(0)
    with pytest.raises(ComposeError, match=r"scene 'full': no room beside the table"):
        tight.as_solved("full")


def test_a_pack_without_solved_scenes_says_so(solved_pack: Pack, tmp_path: Path) -> None:
    manifest = msgspec.structs.replace(solved_pack.manifest, scenes=())
    composer = Infinigen(pack=changed(solved_pack, tmp_path, manifest))
    with pytest.raises(ComposeError, match=r"has no solved scenes; use scene=tabletop"):
        composer.compose(0)


def test_tabletop_shows_no_furniture(solved_pack: Pack) -> None:
    with pytest.raises(ComposeError, match=r"scene.categories: 'table' is not in pack"):
        Tabletop(pack=solved_pack, categories=["table"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version: expected 1, got 2"),
        ({"table": "ITEM"}, "table: expected furniture with a top, got "),
        ({"items": "FURNITURE"}, r"items\[0\].asset: expected an item, got furniture 'table_a'"),
        ({"items": "CYCLE"}, r"items\[0\].on: 1 does not lead to the table"),
        ({"items": "TILT"}, r"items\[1\].pose.orientation: expected a turn about z alone"),
        ({"room": "CLOCKWISE"}, "room.floor: expected the counter-clockwise corners"),
        ({"room": "WINDOW"}, r"room.windows\[0\].wall: expected 0 to 3, got 7"),
    ],
)
def test_a_damaged_scene_is_named_with_its_field(
    solved_pack: Pack, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    solved = load_solved(solved_pack, "dining_a")
    first, second, *rest = solved.items
    replace = msgspec.structs.replace
    tilted = replace(second.pose, orientation=(0.8, 0.6, 0.0, 0.0))
    window = replace(solved.room.windows[0], wall=7)
    values = {
        "ITEM": first.asset,
        "FURNITURE": (replace(first, asset="table_a"), second, *rest),
        "CYCLE": (replace(first, on=1), replace(second, on=0), *rest),
        "TILT": (first, replace(second, pose=tilted), *rest),
        "CLOCKWISE": replace(solved.room, floor=SQUARE[::-1]),
        "WINDOW": replace(solved.room, windows=(window,)),
    }
    key, value = next(iter(change.items()))
    broken = replace(solved, name="broken", **{key: values.get(str(value), value)})
    pack = with_scene(solved_pack, tmp_path, broken)
    with pytest.raises(PackError, match=f"scene 'broken': {message}"):
        load_solved(pack, "broken")


def test_fixtures_are_only_seen(solved_pack: Pack) -> None:
    scene = Infinigen(pack=solved_pack).compose(0)
    assert all(isinstance(f, FixtureSpec) for f in scene.fixtures)
    assert len({f.id for f in scene.fixtures}) == len(scene.fixtures)


def test_a_choice_that_leaves_no_scene_says_so() -> None:
    for params in ({"scenes": []}, {"scenes": ["desk_0"], "kinds": ["coffee table"]}):
        composer = Infinigen(**params)
        with pytest.raises(ComposeError, match=r"none of the \d+ solved scenes of pack 'refergym'"):
            composer.compose(0)


@pytest.mark.parametrize("key", ["add", "counts"])
def test_counts_have_an_end(key: str) -> None:
    with pytest.raises(SpecError, match=f"scene.{key}: expected at most 64"):
        Infinigen(**{key: [1, 10**9]})
