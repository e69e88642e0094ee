"""Tasks that one point decides: at an object, or at a free place. The robot stays parked.

Without `steps` the shortest description that works is taken; with `steps` programs of that many
steps of reasoning are proposed.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from refergym.assets.composers.base import Wants
from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec
from refergym.envs import areas
from refergym.envs.areas import Room
from refergym.envs.errors import TaskError
from refergym.envs.language import ANY, Voice, instruct
from refergym.envs.programs import REGIONS, Between, Direction, Missing, Region, Select, anchors_of
from refergym.envs.proposals import Proposer, check_steps
from refergym.envs.proposed_places import propose_region
from refergym.envs.referents import Clarity, Reading, read
from refergym.envs.regions import Limits, area_in, locate
from refergym.envs.task_spec import Area, PointAreaGoal, PointObjectGoal, TaskSpec
from refergym.envs.tasks.common import Describer, OnePoint, Refusals, see, task_spec
from refergym.envs.types import SIDES, Frame, State
from refergym.envs.view import View

Place = Literal["direction", "between"]
PROPOSALS = 40
"""programs tried in one scene"""


class PointAtObject(OnePoint):
    """Point at the object that category, colour and rank mean."""

    kind = "point_at_object"

    def __init__(
        self,
        clarity: Clarity,
        *,
        voice: Voice = ANY,
        duplicates: bool = True,
        steps: tuple[int, int] | None = None,
        pack: Pack | None = None,
    ) -> None:
        """Set how clear descriptions must be.

        Args:
            clarity: margins of descriptions.
            voice: which words are chosen.
            duplicates: ask the composer for several objects of one category.
            steps: least and most steps of a description, each as often; None takes the shortest.
            pack: assets; None takes the package's own.

        Raises:
            TaskError: if a value is out of range.
        """
        super().__init__(pack)
        self.clarity = clarity
        self.voice = voice
        self.steps = check_steps(steps)
        self.wants = Wants(duplicates=duplicates)

    def sample(
        self, scene: SceneSpec, state: State, frame: Frame, rng: np.random.Generator
    ) -> TaskSpec:
        """Choose an object that can be described; raises TaskError where none can."""
        view = see(scene, state, frame, self._pack)
        if self.steps is not None:
            proposer = Proposer(view, self.clarity, rng)
            count = int(rng.integers(self.steps[0], self.steps[1] + 1))
            proposed = proposer.object(count)
            if proposed is None:
                raise proposer.error(self.kind, count)
            return self._task(view, proposed, read(proposed, view, self.clarity), rng)
        words = Describer(view, self.clarity, rng)
        for i in words.shuffled(range(len(view))):
            program = words(i)
            if program is not None:
                return self._task(view, program, read(program, view, self.clarity), rng)
        raise words.error(self.kind)

    def _task(
        self, view: View, program: Select, reading: Reading, rng: np.random.Generator
    ) -> TaskSpec:
        target = reading.index
        return task_spec(
            view,
            kind=self.kind,
            instruction=instruct("point", program, rng, self.voice),
            program=program,
            goal=PointObjectGoal(object=view.scene.objects[target].id),
            subgoals=("point",),
            names=[reading],
            targets=[target],
        )


class PointAtFreeSpace(OnePoint):
    """Point at a free place on the table: in a direction and distance, or between two objects."""

    kind = "point_at_free_space"

    def __init__(
        self,
        clarity: Clarity,
        room: Room,
        *,
        voice: Voice = ANY,
        places: Sequence[Place],
        distance: tuple[float, float],
        tolerance: float,
        gap: float,
        steps: tuple[int, int] | None = None,
        regions: Sequence[str] = tuple(REGIONS),
        limits: Limits | None = None,
        pack: Pack | None = None,
    ) -> None:
        """Set which places are asked.

        Args:
            clarity: margins of descriptions.
            room: how free a place must be.
            voice: which words are chosen.
            places: "direction", "between".
            steps: least and most steps of a program, each as often; None asks for `places` with
                the shortest names that work.
            regions: kinds of regions that are asked with `steps`: some of `REGIONS`.
            limits: how large the places are that words mean; None takes `tolerance` and `gap` and
                the defaults.
            distance: m, least and greatest from an anchor's middle; whole centimetres are asked.
            tolerance: m, round the exact place, and half the width between two objects.
            gap: m, least free length between two objects.
            pack: assets; None takes the package's own.

        Raises:
            TaskError: if a value is out of range.
        """
        super().__init__(pack)
        self.clarity = clarity
        self.voice = voice
        if not places or set(places) - {"direction", "between"}:
            raise TaskError(f"places: expected some of direction, between; got {list(places)}")
        if not 0 < distance[0] <= distance[1]:
            raise TaskError(f"distance: expected 0 < least <= greatest, got {list(distance)}")
        self.room = room
        self.places = tuple(places)
        self.distances = range(round(distance[0] * 100), round(distance[1] * 100) + 1)
        self.tolerance = tolerance
        self.gap = gap
        self.steps = check_steps(steps)
        unknown = [r for r in regions if r not in REGIONS]
        if unknown or not regions:
            raise TaskError(f"regions: expected some of {', '.join(REGIONS)}; got {list(regions)}")
        self.regions = tuple(REGIONS[r] for r in regions)
        self.limits = limits or Limits(tolerance=tolerance, gap=gap)
        needs_row = self.steps is not None and self.regions == (Missing,)
        self.wants = Wants(duplicates=steps is not None, arrangement="any" if needs_row else "")

    def sample(
        self, scene: SceneSpec, state: State, frame: Frame, rng: np.random.Generator
    ) -> TaskSpec:
        """Choose a free and visible place; raises TaskError where there is none."""
        view = see(scene, state, frame, self._pack)
        if self.steps is not None:
            return self._programmed(view, int(rng.integers(self.steps[0], self.steps[1] + 1)), rng)
        words = Describer(view, self.clarity, rng)
        for k in rng.permutation(len(self.places)):
            make = self._direction if self.places[k] == "direction" else self._between
            found = make(view, words, rng)
            if found is not None:
                program, area, pixels = found
                names = [read(s, view, self.clarity) for s in anchors_of(program)]
                return self._task(view, program, area, names, pixels, rng)
        raise words.error(self.kind)

    def _task(
        self,
        view: View,
        program: Region,
        area: Area,
        names: Sequence[Reading],
        pixels: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> TaskSpec:
        anchors = tuple(view.scene.objects[r.index].id for r in names)
        return task_spec(
            view,
            kind=self.kind,
            instruction=instruct("point", program, rng, self.voice),
            program=program,
            goal=PointAreaGoal(area=area, anchors=anchors),
            subgoals=("point",),
            names=names,
            places=[pixels],
        )

    def _programmed(self, view: View, count: int, rng: np.random.Generator) -> TaskSpec:
        """Ask for a place by a program of so many steps."""
        proposer = Proposer(view, self.clarity, rng)
        refusals = Refusals(view)
        free = areas.free(view, 0.0, self.room.clearance)
        for _ in range(PROPOSALS):
            region = propose_region(proposer, count, self.regions)
            if region is None:
                break
            try:
                place = locate(region, view, self.clarity, self.limits)
                area = area_in(place, view, free)
            except TaskError as e:
                proposer.refused[str(e)] += 1
                continue
            pixels = self._check(view, refusals, area)
            if pixels is not None:
                return self._task(view, region, area, place.anchors, pixels, rng)
        proposer.refused.update(refusals.reasons)
        raise proposer.error(self.kind, count)

    def _direction(
        self, view: View, words: Describer, rng: np.random.Generator
    ) -> tuple[Direction, Area, NDArray[np.int64]] | None:
        free = areas.free(view, 0.0, self.room.clearance)
        shapely.prepare(free)
        for i in words.shuffled(_standing(view)):
            anchor = words(i)
            if anchor is None:
                continue
            pairs = [(side, cm) for side in SIDES for cm in self.distances]
            for k in rng.permutation(len(pairs))[:24]:
                side, cm = pairs[k]
                goal = areas.ahead(view, view.thing(i), side, cm / 100)
                if not shapely.contains_xy(free, *goal):
                    words.refuse("the place is taken or off the table")
                    continue
                area = areas.disc(view, goal, self.tolerance)
                pixels = self._check(view, words, area)
                if pixels is not None:
                    program = Direction(anchor=anchor, side=side, distance=cm / 100)
                    return program, area, pixels
        return None

    def _between(
        self, view: View, words: Describer, rng: np.random.Generator
    ) -> tuple[Between, Area, NDArray[np.int64]] | None:
        free = areas.free(view, 0.0, self.room.clearance)
        standing = _standing(view)
        pairs = [(a, b) for n, a in enumerate(standing) for b in standing[n + 1 :]]
        for k in rng.permutation(len(pairs)):
            a, b = pairs[k] if rng.random() < 0.5 else pairs[k][::-1]
            found = between_goal(view, words, (a, b), self.tolerance, self.gap)
            if found is None:
                continue
            program, strip, middle = found
            where = strip.intersection(free)
            if where.is_empty:
                words.refuse("nothing free between the anchors")
                continue
            goal = shapely.get_coordinates(shapely.shortest_line(where, shapely.Point(middle)))[0]
            area = areas.area_of(strip, view, goal)
            pixels = self._check(view, words, area)
            if pixels is not None:
                return program, area, pixels
        return None

    def _check(self, view: View, words: Refusals, area: Area) -> NDArray[np.int64] | None:
        """The pixels [K, 2] that show a place; None if it can't be asked for."""
        pixels = areas.pixels_of(view, area)
        if len(pixels) < self.room.pixels * (view.scene.camera.width / 224) ** 2:
            words.refuse("too little of the place is visible")
            return None
        if not areas.is_bare(view, area):
            words.refuse("the place is hidden")
            return None
        return pixels


def between_goal(
    view: View, words: Describer, pair: tuple[int, int], width: float, gap: float
) -> tuple[Between, shapely.Polygon, np.ndarray] | None:
    """Program, strip and middle of the gap between two objects, or None if it can't be asked."""
    a, b = view.thing(pair[0]), view.thing(pair[1])
    if np.hypot(*(a.centre - b.centre)) < gap:
        words.refuse("the anchors are too close together")
        return None
    first, second = words(pair[0]), words(pair[1])
    if first is None or second is None:
        return None
    line = shapely.LineString([a.centre, b.centre])
    middle = line.difference(a.footprint).difference(b.footprint)
    if middle.geom_type != "LineString" or middle.length < gap:
        words.refuse("the anchors are too close together")
        return None
    try:
        strip = areas.between(view, a, b, width)
    except TaskError as e:
        words.refuse(str(e))
        return None
    centre = shapely.get_coordinates(middle.interpolate(0.5, normalized=True))[0]
    return Between(a=first, b=second), strip, centre


def _standing(view: View) -> list[int]:
    return [i for i, below in enumerate(view.below) if below < 0]
