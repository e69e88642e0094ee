"""Where the viewer stands: the nearest camera that shows every object whole.

For a fixed direction of view the eyes that keep a set of points inside the picture form a pyramid;
its tip, in closed form, is the nearest of them.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.composers.choice import Item
from refergym.assets.composers.layout import Place
from refergym.assets.composers.params import SceneParams
from refergym.assets.spec import CameraSpec

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Axes:
    """The camera's axes in the world, [3] each."""

    right: tuple[float, float, float]
    down: tuple[float, float, float]
    forward: tuple[float, float, float]


@dataclass(frozen=True)
class Sight:
    """A camera, and the numbers that made it."""

    camera: CameraSpec
    axes: Axes
    eye: tuple[float, float, float]
    """[3] m, world"""
    pitch: float
    """rad, < 0 looks down"""


def draw_sight(boxes: Array, params: SceneParams, rng: np.random.Generator) -> Sight | None:
    """Draw a direction of view; return the nearest camera there that shows all boxes [N, 3] m.

    None if that is out of the range of `params.camera_height`.
    """
    pitch = math.radians(rng.uniform(*params.pitch))
    azimuth = math.radians(rng.uniform(*params.azimuth))
    hfov = round(float(rng.uniform(*params.hfov)), 3)
    shift_x, shift_y, back = rng.random(3).tolist()
    axes = axes_of(pitch, azimuth)
    eye = _eye(boxes, axes, hfov, params, (shift_x, shift_y), back)
    if eye is None:
        return None
    return Sight(camera=camera_at(eye, axes, hfov, params), axes=axes, eye=eye, pitch=pitch)


def axes_of(pitch: float, azimuth: float) -> Axes:
    """Axes of an upright camera on the +x side that looks back; pitch < 0 looks down."""
    cp, sp, ca, sa = math.cos(pitch), math.sin(pitch), math.cos(azimuth), math.sin(azimuth)
    return Axes((-sa, ca, 0.0), (-sp * ca, -sp * sa, -cp), (-cp * ca, -cp * sa, sp))


def along(points: Array, axis: tuple[float, float, float]) -> Array:
    """Return coordinates [N] along an axis; elementwise, so that every machine rounds alike."""
    out: Array = points[:, 0] * axis[0] + points[:, 1] * axis[1] + points[:, 2] * axis[2]
    return out


def _eye(
    boxes: Array,
    axes: Axes,
    hfov: float,
    params: SceneParams,
    shift: tuple[float, float],
    back: float,
) -> tuple[float, float, float] | None:
    """Return the nearest eye in range, [3] m world, or None.

    Args:
        boxes: [N, 3] m, what has to be seen.
        axes: the direction of view.
        hfov: degrees.
        params: ranges.
        shift: [0, 1] where in the middle half of the play across the view.
        back: [0, 1] where in `params.back_off`.
    """
    x, y, z = along(boxes, axes.right), along(boxes, axes.down), along(boxes, axes.forward)
    keep = 1 - 2 * params.frame
    tx = keep * math.tan(math.radians(hfov) / 2)
    ty = tx * params.height / params.width
    # |x - ex| <= tx (z - ez) for every point bounds ex from both sides; the same for y
    x_high, x_low = float((x + tx * z).min()), float((x - tx * z).max())
    y_high, y_low = float((y + ty * z).min()), float((y - ty * z).max())
    ez = min((x_high - x_low) / (2 * tx), (y_high - y_low) / (2 * ty))
    low, high = params.back_off
    ez -= (low + (high - low) * back - 1) * (float(z.mean()) - ez)
    spans = ((x_low + tx * ez, x_high - tx * ez), (y_low + ty * ez, y_high - ty * ez))
    ex, ey = (a + (0.25 + 0.5 * s) * (b - a) for (a, b), s in zip(spans, shift, strict=True))
    height = ey * axes.down[2] + ez * axes.forward[2]
    if height < params.camera_height[0]:
        # back off along the view: ex and ey stay, and the play round them only widens
        ez += (params.camera_height[0] + 1e-5 - height) / axes.forward[2]
        height = params.camera_height[0]
    if height > params.camera_height[1]:
        return None
    parts = zip(axes.right, axes.down, axes.forward, strict=True)
    wx, wy, wz = (round(ex * r + ey * d + ez * f, 6) for r, d, f in parts)
    return wx, wy, wz


def camera_at(
    eye: tuple[float, float, float], axes: Axes, hfov: float, params: SceneParams
) -> CameraSpec:
    """Return a camera of the picture size that was asked for; `hfov` in degrees."""
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2] = axes.right, axes.down, axes.forward
    pose = poses.as_pose(np.array([*eye, *poses.quaternion(matrix[:3, :3])]))
    focal = round(params.width / 2 / math.tan(math.radians(hfov) / 2), 6)
    return CameraSpec(
        width=params.width,
        height=params.height,
        fx=focal,
        fy=focal,
        cx=params.width / 2,
        cy=params.height / 2,
        pose=pose,
    )


def corners(item: Item, place: Place) -> Array:
    """Return the corners [8, 3] m, world, of an item's own box."""
    sx, sy, sz = item.info.size
    box = np.array(
        [(x, y, z) for x in (-sx / 2, sx / 2) for y in (-sy / 2, sy / 2) for z in (0.0, sz)]
    )
    return turned(box, item, place)


def turned(points: Array, item: Item, place: Place) -> Array:
    """Return points [N, 3] m of an asset at scale 1 where its item stands, world."""
    c, s = math.cos(place.yaw) * item.scale, math.sin(place.yaw) * item.scale
    x = place.x + c * points[:, 0] - s * points[:, 1]
    y = place.y + s * points[:, 0] + c * points[:, 1]
    return np.stack([x, y, place.z + item.scale * points[:, 2]], axis=1)
