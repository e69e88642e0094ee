"""Axes of the sensor: exposure, white balance, depth noise, and what the robot wrongly believes."""

import math

import msgspec
import numpy as np

from refergym.assets.library import Pack
from refergym.assets.randomisation.base import axis, factor
from refergym.assets.spec import SceneSpec, SensorSpec

EXPOSURE = 2.0
"""linear light is multiplied by at most this, or divided by it: one stop"""
WARMTH = 1.25
"""red is multiplied by at most this and blue divided by it, or the other way round"""
TINGE = 1.08
"""green is multiplied by at most this, or divided by it"""
DEPTH_SIGMA = 0.006
"""m at 1 m, added to the depth noise at most (px of disparity x 100 for a stereo sensor)"""
SHIFT = 0.015
"""m along each axis between the believed camera and the true one, at most"""
TURN = 1.5
"""degrees about each axis, at most"""
FOCAL = 1.02
"""the believed focal length over the true one, at most, or the inverse"""
CENTRE = 0.015
"""of the picture's width: the principal point's error along each axis, at most"""


@axis
def exposure(
    scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float
) -> SceneSpec:
    """Make the picture brighter or darker by up to one stop."""
    value = round(scene.sensor.exposure * factor(rng, EXPOSURE, strength), 4)
    return _sensing(scene, exposure=value)


@axis
def white_balance(
    scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float
) -> SceneSpec:
    """Make the picture warmer or colder, and a little greener or pinker."""
    warm, green = factor(rng, WARMTH, strength), factor(rng, TINGE, strength)
    r, g, b = scene.sensor.white_balance
    gains = (round(r * warm, 4), round(g * green, 4), round(b / warm, 4))
    return _sensing(scene, white_balance=gains)


@axis
def depth_noise(
    scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float
) -> SceneSpec:
    """Add to the noise of the sensor's own model; a sensor without noise becomes a gaussian one."""
    more = float(rng.uniform(0, 1)) * strength * DEPTH_SIGMA
    sensor = scene.sensor
    is_exact = sensor.depth_noise == "none"
    return _sensing(
        scene,
        depth_noise="gaussian" if is_exact else sensor.depth_noise,
        depth_sigma=round((0.0 if is_exact else sensor.depth_sigma) + more, 6),
    )


@axis
def calibration(
    scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float
) -> SceneSpec:
    """Let the robot believe another camera than the true one, in pose and intrinsics."""
    sensor = scene.sensor
    shift = strength * SHIFT * rng.uniform(-1, 1, 3)
    turn = strength * math.radians(TURN) * rng.uniform(-1, 1, 3)
    centre = strength * CENTRE * scene.camera.width * rng.uniform(-1, 1, 2)
    return _sensing(
        scene,
        believed_shift=_sum(sensor.believed_shift, shift),
        believed_turn=_sum(sensor.believed_turn, turn),
        believed_focal=round(sensor.believed_focal * factor(rng, FOCAL, strength), 6),
        believed_centre=_sum(sensor.believed_centre, centre),
    )


def _sensing(scene: SceneSpec, **fields: object) -> SceneSpec:
    sensor: SensorSpec = msgspec.structs.replace(scene.sensor, **fields)
    return msgspec.structs.replace(scene, sensor=sensor)


def _sum(old: tuple[float, ...], more: np.ndarray) -> tuple[float, ...]:
    return tuple(round(a + float(b), 6) for a, b in zip(old, more, strict=True))
