"""What is round the things: the table, the floor, walls with windows and doors, the light."""

import math

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.polygon import orient

from refergym.assets import poses
from refergym.assets.composers.infinigen_params import InfinigenParams
from refergym.assets.composers.layout import Place, joined
from refergym.assets.composers.solved_table import SolvedTable, moved
from refergym.assets.library import Pack
from refergym.assets.solved import Opening
from refergym.assets.spec import FixtureSpec, LightSpec, Pose, SupportSpec, Vec3

Array = NDArray[np.float64]

WALL = 0.05
"""m, thickness of walls"""
PLATE = 0.03
"""m, thickness of the plates that stand for windows and doors"""
PROUD = 0.01
"""m that these stand out of the wall"""
FLAT = 1e-4
"""m2 that a convex room may lack of its convex hull"""
FLOOR = 0.1
"""m, thickness of the floor"""
PAINTS = ((0.90, 0.88, 0.84), (0.84, 0.86, 0.88), (0.88, 0.84, 0.76), (0.80, 0.84, 0.80))
"""[3] sRGB each, of walls without texture"""
SKY = (0.86, 0.93, 1.0)
"""[3] sRGB, of windows"""
DOOR = (0.45, 0.31, 0.20)
"""[3] sRGB"""
GLOW = 0.9


class Surroundings:
    """Draws what is round a solved table; call each method once, the draws go on."""

    def __init__(
        self,
        pack: Pack,
        table: SolvedTable,
        table_at: Place,
        params: InfinigenParams,
        rng: np.random.Generator,
    ) -> None:
        """Keep the parts.

        Args:
            pack: where textures are.
            table: with its room.
            table_at: the table's frame, world.
            params: ranges.
            rng: draws textures, paint and light.
        """
        self.pack, self.table, self.params, self.rng = pack, table, params, rng
        self.table_at = table_at
        self.room_at = joined(table_at, table.room_at)

    def supports(self) -> tuple[SupportSpec, SupportSpec]:
        """Return the table, seen as its furniture, and the floor: a box where it is not convex."""
        top = self.table.top
        outline, thickness = np.array(top.outline), round(top.thickness, 4)
        below = Place(x=0.0, y=0.0, z=-thickness / 2, yaw=0.0)
        slab = SupportSpec(
            id="table",
            pose=_pose(joined(self.table_at, below)),
            size=(*_extents(outline), thickness),
            outline=_ring(outline),
            asset=self.table.info.name,
        )
        corners = np.array(self.table.room.floor)
        middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
        x, y = middle.tolist()
        hull = _if_convex(corners)
        floor = SupportSpec(
            id="floor",
            pose=_pose(joined(self.room_at, Place(x=x, y=y, z=-FLOOR / 2, yaw=0.0))),
            size=(*_extents(corners - middle), FLOOR),
            outline=_ring(hull - middle) if hull is not None else None,
            texture=self._texture("floor"),
            texture_scale=self._texture_scale(),
        )
        return slab, floor

    def fixtures(self, eye: Vec3, targets: Array) -> tuple[FixtureSpec, ...]:
        """Return walls, windows and doors; walls between an eye and its targets are cut away.

        Args:
            eye: [3] m, world.
            targets: [N, 2] m, world.
        """
        room = self.table.room
        texture, texture_scale = self._texture("wall"), self._texture_scale()
        paint = PAINTS[int(self.rng.integers(len(PAINTS)))]
        lines = shapely.linestrings([[eye[:2], target] for target in targets.tolist()])
        corners = np.array(room.floor)
        ends, convex = np.roll(corners, -1, axis=0), _convex(corners)
        there, found = set(), []
        for k, (a, b) in enumerate(zip(corners, ends, strict=True)):
            foot = shapely.LineString(moved(self.room_at, np.stack([a, b])))
            if shapely.intersects(foot, lines).any():
                continue
            there.add(k)
            beyond = WALL * convex[k], WALL * convex[(k + 1) % len(corners)]
            at, length = _wall(a, b, beyond, room.height)
            found.append(
                FixtureSpec(
                    id=f"wall_{k}",
                    pose=_pose(joined(self.room_at, at)),
                    size=(round(length, 4), WALL, round(room.height, 4)),
                    texture=texture,
                    texture_scale=texture_scale,
                    colour=(1.0, 1.0, 1.0) if texture else paint,
                )
            )
        plates = [(f"window_{k}", o, SKY, GLOW) for k, o in enumerate(room.windows)]
        plates += [(f"door_{k}", o, DOOR, 0.0) for k, o in enumerate(room.doors)]
        found += [
            _plate(opening, corners, self.room_at, name, colour, glow)
            for name, opening, colour, glow in plates
            if opening.wall in there
        ]
        return tuple(found)

    def light(self) -> LightSpec:
        """Return light from the largest window, or, in a room without, from anywhere."""
        low, high = self.params.light_elevation
        turn = float(self.rng.uniform(-math.pi, math.pi))
        up = float(self.rng.uniform(low, high))
        if self.table.room.windows:
            window = max(self.table.room.windows, key=lambda o: o.size[0] * o.size[1])
            x, y, z = window.centre
            seen = joined(self.room_at, Place(x=x, y=y, z=z, yaw=0.0))
            dx, dy = seen.x - self.table_at.x, seen.y - self.table_at.y
            turn = math.atan2(dy, dx)
            up = min(max(math.degrees(math.atan2(seen.z, math.hypot(dx, dy))), low), high)
        flat, rise = math.cos(math.radians(up)), math.sin(math.radians(up))
        intensity, ambient = self.rng.uniform(*self.params.light, 2).tolist()
        return LightSpec(
            direction=(
                round(flat * math.cos(turn), 6),
                round(flat * math.sin(turn), 6),
                round(rise, 6),
            ),
            intensity=round(intensity, 4),
            ambient=round(ambient, 4),
        )

    def _texture(self, use: str) -> str | None:
        names = self.pack.textures(use)
        return names[int(self.rng.integers(len(names)))] if names else None

    def _texture_scale(self) -> float:
        return round(float(self.rng.uniform(*self.params.texture_scale)), 3)


def _wall(a: Array, b: Array, beyond: tuple[float, float], height: float) -> tuple[Place, float]:
    """Middle of the wall outside the edge from a to b, room's frame, and its length, m.

    It reaches beyond the corners, as far as is told, to meet its neighbours.
    """
    dx, dy = (b - a).tolist()
    length = math.hypot(dx, dy)
    ux, uy = dx / length, dy / length
    along = (length + beyond[1] - beyond[0]) / 2
    x = float(a[0]) + ux * along + uy * WALL / 2
    y = float(a[1]) + uy * along - ux * WALL / 2
    at = Place(x=x, y=y, z=height / 2, yaw=math.atan2(dy, dx))
    return at, length + beyond[0] + beyond[1]


def _plate(
    opening: Opening,
    corners: Array,
    room_at: Place,
    name: str,
    colour: tuple[float, float, float],
    glow: float = 0.0,
) -> FixtureSpec:
    """A plate in a wall, standing out of it a little."""
    a, b = corners[opening.wall], corners[(opening.wall + 1) % len(corners)]
    dx, dy = (b - a).tolist()
    length = math.hypot(dx, dy)
    back = PLATE / 2 - PROUD
    x, y, z = opening.centre
    at = Place(x=x + dy / length * back, y=y - dx / length * back, z=z, yaw=math.atan2(dy, dx))
    size = round(opening.size[0], 4), PLATE, round(opening.size[1], 4)
    return FixtureSpec(
        id=name, pose=_pose(joined(room_at, at)), size=size, colour=colour, glow=glow
    )


def _if_convex(corners: Array) -> Array | None:
    """Return the corners [K, 2] that a convex room turns at, counter-clockwise."""
    room = shapely.Polygon(corners)
    hull = orient(room.convex_hull)
    if hull.area - room.area > FLAT:
        return None
    return np.array(hull.exterior.coords)[:-1]


def _convex(corners: Array) -> list[bool]:
    """Whether the room's corners [K, 2] point outwards."""
    before, after = corners - np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0) - corners
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    convex: list[bool] = (cross > 0).tolist()
    return convex


def _ring(corners: Array) -> tuple[tuple[float, float], ...]:
    return tuple((round(x, 6) + 0.0, round(y, 6) + 0.0) for x, y in corners.tolist())


def _extents(corners: Array) -> tuple[float, float]:
    """Size of the smallest box about the origin that holds rounded corners."""
    x, y = np.abs(np.array(_ring(corners))).max(axis=0).tolist()
    return 2 * x, 2 * y


def _pose(place: Place) -> Pose:
    return poses.as_pose(np.array([place.x, place.y, place.z, *poses.about_z(place.yaw)]))
