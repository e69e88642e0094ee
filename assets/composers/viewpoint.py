"""Where the viewer stands: the nearest camera that shows every object whole and none hidden.

For a fixed direction of view the eyes that keep a set of points inside the picture form a pyramid;
its tip, in closed form, is the nearest of them.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError
from shapely import Polygon

from refergym.assets import poses
from refergym.assets.composers.choice import Item, Misfit
from refergym.assets.composers.layout import Place
from refergym.assets.composers.params import TabletopParams
from refergym.assets.library import Pack
from refergym.assets.spec import CameraSpec

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Axes:
    """The camera's axes in the world, [3] each."""

    right: tuple[float, float, float]
    down: tuple[float, float, float]
    forward: tuple[float, float, float]


def find_camera(
    pack: Pack,
    items: list[Item],
    places: list[Place],
    params: TabletopParams,
    rng: np.random.Generator,
) -> CameraSpec:
    """Draw directions of view until a camera in range shows all items.

    Raises:
        Misfit: with the cause of the last try, if none does.
    """
    pairs = list(zip(items, places, strict=True))
    boxes = np.concatenate([_corners(i, p) for i, p in pairs])
    bodies = [_turned(_body(pack, i.info.name), i, p) for i, p in pairs]
    owner = np.repeat(np.arange(len(items)), [len(b) for b in bodies])
    points = np.concatenate(bodies)
    cause = ""
    for _ in range(params.camera_tries):
        pitch = math.radians(rng.uniform(*params.pitch))
        azimuth = math.radians(rng.uniform(*params.azimuth))
        hfov = round(float(rng.uniform(*params.hfov)), 3)
        shift_x, shift_y, back = rng.random(3).tolist()
        axes = _axes(pitch, azimuth)
        eye = _eye(boxes, axes, hfov, params, (shift_x, shift_y), back)
        if eye is None:
            cause = f"no camera pose shows all {len(items)} objects"
            continue
        camera = _camera(eye, axes, hfov, params)
        outlines = _outlines(points, owner, axes, camera)
        fault = _fault(items, places, outlines, eye, -pitch, params)
        if fault is None:
            return camera
        cause = fault
    raise Misfit(cause)


def _axes(pitch: float, azimuth: float) -> _Axes:
    """Axes of an upright camera on the +x side that looks back; pitch < 0 looks down."""
    cp, sp, ca, sa = math.cos(pitch), math.sin(pitch), math.cos(azimuth), math.sin(azimuth)
    return _Axes((-sa, ca, 0.0), (-sp * ca, -sp * sa, -cp), (-cp * ca, -cp * sa, sp))


def _along(points: Array, axis: tuple[float, float, float]) -> Array:
    """Coordinates [N] along an axis; elementwise, so that every machine rounds alike."""
    out: Array = points[:, 0] * axis[0] + points[:, 1] * axis[1] + points[:, 2] * axis[2]
    return out


def _eye(
    boxes: Array,
    axes: _Axes,
    hfov: float,
    params: TabletopParams,
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
    x, y, z = _along(boxes, axes.right), _along(boxes, axes.down), _along(boxes, axes.forward)
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


def _camera(
    eye: tuple[float, float, float], axes: _Axes, hfov: float, params: TabletopParams
) -> CameraSpec:
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


def _outlines(
    points: Array, owner: NDArray[np.intp], axes: _Axes, camera: CameraSpec
) -> NDArray[np.object_]:
    """Return each object's convex outline in the picture, [N] polygons, px."""
    x, y, z = (_along(points, axis) for axis in (axes.right, axes.down, axes.forward))
    eye = np.array([camera.pose.position])
    ex, ey, ez = (_along(eye, axis) for axis in (axes.right, axes.down, axes.forward))
    px = np.stack([(x - ex) / (z - ez), (y - ey) / (z - ez)], axis=1) * camera.fx
    outlines: NDArray[np.object_] = shapely.convex_hull(shapely.multipoints(px, indices=owner))
    return outlines


def _fault(
    items: list[Item],
    places: list[Place],
    outlines: NDArray[np.object_],
    eye: tuple[float, float, float],
    down: float,
    params: TabletopParams,
) -> str | None:
    """Return what is wrong with a camera: something hidden, or too small to be named."""
    smallest = params.min_share * params.width * params.height
    area = shapely.area(outlines).tolist()
    if min(area) < smallest:
        return "an object is too small in the picture"
    distance = [math.hypot(p.x - eye[0], p.y - eye[1]) for p in places]
    x0, y0, x1, y1 = shapely.bounds(outlines).T.tolist()
    for k, own in enumerate(outlines):
        parent = items[k].parent
        covers = [
            outlines[j]
            for j in range(len(items))
            if j != k
            and j != parent
            and (distance[j] < distance[k] or items[j].parent == k)
            and x0[j] < x1[k]
            and x0[k] < x1[j]
            and y0[j] < y1[k]
            and y0[k] < y1[j]
        ]
        # a content's container covers it up to the line of sight over the near rim
        sunk = 0.0 if parent is None else _sunk(items[k], items[parent], down)
        covered = _shared(own, covers) / area[k]
        visible = (1 - covered) * (1 - sunk)
        if visible < 1 - params.hidden or visible * area[k] < smallest:
            return "an object is hidden behind others"
    return None


def _shared(own: Polygon, covers: list[Polygon]) -> float:
    """Area in px2 of an outline that others cover."""
    parts = [part for c in covers if not (part := own.intersection(c)).is_empty]
    return float(shapely.union_all(parts).area if len(parts) > 1 else sum(p.area for p in parts))


def _sunk(child: Item, parent: Item, down: float) -> float:
    """Share of a content's height below the line of sight over its container's near rim."""
    cavity = parent.info.cavity
    if cavity is None:
        return 0.0
    below = (cavity.depth - cavity.radius * math.tan(down)) * parent.scale
    return min(1.0, max(0.0, below / child.tallness))


def _corners(item: Item, place: Place) -> Array:
    """Corners [8, 3] m, world, of an item's own box."""
    sx, sy, sz = item.info.size
    box = np.array(
        [(x, y, z) for x in (-sx / 2, sx / 2) for y in (-sy / 2, sy / 2) for z in (0.0, sz)]
    )
    return _turned(box, item, place)


def _turned(points: Array, item: Item, place: Place) -> Array:
    c, s = math.cos(place.yaw) * item.scale, math.sin(place.yaw) * item.scale
    x = place.x + c * points[:, 0] - s * points[:, 1]
    y = place.y + s * points[:, 0] + c * points[:, 1]
    return np.stack([x, y, place.z + item.scale * points[:, 2]], axis=1)


@functools.lru_cache(maxsize=1024)
def _body(pack: Pack, name: str) -> Array:
    """Corners [K, 3] m of an asset's convex hull, at scale 1."""
    points = np.concatenate(pack.hulls(name))
    try:
        corners: Array = points[np.sort(ConvexHull(points).vertices)]
    except QhullError:
        return points
    return corners
