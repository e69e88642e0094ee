"""What a camera sees of things: their convex outlines, and how they cover each other."""

import functools
import math
from collections.abc import Container, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError
from shapely import Polygon

from refergym.assets.composers.choice import Item
from refergym.assets.composers.layout import Place
from refergym.assets.composers.params import SceneParams
from refergym.assets.composers.search import Misfit
from refergym.assets.composers.viewpoint import Sight, along, corners, draw_sight, turned
from refergym.assets.library import Pack
from refergym.assets.spec import CameraSpec

Array = NDArray[np.float64]

HIDDEN = "an object is hidden behind others"
TOO_SMALL = "an object is too small in the picture"
COVERED = "the place that is to stay free is hidden behind things"
NEAR = 0.05
"""m along the optical axis; what is nearer to the eye is not projected"""


def find_camera(
    pack: Pack,
    items: list[Item],
    places: list[Place],
    params: SceneParams,
    rng: np.random.Generator,
    bare: Array | None = None,
) -> CameraSpec:
    """Draw directions of view until a camera in range shows all items.

    Args:
        pack: where the assets are.
        items: all of the scene.
        places: where they stand.
        params: ranges and limits.
        rng: draws the directions.
        bare: [K, 3] m, world: points that have to be seen as well, with nothing before them.

    Raises:
        Misfit: with the cause of the last try, if none does.
    """
    bare = np.empty((0, 3)) if bare is None else bare
    boxes = np.concatenate([*(corners(i, p) for i, p in zip(items, places, strict=True)), bare])
    solids = bodies(pack, items, places)
    cause = ""
    for _ in range(params.camera_tries):
        sight = draw_sight(boxes, params, rng)
        if sight is None:
            cause = f"no camera pose shows all {len(items)} objects"
            continue
        picture = Picture(items, places, solids, sight)
        faults = (picture.fault(k, params) for k in range(len(items)))
        if min(picture.areas) < params.min_share * params.width * params.height:
            cause = TOO_SMALL
        elif (fault := next((f for f in faults if f is not None), None)) is not None:
            cause = fault
        elif not picture.shows(bare):
            cause = COVERED
        else:
            return sight.camera
    raise Misfit(cause)


class Picture:
    """What a camera sees of things: their convex outlines, and how they cover each other."""

    def __init__(
        self, items: Sequence[Item], places: Sequence[Place], solids: Sequence[Array], sight: Sight
    ) -> None:
        """Project the corners [K, 3] m of the things' convex hulls."""
        self.items, self.sight = items, sight
        eye = sight.eye
        self.distances = [math.hypot(p.x - eye[0], p.y - eye[1]) for p in places]
        self.outlines = _outlines(solids, sight)
        self.areas: list[float] = shapely.area(self.outlines).tolist()
        self._bounds: list[list[float]] = shapely.bounds(self.outlines).tolist()

    def fault(self, index: int, params: SceneParams, without: Container[int] = ()) -> str | None:
        """Return what keeps a thing from being named: too small, or hidden; None if nothing does.

        Args:
            index: of the thing.
            params: limits.
            without: things that are not in the way.
        """
        smallest = params.min_share * params.width * params.height
        area = self.areas[index]
        if area < smallest:
            return TOO_SMALL
        parent = self.items[index].parent
        covers = [
            self.outlines[j]
            for j in range(len(self.items))
            if j not in without and self._may_cover(j, index)
        ]
        # a content's container covers it up to the line of sight over the near rim
        sunk = 0.0
        if parent is not None:
            sunk = _sunk(self.items[index], self.items[parent], -self.sight.pitch)
        covered = _shared(self.outlines[index], covers) / area
        visible = (1 - covered) * (1 - sunk)
        if visible < 1 - params.hidden or visible * area < smallest:
            return HIDDEN
        return None

    def shows(self, points: Array) -> bool:
        """Tell whether no thing's outline lies over any of some points [N, 3] m, world."""
        if not len(points):
            return True
        px = _projected(points, self.sight)[0]
        return not shapely.intersects_xy(shapely.union_all(self.outlines), px[:, 0], px[:, 1]).any()

    def lies_inside(self, index: int, params: SceneParams) -> bool:
        """Tell whether the picture shows a thing whole, hidden or not."""
        x0, y0, x1, y1 = self._box(index)
        return x0 >= 0 and y0 >= 0 and x1 <= params.width and y1 <= params.height

    def lies_outside(self, index: int, params: SceneParams) -> bool:
        """Tell whether the picture shows nothing of a thing, hidden or not."""
        x0, y0, x1, y1 = self._box(index)
        return not (x1 > 0 and y1 > 0 and x0 < params.width and y0 < params.height)

    def _box(self, index: int) -> tuple[float, float, float, float]:
        """Bounds of an outline from the picture's top left, px; NaN where there is none."""
        x0, y0, x1, y1 = self._bounds[index]
        cx, cy = self.sight.camera.cx, self.sight.camera.cy
        return x0 + cx, y0 + cy, x1 + cx, y1 + cy

    def _may_cover(self, j: int, k: int) -> bool:
        if j == k or j == self.items[k].parent:
            return False
        if self.distances[j] >= self.distances[k] and self.items[j].parent != k:
            return False
        (a0, b0, a1, b1), (x0, y0, x1, y1) = self._bounds[j], self._bounds[k]
        return a0 < x1 and x0 < a1 and b0 < y1 and y0 < b1


def bodies(pack: Pack, items: Sequence[Item], places: Sequence[Place]) -> list[Array]:
    """Return the corners [K, 3] m, world, of each item's convex hull."""
    pairs = zip(items, places, strict=True)
    return [turned(_body(pack, i.info.name), i, p) for i, p in pairs]


def _outlines(solids: Sequence[Array], sight: Sight) -> NDArray[np.object_]:
    """Return each thing's convex outline about the picture's middle, [N] polygons, px.

    What lies behind the eye is left out; of a thing that is all there the outline is empty.
    """
    owner = np.repeat(np.arange(len(solids)), [len(b) for b in solids])
    px, ahead = _projected(np.concatenate(solids), sight)
    out: NDArray[np.object_] = np.full(len(solids), shapely.Polygon(), dtype=object)
    there = np.unique(owner[ahead])
    rank = np.searchsorted(there, owner[ahead])
    out[there] = shapely.convex_hull(shapely.multipoints(px, indices=rank))
    return out


def _projected(points: Array, sight: Sight) -> tuple[Array, NDArray[np.bool_]]:
    """Points [N, 3] m before the eye in the picture, [K, 2] px about its middle, and which [N]."""
    eye, axes = np.array([sight.eye]), sight.axes
    x, y, z = (
        along(points, axis) - along(eye, axis) for axis in (axes.right, axes.down, axes.forward)
    )
    ahead = z > NEAR
    return np.stack([x, y], axis=1)[ahead] / z[ahead, None] * sight.camera.fx, ahead


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


@functools.lru_cache(maxsize=1024)
def _body(pack: Pack, name: str) -> Array:
    """Corners [K, 3] m of an asset's convex hull, at scale 1."""
    points = np.concatenate(pack.hulls(name))
    try:
        corners: Array = points[np.sort(ConvexHull(points).vertices)]
    except QhullError:
        return points
    return corners
