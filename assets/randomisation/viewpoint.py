"""Axes of the camera: its pose, and its field of view."""

import math
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from scipy.spatial.transform import Rotation

from refergym.assets import camera as pinhole
from refergym.assets import poses
from refergym.assets.library import Pack
from refergym.assets.randomisation.base import axis, factor
from refergym.assets.randomisation.shapes import Array, body
from refergym.assets.randomisation.sight import EDGE, NEAR, Sight, is_kept, sights
from refergym.assets.spec import CameraSpec, Pose, SceneSpec

AZIMUTH = 15.0
"""degrees round the objects, at most"""
ELEVATION = 8.0
"""degrees up or down round the objects, at most"""
DISTANCE = 1.15
"""the distance to the objects is multiplied by at most this, or divided by it"""
AIM = 2.0
"""degrees that the camera turns about its own x and y axes, at most"""
ROLL = 4.0
"""degrees that it turns about its optical axis, at most"""
FOCAL = 1.25
"""the focal length is multiplied by at most this, or divided by it"""
BACK = 1.25
"""the distance grows by at most this once more, to keep everything in the picture"""
LOWEST = 0.15
"""m that the camera stays above the table, at least"""
ROOM = 1e-5
"""m more than has to be, against rounding"""
WHOLE_DRAWS = 4
"""draws from the full range; each of those that follow halves it"""
DRAWS = 9


@axis
def camera(scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float) -> SceneSpec:
    """Move the camera round the objects, nearer or farther, and turn it a little.

    What was seen whole stays so: the camera backs off a little where that helps, else draws again,
    later from smaller ranges, and after the last draw stays where it was.
    """
    before = sights(scene, pack)
    pivot = _pivot(scene, before)

    def draw(reach: float) -> CameraSpec:
        azimuth, elevation, distance, x, y, roll = (reach * rng.uniform(-1, 1, 6)).tolist()
        m = pinhole.pose_matrix(scene.camera.pose)
        turn = _about((0, 0, 1), AZIMUTH * azimuth) @ _about(m[:3, 0], ELEVATION * elevation)
        moved = np.eye(4)
        own = _about((1, 0, 0), AIM * x) @ _about((0, 1, 0), AIM * y)
        moved[:3, :3] = turn @ m[:3, :3] @ own @ _about((0, 0, 1), ROLL * roll)
        moved[:3, 3] = pivot + DISTANCE**distance * turn @ (m[:3, 3] - pivot)
        return msgspec.structs.replace(scene.camera, pose=_pose(moved))

    return _seen(scene, pack, before, draw, strength)


@axis
def field_of_view(
    scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float
) -> SceneSpec:
    """Change the focal length, and move along the optical axis so that things keep their size.

    What was seen whole stays so, as with `camera`.
    """
    before = sights(scene, pack)
    pivot = _pivot(scene, before)

    def draw(reach: float) -> CameraSpec:
        longer = factor(rng, FOCAL, reach)
        m = pinhole.pose_matrix(scene.camera.pose)
        away = float((pivot - m[:3, 3]) @ m[:3, 2])
        c = scene.camera
        nearer = _along(c, away * (1 - longer))
        return msgspec.structs.replace(
            nearer, fx=round(c.fx * longer, 6), fy=round(c.fy * longer, 6)
        )

    return _seen(scene, pack, before, draw, strength)


def _seen(
    scene: SceneSpec,
    pack: Pack,
    before: tuple[Sight, ...],
    draw: Callable[[float], CameraSpec],
    strength: float,
) -> SceneSpec:
    """Return the scene with the first drawn camera that shows what the present one shows."""
    whole = [body(pack, o) for o, s in zip(scene.objects, before, strict=True) if s.is_whole]
    points = np.concatenate(whole) if whole else np.empty((0, 3))
    pivot = _pivot(scene, before)
    lowest = min(scene.camera.pose.position[2], scene.supports[0].top + LOWEST)
    for k in range(DRAWS):
        reach = strength * 0.5 ** max(0, k + 1 - WHOLE_DRAWS)
        drawn = draw(reach)
        back = _missing(drawn, points)
        away = float(np.linalg.norm(pivot - drawn.pose.position))
        if back > away * (BACK**reach - 1):
            continue
        drawn = _along(drawn, -back)
        after = msgspec.structs.replace(scene, camera=drawn)
        if drawn.pose.position[2] >= lowest and is_kept(before, sights(after, pack)):
            return after
    return scene


def _missing(camera: CameraSpec, points: Array) -> float:
    """How far the camera has to back off, in m, to have points [K, 3], m, world, in its picture."""
    m = pinhole.pose_matrix(camera.pose)
    x, y, z = ((points - m[:3, 3]) @ m[:3, :3]).T
    edge = EDGE * camera.width
    spans = (
        (x, camera.cx, camera.width, camera.fx),
        (y, camera.cy, camera.height, camera.fy),
    )
    needs = [
        at / reach - z
        for along, middle, size, focal in spans
        for at, reach in (
            (along, (size - edge - middle) / focal),
            (-along, (middle - edge) / focal),
        )
    ]
    most = float(np.max([*needs, NEAR - z], initial=0.0))
    return most + ROOM if most > 0 else 0.0


def _along(camera: CameraSpec, way: float) -> CameraSpec:
    """Move a camera along its optical axis by m."""
    m = pinhole.pose_matrix(camera.pose).copy()
    m[:3, 3] += way * m[:3, 2]
    return msgspec.structs.replace(camera, pose=_pose(m))


def _pivot(scene: SceneSpec, before: tuple[Sight, ...]) -> Array:
    """Middle of the objects seen whole, [3] m, world; of the table where there are none."""
    support = scene.supports[0]
    x, y, _ = support.pose.position
    seen = [o.pose.position for o, s in zip(scene.objects, before, strict=True) if s.is_whole]
    places = seen or [(x, y, support.top)]
    middle: Array = np.array(places).mean(axis=0)
    return middle


def _about(direction: Sequence[float] | Array, degrees: float) -> Array:
    turn: Array = Rotation.from_rotvec(math.radians(degrees) * np.asarray(direction)).as_matrix()
    return turn


def _pose(matrix: Array) -> Pose:
    return poses.as_pose(np.array([*matrix[:3, 3], *poses.quaternion(matrix[:3, :3])]))
