"""Which pixels show which object, and how much of each is hidden: from boxes, depth and masks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull

from refergym.assets import camera as pinhole
from refergym.assets.spec import CameraSpec
from refergym.envs.annotated.frame import AnnotatedFrame, AnnotatedObject, Box
from refergym.envs.types import ID_NOTHING, Array

NEAR = 0.01
"""m by which a surface may lie outside its box"""
LIFT = 0.005
"""m above its box's lowest point: what is lower belongs to what the object stands on"""
FULL = 0.5
"""least share of a box's outline in the picture that its object is taken to fill"""


def corners_of(box: Box) -> Array:
    """Return a box's corners [8, 3] m, world."""
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    return np.asarray(box.centre + (signs * box.sides / 2) @ box.rotation.T)


def points_of(frame: AnnotatedFrame) -> Array:
    """Return the world points [H, W, 3] m that the pixels show; NaN where no depth is known."""
    rays = pinhole.rays_c(frame.camera).reshape(*frame.depth.shape, 3)
    points = pinhole.transform(
        pinhole.pose_matrix(frame.camera.pose),
        (rays * frame.depth[..., None].astype(np.float64)).reshape(-1, 3),
    ).reshape(rays.shape)
    points[frame.depth <= 0] = np.nan
    return points


def ids_of(
    frame: AnnotatedFrame, objects: Sequence[AnnotatedObject], points: Array
) -> NDArray[np.int32]:
    """Return for each pixel [H, W] the index of the object that it shows, or ID_NOTHING.

    Masks where there are any; else a pixel shows the smallest box that holds its point, first
    without and then with `NEAR` of tolerance.

    Args:
        frame: the picture.
        objects: what to look for.
        points: of `points_of`.
    """
    ids = np.full(frame.depth.shape, ID_NOTHING, np.int32)
    order = sorted(range(len(objects)), key=lambda i: float(np.prod(objects[i].box.sides)))
    for within in (0.0, NEAR):
        for i in order:
            window = _window(frame.camera, corners_of(objects[i].box))
            if objects[i].mask is not None or window is None:
                continue
            free = ids[window] == ID_NOTHING
            ids[window][free & _inside(objects[i].box, points[window], within)] = i
    for i in order[::-1]:
        mask = objects[i].mask
        if mask is not None:
            ids[mask] = i
    return ids


def share_of(index: int, box: Box, ids: NDArray[np.int32], frame: AnnotatedFrame) -> float:
    """Estimate which share of an object's silhouette is visible, [0, 1].

    Inside the box's outline a pixel shows the object, something before the box (hidden), or
    something behind it (not part of the silhouette). Of what is hidden or beyond the picture's
    edges, as large a part is taken for silhouette as of the rest, `FULL` at least. A pixel without
    depth counts as hidden.
    """
    corners = corners_of(box)
    px, z = pinhole.project(frame.camera, corners)
    visible = int((ids == index).sum())
    if not visible or not (z > 0).all():
        return 0.0
    window = _window(frame.camera, corners)
    if window is None:
        return 0.0
    enters, hits = _enters(box, frame.camera, window)
    depth = frame.depth[window]
    others = hits & (ids[window] != index)
    hidden = others & ((depth < enters - NEAR) | (depth <= 0))
    behind = int((others & ~hidden).sum())
    beyond = max(0.0, float(ConvexHull(px).volume) - float(hits.sum()))
    filled = max(FULL, visible / (visible + behind))
    return visible / (visible + filled * (float(hidden.sum()) + beyond))


def met(frame: AnnotatedFrame, height: float) -> Array:
    """Where the pixels' rays meet a level plane.

    Args:
        frame: the picture.
        height: m, world.

    Returns:
        [H, W, 3]: x and y m, world, and the depth m along the optical axis; NaN where they do not.
    """
    m = pinhole.pose_matrix(frame.camera.pose)
    turned = pinhole.rays_c(frame.camera) @ m[:3, :3].T
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = (height - m[2, 3]) / turned[:, 2]
    depth = np.where(depth > 0, depth, np.nan)
    xy = m[:2, 3] + turned[:, :2] * depth[:, None]
    return np.column_stack([xy, depth]).reshape(*frame.depth.shape, 3)


def middle_of(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the pixel (x, y) of a mask that is farthest from its edges; the mask is not empty."""
    ys, xs = np.nonzero(mask)
    y0, x0 = ys.min(), xs.min()
    part = np.pad(mask[y0 : ys.max() + 1, x0 : xs.max() + 1], 1)
    inner = ndimage.distance_transform_edt(part)
    y, x = np.unravel_index(int(np.argmax(inner)), part.shape)
    return int(x + x0 - 1), int(y + y0 - 1)


def _inside(box: Box, points: Array, within: float) -> NDArray[np.bool_]:
    """Tell which points [..., 3] a box holds, grown by `within` m but for its underside."""
    local = np.abs((points - box.centre) @ box.rotation)
    low = corners_of(box)[:, 2]
    lift = min(LIFT, 0.3 * float(np.ptp(low)))
    holds = (local <= box.sides / 2 + within).all(-1)  # NaN compares as outside
    return np.asarray(holds & (points[..., 2] > low.min() + lift))


def _enters(
    box: Box, camera: CameraSpec, window: tuple[slice, slice]
) -> tuple[Array, NDArray[np.bool_]]:
    """Depth [h, w] m at which the rays of a window enter a box, and which of them meet it."""
    rows, columns = window
    rays = pinhole.rays_c(camera).reshape(camera.height, camera.width, 3)[rows, columns]
    m = pinhole.pose_matrix(camera.pose)
    origin = (m[:3, 3] - box.centre) @ box.rotation
    turned = rays @ m[:3, :3].T @ box.rotation
    turned = np.where(np.abs(turned) < 1e-12, 1e-12, turned)
    half = box.sides / 2
    a, b = (-half - origin) / turned, (half - origin) / turned
    enters, leaves = np.minimum(a, b).max(-1), np.maximum(a, b).min(-1)
    return enters, (enters <= leaves) & (leaves > 0)


def _window(camera: CameraSpec, corners: Array) -> tuple[slice, slice] | None:
    """Rows and columns that may show something; None if it is wholly beside or behind."""
    px, z = pinhole.project(camera, corners)
    if not (z > 0).any():
        return None
    if not (z > 0).all():
        return slice(0, camera.height), slice(0, camera.width)
    size = (camera.width, camera.height)
    x0, y0 = np.clip(np.floor(px.min(0)).astype(int) - 1, 0, size)
    x1, y1 = np.clip(np.ceil(px.max(0)).astype(int) + 2, 0, size)
    return (slice(int(y0), int(y1)), slice(int(x0), int(x1))) if x1 > x0 and y1 > y0 else None
