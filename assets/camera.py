"""Pinhole cameras: points, pixels, rays and poses. Pure and vectorised.

OpenCV convention: camera x right, y down, z forward. Continuous pixel coordinates put the image's
left edge at 0 and its right edge at the width, so pixel (x, y) is centred on (x + 0.5, y + 0.5).
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refergym.assets.errors import SpecError
from refergym.assets.poses import quaternion
from refergym.assets.spec import CameraSpec, Pose, Quat, Vec3

Array = NDArray[np.float64]


def intrinsics(camera: CameraSpec) -> Array:
    """Return the matrix K, [3, 3] px."""
    return np.array(
        [[camera.fx, 0.0, camera.cx], [0.0, camera.fy, camera.cy], [0.0, 0.0, 1.0]], np.float64
    )


def camera_from_fov(
    width: int,
    height: int,
    hfov_deg: float,
    pose: Pose,
    *,
    id: str = "view",
    far: float = 10.0,
) -> CameraSpec:
    """Return a camera with square pixels and a centred principal point.

    Args:
        width: px.
        height: px.
        hfov_deg: horizontal field of view between the image's left and right edges, degrees.
        pose: camera to world.
        id: the camera's name.
        far: m along the optical axis.

    Raises:
        SpecError: if the field of view is not in (0, 180).
    """
    if not 0 < hfov_deg < 180:
        raise SpecError(f"hfov_deg: expected in (0, 180), got {hfov_deg}")
    focal = width / 2 / math.tan(math.radians(hfov_deg) / 2)
    return CameraSpec(
        id=id,
        width=width,
        height=height,
        fx=focal,
        fy=focal,
        cx=width / 2,
        cy=height / 2,
        pose=pose,
        far=far,
    )


def pixel_of_point(size: CameraSpec | tuple[int, int], u: float, v: float) -> tuple[int, int]:
    """Return the pixel (x, y) that an image point falls on.

    Args:
        size: a camera, or (width, height) in px.
        u: in [0, 1], right.
        v: in [0, 1], down.

    Raises:
        ValueError: if u or v is not a number in [0, 1].
    """
    width, height = _size(size)
    return _pixel(u, width, "u"), _pixel(v, height, "v")


def point_of_pixel(size: CameraSpec | tuple[int, int], x: int, y: int) -> tuple[float, float]:
    """Return the image point (u, v) at the centre of a pixel; undone by `pixel_of_point`."""
    width, height = _size(size)
    return (x + 0.5) / width, (y + 0.5) / height


def rays_c(camera: CameraSpec) -> Array:
    """Return the directions through all pixel centres.

    Returns:
        [H * W, 3] camera frame, row by row from the top left; z = 1, so that a depth times a
        direction is the point.
    """
    x = (np.arange(camera.width) + 0.5 - camera.cx) / camera.fx
    y = (np.arange(camera.height) + 0.5 - camera.cy) / camera.fy
    out = np.ones((camera.height, camera.width, 3))
    out[..., 0] = x
    out[..., 1] = y[:, None]
    return out.reshape(-1, 3)


def project(camera: CameraSpec, points_w: ArrayLike) -> tuple[Array, Array]:
    """Project world points.

    Args:
        camera: the camera.
        points_w: [N, 3] m, world.

    Returns:
        [N, 2] continuous pixel coordinates (NaN where the depth is not positive), and [N] depth
        along the optical axis in m.
    """
    m = pose_matrix(camera.pose)
    points_c = (np.asarray(points_w, np.float64).reshape(-1, 3) - m[:3, 3]) @ m[:3, :3]
    z = points_c[:, 2]
    ahead = np.where(z > 0, z, np.nan)
    px = points_c[:, :2] / ahead[:, None] * (camera.fx, camera.fy) + (camera.cx, camera.cy)
    return px, z


def unproject(camera: CameraSpec, px: ArrayLike, depth: ArrayLike) -> Array:
    """Return the world points at continuous pixel coordinates and depths.

    Args:
        camera: the camera.
        px: [N, 2] continuous pixel coordinates; a pixel's centre is at (x + 0.5, y + 0.5).
        depth: [N] m along the optical axis.

    Returns:
        [N, 3] m, world.
    """
    px = np.asarray(px, np.float64).reshape(-1, 2)
    z = np.asarray(depth, np.float64).reshape(-1)
    xy = (px - (camera.cx, camera.cy)) / (camera.fx, camera.fy) * z[:, None]
    return transform(pose_matrix(camera.pose), np.column_stack([xy, z]))


def transform(matrix: Array, points: Array) -> Array:
    """Apply a rigid [4, 4] matrix to points [N, 3]."""
    out: Array = points @ matrix[:3, :3].T + matrix[:3, 3]
    return out


def pose_matrix(pose: Pose) -> Array:
    """Return a pose as a matrix, [4, 4], from its own to its parent's frame (cached, read-only)."""
    return _pose_matrix(pose.position, pose.orientation)


@lru_cache(maxsize=1024)
def _pose_matrix(position: Vec3, orientation: Quat) -> Array:
    matrix = pose_matrices([[*position, *orientation]]).reshape(4, 4)
    matrix.setflags(write=False)
    return matrix


def pose_matrices(poses: ArrayLike) -> Array:
    """Return poses [N, 7] (position m, quaternion wxyz) as matrices [N, 4, 4]."""
    poses = np.asarray(poses, np.float64).reshape(-1, 7)
    q = poses[:, 3:] / np.linalg.norm(poses[:, 3:], axis=1, keepdims=True)
    w, x, y, z = q.T
    m = np.zeros((len(poses), 4, 4))
    m[:, 0, 0] = 1 - 2 * (y * y + z * z)
    m[:, 0, 1] = 2 * (x * y - w * z)
    m[:, 0, 2] = 2 * (x * z + w * y)
    m[:, 1, 0] = 2 * (x * y + w * z)
    m[:, 1, 1] = 1 - 2 * (x * x + z * z)
    m[:, 1, 2] = 2 * (y * z - w * x)
    m[:, 2, 0] = 2 * (x * z - w * y)
    m[:, 2, 1] = 2 * (y * z + w * x)
    m[:, 2, 2] = 1 - 2 * (x * x + y * y)
    m[:, :3, 3] = poses[:, :3]
    m[:, 3, 3] = 1
    return m


def matrix_pose(matrix: ArrayLike) -> Pose:
    """Return a rigid [4, 4] matrix as a pose with the canonical quaternion (w >= 0)."""
    m = np.asarray(matrix, np.float64)
    w, i, j, k = (float(t) + 0.0 for t in quaternion(m[:3, :3]))
    x, y, z = (float(t) + 0.0 for t in m[:3, 3])
    # of a half turn, w is rounding noise of either sign
    return Pose(position=(x, y, z), orientation=(max(w, 0.0), i, j, k))


def look_at(eye: ArrayLike, target: ArrayLike) -> Pose:
    """Return the camera-to-world pose of an upright camera at `eye` that looks at `target`.

    Straight down (or up) the picture's top is towards world -x (+x), the limit for a viewer on
    the +x side.

    Raises:
        SpecError: if eye and target coincide.
    """
    eye, target = np.asarray(eye, np.float64), np.asarray(target, np.float64)
    forward = target - eye
    distance = float(np.linalg.norm(forward))
    if not distance > 0:
        raise SpecError(f"look_at: eye and target are the same point {eye.tolist()}")
    forward /= distance
    right = np.cross(forward, (0.0, 0.0, 1.0))
    if float(np.linalg.norm(right)) < 1e-6:
        right = np.array([0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    m = np.eye(4)
    m[:3, 0], m[:3, 1], m[:3, 2], m[:3, 3] = right, np.cross(forward, right), forward, eye
    return matrix_pose(m)


def _size(size: CameraSpec | tuple[int, int]) -> tuple[int, int]:
    return (size.width, size.height) if isinstance(size, CameraSpec) else size


def _pixel(value: float, count: int, name: str) -> int:
    number = float(value)
    if not 0 <= number <= 1:
        raise ValueError(f"{name}: expected in [0, 1], got {number}")
    return min(count - 1, math.floor(number * count))
