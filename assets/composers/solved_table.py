"""A solved scene about its table: origin over the table's own, z = 0 on its upper face."""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon
from shapely.geometry.polygon import orient

from refergym.assets.composers.choice import Item
from refergym.assets.composers.layout import Place
from refergym.assets.composers.things import Things, inverted
from refergym.assets.errors import PackError
from refergym.assets.footprints import outline, placed
from refergym.assets.library import AssetInfo, Pack, Top
from refergym.assets.solved import Room, SolvedScene, load_solved
from refergym.assets.spec import Pose


@dataclass(frozen=True, kw_only=True)
class SolvedTable:
    """What stands where, in the table's frame."""

    name: str
    """of the scene"""
    info: AssetInfo
    """of the table"""
    top: Top
    surface: Polygon
    """the upper face, m, table's frame"""
    body: Polygon
    """convex outline of the whole piece of furniture, counter-clockwise, m, table's frame"""
    things: Things
    """as the solver left them, table's frame"""
    room: Room
    """in the room's frame"""
    room_at: Place
    """the room's frame, table's frame"""

    @functools.cached_property
    def walls(self) -> Polygon:
        """The room's floor, m, table's frame."""
        return Polygon(moved(self.room_at, np.array(self.room.floor)))

    @property
    def floor_z(self) -> float:
        """Height of the floor, m, table's frame; below zero."""
        return self.room_at.z

    @property
    def ceiling_z(self) -> float:
        """Height of the ceiling, m, table's frame."""
        return self.room_at.z + self.room.height


def read_table(pack: Pack, name: str) -> SolvedTable:
    """Read a solved scene of a pack; errors as in `load_solved`."""
    scene = load_solved(pack, name)
    info = pack[scene.table]
    if info.top is None:
        raise PackError(f"scene {name!r}: table: {scene.table!r} has no top")
    table = _place(scene.table_pose)
    face = Place(x=table.x, y=table.y, z=table.z + info.top.height, yaw=table.yaw)
    body = placed(outline(pack, info.name), 0.0, 0.0, 0.0)
    return SolvedTable(
        name=name,
        info=info,
        top=info.top,
        surface=Polygon(info.top.outline),
        body=orient(body.union(Polygon(info.top.outline)).convex_hull),
        things=_things(pack, scene).seen_from(face),
        room=scene.room,
        room_at=inverted(face),
    )


def moved(at: Place, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points [N, 2] m that are given in the frame of a place."""
    c, s = np.cos(at.yaw), np.sin(at.yaw)
    x, y = points[:, 0], points[:, 1]
    return np.stack([at.x + c * x - s * y, at.y + s * x + c * y], axis=1)


def _things(pack: Pack, scene: SolvedScene) -> Things:
    """Return the items, room's frame."""
    order = sorted(range(len(scene.items)), key=lambda i: (_depth(scene, i), i))
    items = []
    for i in order:
        solved = scene.items[i]
        parent = order.index(solved.on) if solved.on >= 0 else None
        shape = outline(pack, solved.asset)
        items.append(Item(info=pack[solved.asset], shape=shape, scale=1.0, parent=parent))
    return Things(items=tuple(items), places=tuple(_place(scene.items[i].pose) for i in order))


def _place(pose: Pose) -> Place:
    (x, y, z), (w, _, _, qz) = pose.position, pose.orientation
    return Place(x=x, y=y, z=z, yaw=float(2 * np.arctan2(qz, w)))


def _depth(scene: SolvedScene, index: int) -> int:
    depth, below = 0, scene.items[index].on
    while below >= 0:
        depth, below = depth + 1, scene.items[below].on
    return depth
