import numpy as np
import pytest
from numpy.testing import assert_array_equal

from refergym.assets.camera import camera_from_fov, look_at, pose_matrix, unproject
from refergym.assets.spec import Pose, SensorSpec
from refergym.envs.sensor import believed_camera, observe
from refergym.envs.types import Frame

CAMERA = camera_from_fov(200, 150, 50, Pose(position=(0, 0, 0)))
MODELS = ("none", "gaussian", "stereo")


def flat(z: float, grey: int = 100) -> Frame:
    shape = (CAMERA.height, CAMERA.width)
    return Frame(
        rgb=np.full((*shape, 3), grey, np.uint8),
        depth=np.full(shape, z, np.float32),
        ids=np.zeros(shape, np.int32),
    )


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_sensor_without_noise_gives_the_frame() -> None:
    frame = flat(0.8)
    rgb, depth = observe(frame, SensorSpec(), CAMERA, rng())
    assert_array_equal(rgb, frame.rgb)
    assert_array_equal(depth, frame.depth)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("sigma", [0.0, 2.0])
def test_nothing_aliases_the_frame(model: str, sigma: float) -> None:
    frame = flat(0.8)
    spec = SensorSpec(depth_noise=model, rgb_sigma=sigma)
    rgb, depth = observe(frame, spec, CAMERA, rng())
    assert not np.shares_memory(rgb, frame.rgb)
    assert not np.shares_memory(depth, frame.depth)
    rgb[:], depth[:] = 0, 0
    assert (frame.rgb == 100).all()
    assert (frame.depth == np.float32(0.8)).all()


@pytest.mark.parametrize("z", [0.5, 1.0, 2.0])
def test_gaussian_noise_grows_with_the_square_of_the_distance(z: float) -> None:
    spec = SensorSpec(depth_noise="gaussian", depth_sigma=0.003)
    _, depth = observe(flat(z), spec, CAMERA, rng())
    error = depth.astype(np.float64) - np.float32(z)
    assert error.std() == pytest.approx(0.003 * z * z, rel=0.03)
    assert abs(error.mean()) < 5 * 0.003 * z * z / np.sqrt(error.size)


@pytest.mark.parametrize("z", [0.5, 1.0])
def test_stereo_noise_has_the_spread_of_its_disparity(z: float) -> None:
    spec = SensorSpec(depth_noise="stereo", depth_sigma=0.003, stereo_baseline=0.05)
    _, depth = observe(flat(z), spec, CAMERA, rng())
    reach = CAMERA.fx * 0.05
    disparity = reach / depth.astype(np.float64)
    expected = np.hypot(0.3, 0.125 / np.sqrt(12))
    assert (disparity - reach / z).std() == pytest.approx(expected, rel=0.03)
    assert np.abs(disparity * 8 - np.rint(disparity * 8)).max() < 1e-4, "steps of 1/8 px"


def test_stereo_depth_without_noise_is_only_rounded() -> None:
    spec = SensorSpec(depth_noise="stereo", depth_sigma=0.0)
    _, depth = observe(flat(0.7), spec, CAMERA, rng())
    reach = CAMERA.fx * spec.stereo_baseline
    assert len(np.unique(depth)) == 1
    assert abs(reach / depth[0, 0] - reach / 0.7) <= 0.0625 + 1e-4


def test_stereo_has_holes_at_depth_edges_only() -> None:
    frame = flat(0.8)
    frame.depth[40:90, 60:120] = 0.6
    _, depth = observe(frame, SensorSpec(depth_noise="stereo"), CAMERA, rng())
    hole = depth == 0
    expected = np.zeros_like(hole)
    expected[40:90, [59, 60, 119, 120]] = True
    expected[[39, 40, 89, 90], 60:120] = True
    assert_array_equal(hole, expected)


@pytest.mark.parametrize("model", MODELS)
def test_what_returns_nothing_stays_zero_and_all_is_finite(model: str) -> None:
    frame = flat(1.5)
    frame.depth[:, :50] = 0
    spec = SensorSpec(depth_noise=model, depth_sigma=2.0)
    _, depth = observe(frame, spec, CAMERA, rng())
    assert depth.dtype == np.float32
    assert (depth[:, :50] == 0).all()
    assert np.isfinite(depth).all()
    assert (depth >= 0).all()


@pytest.mark.parametrize("model", MODELS)
def test_the_same_generator_gives_the_same_noise_and_another_does_not(model: str) -> None:
    spec = SensorSpec(depth_noise=model, rgb_sigma=3.0, exposure=1.1)
    first, again = (observe(flat(0.9), spec, CAMERA, rng(4)) for _ in range(2))
    other = observe(flat(0.9), spec, CAMERA, rng(5))
    assert_array_equal(first[0], again[0])
    assert_array_equal(first[1], again[1])
    assert (first[0] != other[0]).any()
    assert model == "none" or (first[1] != other[1]).any()


def test_rgb_noise_has_its_standard_deviation() -> None:
    rgb, _ = observe(flat(1.0, grey=128), SensorSpec(rgb_sigma=5.0), CAMERA, rng())
    assert rgb.std() == pytest.approx(np.hypot(5.0, np.sqrt(1 / 12)), rel=0.02)
    assert rgb.mean() == pytest.approx(128, abs=0.1)
    dark, _ = observe(flat(1.0, grey=0), SensorSpec(rgb_sigma=5.0), CAMERA, rng())
    assert dark.max() < 60, "noise below black does not wrap round"


def test_a_longer_exposure_is_never_darker() -> None:
    grey = np.arange(256, dtype=np.uint8)
    frame = Frame(
        rgb=np.stack([grey] * 3, axis=-1)[None],
        depth=np.ones((1, 256), np.float32),
        ids=np.zeros((1, 256), np.int32),
    )
    means = []
    for exposure in (0.25, 0.5, 0.99, 1.0, 1.01, 2.0, 4.0):
        rgb, _ = observe(frame, SensorSpec(exposure=exposure), CAMERA, rng())
        assert (np.diff(rgb[0, :, 0].astype(int)) >= 0).all()
        means.append(rgb.mean())
    assert means == sorted(means)
    assert means[0] < means[3] < means[-1]


def test_doubling_the_exposure_doubles_linear_light() -> None:
    rgb, _ = observe(flat(1.0, grey=100), SensorSpec(exposure=2.0), CAMERA, rng())
    light = ((100 / 255 + 0.055) / 1.055) ** 2.4
    assert rgb[0, 0, 0] == round(255 * (1.055 * (2 * light) ** (1 / 2.4) - 0.055))


def test_a_white_balance_multiplies_linear_channels() -> None:
    spec = SensorSpec(white_balance=(2.0, 1.0, 0.5), exposure=0.5)
    rgb, _ = observe(flat(1.0, grey=188), spec, CAMERA, rng())
    # sRGB 188 is half of full light; a quarter is 137, an eighth 99
    assert_array_equal(np.unique(rgb.reshape(-1, 3), axis=0), [[188, 137, 99]])


def test_a_robot_with_a_right_calibration_believes_the_camera() -> None:
    assert believed_camera(CAMERA, SensorSpec(depth_noise="stereo")) is CAMERA


def test_what_is_believed_of_the_intrinsics_is_a_ratio_and_a_shift() -> None:
    spec = SensorSpec(believed_focal=1.1, believed_centre=(2.0, -3.0))
    believed = believed_camera(CAMERA, spec)
    assert (believed.fx, believed.fy) == (CAMERA.fx * 1.1, CAMERA.fy * 1.1)
    assert (believed.cx, believed.cy) == (CAMERA.cx + 2, CAMERA.cy - 3)
    assert believed.pose == CAMERA.pose


def test_what_is_believed_of_the_pose_is_in_the_camera_s_frame() -> None:
    down = look_at((0.5, 0.0, 1.0), (0.5, 0.0, 0.0))
    camera = camera_from_fov(200, 150, 50, down)
    straight = unproject(camera, [(100, 75)], [0.8])[0]
    np.testing.assert_allclose(straight, (0.5, 0.0, 0.2), atol=1e-12)
    shifted = believed_camera(camera, SensorSpec(believed_shift=(0.0, 0.0, 0.01)))
    np.testing.assert_allclose(unproject(shifted, [(100, 75)], [0.8])[0], (0.5, 0, 0.19), atol=1e-9)
    turned = believed_camera(camera, SensorSpec(believed_turn=(0.0, 0.1, 0.0)))
    away = unproject(turned, [(100, 75)], [0.8])[0] - straight
    # seen from a place that it turns about, the point moves along the picture's x axis
    right = pose_matrix(down)[:3, 0]
    assert away @ right == pytest.approx(0.8 * np.sin(0.1))
    assert np.linalg.norm(away) == pytest.approx(2 * 0.8 * np.sin(0.05))
