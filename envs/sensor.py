"""What a real camera would make of an exact frame, and which camera the robot believes it has.

The picture gets an exposure, a white balance and RGB noise; the depth gets noise and holes.

Depth noise models:
    none      the exact depth.
    gaussian  z + N(0, (depth_sigma * z^2)^2), as a stereo or structured-light camera's error grows.
    stereo    the disparity fx * baseline / z gets N(0, (100 * depth_sigma)^2) px of noise and is
              rounded to 1/8 px; where it jumps by more than 1 px between neighbours, one of the two
              eyes sees something else and the pixel is a hole.
A hole is 0, and what was 0 stays 0.
"""

import functools

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from refergym.assets import camera as pinhole
from refergym.assets.spec import CameraSpec, SensorSpec
from refergym.envs.types import Frame

Depth = NDArray[np.float32]
Image = NDArray[np.uint8]

_DISPARITY_STEP = 1 / 8
"""px, to which a stereo matcher rounds"""
_DISPARITY_JUMP = 1.0
"""px between neighbours, from which a stereo matcher fails"""
_PX_PER_SIGMA = 100.0
"""px of disparity noise for a depth_sigma of 1"""
_IN_PLACE = ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


def observe(
    frame: Frame, spec: SensorSpec, camera: CameraSpec, rng: np.random.Generator
) -> tuple[Image, Depth]:
    """Return a frame's picture and depth as the sensor gives them.

    Args:
        frame: exact, of that camera.
        spec: the sensor.
        camera: for the focal length of a stereo sensor.
        rng: where all noise comes from.

    Returns:
        rgb [H, W, 3], and depth [H, W] in m along the optical axis, finite, 0 = hole. Both are
        new arrays.
    """
    rgb = _expose(frame.rgb, spec)
    if spec.rgb_sigma > 0:
        noisy = rgb + rng.normal(0, spec.rgb_sigma, rgb.shape)
        rgb = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    if spec.depth_noise == "gaussian":
        return rgb, _gaussian(frame.depth, spec, rng)
    if spec.depth_noise == "stereo":
        return rgb, _stereo(frame.depth, spec, camera, rng)
    return rgb, frame.depth.copy()


@functools.lru_cache(maxsize=64)
def believed_camera(camera: CameraSpec, spec: SensorSpec) -> CameraSpec:
    """Return the camera that the robot believes it has: what lifts points to 3D.

    Args:
        camera: the true one.
        spec: the sensor, with the errors of its calibration.
    """
    exact = (spec.believed_shift, spec.believed_turn) == _IN_PLACE
    if exact and spec.believed_focal == 1 and spec.believed_centre == (0, 0):
        return camera
    error = np.eye(4)
    error[:3, :3] = Rotation.from_rotvec(spec.believed_turn).as_matrix()
    error[:3, 3] = spec.believed_shift
    pose = pinhole.matrix_pose(pinhole.pose_matrix(camera.pose) @ error)
    return msgspec.structs.replace(
        camera,
        fx=camera.fx * spec.believed_focal,
        fy=camera.fy * spec.believed_focal,
        cx=camera.cx + spec.believed_centre[0],
        cy=camera.cy + spec.believed_centre[1],
        pose=pose,
    )


def _expose(rgb: Image, spec: SensorSpec) -> Image:
    gains = tuple(spec.exposure * gain for gain in spec.white_balance)
    if gains == (1, 1, 1):
        return rgb.copy()
    channels = [_gain_table(gain).take(rgb[..., k]) for k, gain in enumerate(gains)]
    return np.stack(channels, axis=-1)


@functools.lru_cache(maxsize=256)
def _gain_table(gain: float) -> Image:
    """[256] sRGB bytes after linear light is multiplied."""
    s = np.arange(256) / 255
    light = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)
    light = np.minimum(light * gain, 1)
    s = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    out: Image = np.rint(s * 255).astype(np.uint8)
    return out


def _gaussian(depth: Depth, spec: SensorSpec, rng: np.random.Generator) -> Depth:
    z = depth.astype(np.float64)
    noisy = z + rng.standard_normal(z.shape) * (spec.depth_sigma * z * z)
    return _held(noisy, depth > 0)


def _stereo(depth: Depth, spec: SensorSpec, camera: CameraSpec, rng: np.random.Generator) -> Depth:
    seen = depth > 0
    reach = camera.fx * spec.stereo_baseline
    exact = np.where(seen, reach / np.where(seen, depth, 1), 0)
    noise = rng.standard_normal(exact.shape) * (_PX_PER_SIGMA * spec.depth_sigma)
    disparity = np.rint((exact + noise) / _DISPARITY_STEP) * _DISPARITY_STEP
    seen &= (disparity > 0) & ~_jumps(exact)
    return _held(reach / np.where(seen, disparity, 1), seen)


def _jumps(disparity: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Pixels [H, W] on either side of a jump between neighbours in a row or column."""
    out = np.zeros(disparity.shape, np.bool_)
    for axis in (0, 1):
        jump = np.abs(np.diff(disparity, axis=axis)) > _DISPARITY_JUMP
        before = np.moveaxis(out, axis, 0)
        before[:-1] |= np.moveaxis(jump, axis, 0)
        before[1:] |= np.moveaxis(jump, axis, 0)
    return out


def _held(z: NDArray[np.float64], seen: NDArray[np.bool_]) -> Depth:
    """Depths as float32, with 0 where nothing is seen or noise went past the camera."""
    out: Depth = np.where(seen & (z > 0), z, 0).astype(np.float32)
    return out
