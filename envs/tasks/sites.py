"""Where an object can be put: onto, into or beside something, or between two things."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely

from refergym.envs import areas
from refergym.envs.areas import Room
from refergym.envs.errors import TaskError
from refergym.envs.programs import Beside, Into, Onto, Region
from refergym.envs.task_spec import Area
from refergym.envs.tasks.common import Describer
from refergym.envs.tasks.point import between_goal
from refergym.envs.types import ID_SUPPORT, SIDES
from refergym.envs.view import View

Relation = Literal["onto", "into", "beside", "between"]
RELATIONS: tuple[Relation, ...] = ("onto", "into", "beside", "between")


@dataclass(frozen=True, kw_only=True)
class Site:
    """A place that was found for a target."""

    where: Region
    relation: Relation
    anchors: tuple[int, ...]
    area: Area
    shows: int


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
    ) -> None:
        """Set the limits; see `PickPlace` for what they mean."""
        self.view, self.words, self.room = view, words, room
        self.strip, self.gap, self.tolerance = strip, gap, tolerance

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
        return self._checked(
            target,
            Site(where=where, relation=relation, anchors=(anchor,), area=area, shows=anchor),
        )

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
            site = self._checked(
                target,
                Site(
                    where=Beside(anchor=select, side=side),
                    relation="beside",
                    anchors=(anchor,),
                    area=areas.area_of(sector, view, goal),
                    shows=ID_SUPPORT,
                ),
            )
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
        return self._checked(
            target,
            Site(
                where=program,
                relation="between",
                anchors=pair,
                area=areas.area_of(strip, view, goal),
                shows=ID_SUPPORT,
            ),
        )

    def _checked(self, target: int, site: Site) -> Site | None:
        """Refuse places that can't be seen, or where the object already is."""
        view, words = self.view, self.words
        thing = view.thing(target)
        there = shapely.Polygon(site.area.ring).covers(shapely.Point(thing.centre))
        if there or np.hypot(*(thing.centre - site.area.goal[:2])) <= self.tolerance:
            words.refuse("it is there already")
            return None
        if areas.goal_pixel(view, site.area, site.shows) is None:
            words.refuse("the place is hidden")
            return None
        return site
