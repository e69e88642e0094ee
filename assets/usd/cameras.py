"""Cameras and light: pinhole intrinsics as USD's apertures, and our nominal light as UsdLux."""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.lighting import GROUND, SKY, SUN
from refergym.assets.spec import CameraSpec, LightSpec, Pose
from refergym.assets.usd import shapes
from refergym.assets.usd.pixar import Gf, Usd, UsdGeom, UsdLux

APERTURE = 20.955
"""horizontal, in tenths of a unit; only its ratio to the focal length matters"""
NEAR = 0.01
"""m"""
BRIGHTNESS = 1000.0
"""nits of a white surface in nominal ambient light, about what Isaac Sim's exposure is made for"""
SUN_ANGLE = 0.53
"""degrees, its diameter"""


def write_camera(stage: Usd.Stage, path: str, camera: CameraSpec) -> Usd.Prim:
    """Write a camera; USD's looks along -z with y up, ours along z with y down."""
    made = UsdGeom.Camera.Define(stage, path)
    shapes.place(made.GetPrim(), _flipped(camera.pose))
    made.CreateProjectionAttr(UsdGeom.Tokens.perspective)
    for name, value in _lens(camera).items():
        made.GetPrim().GetAttribute(name).Set(value)
    made.CreateClippingRangeAttr(Gf.Vec2f(NEAR, camera.far))
    return made.GetPrim()


def read_camera(prim: Usd.Prim, record: CameraSpec) -> CameraSpec:
    """Return a camera as it is in a stage.

    Args:
        prim: the camera.
        record: what was written; kept but for what the prim was changed in since.
    """
    record = msgspec.structs.replace(record, pose=_flipped(shapes.placed(prim), back=True))
    focal, wide, high, right, up = (float(prim.GetAttribute(name).Get()) for name in _lens(record))
    if all(_same(v, w) for v, w in zip((focal, wide, high, right, up), _lens(record).values())):  # noqa: B905
        return record
    return msgspec.structs.replace(
        record,
        fx=focal * record.width / wide,
        fy=focal * record.height / high,
        cx=record.width * (0.5 - right / wide),
        cy=record.height * (0.5 + up / high),
    )


def write_light(stage: Usd.Stage, path: str, light: LightSpec) -> None:
    """Write the distant light PATH/sun and the ambient light PATH/sky.

    A surface that faces the sun shows its colour times SUN, as our renderers have it.
    """
    strongest = max(SUN)
    sun = UsdLux.DistantLight.Define(stage, f"{path}/sun")
    sun.CreateAngleAttr(SUN_ANGLE)
    sun.CreateNormalizeAttr(True)
    sun.CreateIntensityAttr(BRIGHTNESS * math.pi * strongest * light.intensity)
    sun.CreateColorAttr(Gf.Vec3f(*(c / strongest for c in SUN)))
    shapes.place(sun.GetPrim(), _towards(np.array(light.direction)))
    sky = UsdLux.DomeLight.Define(stage, f"{path}/sky")
    mean = (np.array(SKY) + GROUND) / 2
    sky.CreateIntensityAttr(float(BRIGHTNESS * mean.max() * light.ambient))
    sky.CreateColorAttr(Gf.Vec3f(*(mean / mean.max()).tolist()))


def _lens(camera: CameraSpec) -> dict[str, float]:
    """Return the attributes of a USD camera that follow from intrinsics."""
    per_px = APERTURE / camera.width
    high = camera.height * per_px * camera.fx / camera.fy
    return {
        "focalLength": camera.fx * per_px,
        "horizontalAperture": APERTURE,
        "verticalAperture": high,
        "horizontalApertureOffset": (camera.width / 2 - camera.cx) * per_px,
        "verticalApertureOffset": (camera.cy - camera.height / 2) * high / camera.height,
    }


def _same(value: float, written: float) -> bool:
    return bool(np.float32(value) == np.float32(written))


def _flipped(pose: Pose, *, back: bool = False) -> Pose:
    """Turn a camera by half a turn about its x axis; exactly undone by `back`."""
    w, x, y, z = pose.orientation
    turned = (x, -w, -z, y) if back else (-x, w, z, -y)
    return msgspec.structs.replace(pose, orientation=turned)


def _towards(direction: NDArray[np.float64]) -> Pose:
    """Return a pose whose z axis points along a direction [3]."""
    z = direction / np.linalg.norm(direction)
    x = np.cross((0.0, 1.0, 0.0) if abs(z[1]) < 0.9 else (1.0, 0.0, 0.0), z)
    x /= np.linalg.norm(x)
    w, i, j, k = poses.quaternion(np.column_stack([x, np.cross(z, x), z])).tolist()
    return Pose(position=(0.0, 0.0, 0.0), orientation=(w, i, j, k))
