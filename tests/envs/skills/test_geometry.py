import msgspec
import numpy as np
import pytest
import shapely

from refergym.assets import poses
from refergym.assets.footprints import support_polygon
from refergym.assets.spec import FixtureSpec, Pose
from refergym.envs.geometry import heightmap, supports
from refergym.envs.types import ID_FIXTURE, ID_ROBOT, ID_SUPPORT


def test_a_ray_down_on_a_box_stops_at_its_top(caster, scene, role) -> None:
    spec, state = scene((role("box"), 0.5, 0.1, 0.0, 0.4))
    height = caster.pack[role("box")].size[2]
    t, ids = caster.cast(spec, state, np.array([[0.5, 0.1, 1.0]]), np.array([[0, 0, -1.0]]))
    assert ids.tolist() == [0]
    assert t[0] == pytest.approx(1 - height, abs=2e-3)


def test_rays_name_table_floor_robot_and_nothing(caster, scene) -> None:
    spec, state = scene()
    origins = np.array([[0.5, 0, 1.0], [1.5, 0, 1.0], [0, 0, 1.0], [0.5, 0, 1.0]])
    down, up = [0, 0, -1.0], [0, 0, 1.0]
    t, ids = caster.cast(spec, state, origins, np.array([down, down, down, up]))
    assert ids.tolist() == [ID_SUPPORT, ID_SUPPORT - 1, ID_ROBOT, -1]
    assert t[0] == pytest.approx(1.0)
    assert t[1] == pytest.approx(1.75)
    assert t[3] == np.inf


def test_depth_at_a_pixel_is_along_the_optical_axis(caster, scene) -> None:
    spec, state = scene()
    x, y = 40, 50
    depth = caster.depth_at(spec, state, x, y)
    cam = spec.camera
    m = poses.matrix(poses.as_row(cam.pose))
    ray = np.array([(x + 0.5 - cam.cx) / cam.fx, (y + 0.5 - cam.cy) / cam.fy, 1.0])
    assert (m[:3, :3] @ ray * depth + m[:3, 3])[2] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("yaw", [0.0, 0.3, 2.0])
def test_a_height_map_shows_a_thing_where_it_is(caster, scene, role, yaw) -> None:
    spec, state = scene((role("box"), 0.5, 0.1, 0.0, yaw))
    view = heightmap.overhead(caster, spec, state, np.array([0.3, -0.1]), np.array([0.7, 0.3]))
    cells = np.argwhere(view.ids == 0)
    np.testing.assert_allclose(view.centres(cells).mean(axis=0), [0.5, 0.1], atol=0.003)
    info = caster.pack[role("box")]
    area = len(cells) * heightmap.RESOLUTION**2
    assert area == pytest.approx(info.size[0] * info.size[1], rel=0.06)
    assert view.heights.max() == pytest.approx(info.size[2], abs=2e-3)
    assert (view.heights[view.ids == ID_SUPPORT] == 0.0).all()


def test_a_height_map_equals_single_rays(caster, scene, role) -> None:
    spec, state = scene((role("cup"), 0.5, 0.1, 0.0, 0.7), (role("bowl"), 0.6, -0.2, 0.0, 0.0))
    view = heightmap.overhead(
        caster, spec, state, np.array([0.4, 0.0]), np.array([0.6, 0.2]), align=np.array([0.5, 0.1])
    )
    cells = np.argwhere(view.ids == 0)[::7]
    origins = np.column_stack([view.centres(cells), np.full(len(cells), 1.0)])
    t, ids = caster.cast(spec, state, origins, np.tile([0, 0, -1.0], (len(cells), 1)), robot=False)
    assert (ids == 0).all()
    np.testing.assert_allclose(view.heights[tuple(cells.T)], 1 - t, atol=1e-4)


def test_rises_above_looks_along_the_turned_rectangle(caster, scene, role) -> None:
    spec, state = scene((role("box"), 0.5, 0.0, 0.0, 0.0))
    view = heightmap.overhead(caster, spec, state, np.array([0.3, -0.2]), np.array([0.7, 0.2]))
    along, across = np.linspace(0, 0.18, 20), np.linspace(-0.01, 0.01, 5)
    towards, away = np.array([1.0, 0.0]), np.array([-1.0, 0.0])
    xy = np.array([0.35, 0.0])
    assert view.rises_above(xy, towards, along, across, 0.05)
    assert not view.rises_above(xy, towards, along, across, 0.5)
    assert not view.rises_above(xy, away, along[:5], across, 0.05)


def test_what_stands_in_a_bowl_rests_on_it_and_what_stands_beside_does_not(
    caster, scene, role
) -> None:
    bowl, alone = scene((role("bowl"), 0.5, 0.0, 0.0, 0.0))
    t, _ = caster.cast(bowl, alone, np.array([[0.5, 0.0, 1.0]]), np.array([[0, 0, -1.0]]))
    spec, state = scene(
        (role("bowl"), 0.5, 0.0, 0.0, 0.0),
        (role("ball"), 0.5, 0.0, 1 - t[0] + 0.002, 0.0),
        (role("ball"), 0.7, 0.2, 0.0, 0.0),
    )
    assert supports.resting_on(caster, spec, state, 0) == [1]
    assert supports.resting_on(caster, spec, state, 1) == []


def test_towers_are_followed_to_their_top(caster, scene, role) -> None:
    book = caster.pack[role("book")].size[2]
    spec, state = scene(
        (role("book"), 0.5, 0.0, 0.0, 0.0),
        (role("book"), 0.5, 0.0, book, 0.1),
        (role("ball"), 0.5, 0.0, 2 * book, 0.0),
    )
    assert sorted(supports.resting_on(caster, spec, state, 0)) == [1, 2]


OUTLINES = (
    None,
    ((-0.4, -0.6), (0.4, -0.6), (0.4, 0.6), (-0.4, 0.6)),
    ((-0.4, -0.2), (0.1, -0.6), (0.4, 0.1), (-0.3, 0.6)),
    ((-0.4, 0.0), (0.3, -0.6), (0.3, 0.6)),
    tuple((0.4 * np.cos(a), 0.6 * np.sin(a)) for a in 2 * np.pi * np.arange(24) / 24),
)


def tables(spec, outline, yaw):
    """The scene with a table of an outline, turned."""
    turned = poses.as_pose(np.array([0.6, 0.1, -0.02, *poses.about_z(yaw)]))
    table = msgspec.structs.replace(
        spec.supports[0], pose=turned, size=(0.8, 1.2, 0.04), outline=outline
    )
    return msgspec.structs.replace(spec, supports=(table, *spec.supports[1:]))


@pytest.mark.parametrize("outline", OUTLINES)
@pytest.mark.parametrize("yaw", [0.0, 0.4, -2.0])
def test_a_height_map_shows_a_slab_of_any_outline_where_it_is(caster, scene, outline, yaw) -> None:
    spec, state = scene()
    spec = tables(spec, outline, yaw)
    top = support_polygon(spec.supports[0])
    windows = (
        ((0.0, -0.5), (0.4, -0.2)), ((0.5, 0.0), (0.7, 0.2)), ((0.8, 0.2), (1.1, 0.6)),
        ((0.4, 0.6), (0.8, 0.9)), ((-0.5, 0.0), (0.4, 0.02)),
    )  # fmt: skip
    for low, high in windows:
        view = heightmap.overhead(caster, spec, state, np.array(low), np.array(high))
        cells = np.argwhere(np.ones(view.ids.shape, bool))
        points = shapely.points(view.centres(cells))
        on_table = (view.ids == ID_SUPPORT).ravel()
        differs = on_table != shapely.intersects(top, points)
        assert (shapely.distance(top.exterior, points[differs]) < 1e-9).all()
        assert (view.heights.ravel()[on_table] == 0.0).all()
        assert (view.heights.ravel()[~on_table] == -0.75).all()


@pytest.mark.parametrize("outline", OUTLINES[2:])
def test_rays_meet_a_slab_where_its_planes_say(caster, scene, outline) -> None:
    spec, state = scene()
    spec = tables(spec, outline, 0.4)
    rng = np.random.default_rng(0)
    origins, aims = rng.uniform(-1, 1, (2, 4000, 3)) * (1.2, 1.2, 0.3) + (0.6, 0.1, 0.0)
    t, ids = caster.cast(spec, state, origins, aims - origins, robot=False)
    hits = ids == ID_SUPPORT
    met = (origins + t[:, None] * (aims - origins))[hits]
    top = support_polygon(spec.supports[0])
    points = shapely.points(met[:, :2])
    assert len(met) > 500
    assert (met[:, 2] <= 1e-9).all()
    assert (met[:, 2] >= -0.04 - 1e-9).all()
    assert shapely.dwithin(top, points, 1e-7).all()
    on_side = shapely.distance(top.exterior, points) < 1e-7
    flat = (np.abs(met[:, 2]) < 1e-9) | (np.abs(met[:, 2] + 0.04) < 1e-9)
    assert (on_side | flat).all()
    assert on_side.sum() > 50
    # what misses stays outside: no ray that starts above and ends below inside goes through
    straight = np.column_stack([met[:200, :2], np.full(200, 1.0)])
    _, below = caster.cast(spec, state, straight, np.tile([0, 0, -1.0], (200, 1)), robot=False)
    inner = shapely.distance(top.exterior, points[:200]) > 1e-6
    assert (below[inner] == ID_SUPPORT).all()


def test_an_outline_that_is_the_rectangle_changes_no_ray(caster, scene) -> None:
    spec, state = scene()
    rng = np.random.default_rng(1)
    origins, aims = rng.uniform(-1, 1, (2, 2000, 3)) * (1.2, 1.2, 0.3) + (0.6, 0.1, 0.0)
    cast = [caster.cast(tables(spec, o, 0.7), state, origins, aims - origins) for o in OUTLINES[:2]]
    np.testing.assert_array_equal(cast[0][1], cast[1][1])
    finite = np.isfinite(cast[0][0])
    np.testing.assert_allclose(cast[0][0][finite], cast[1][0][finite], atol=1e-9)


def test_rays_meet_walls_but_height_maps_do_not_show_them(caster, scene) -> None:
    spec, state = scene()
    wall = FixtureSpec(id="wall", pose=Pose(position=(0.6, 0.0, 0.5)), size=(0.1, 2.0, 1.5))
    spec = msgspec.structs.replace(spec, fixtures=(wall,))
    t, ids = caster.cast(spec, state, np.array([[1.0, 0, 0.2]]), np.array([[-1.0, 0, 0]]))
    assert ids.tolist() == [ID_FIXTURE]
    assert t[0] == pytest.approx(0.35)
    view = heightmap.overhead(caster, spec, state, np.array([0.4, -0.2]), np.array([0.8, 0.2]))
    assert (view.ids == ID_SUPPORT).all()
