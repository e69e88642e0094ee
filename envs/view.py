"""What stands where as the viewer sees it: footprints, heights, the viewer's axes, visible pixels.

World frame, metres. Left, right, front and behind are along the camera's horizontal axes, on the
table plane; front is nearer to the viewer. Everything is computed when first asked for.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from shapely import Polygon

from refergym.assets import camera as pinhole
from refergym.assets import tints
from refergym.assets.footprints import support_polygon
from refergym.assets.library import AssetInfo, Pack
from refergym.assets.spec import SceneSpec
from refergym.envs.geometry.caster import Caster
from refergym.envs.programs import Axis
from refergym.envs.relations.bodies import Body, Hollow, Onlooker, sided
from refergym.envs.relations.table import RELATIONS, Relation
from refergym.envs.types import Array, Frame, Side, State

_RAYS = 500
"""cast at most, about, to measure a silhouette"""
_UPRIGHT = 0.95
"""z of a container's own up that still holds something"""


@dataclass(frozen=True, kw_only=True)
class Thing:
    """One object as it stands."""

    index: int
    """in SceneSpec.objects"""
    info: AssetInfo
    scale: float
    colour: str | None
    """the colour's name if it may be said: as measured on its texture, with its tint"""
    footprint: Polygon
    """convex outline seen from above, m, world"""
    centre: Array
    """[2] m, world: the middle of its bounding box, on the table plane"""
    bottom: float
    """m, world"""
    top: float
    """m, world"""
    radius: float
    """m, of the circle round the centre that holds the footprint"""
    sizes: tuple[float, float]
    """two readings of how big it is, m: cube root of the box's volume, and its diagonal"""

    @property
    def category(self) -> str:
        """English noun, singular."""
        return self.info.category

    @property
    def material(self) -> str | None:
        """The material's name if it is known."""
        return self.info.material

    @property
    def flat_top(self) -> bool:
        """Whether things can stand on it."""
        return self.info.flat_top


class Layout:
    """A scene's objects in one state, without a picture."""

    def __init__(self, scene: SceneSpec, state: State, pack: Pack) -> None:
        """Keep the parts; nothing is computed yet."""
        self.scene = scene
        self.state = state
        self.pack = pack
        self._things: dict[int, Thing] = {}

    def __len__(self) -> int:
        """Count the objects."""
        return len(self.scene.objects)

    def thing(self, index: int) -> Thing:
        """Return an object as it stands."""
        if index not in self._things:
            self._things[index] = self._make(index)
        return self._things[index]

    @functools.cached_property
    def things(self) -> list[Thing]:
        """All objects, in the scene's order."""
        return [self.thing(i) for i in range(len(self))]

    @functools.cached_property
    def bodies(self) -> list[Body]:
        """All objects as relations see them, in the scene's order."""
        return [self._body(i) for i in range(len(self))]

    @functools.cached_property
    def onlooker(self) -> Onlooker:
        """Who looks at the scene."""
        return Onlooker(camera=self.scene.camera, robot=self.scene.robot.base)

    @property
    def axes(self) -> tuple[Array, Array]:
        """The viewer's right and near directions on the table, [2] each, unit length, world."""
        return self.onlooker.axes

    def direction(self, side: Side) -> Array:
        """Return a side as the viewer sees it as a unit vector [2] on the table, world."""
        return sided(self.axes, side)

    @functools.cached_property
    def readings(self) -> Array:
        """What orders are read from: rows [6, N] that grow to the right and away, and with size.

        The place along the viewer's right; the column in the picture; the place away from the
        viewer; the distance from the camera; and the logarithms of the two sizes.
        """
        right, near = self.axes
        xy = np.array([t.centre for t in self.things])
        heights = [(t.bottom + t.top) / 2 for t in self.things]
        px, _ = pinhole.project(self.scene.camera, np.column_stack([xy, heights]))
        eye = np.array(self.scene.camera.pose.position[:2])
        away = np.hypot(*(xy - eye).T)
        sizes = np.log(np.array([t.sizes for t in self.things])).T
        return np.vstack([xy @ right, px[:, 0], -(xy @ near), away, sizes])

    @property
    def table(self) -> Polygon:
        """Outline of the first support, m, world."""
        return support_polygon(self.scene.supports[0])

    @property
    def table_top(self) -> float:
        """Height of the first support, m, world."""
        return self.scene.supports[0].top

    def relation(self, name: str) -> Relation:
        """Return a relation; all can be told of a scene."""
        return RELATIONS[name]

    def check_rank(self, axis: Axis) -> None:
        """Do nothing: all orders can be told of a scene."""

    @functools.cached_property
    def below(self) -> tuple[int, ...]:
        """For each object, the object that it stands on or in, or -1."""
        return tuple(self._below(t) for t in self.things)

    def is_on_table(self, index: int) -> bool:
        """Tell whether an object stands on the first support itself, not in or on another one."""
        return self.below[index] < 0

    def above(self, index: int) -> list[int]:
        """Objects that stand on or in an object."""
        return [i for i, b in enumerate(self.below) if b == index]

    def corners(self, index: int) -> Array:
        """Corners [K, 3] m of an object's convex hull, world."""
        o = self.scene.objects[index]
        m = pinhole.pose_matrices(self.state.objects[index])[0]
        return pinhole.transform(m, corner_points(self.pack, o.asset) * o.scale)

    def _body(self, index: int) -> Body:
        o = self.scene.objects[index]
        thing = self.thing(index)
        info = thing.info
        m = pinhole.pose_matrices(self.state.objects[index])[0]
        middle = m[:3, 3] + m[:3, 2] * (info.size[2] * o.scale / 2)
        hollow = None
        if info.cavity is not None and m[2, 2] > _UPRIGHT:
            floor = float(m[2, 3]) + info.cavity.floor * o.scale
            hollow = Hollow(
                centre=(float(middle[0]), float(middle[1])),
                radius=info.cavity.radius * o.scale,
                floor=floor,
                rim=floor + info.cavity.depth * o.scale,
            )
        return Body(
            name=o.id,
            category=info.category,
            rotation=m[:3, :3],
            middle=middle,
            half=np.array(info.size) * (o.scale / 2),
            corners=self.corners(index),
            colour=thing.colour,
            material=info.material,
            directions={k: m[:3, :3] @ np.array(v) for k, v in info.directions.items()},
            hollow=hollow,
            symmetry=info.symmetry,
        )

    def _below(self, thing: Thing) -> int:
        point = shapely.Point(thing.centre)
        found, height = -1, -np.inf
        for t in self.things:
            inside = t.bottom + 0.003 < thing.bottom < t.top + 0.01 and t.bottom > height
            if t.index != thing.index and inside and t.footprint.intersects(point):
                found, height = t.index, t.bottom
        return found

    def _make(self, index: int) -> Thing:
        o = self.scene.objects[index]
        info = self.pack[o.asset]
        m = pinhole.pose_matrices(self.state.objects[index])[0]
        points = self.corners(index)
        middle = m[:3, 3] + m[:3, 2] * (info.size[2] * o.scale / 2)
        return Thing(
            index=index,
            info=info,
            scale=o.scale,
            colour=tints.colour_name(self.pack, o.asset, o.tint),
            footprint=shapely.convex_hull(shapely.linestrings(points[:, :2])),
            centre=middle[:2],
            bottom=float(points[:, 2].min()),
            top=float(points[:, 2].max()),
            radius=float(np.hypot(*(points[:, :2] - middle[:2]).T).max()),
            sizes=(math.prod(info.size) ** (1 / 3) * o.scale, math.hypot(*info.size) * o.scale),
        )


class View(Layout):
    """A layout with the picture that the viewer has of it."""

    def __init__(self, scene: SceneSpec, state: State, frame: Frame, pack: Pack) -> None:
        """Take a frame of this scene and state, made with the scene's camera."""
        super().__init__(scene, state, pack)
        self.frame = frame
        self._shares: dict[int, float] = {}

    @functools.cached_property
    def pixels(self) -> NDArray[np.int64]:
        """[N] visible pixels of each object."""
        ids = self.frame.ids
        return np.bincount(ids[ids >= 0].ravel(), minlength=len(self))

    def share(self, index: int) -> float:
        """Visible share of an object's silhouette, [0, 1]; what leaves the picture is hidden."""
        if index not in self._shares:
            area = self._silhouette(index)
            self._shares[index] = min(1.0, float(self.pixels[index]) / area) if area > 0 else 0.0
        return self._shares[index]

    def points(self, ys: NDArray[np.int64], xs: NDArray[np.int64]) -> Array:
        """Return the world points [K, 3] m that pixels show."""
        px = np.column_stack([xs, ys]) + 0.5
        return pinhole.unproject(self.scene.camera, px, self.frame.depth[ys, xs])

    def project(self, points_w: Array) -> tuple[Array, Array]:
        """Project world points [N, 3]: pixel coordinates [N, 2] and depths [N] m."""
        return pinhole.project(self.scene.camera, points_w)

    def window(self, points_w: Array) -> tuple[slice, slice]:
        """Return the rows and columns that hold the projections of world points [N, 3]."""
        camera = self.scene.camera
        px, _ = self.project(points_w)
        if not np.isfinite(px).all():
            return slice(0, camera.height), slice(0, camera.width)
        low = np.floor(px.min(0)).astype(int) - 1
        high = np.ceil(px.max(0)).astype(int) + 2
        x0, y0 = np.clip(low, 0, (camera.width, camera.height))
        x1, y1 = np.clip(high, 0, (camera.width, camera.height))
        return slice(int(y0), int(y1)), slice(int(x0), int(x1))

    def _silhouette(self, index: int) -> float:
        """Pixels that the object would have alone, with what lies beyond the picture's edges."""
        camera = self.scene.camera
        px, _ = self.project(self.corners(index))
        if not np.isfinite(px).all():
            return 0.0
        (x0, y0), (x1, y1) = np.floor(px.min(0)), np.ceil(px.max(0))
        step = max(1.0, np.sqrt((x1 - x0) * (y1 - y0) / _RAYS))
        xs, ys = np.meshgrid(np.arange(x0, x1, step) + step / 2, np.arange(y0, y1, step) + step / 2)
        rays = np.column_stack(
            [
                (xs.ravel() - camera.cx) / camera.fx,
                (ys.ravel() - camera.cy) / camera.fy,
                np.ones(xs.size),
            ]
        )
        m = pinhole.pose_matrix(camera.pose)
        o = self.scene.objects[index]
        origins = np.broadcast_to(m[:3, 3], rays.shape)
        turned = rays @ m[:3, :3].T
        caster = _caster(self.pack)
        t = caster.cast_object(o.asset, o.scale, self.state.objects[index], origins, turned)
        return float(np.isfinite(t).sum() * step * step)


@functools.lru_cache(maxsize=4096)
def corner_points(pack: Pack, asset: str) -> Array:
    """Return the corners [K, 3] m of an asset's convex hull, at scale 1."""
    points = np.concatenate(pack.hulls(asset))
    points = points[ConvexHull(points).vertices]
    points.setflags(write=False)
    return points


@functools.lru_cache(maxsize=4)
def _caster(pack: Pack) -> Caster:
    return Caster(pack)
