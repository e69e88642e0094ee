import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from refergym.assets import camera as cam
from refergym.assets.errors import SpecError
from refergym.assets.spec import CameraSpec, Pose

finite = st.floats(-2, 2, allow_nan=False)


def any_camera() -> CameraSpec:
    pose = cam.look_at((0.9, 0.2, 0.6), (0.4, -0.1, 0.02))
    return CameraSpec(width=97, height=61, fx=83.0, fy=91.0, cx=44.0, cy=33.5, pose=pose)


@pytest.mark.parametrize("width", [1, 2, 3, 7, 128, 223, 224, 225, 640, 960, 1921])
def test_every_column_and_row_survives_the_way_to_a_point_and_back(width: int) -> None:
    height = 2 * width + 1
    for x in range(width):
        u, v = cam.point_of_pixel((width, height), x, 2 * x)
        assert 0 < u < 1
        assert cam.pixel_of_point((width, height), u, v) == (x, 2 * x)


@pytest.mark.parametrize("width", [1, 3, 49, 224, 960])
def test_a_pixel_owns_its_left_edge_and_the_right_edge_falls_on_the_last(width: int) -> None:
    assert cam.pixel_of_point((width, width), 0.0, 0.0) == (0, 0)
    assert cam.pixel_of_point((width, width), 1.0, 1.0) == (width - 1, width - 1)
    below = math.nextafter(1.0, 0.0)
    assert cam.pixel_of_point((width, width), below, below) == (width - 1, width - 1)


@pytest.mark.parametrize("bad", [-0.001, 1.001, math.nan, math.inf])
def test_a_point_outside_the_image_is_refused_by_name(bad: float) -> None:
    with pytest.raises(ValueError, match=r"^v: expected in \[0, 1\]"):
        cam.pixel_of_point((10, 10), 0.5, bad)


def test_pixel_and_point_take_a_camera_for_the_size() -> None:
    c = any_camera()
    assert cam.pixel_of_point(c, 1.0, 1.0) == (96, 60)
    assert cam.point_of_pixel(c, 0, 0) == (0.5 / 97, 0.5 / 61)


def test_rays_go_through_pixel_centres() -> None:
    c = any_camera()
    rays = cam.rays_c(c)
    assert rays.shape == (97 * 61, 3)
    points_w = cam.transform(cam.pose_matrix(c.pose), rays * 0.7)
    px, z = cam.project(c, points_w)
    y, x = np.mgrid[0:61, 0:97]
    assert_allclose(px, np.column_stack([x.ravel() + 0.5, y.ravel() + 0.5]), atol=1e-9)
    assert_allclose(z, 0.7)


def test_projecting_undoes_unprojecting() -> None:
    c, rng = any_camera(), np.random.default_rng(0)
    px, depth = rng.uniform(-20, 120, (500, 2)), rng.uniform(0.05, 5, 500)
    px2, depth2 = cam.project(c, cam.unproject(c, px, depth))
    assert_allclose(px2, px, atol=1e-9)
    assert_allclose(depth2, depth, atol=1e-12)


def test_a_camera_at_the_origin_projects_by_the_textbook_formula() -> None:
    c = CameraSpec(
        width=100, height=80, fx=50.0, fy=60.0, cx=50.0, cy=40.0, pose=Pose(position=(0, 0, 0))
    )
    px, z = cam.project(c, [[0, 0, 2], [0.4, -0.2, 2]])
    assert_allclose(px, [[50, 40], [60, 34]])
    assert_allclose(z, [2, 2])
    assert_allclose(cam.intrinsics(c), [[50, 0, 50], [0, 60, 40], [0, 0, 1]])


def test_a_point_behind_the_camera_has_no_pixel() -> None:
    c = CameraSpec(
        width=10, height=10, fx=5.0, fy=5.0, cx=5.0, cy=5.0, pose=Pose(position=(0, 0, 0))
    )
    px, z = cam.project(c, [[0.1, 0.1, -1.0], [0.1, 0.1, 0.0]])
    assert np.isnan(px).all()
    assert_allclose(z, [-1, 0])


def test_the_viewer_opposite_the_robot_sees_world_y_on_the_right() -> None:
    c = cam.camera_from_fov(224, 224, 50, cam.look_at((1.2, 0, 0.6), (0.5, 0, 0)))
    px, _ = cam.project(c, [[0.5, 0, 0], [0.5, 0.1, 0], [0.6, 0, 0], [0.5, 0, 0.1]])
    assert_allclose(px[0], [112, 112], atol=1e-9)
    assert px[1, 0] > 112
    assert px[2, 1] > 112, "nearer to the viewer is lower in the picture"
    assert px[3, 1] < 112


def test_the_field_of_view_spans_the_width() -> None:
    c = cam.camera_from_fov(300, 200, 90, Pose(position=(0, 0, 0)))
    px, _ = cam.project(c, [[1, 0, 1], [-1, 0, 1]])
    assert_allclose(px[:, 0], [300, 0], atol=1e-9)
    assert c.fx == c.fy
    with pytest.raises(SpecError, match="hfov_deg"):
        cam.camera_from_fov(300, 200, 180, Pose(position=(0, 0, 0)))


@pytest.mark.parametrize("target", [(0, 0, -1), (0, 0, 1)])
def test_looking_straight_down_or_up_is_upright_for_the_viewer(target: tuple[float, ...]) -> None:
    m = cam.pose_matrix(cam.look_at((0, 0, 0), target))
    assert_allclose(m[:3, 0], [0, 1, 0], atol=1e-12)
    assert_allclose(m[:3, 2], target, atol=1e-12)


def test_looking_at_oneself_is_refused() -> None:
    with pytest.raises(SpecError, match="same point"):
        cam.look_at((1, 2, 3), (1, 2, 3))


@settings(deadline=None)
@given(st.tuples(*[finite] * 3), st.tuples(*[finite] * 4))
def test_poses_survive_the_way_to_a_matrix_and_back(
    position: tuple[float, float, float], q: tuple[float, float, float, float]
) -> None:
    norm = math.sqrt(sum(t * t for t in q))
    if norm < 1e-3:
        return
    unit = tuple(t / norm for t in q)
    matrix = cam.pose_matrix(Pose(position=position, orientation=unit))
    assert_allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)
    back = cam.matrix_pose(matrix)
    assert back.orientation[0] >= 0
    assert math.sqrt(sum(t * t for t in back.orientation)) == pytest.approx(1, abs=1e-12)
    assert_allclose(cam.pose_matrix(back), matrix, atol=1e-9)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_half_turns_have_a_canonical_quaternion(axis: int) -> None:
    diagonal = -np.ones(4)
    diagonal[[axis, 3]] = 1
    q = cam.matrix_pose(np.diag(diagonal)).orientation
    expected = [0.0, 0.0, 0.0, 0.0]
    expected[axis + 1] = 1.0
    assert_allclose(q, expected)


def test_many_poses_at_once_equal_one_by_one() -> None:
    rng = np.random.default_rng(3)
    poses = rng.normal(size=(5, 7))
    for row, matrix in zip(poses, cam.pose_matrices(poses), strict=True):
        q = row[3:] / np.linalg.norm(row[3:])
        one = cam.pose_matrix(Pose(position=tuple(row[:3]), orientation=tuple(q)))
        assert_allclose(matrix, one, atol=1e-12)
