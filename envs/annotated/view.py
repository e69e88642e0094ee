"""An annotated frame as programs see it; the counterpart of a simulated scene's `envs.view.View`.

It says which object is meant; for places see `placed`. World frame, metres.
"""

import functools
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from refergym.assets import camera as pinhole
from refergym.envs import areas
from refergym.envs.annotated import outlines, pixels, surfaces
from refergym.envs.annotated.frame import AnnotatedFrame
from refergym.envs.annotated.surfaces import Surface
from refergym.envs.errors import TaskError
from refergym.envs.programs import Axis
from refergym.envs.relations.bodies import Body, Onlooker
from refergym.envs.relations.table import Relation
from refergym.envs.types import Array

STRUCTURE = frozenset({"wall", "floor", "ceiling", "door frame", "baseboard"})
"""categories that are no things: they are looked at neither as targets nor as anchors"""
UNNAMED = frozenset({"object", "item", "thing", "unknown"})
"""categories that name nothing: such things are counted, but never asked for"""
THROUGH = 0.02
"""share of a table's face that may be seen through before its edges are not those of its box"""
STACKED = 0.02
"""m that a thing on another one may stand above its box"""
LIFTED = 0.003
"""m by which a thing in another one stands higher than it"""


@dataclass(frozen=True, kw_only=True)
class BoxThing:
    """One annotated object as it stands."""

    index: int
    """in the view's things"""
    body: Body
    flat_top: bool = False
    """boxes do not say it: nothing is asked to be put on things"""

    @property
    def category(self) -> str:
        """English noun, singular."""
        return self.body.category

    @property
    def colour(self) -> str | None:
        """The colour's name if it is known."""
        return self.body.colour

    @property
    def material(self) -> str | None:
        """The material's name if it is known."""
        return self.body.material

    @property
    def footprint(self) -> Polygon:
        """The box seen from above, m."""
        return self.body.footprint

    @property
    def centre(self) -> Array:
        """[2] m, the box's middle."""
        return self.body.centre

    @property
    def bottom(self) -> float:
        """Height of the box's lowest point, m."""
        return self.body.bottom

    @property
    def top(self) -> float:
        """Height of the box's highest point, m."""
        return self.body.top

    @functools.cached_property
    def radius(self) -> float:
        """m, of the circle round the centre that holds the box."""
        return float(np.hypot(*(self.body.corners[:, :2] - self.centre).T).max())


class FrameView:
    """The things of an annotated frame, with the picture; computed when first asked for."""

    def __init__(self, frame: AnnotatedFrame) -> None:
        """Keep the parts; nothing is computed yet."""
        self.frame = frame
        self._objects = [o for o in frame.objects if o.category not in STRUCTURE]
        self._shares: dict[int, float] = {}
        self._rounded: dict[str, Body] = {}

    def __len__(self) -> int:
        """Count the things."""
        return len(self._objects)

    def thing(self, index: int) -> BoxThing:
        """Return a thing."""
        return self.things[index]

    def id_of(self, index: int) -> str:
        """Return a thing's id in the frame."""
        return self._objects[index].id

    @functools.cached_property
    def things(self) -> list[BoxThing]:
        """All things: the frame's objects without its structure, in their order."""
        return [BoxThing(index=i, body=b) for i, b in enumerate(self.bodies)]

    @functools.cached_property
    def bodies(self) -> list[Body]:
        """All things as relations see them."""
        return [outlines.body_of(o) for o in self._objects]

    @functools.cached_property
    def onlooker(self) -> Onlooker:
        """The camera; there is no robot."""
        return Onlooker(camera=self.frame.camera)

    @functools.cached_property
    def points(self) -> Array:
        """World points [H, W, 3] m that the pixels show; NaN where no depth is known."""
        return pixels.points_of(self.frame)

    @functools.cached_property
    def ids(self) -> NDArray[np.int32]:
        """Index of the thing that each pixel [H, W] shows, or ID_NOTHING."""
        return pixels.ids_of(self.frame, self._objects, self.points)

    @functools.cached_property
    def pixels(self) -> NDArray[np.int64]:
        """[N] visible pixels of each thing."""
        return np.bincount(self.ids[self.ids >= 0].ravel(), minlength=len(self))

    def share(self, index: int) -> float:
        """Visible share of a thing's silhouette, [0, 1]; 0 of what has no name to be called by."""
        if self._objects[index].category in UNNAMED:
            return 0.0
        if index not in self._shares:
            box = self._objects[index].box
            self._shares[index] = pixels.share_of(index, box, self.ids, self.frame)
        return self._shares[index]

    @functools.cached_property
    def readings(self) -> Array:
        """What orders are read from, rows [6, N]; the same six as of a simulated scene."""
        right, near = self.onlooker.axes
        middles = np.array([b.middle for b in self.bodies]).reshape(-1, 3)
        xy = middles[:, :2]
        px, _ = pinhole.project(self.frame.camera, middles)
        away = np.hypot(*(xy - self.onlooker.eye[:2]).T)
        sizes = np.log([[b.size for b in self.bodies], [b.diagonal for b in self.bodies]])
        return np.vstack([xy @ right, px[:, 0], -(xy @ near), away, sizes])

    @property
    def table(self) -> Polygon | None:
        """None: no surface is chosen."""
        return None

    def relation(self, name: str) -> Relation:
        """Return a relation as boxes tell it; see `outlines`."""
        relation = outlines.relation_of(name, self._round)
        if "table" in relation.needs:
            raise TaskError(f"{name}: needs one table alone, with the edges of its box")
        return relation

    def check_rank(self, axis: Axis) -> None:
        """Do nothing: boxes tell all orders."""

    def mask(self, index: int) -> NDArray[np.bool_]:
        """Return which pixels [H, W] show a thing."""
        return np.asarray(self.ids == index)

    @functools.cached_property
    def surfaces(self) -> list[Surface]:
        """What things stand on: annotated faces first, then planes for things that have none."""
        found = [
            s
            for s in surfaces.annotated_surfaces(self.frame.objects)
            if any(s.carries(b) for b in self.bodies)
        ]
        shown = self.points[~self._is_shown & (self.frame.depth > 0)]
        for i, body in enumerate(self.bodies):
            if self.below[i] >= 0 or any(s.carries(body) for s in found):
                continue
            plane = surfaces.plane_under(body, shown) if len(shown) else None
            if plane is not None:
                found.append(plane)
        return found

    @functools.cached_property
    def the_table(self) -> Surface | None:
        """The one surface that words for places may call the table."""
        tables = [o for o in self.frame.objects if o.category.endswith(surfaces.TABLE)]
        found = [s for s in self.surfaces if s.is_table]
        if not len(tables) == len(found) == 1 or self._is_seen_through(found[0]):
            return None
        return found[0]

    @functools.cached_property
    def below(self) -> tuple[int, ...]:
        """For each thing, the thing that it stands on or in, or -1; furniture does not count."""
        return tuple(self._below(i) for i in range(len(self)))

    def _is_seen_through(self, surface: Surface) -> bool:
        """Tell whether the depth goes on behind a face that its box says is there."""
        plane = pixels.met(self.frame, surface.height)
        depth = self.frame.depth
        off = np.where(depth > 0, depth - plane[..., 2], np.nan)
        reached = (off >= -areas.NEAR) & shapely.contains_xy(
            surface.polygon, plane[..., 0], plane[..., 1]
        )
        through = reached & (off > areas.NEAR)
        return bool(through.sum() > THROUGH * reached.sum())

    @functools.cached_property
    def _is_shown(self) -> NDArray[np.bool_]:
        """Which pixels [H, W] show a thing that is no furniture."""
        small = [o.category not in surfaces.SUPPORTS for o in self._objects]
        return np.array([*small, False])[self.ids]  # -1 takes the last

    def _below(self, index: int) -> int:
        body = self.bodies[index]
        found, height = -1, -np.inf
        for k, b in enumerate(self.bodies):
            if k == index or b.category in surfaces.SUPPORTS:
                continue
            fits = b.bottom + LIFTED < body.bottom < b.top + STACKED and b.bottom > height
            if fits and shapely.intersects_xy(b.footprint, *body.centre):
                found, height = k, b.bottom
        return found

    def _round(self, body: Body) -> Body:
        if body.name not in self._rounded:
            self._rounded[body.name] = outlines.rounded(body)
        return self._rounded[body.name]
