"""What the camera sees of each object, by convex outlines: is as much seen after a change?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely import Polygon

from refergym.assets import camera as pinhole
from refergym.assets import poses
from refergym.assets.library import Pack
from refergym.assets.randomisation.shapes import Array, Box, body, box, links
from refergym.assets.spec import CameraSpec, FixtureSpec, SceneSpec, SupportSpec

Block = FixtureSpec | SupportSpec

EDGE = 0.01
"""share of the picture's width that stays free of objects along each edge"""
SHOWN = 0.5
"""share of an object's outline that stays visible, if it was"""
SMALLEST = 0.002
"""share of the picture that an object's visible outline goes on covering, if it did"""
NEAR = 0.1
"""m along the optical axis: what is nearer counts as out of the picture"""


@dataclass(frozen=True, kw_only=True)
class Sight:
    """How one object shows in the picture."""

    is_whole: bool
    """all of it lies inside the picture, clear of the edges, with no wall in between"""
    shown: float
    """share of its outline that is inside the picture and not behind something nearer"""
    area: float
    """share of the picture that this covers"""


def sights(scene: SceneSpec, pack: Pack) -> tuple[Sight, ...]:
    """Tell how each object shows to the scene's camera; the waiting arm may be in the way."""
    camera = scene.camera
    bodies = [body(pack, o) for o in scene.objects]
    boxes = [box(b) for b in bodies]
    eye = np.array(camera.pose.position)
    away = [float(np.linalg.norm((low + high) / 2 - eye)) for low, high in boxes]
    arm = links(scene.robot)
    shapes = outlines(camera, [*bodies, *arm])
    things, hand = shapes[: len(bodies)], shapes[len(bodies) :]
    arm_away = [float(np.linalg.norm(b.mean(axis=0) - eye)) for b in arm]
    picture = shapely.box(0, 0, camera.width, camera.height)
    inner = picture.buffer(-EDGE * camera.width, join_style="mitre")
    table = scene.supports[0]
    blocks: list[Block] = [*scene.fixtures, *(s for s in scene.supports if s.top > table.top)]
    found = []
    for k, own in enumerate(things):
        if own is None:
            found.append(Sight(is_whole=False, shown=0.0, area=0.0))
            continue
        nearer = [
            o
            for j, o in enumerate(things)
            if o is not None and away[j] < away[k] and not _carries(boxes[j], boxes[k])
        ]
        nearer += [o for o, far in zip(hand, arm_away, strict=True) if o and far < away[k]]
        seen = own.intersection(picture)
        covers = [c for c in nearer if c.intersects(seen)]
        if covers:
            seen = seen.difference(shapely.union_all(covers))
        found.append(
            Sight(
                is_whole=bool(inner.contains(own))
                and not any(_blocks(block, eye, bodies[k]) for block in blocks),
                shown=min(1.0, seen.area / own.area),
                area=seen.area / picture.area,
            )
        )
    return tuple(found)


def is_kept(before: tuple[Sight, ...], after: tuple[Sight, ...]) -> bool:
    """Tell whether what could be seen can still be seen; what was added comes last and is free."""
    pairs = zip(before, after, strict=False)
    return all(
        (b.is_whole or not a.is_whole)
        and b.shown >= min(a.shown, SHOWN)
        and b.area >= min(a.area, SMALLEST)
        for a, b in pairs
    )


def arm_share(scene: SceneSpec) -> float:
    """Return the share of the picture that the waiting arm covers, were nothing before it."""
    camera = scene.camera
    picture = shapely.box(0, 0, camera.width, camera.height)
    arm = shapely.union_all([s for s in outlines(camera, links(scene.robot)) if s is not None])
    return float(arm.intersection(picture).area / picture.area)


def outlines(camera: CameraSpec, bodies: Sequence[Array]) -> list[Polygon | None]:
    """Return the convex outlines of bodies [K, 3] m, world, in px; None if it is not all ahead."""
    owner = np.repeat(np.arange(len(bodies)), [len(b) for b in bodies])
    px, depth = pinhole.project(camera, np.concatenate(bodies))
    behind = set(owner[depth < NEAR].tolist())
    shapes = shapely.convex_hull(shapely.multipoints(np.nan_to_num(px), indices=owner))
    return [
        s if k not in behind and isinstance(s, Polygon) and s.area > 0 else None
        for k, s in enumerate(shapes)
    ]


def _blocks(block: Block, eye: Array, points: Array) -> bool:
    """Tell whether a box lies between the eye [3] and any of the points [K, 3], m, world."""
    turn = poses.rotation(block.pose.orientation)
    start, ends = (eye - block.pose.position) @ turn, (points - block.pose.position) @ turn
    half = np.array(block.size) / 2
    way = ends - start
    way[np.abs(way) < 1e-12] = 1e-12
    a, b = (-half - start) / way, (half - start) / way
    enters, leaves = np.minimum(a, b).max(axis=1), np.maximum(a, b).min(axis=1)
    return bool(((enters <= leaves) & (leaves > 0) & (enters < 0.99)).any())


def _carries(lower: Box, upper: Box) -> bool:
    """Whether a box may stand in or on another: its middle is over it, its bottom above its own."""
    middle = (upper[0] + upper[1]) / 2
    over = bool((lower[0][:2] < middle[:2]).all() and (middle[:2] < lower[1][:2]).all())
    return over and bool(lower[0][2] + 0.001 < upper[0][2] < lower[1][2] + 0.01)
