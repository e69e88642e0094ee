"""Every axis: the identity at strength 0, equal seeds, ranges, and scenes that stay right."""

import math
from collections.abc import Callable, Iterator

import msgspec
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from refergym.assets import camera as pinhole
from refergym.assets import footprints, poses
from refergym.assets.errors import SpecError
from refergym.assets.library import Pack, open_pack
from refergym.assets.randomisation import (
    AXES,
    bodies,
    distractors,
    looks,
    robot_start,
    sensing,
    table,
    viewpoint,
)
from refergym.assets.randomisation.shapes import arm_gap, links
from refergym.assets.randomisation.sight import arm_share, is_kept, sights
from refergym.assets.robots import kinematics
from refergym.assets.seeding import generator
from refergym.assets.spec import SceneSpec, check_scene, load_scene

GEOMETRY = ("table_height", "distractors", "camera", "field_of_view", "robot_start")
SEEDS = st.integers(0, 10_000)
STRENGTHS = st.floats(0.01, 1.0)
few = settings(max_examples=6)


def changed(scene: SceneSpec, axis: str, seed: int, strength: float = 1.0) -> SceneSpec:
    return AXES[axis](scene, open_pack(), generator(seed, axis), strength=strength)


@pytest.mark.parametrize("axis", AXES)
def test_strength_0_leaves_the_scene_as_it_is(axis: str, scenes: list[SceneSpec]) -> None:
    for scene in scenes:
        assert changed(scene, axis, 0, 0.0) is scene


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("strength", [-0.1, 1.1, math.nan, True, "1"])
def test_a_strength_out_of_range_is_refused(
    axis: str, strength: float, scenes: list[SceneSpec]
) -> None:
    with pytest.raises(SpecError, match=r"strength: expected a number in \[0, 1\], got"):
        changed(scenes[0], axis, 0, strength)


@pytest.mark.parametrize("axis", AXES)
def test_equal_seeds_give_equal_scenes_and_others_do_not(
    axis: str, scenes: list[SceneSpec]
) -> None:
    digests = set()
    for seed in range(4):
        first, second = (changed(scenes[0], axis, seed) for _ in range(2))
        assert first.digest == second.digest
        digests.add(first.digest)
    assert len(digests) > 1


@pytest.mark.parametrize("axis", AXES)
@few
@given(seed=SEEDS, strength=STRENGTHS, k=st.integers(0, 5))
def test_a_scene_stays_valid_and_all_in_sight(
    axis: str, seed: int, strength: float, k: int, scenes: list[SceneSpec], pack: Pack
) -> None:
    before = scenes[k]
    after = changed(before, axis, seed, strength)
    check_scene(after)
    assert load_scene(msgspec.json.encode(after)) == after
    ids = [o.id for o in before.objects]
    assert [o.id for o in after.objects][: len(ids)] == ids
    if axis in GEOMETRY:
        assert is_kept(sights(before, pack), sights(after, pack))
        assert all(s.is_whole for s in sights(after, pack))
        assert after.camera.pose.position[2] > after.supports[0].top + 0.1
        assert arm_gap(after, pack) > 0.05
    if axis == "robot_start":
        assert arm_share(after) <= arm_share(before) + robot_start.SEEN
    poses_now = after.settled["kinematic"]
    assert poses_now == tuple(o.pose for o in after.objects)


@pytest.mark.parametrize("axis", AXES)
@few
@given(seed=SEEDS, strength=STRENGTHS, k=st.integers(0, 5))
def test_draws_stay_within_the_strength_s_share_of_the_range(
    axis: str, seed: int, strength: float, k: int, scenes: list[SceneSpec]
) -> None:
    after = changed(scenes[k], axis, seed, strength)
    for value in shares(axis, scenes[k], after):
        assert abs(value) <= strength + 0.003


@pytest.mark.parametrize("axis", AXES)
def test_strength_1_uses_the_range(axis: str, scenes: list[SceneSpec]) -> None:
    found = [
        abs(v)
        for seed in range(12)
        for v in shares(axis, scenes[0], changed(scenes[0], axis, seed))
    ]
    assert max(found) > (0.35 if axis == "camera" else 0.7)  # a sum of six numbers is rarely large


def shares(axis: str, a: SceneSpec, b: SceneSpec) -> list[float]:
    """What an axis did, each in shares of its documented range."""
    return [float(v) for v in MEASURES[axis](a, b)]


def _log(ratio: float, widest: float) -> float:
    return math.log(ratio) / math.log(widest)


def _table_height(a: SceneSpec, b: SceneSpec) -> Iterator[float]:
    yield (b.supports[0].top - a.supports[0].top) / table.HEIGHT


def _distractors(a: SceneSpec, b: SceneSpec) -> Iterator[float]:
    yield (len(b.objects) - len(a.objects)) / distractors.MOST


def _colours(a: SceneSpec, b: SceneSpec) -> Iterator[float]:
    for o in b.objects:
        yield from ((1 - t) / looks.TINT for t in o.tint)


def _friction(a: SceneSpec, b: SceneSpec) -> Iterator[float]:
    pack = open_pack()
    for s, t in zip(a.supports, b.supports, strict=True):
        yield _log(t.friction / s.friction, bodies.FRICTION)
    for o in b.objects:
        assert o.friction is not None
        yield _log(o.friction / pack[o.asset].friction, bodies.FRICTION)


def _mass(a: SceneSpec, b: SceneSpec) -> Iterator[float]:
    yield from (_log(o.mass_scale, bodies.MASS) for o in b.objects)


def _textures(a: SceneSpec, b: SceneSpec) -> Iterator[float]:
    for s, t in zip(a.supports, b.supports, strict=True):
        yield _log(t.texture_scale / s.texture_scale, looks.TEXTURE_SCALE)
        yield from ((1 - y / x) / looks.PAINT for x, y in zip(s.colour, t.colour, strict=True))


def _lights(a: SceneSpec, b: SceneSpec) -> Iterator[float]:
    def angles(scene: SceneSpec) -> tuple[float, float]:
        x, y, z = scene.light.direction
        return math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x))

    (up, side), (up_now, side_now) = angles(a), angles(b)
    yield (up_now - up) / looks.ELEVATION
    yield ((side_now - side + 180) % 360 - 180) / looks.AZIMUTH
    yield _log(b.light.intensity / a.light.intensity, looks.LIGHT)
    yield _log(b.light.ambient / a.light.ambient, looks.LIGHT)


def _camera(a: SceneSpec, b: SceneSpec) -> Iterator[float]:
    m, n = (pinhole.pose_matrix(s.camera.pose) for s in (a, b))
    turn = math.degrees(math.acos(min(1.0, (np.trace(m[:3, :3].T @ n[:3, :3]) - 1) / 2)))
    most = viewpoint.AZIMUTH + viewpoint.ELEVATION + viewpoint.ROLL + 2 * viewpoint.AIM
    yield turn / most
    pivot = np.mean([o.pose.position for o in a.objects], axis=0)
    near, now = (float(np.linalg.norm(x[:3, 3] - pivot)) for x in (m, n))
    yield _log(now / near, viewpoint.DISTANCE * viewpoint.BACK)
    assert (a.camera.fx, a.camera.fy) == (b.camera.fx, b.camera.fy)


def _field_of_view(a: SceneSpec, b: SceneSpec) -> Iterator[float]:
    yield _log(b.camera.fx / a.camera.fx, viewpoint.FOCAL)
    yield _log(b.camera.fy / a.camera.fy, viewpoint.FOCAL)
    assert a.camera.pose.orientation == b.camera.pose.orientation


def _robot_start(a: SceneSpec, b: SceneSpec) -> Iterator[float]:
    before, after = (kinematics.tcp_pose(np.array(s.robot.parked)) for s in (a, b))
    np.testing.assert_allclose(after[:3, 2], (0, 0, -1), atol=1e-5)  # still points down
    yield (after[2, 3] - before[2, 3]) / robot_start.UP
    yield (math.hypot(*after[:2, 3]) - math.hypot(*before[:2, 3])) / robot_start.OUT
    yield (b.robot.parked[0] - a.robot.parked[0]) / robot_start.TURN
    yield (b.robot.parked[6] - a.robot.parked[6]) / robot_start.YAW


def _exposure(a: SceneSpec, b: SceneSpec) -> Iterator[float]:
    yield _log(b.sensor.exposure / a.sensor.exposure, sensing.EXPOSURE)


def _white_balance(a: SceneSpec, b: SceneSpec) -> Iterator[float]:
    red, green, blue = b.sensor.white_balance
    yield _log(red, sensing.WARMTH)
    yield _log(green, sensing.TINGE)
    assert red * blue == pytest.approx(1, abs=1e-3)


def _depth_noise(a: SceneSpec, b: SceneSpec) -> Iterator[float]:
    assert b.sensor.depth_noise == "gaussian"
    yield b.sensor.depth_sigma / sensing.DEPTH_SIGMA


def _calibration(a: SceneSpec, b: SceneSpec) -> Iterator[float]:
    yield from (v / sensing.SHIFT for v in b.sensor.believed_shift)
    yield from (math.degrees(v) / sensing.TURN for v in b.sensor.believed_turn)
    yield from (v / a.camera.width / sensing.CENTRE for v in b.sensor.believed_centre)
    yield _log(b.sensor.believed_focal, sensing.FOCAL)


MEASURES: dict[str, Callable[[SceneSpec, SceneSpec], Iterator[float]]] = {
    "table_height": _table_height,
    "distractors": _distractors,
    "colours": _colours,
    "friction": _friction,
    "mass": _mass,
    "textures": _textures,
    "lights": _lights,
    "camera": _camera,
    "field_of_view": _field_of_view,
    "robot_start": _robot_start,
    "exposure": _exposure,
    "white_balance": _white_balance,
    "depth_noise": _depth_noise,
    "calibration": _calibration,
}


def test_the_table_takes_along_what_stands_on_it_and_the_camera(scenes: list[SceneSpec]) -> None:
    for seed, scene in enumerate(scenes):
        settled = {**scene.settled, "bullet": scene.settled["kinematic"]}
        scene = msgspec.structs.replace(scene, settled=settled)
        after = changed(scene, "table_height", seed)
        by = after.supports[0].top - scene.supports[0].top
        assert by != 0
        assert after.supports[1:] == scene.supports[1:]
        assert after.robot == scene.robot
        pairs = [(scene.camera.pose, after.camera.pose)]
        pairs += [(a.pose, b.pose) for a, b in zip(scene.objects, after.objects, strict=True)]
        for kind in scene.settled:
            pairs += zip(scene.settled[kind], after.settled[kind], strict=True)
        for a, b in pairs:
            assert b.orientation == a.orientation
            np.testing.assert_allclose(
                np.subtract(b.position, a.position), (0, 0, by), rtol=0, atol=2e-6
            )


def test_furniture_keeps_its_legs_on_the_floor(scenes: list[SceneSpec]) -> None:
    scene = scenes[0]
    desk = msgspec.structs.replace(scene.supports[0], asset="desk")
    scene = msgspec.structs.replace(scene, supports=(desk, *scene.supports[1:]))
    after = table.lifted(scene, -0.05)
    for a, b in zip(scene.supports, after.supports, strict=True):
        assert b.top - a.top == pytest.approx(-0.05)


def test_distractors_touch_nothing_and_are_of_new_kinds_and_known_splits(
    scenes: list[SceneSpec], pack: Pack
) -> None:
    added = 0
    for seed, scene in enumerate(scenes * 2):
        after = changed(scene, "distractors", seed)
        there = {pack[o.asset].category for o in scene.objects}
        splits = {pack[o.asset].split for o in scene.objects}
        face = footprints.support_polygon(after.supports[0])
        shadows = [shapely.MultiPoint(b[:, :2]).convex_hull for b in links(after.robot)]
        arm = shapely.union_all(shadows)
        shapes = [footprints.footprint(pack, o.asset, o.pose, o.scale) for o in after.objects]
        for k in range(len(scene.objects), len(after.objects)):
            new, added = after.objects[k], added + 1
            info = pack[new.asset]
            assert info.use == "item"
            assert info.category not in there
            assert info.split in splits
            assert new.pose.position[2] == after.supports[0].top
            assert face.contains(shapes[k])
            assert shapes[k].distance(arm) >= distractors.ARM - 1e-9
            assert all(
                shapes[k].distance(s) >= distractors.MARGIN - 1e-6
                for j, s in enumerate(shapes)
                if j != k
            )
            there.add(info.category)
    assert added >= 5


def test_what_an_engine_found_is_dropped_where_it_would_find_something_else(
    scenes: list[SceneSpec],
) -> None:
    settled = {**scenes[0].settled, "bullet": scenes[0].settled["kinematic"]}
    scene = msgspec.structs.replace(scenes[0], settled=settled)
    for axis in AXES:
        after = next(
            s for seed in range(20) if (s := changed(scene, axis, seed)).digest != scene.digest
        )
        moved = axis in ("distractors", "friction", "mass")
        assert set(after.settled) == ({"kinematic"} if moved else {"kinematic", "bullet"}), axis


def test_what_the_arm_can_lift_it_still_can(scenes: list[SceneSpec], pack: Pack) -> None:
    def masses(scene: SceneSpec) -> list[float]:
        return [pack[o.asset].mass * o.scale**3 * o.mass_scale for o in scene.objects]

    scene = scenes[0]
    near = kinematics.PAYLOAD * 0.8 / masses(scene)[0]
    first = msgspec.structs.replace(scene.objects[0], mass_scale=near)
    scene = msgspec.structs.replace(scene, objects=(first, *scene.objects[1:]))
    for seed in range(20):
        assert masses(changed(scene, "mass", seed))[0] <= kinematics.PAYLOAD


def test_a_sensor_with_noise_of_its_own_keeps_its_model(scenes: list[SceneSpec]) -> None:
    sensor = msgspec.structs.replace(scenes[0].sensor, depth_noise="stereo", depth_sigma=0.002)
    scene = msgspec.structs.replace(scenes[0], sensor=sensor)
    after = changed(scene, "depth_noise", 1).sensor
    assert after.depth_noise == "stereo"
    assert 0.002 < after.depth_sigma <= 0.002 + sensing.DEPTH_SIGMA


def test_things_keep_their_size_when_the_field_of_view_changes(scenes: list[SceneSpec]) -> None:
    """The camera moves with the focal length; what it backs off more makes things smaller."""
    for seed, scene in enumerate(scenes):
        after = changed(scene, "field_of_view", seed)
        pivot = np.mean([o.pose.position for o in scene.objects], axis=0)
        sizes = []
        for s in (scene, after):
            _, depth = pinhole.project(s.camera, [pivot])
            sizes.append(s.camera.fx / depth[0])
        assert 1 / viewpoint.BACK - 1e-3 < sizes[1] / sizes[0] < 1.001


def test_a_waiting_posture_that_does_not_point_down_turns_about_its_base_alone(
    scenes: list[SceneSpec],
) -> None:
    parked = (1.9, -0.9, 0.2, -2.4, 0.1, 1.5, 0.8)
    robot = msgspec.structs.replace(scenes[0].robot, parked=parked)
    scene = msgspec.structs.replace(scenes[0], robot=robot)
    after = changed(scene, "robot_start", 3)
    assert after.robot.parked[1:] == parked[1:]
    assert 0 < abs(after.robot.parked[0] - parked[0]) <= robot_start.TURN


def test_poses_are_finite_and_unit(scenes: list[SceneSpec]) -> None:
    for axis in GEOMETRY:
        for seed in range(3):
            after = changed(scenes[1], axis, seed)
            for pose in (after.camera.pose, *(o.pose for o in after.objects)):
                row = poses.as_row(pose)
                assert np.isfinite(row).all()
                assert np.linalg.norm(row[3:]) == pytest.approx(1, abs=1e-6)
