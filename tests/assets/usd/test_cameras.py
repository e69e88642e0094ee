"""A stage's camera sees a point on the pixel where our renderer draws it."""

import numpy as np
import pytest
from pxr import Gf, Usd, UsdGeom

from refergym.assets.camera import rays_c, unproject
from refergym.assets.usd import names
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.types import State


@pytest.fixture(scope="module")
def seen(scene, pack):
    """Depth [H, W] and ids [H, W] of the scene, as composed."""
    rows = [[*o.pose.position, *o.pose.orientation] for o in scene.objects]
    joints = np.array([*scene.robot.parked, 0.04, 0.04])
    renderer = EmbreeRenderer(pack=pack)
    yield renderer.render_ids(scene, State(objects=np.array(rows), joints=joints))
    renderer.close()


@pytest.fixture(scope="module")
def stage(stage_file):
    return Usd.Stage.Open(str(stage_file))


def pixels(stage, scene, points_w):
    """Project world points [N, 3] as USD does: [N, 2] px from the picture's top left."""
    camera = UsdGeom.Camera(stage.GetPrimAtPath(names.camera_path(scene))).GetCamera()
    frustum = camera.frustum
    matrix = frustum.ComputeViewMatrix() * frustum.ComputeProjectionMatrix()
    ndc = np.array([matrix.Transform(Gf.Vec3d(*map(float, p))) for p in points_w])
    size = scene.camera.width, scene.camera.height
    return (ndc[:, :2] * (1, -1) + 1) / 2 * size


def test_a_point_lands_on_the_pixel_that_shows_it(stage, scene, seen):
    camera = scene.camera
    assert camera.fx != camera.fy
    assert abs(camera.cx - camera.width / 2) > 5, "a centred camera would prove less"
    assert abs(camera.cy - camera.height / 2) > 5
    depth = seen[0]
    rows, columns = np.nonzero(depth > 0)
    some = np.arange(0, len(rows), 97)
    centres = np.column_stack([columns[some], rows[some]]) + 0.5
    points_w = unproject(camera, centres, depth[rows[some], columns[some]])
    found = pixels(stage, scene, points_w)
    assert len(some) > 100
    assert np.abs(found - centres).max() < 0.01


def test_what_the_stage_draws_covers_the_pixels_that_we_draw(stage, scene, seen, pack):
    ids = seen[1]
    compared = 0
    for k, path in enumerate(names.object_paths(scene)):
        prim = stage.GetPrimAtPath(f"{path}/geometry/visual")
        matrix = np.array(UsdGeom.XformCache().GetLocalToWorldTransform(prim)).T
        points = np.array(UsdGeom.Mesh(prim).GetPointsAttr().Get()) @ matrix[:3, :3].T
        px = pixels(stage, scene, points + matrix[:3, 3])
        rows, columns = np.nonzero(ids == k)
        low, high = px.min(axis=0), px.max(axis=0)
        inside = (low > 0).all() and (high < (scene.camera.width, scene.camera.height)).all()
        if not inside or not len(rows):
            continue
        assert (low <= (columns.min() + 0.5, rows.min() + 0.5)).all()
        assert (high >= (columns.max() + 0.5, rows.max() + 0.5)).all()
        if len(np.unique(ids[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])) > 2:
            continue  # something may hide its border
        compared += 1
        assert low == pytest.approx((columns.min(), rows.min()), abs=1.5)
        assert high == pytest.approx((columns.max() + 1, rows.max() + 1), abs=1.5)
    assert compared


def test_the_frustum_is_that_of_the_intrinsics(stage, scene):
    camera = UsdGeom.Camera(stage.GetPrimAtPath(names.camera_path(scene))).GetCamera()
    window = camera.frustum.GetWindow()
    corners = rays_c(scene.camera).reshape(scene.camera.height, scene.camera.width, 3)
    half_x, half_y = 0.5 / scene.camera.fx, 0.5 / scene.camera.fy
    assert window.GetMin()[0] == pytest.approx(corners[0, 0, 0] - half_x, abs=1e-6)
    assert window.GetMax()[0] == pytest.approx(corners[0, -1, 0] + half_x, abs=1e-6)
    assert window.GetMax()[1] == pytest.approx(-corners[0, 0, 1] + half_y, abs=1e-6)
    assert window.GetMin()[1] == pytest.approx(-corners[-1, 0, 1] - half_y, abs=1e-6)
    assert camera.clippingRange.max == pytest.approx(scene.camera.far)
