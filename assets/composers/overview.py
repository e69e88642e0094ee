"""The wide view: from a wall or a corner of the room, with the table and the floor round it."""

import math

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from refergym.assets import camera as pinhole
from refergym.assets.composers.framing import WALL_GAP, sees
from refergym.assets.composers.infinigen_params import InfinigenParams
from refergym.assets.composers.search import Misfit
from refergym.assets.composers.viewpoint import Sight, axes_of, camera_at

Array = NDArray[np.float64]

INSET = 0.2
"""m between the eye and the walls"""
RAYS = 16
"""rays across the picture, and down it, that look for the floor"""


def find_overview(
    table: Polygon,
    walls: Polygon,
    floor: float,
    ceiling: float,
    params: InfinigenParams,
    rng: np.random.Generator,
) -> Sight:
    """Draw places at the walls; return a camera from which the table and enough floor are seen.

    Args:
        table: outline of its upper face, m, world; z = 0.
        walls: the room's floor, m, world.
        floor: its height, m, world.
        ceiling: m, world.
        params: ranges and limits.
        rng: draws places and fields of view.

    Raises:
        Misfit: with the cause of the last try, if none does.
    """
    rings = [p.exterior for p in shapely.get_parts(walls.buffer(-INSET, join_style="mitre"))]
    corners = np.array(table.exterior.coords)[:-1]
    middle = table.centroid
    cause = "the room is too small for a view from its walls"
    for _ in range(params.camera_tries if rings else 0):
        ring = max(rings, key=lambda r: r.length)
        x, y = ring.interpolate(rng.random(), normalized=True).coords[0]
        low, high = params.room_height
        height = floor + float(rng.uniform(low, high))
        eye = (round(x, 6), round(y, 6), round(min(height, ceiling - 1.5 * WALL_GAP), 6))
        hfov = round(float(rng.uniform(*params.room_hfov)), 3)
        # the middle of the picture is below the table's, so that the floor before it is seen too
        across = math.hypot(eye[0] - middle.x, eye[1] - middle.y)
        pitch = -math.atan2(eye[2] - floor / 2, across)
        axes = axes_of(pitch, math.atan2(eye[1] - middle.y, eye[0] - middle.x))
        sight = Sight(camera_at(eye, axes, hfov, params), axes, eye, pitch)
        if not _shows(sight, corners, params):
            cause = "no wide view shows the whole table"
        elif not sees(eye, corners, walls, ceiling):
            cause = "a wall stands before the table in the wide view"
        elif _floor_share(sight, table, walls, floor) < params.floor_share:
            cause = "the wide view shows too little floor"
        else:
            return sight
    raise Misfit(cause)


def _shows(sight: Sight, corners: Array, params: InfinigenParams) -> bool:
    """Tell whether points [N, 2] m of the table's face lie in the picture, off its edges."""
    px, depth = pinhole.project(sight.camera, np.column_stack([corners, np.zeros(len(corners))]))
    if not (depth > 0).all():
        return False
    free = params.frame
    u, v = px[:, 0] / params.width, px[:, 1] / params.height
    return bool(min(u.min(), v.min()) >= free and max(u.max(), v.max()) <= 1 - free)


def _floor_share(sight: Sight, table: Polygon, walls: Polygon, floor: float) -> float:
    """Share of the picture's rays that meet the room's floor, past the table's face."""
    camera = sight.camera
    steps = (np.arange(RAYS) + 0.5) / RAYS
    u, v = (g.ravel() for g in np.meshgrid(steps * camera.width, steps * camera.height))
    rays = np.column_stack(
        [(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.size)]
    )
    along = rays @ pinhole.pose_matrix(camera.pose)[:3, :3].T
    down = along[:, 2] < -1e-3
    eye = np.array(sight.eye)
    with np.errstate(divide="ignore"):
        on_table = eye[:2] - along[:, :2] * (eye[2] / along[:, 2])[:, None]
        on_floor = eye[:2] - along[:, :2] * ((eye[2] - floor) / along[:, 2])[:, None]
    is_floor = shapely.contains_xy(walls, on_floor[:, 0], on_floor[:, 1])
    is_table = shapely.contains_xy(table, on_table[:, 0], on_table[:, 1])
    return float((down & is_floor & ~is_table).mean())
