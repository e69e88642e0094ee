"""Where an object can be put: onto, into or beside something, or between two things."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from refergym.envs import areas
from refergym.envs.areas import Room
from refergym.envs.errors import TaskError
from refergym.envs.programs import Beside, Into, Missing, Onto, Region, anchors_of
from refergym.envs.referents import Reading, read
from refergym.envs.regions import Limits, locate
from refergym.envs.task_spec import Area
from refergym.envs.tasks.common import Describer
from refergym.envs.tasks.point import between_goal
from refergym.envs.types import ID_SUPPORT, SIDES, Array
from refergym.envs.view import Thing, View

Relation = Literal["onto", "into", "beside", "between"]
RELATIONS: tuple[Relation, ...] = ("onto", "into", "beside", "between")


@dataclass(frozen=True, kw_only=True)
class Site:
    """A place that was found for a target."""

    where: Region
    names: tuple[Reading, ...]
    """what it is described by, in the order of the words"""
    area: Area
    shows: int
    """what its pixels show: an object's index, or ID_SUPPORT"""

    @property
    def relation(self) -> Literal["onto", "into", "table"]:
        """How something stands there; see `PutGoal`."""
        if isinstance(self.where, Onto):
            return "onto"
        return "into" if isinstance(self.where, Into) else "table"


class SiteFinder:
    """Finds places in one view; what it passes over is noted in the describer."""

    def __init__(
        self,
        view: View,
        words: Describer,
        room: Room,
        strip: float,
        gap: float,
        tolerance: float,
        limits: Limits | None = None,
    ) -> None:
        """Set the limits; see `PickPlace` for what they mean."""
        self.view, self.words, self.room = view, words, room
        self.strip, self.gap, self.tolerance = strip, gap, tolerance
        self.limits = limits or Limits(tolerance=tolerance)

    def find(self, relation: Relation, target: int, rng: np.random.Generator) -> Site | None:
        """Return a place for an object in that relation to something, or None."""
        view, words = self.view, self.words
        others = [i for i in range(len(view)) if i != target and view.below[i] < 0]
        if relation == "between":
            pairs = [(a, b) for n, a in enumerate(others) for b in others[n + 1 :]]
            for k in rng.permutation(len(pairs)):
                site = self._between(target, pairs[k])
                if site is not None:
                    return site
            return None
        for anchor in words.shuffled(others):
            find = self._beside if relation == "beside" else self._inside
            site = find(rng, relation, target, anchor)
            if site is not None:
                return site
        return None

    def _inside(
        self, rng: np.random.Generator, relation: Relation, target: int, anchor: int
    ) -> Site | None:
        view, words = self.view, self.words
        thing, base = view.thing(target), view.thing(anchor)
        fits = areas.inside_fits if relation == "into" else areas.top_fits
        if not fits(base, thing) or view.above(anchor):
            words.refuse(f"no room {relation} the anchor")
            return None
        if not self.room.holds(base.centre):
            words.refuse("the place is out of reach")
            return None
        select = words(anchor)
        if select is None:
            return None
        make = areas.cavity_area if relation == "into" else areas.top_area
        area = make(view, base)
        where: Region = Into(anchor=select) if relation == "into" else Onto(anchor=select)
        return self._checked(target, self._site(where, area, anchor))

    def _beside(
        self, rng: np.random.Generator, relation: Relation, target: int, anchor: int
    ) -> Site | None:
        view, words = self.view, self.words
        select = words(anchor)
        if select is None:
            return None
        thing, base = view.thing(target), view.thing(anchor)
        free = areas.free(view, thing.radius, self.room.clearance, without=[target])
        for k in rng.permutation(len(SIDES)):
            side = SIDES[k]
            step = base.radius + thing.radius + self.room.clearance + 0.01
            try:
                sector = areas.beside(view, base, side, self.room)
                wish = areas.ahead(view, base, side, step)
                goal = areas.nearest_free(free.intersection(sector.buffer(-0.015)), wish, self.room)
            except TaskError as e:
                words.refuse(str(e))
                continue
            where = Beside(anchor=select, side=side)
            site = self._checked(target, self._site(where, areas.area_of(sector, view, goal)))
            if site is not None:
                return site
        return None

    def _between(self, target: int, pair: tuple[int, int]) -> Site | None:
        view, words = self.view, self.words
        thing = view.thing(target)
        found = between_goal(view, words, pair, self.strip, self.gap + 2 * thing.radius)
        if found is None:
            return None
        program, strip, middle = found
        free = areas.free(view, thing.radius, self.room.clearance, without=[target])
        try:
            goal = areas.nearest_free(free.intersection(strip.buffer(-0.01)), middle, self.room)
        except TaskError as e:
            words.refuse(str(e))
            return None
        return self._checked(target, self._site(program, areas.area_of(strip, view, goal)))

    def programmed(
        self,
        region: Region,
        target: int,
        taken: BaseGeometry | None = None,
        shift: Array | None = None,
    ) -> Site:
        """Find where in a region an object can be put.

        Args:
            region: where.
            target: index of the object.
            taken: places [m, seen from above] that are needed for something else.
            shift: [2] m off the middle of what it is put onto or into.

        Raises:
            TaskError: if there is no room in reach, or it can't be seen.
        """
        view, thing = self.view, self.view.thing(target)
        place = locate(region, view, self.words.clarity, self.limits)
        if target in [r.index for a in place.anchors for r in a.named()]:
            raise TaskError("a thing that would have to be put beside itself")
        if isinstance(region, Missing) and thing.category == region.category:
            raise TaskError("a thing of the row itself")
        if place.shows != ID_SUPPORT:
            self._check_fit(region, thing, view.thing(place.shows))
            goal = place.goal if shift is None or place.goal is None else place.goal + shift
        else:
            free = areas.free(view, thing.radius, self.room.clearance, without=[target])
            if taken is not None:
                free = free.difference(taken.buffer(thing.radius + self.room.clearance))
            inner = areas.largest(place.polygon.intersection(areas.in_picture(view)))
            wish = place.goal if place.goal is not None else _middle(inner, free)
            goal = areas.nearest_free(free.intersection(inner.buffer(-0.01)), wish, self.room)
        assert goal is not None, "what is not on the table has its goal in the middle"
        site = Site(
            where=region,
            names=place.anchors,
            area=areas.area_of(place.polygon, view, goal, place.height),
            shows=place.shows,
        )
        self._check(target, site)
        return site

    def _check_fit(self, region: Region, thing: Thing, base: Thing) -> None:
        fits = areas.inside_fits if isinstance(region, Into) else areas.top_fits
        if not fits(base, thing):
            raise TaskError("no room in or on the anchor")
        if not self.room.holds(base.centre):
            raise TaskError("the place is out of reach")

    def _site(self, where: Region, area: Area, shows: int = ID_SUPPORT) -> Site:
        clarity = self.words.clarity
        names = tuple(read(s, self.view, clarity) for s in anchors_of(where))
        return Site(where=where, names=names, area=area, shows=shows)

    def _checked(self, target: int, site: Site) -> Site | None:
        try:
            self._check(target, site)
        except TaskError as e:
            self.words.refuse(str(e))
            return None
        return site

    def _check(self, target: int, site: Site) -> None:
        """Refuse places that can't be seen, or where the object already is."""
        view = self.view
        thing = view.thing(target)
        there = shapely.Polygon(site.area.ring).covers(shapely.Point(thing.centre))
        if there or np.hypot(*(thing.centre - site.area.goal[:2])) <= self.tolerance:
            raise TaskError("it is there already")
        if areas.goal_pixel(view, site.area, site.shows) is None:
            raise TaskError("the place is hidden")


def _middle(inner: BaseGeometry, free: BaseGeometry) -> Array:
    """The point [2] m of a place that is farthest from what is not free."""
    room = areas.largest(inner.intersection(free))
    middle: Array = shapely.get_coordinates(shapely.maximum_inscribed_circle(room, 0.01))[0]
    return middle
