"""Axis of the table's height against the robot's base."""

import msgspec
import numpy as np
import shapely

from refergym.assets.footprints import support_polygon
from refergym.assets.library import Pack
from refergym.assets.randomisation.base import axis
from refergym.assets.randomisation.shapes import arm_gap
from refergym.assets.randomisation.sight import is_kept, sights
from refergym.assets.spec import Pose, SceneSpec

HEIGHT = 0.08
"""m up or down, at most"""
CLEAR = 0.05
"""m that the waiting arm keeps from everything, at least, unless it was nearer"""
BELOW = 0.03
"""m: what reaches no farther below the table top stands on it"""
EDGE = 0.10
"""m beyond the table's edge where things may still stand on it"""
DRAWS = 8


@axis
def table_height(
    scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float
) -> SceneSpec:
    """Raise or lower the table with all that stands on it, and the camera with them.

    The robot stays, and has other ways to go. Floor and walls stay too, but for a piece of
    furniture, which keeps its legs on the floor: then it is the robot that stands lower or higher.
    """
    near, before = min(CLEAR, arm_gap(scene, pack)), sights(scene, pack)
    for draw in (rng.uniform(-1, 1, DRAWS) * HEIGHT * strength).tolist():
        moved = lifted(scene, round(draw, 4))
        if arm_gap(moved, pack) >= near and is_kept(before, sights(moved, pack)):
            return moved
    return scene


def lifted(scene: SceneSpec, by: float) -> SceneSpec:
    """Return a scene whose table, with what stands on it and the camera, is higher by m."""
    table = scene.supports[0]
    face = support_polygon(table).buffer(EDGE)

    def stands_there(pose: Pose) -> bool:
        x, y, z = pose.position
        return z > table.top - BELOW and bool(shapely.contains_xy(face, x, y))

    is_furniture = table.asset is not None
    mine = [is_furniture or stands_there(o.pose) for o in scene.objects]
    objects = tuple(
        msgspec.structs.replace(o, pose=_raised(o.pose, by)) if is_mine else o
        for o, is_mine in zip(scene.objects, mine, strict=True)
    )
    settled = {
        kind: tuple(_raised(p, by) if m else p for p, m in zip(poses, mine, strict=True))
        for kind, poses in scene.settled.items()
    }
    moving = len(scene.supports) if is_furniture else 1
    supports = tuple(
        msgspec.structs.replace(s, pose=_raised(s.pose, by)) if k < moving else s
        for k, s in enumerate(scene.supports)
    )
    fixtures = tuple(
        msgspec.structs.replace(f, pose=_raised(f.pose, by)) if is_furniture else f
        for f in scene.fixtures
    )
    camera = msgspec.structs.replace(scene.camera, pose=_raised(scene.camera.pose, by))
    return msgspec.structs.replace(
        scene,
        supports=supports,
        objects=objects,
        fixtures=fixtures,
        settled=settled,
        camera=camera,
    )


def _raised(pose: Pose, by: float) -> Pose:
    x, y, z = pose.position
    return msgspec.structs.replace(pose, position=(x, y, round(z + by, 6)))
