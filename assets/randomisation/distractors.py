"""Axis of distractors: more things on the table, before any task is chosen."""

import functools
import math

import numpy as np
import shapely
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from refergym.assets import camera as pinhole
from refergym.assets import footprints, poses
from refergym.assets.composers.choice import Catalogue, Item
from refergym.assets.composers.params import TabletopParams
from refergym.assets.library import Pack
from refergym.assets.randomisation.base import GEOMETRIC, axis, unsettled
from refergym.assets.randomisation.shapes import links
from refergym.assets.randomisation.sight import SHOWN, SMALLEST, is_kept, sights
from refergym.assets.spec import CameraSpec, ObjectSpec, SceneSpec, SupportSpec

MOST = 4
"""distractors, at most"""
MARGIN = 0.025
"""m between footprints, as the composer leaves"""
EDGE = 0.02
"""m to the table's edge"""
ARM = 0.05
"""m, seen from above, to the waiting arm"""
THINGS = 6
"""things tried for each distractor"""
PLACES = 12
"""places tried for each thing"""


@axis
def distractors(
    scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float
) -> SceneSpec:
    """Put up to `MOST` more things of the pack onto free places of the table, where they are seen.

    They stand upright, touch nothing, hide nothing by more than half, and are of categories that
    the scene has not yet, so that what had a name of its own keeps it; and of splits that it has,
    so that nothing held out gets into training. Tasks are chosen afterwards, so a task's words are
    right whatever was added.
    """
    count = int(rng.random() * (int(MOST * strength) + 1))
    for _ in range(count):
        more = _with_one(scene, pack, rng)
        if more is None:
            break
        scene = more
    return scene


def _with_one(scene: SceneSpec, pack: Pack, rng: np.random.Generator) -> SceneSpec | None:
    """Return the scene with one more thing, or None if none of those tried fits."""
    catalogue = _catalogue(pack)
    present = {pack[o.asset].category for o in scene.objects}
    splits = {pack[o.asset].split for o in scene.objects} or {"seen"}
    pools = {
        category: fitting
        for category, assets in catalogue.categories.items()
        if category not in present and (fitting := [a for a in assets if a.split in splits])
    }
    room = _room(scene, pack)
    if not pools or room.is_empty:
        return None
    names = sorted(pools)
    before = sights(scene, pack)
    for _ in range(THINGS):
        pool = pools[names[int(rng.integers(len(names)))]]
        info = pool[int(rng.integers(len(pool)))]
        item = catalogue.item(info, float(rng.uniform(*catalogue.scales[info.name])))
        for u, v, w in rng.random((PLACES, 3)).tolist():
            placed = _at(item, room, u, v, w)
            if placed is None:
                continue
            after = _added(scene, item, *placed)
            shown = sights(after, pack)
            last = shown[-1]
            is_seen = last.is_whole and last.shown >= SHOWN and last.area >= SMALLEST
            if is_seen and is_kept(before, shown):
                return after
    return None


def _at(
    item: Item, room: BaseGeometry, u: float, v: float, w: float
) -> tuple[float, float, float] | None:
    """Return a place (x, y m, yaw rad) of shares in [0, 1] of the room, if the item fits there."""
    x0, y0, x1, y1 = room.bounds
    x, y = round(x0 + u * (x1 - x0), 6), round(y0 + v * (y1 - y0), 6)
    yaw = round((2 * w - 1) * math.pi, 6)
    inner = item.shape.inner * item.scale
    if not room.contains(shapely.Point(x, y).buffer(inner) if inner else shapely.Point(x, y)):
        return None
    own = footprints.placed(item.shape, x, y, yaw, item.scale)
    return (x, y, yaw) if room.contains(own) else None


def _added(scene: SceneSpec, item: Item, x: float, y: float, yaw: float) -> SceneSpec:
    base = item.info.category.replace(" ", "_")
    taken = {o.id for o in scene.objects}
    number = next(n for n in range(len(taken) + 1) if f"{base}_{n}" not in taken)
    row = np.array([x, y, scene.supports[0].top, *poses.about_z(yaw)])
    pose = poses.as_pose(row)
    thing = ObjectSpec(id=f"{base}_{number}", asset=item.info.name, pose=pose, scale=item.scale)
    settled = {k: (*p, pose) for k, p in scene.settled.items() if k == GEOMETRIC}
    return unsettled(scene, objects=(*scene.objects, thing), settled=settled)


def _room(scene: SceneSpec, pack: Pack) -> BaseGeometry:
    """What is free on the table, in the picture, and not under the waiting arm."""
    table = scene.supports[0]
    face = footprints.support_polygon(table)
    ground = _in_picture(scene.camera, table)
    taken = [footprints.footprint(pack, o.asset, o.pose, o.scale) for o in scene.objects]
    arm = [shapely.convex_hull(shapely.multipoints(b[:, :2])) for b in links(scene.robot)]
    taken += [shape.buffer(ARM - MARGIN) for shape in arm]
    taken += [footprints.support_polygon(s) for s in scene.supports[1:] if s.top > table.top]
    return footprints.free_region(face, taken, MARGIN, EDGE).intersection(ground)


def _in_picture(camera: CameraSpec, table: SupportSpec) -> Polygon:
    """What the camera shows of the table's plane, m, world, as far as it looks."""
    m = pinhole.pose_matrix(camera.pose)
    w, h = camera.width, camera.height
    corners = np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float64)
    rays = pinhole.unproject(camera, corners, np.ones(4)) - m[:3, 3]
    # a ray that does not come down ends as far away as one can see
    down = np.maximum(-rays[:, 2], 1e-6)
    depth = np.minimum((m[2, 3] - table.top) / down, camera.far)
    ground = m[:2, 3] + rays[:, :2] * depth[:, None]
    return shapely.convex_hull(shapely.multipoints(ground))


@functools.lru_cache(maxsize=4)
def _catalogue(pack: Pack) -> Catalogue:
    """The things of a pack at the scales that the table-top composer gives them by default."""
    return Catalogue(pack, TabletopParams())
