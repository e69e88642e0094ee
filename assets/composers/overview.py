"""The wide view: the table from a few metres away, or from the wall, and the floor round it."""

import math

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

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
FAR = 100.0
"""m, farther than any wall"""


def find_overview(
    table: Polygon,
    walls: Polygon,
    floor: float,
    ceiling: float,
    params: InfinigenParams,
    rng: np.random.Generator,
) -> Sight:
    """Draw places round the table; return a camera that shows all of it, and enough floor.

    The arm stands before the table only where no view from the other sides will do.

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
    corners = np.array(table.exterior.coords)[:-1]
    inner = walls.buffer(-INSET, join_style="mitre")
    middle = (table.centroid.x, table.centroid.y)
    cause = ""
    for azimuths in (params.azimuth, (-180.0, 180.0)):
        for _ in range(params.camera_tries):
            azimuth = math.radians(float(rng.uniform(*azimuths)))
            away, up, hfov = (
                float(rng.uniform(*r))
                for r in (params.room_distance, params.room_height, params.room_hfov)
            )
            away = min(away, _free(inner, middle, azimuth))
            height = min(floor + up, ceiling - 1.5 * WALL_GAP)
            sight = _sight(middle, azimuth, away, height, floor / 2, hfov, params)
            if away < params.room_distance[0]:
                cause = "the walls are too near for the wide view"
            elif not sees(sight.eye, corners, walls, ceiling):
                cause = "a wall stands before the table in the wide view"
            elif not _shows(sight, corners, params):
                cause = "no wide view shows the whole table"
            elif _floor_share(sight, table, walls, floor) < params.floor_share:
                cause = "the wide view shows too little floor"
            else:
                return sight
    raise Misfit(cause)


def _free(inner: BaseGeometry, middle: tuple[float, float], azimuth: float) -> float:
    """Distance in m from a table's middle to the first wall in a direction, less the inset."""
    x, y = middle[0] + FAR * math.cos(azimuth), middle[1] + FAR * math.sin(azimuth)
    ray = shapely.LineString([middle, (x, y)])
    hits = shapely.get_coordinates(ray.intersection(inner.boundary))
    return float(np.hypot(*(hits - middle).T).min(initial=FAR)) - 1e-3


def _sight(
    middle: tuple[float, float],
    azimuth: float,
    away: float,
    height: float,
    aim: float,
    hfov: float,
    params: InfinigenParams,
) -> Sight:
    """Camera at a distance and a height that looks at a point below, or over, the table's middle.

    The point is half-way down to the floor, so that the floor before the table is seen too.
    """
    x, y = middle[0] + away * math.cos(azimuth), middle[1] + away * math.sin(azimuth)
    eye = (round(x, 6), round(y, 6), round(height, 6))
    pitch = -math.atan2(height - aim, away)
    axes = axes_of(pitch, azimuth)
    return Sight(camera_at(eye, axes, round(hfov, 3), params), axes, eye, pitch)


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
