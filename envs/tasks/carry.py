"""Tasks that move something: pick it up, or put it somewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely

from refergym.assets.composers.base import Wants
from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec
from refergym.envs import areas
from refergym.envs.areas import Room
from refergym.envs.errors import TaskError
from refergym.envs.language import instruct
from refergym.envs.programs import SIDES, Beside, Into, Move, Onto, Region, anchors_of
from refergym.envs.referents import Clarity
from refergym.envs.task_spec import Act, Area, HoldGoal, PutGoal, TaskSpec
from refergym.envs.tasks.common import Describer, certify, see
from refergym.envs.tasks.judging import judge
from refergym.envs.tasks.point import between_goal
from refergym.envs.types import ID_SUPPORT, Event, Frame, State, Verdict
from refergym.envs.view import View

Relation = Literal["onto", "into", "beside", "between"]
RELATIONS: tuple[Relation, ...] = ("onto", "into", "beside", "between")


class _Carry:
    moves = True

    def __init__(
        self,
        clarity: Clarity,
        room: Room,
        *,
        min_grasp_rate: float | None,
        max_steps: int,
        pack: Pack | None,
    ) -> None:
        if max_steps < 1:
            raise TaskError(f"max_steps: expected >= 1, got {max_steps}")
        self.clarity = clarity
        self.room = room
        self.min_grasp_rate = min_grasp_rate
        self.max_steps = max_steps
        self._graspable = 0 if min_grasp_rate is None else 1
        self._pack = pack

    def judge(
        self, spec: TaskSpec, scene: SceneSpec, start: State, state: State, acts: Sequence[Act]
    ) -> Verdict:
        """Judge what came of it."""
        return judge(spec, scene, start, state, acts, self._pack)

    def _targets(self, view: View, words: Describer) -> Iterator[int]:
        """Objects that the arm should be able to pick up, in random order."""
        for i in words.shuffled(range(len(view))):
            thing = view.thing(i)
            rate = thing.info.grasp_rate(thing.scale)
            if self.min_grasp_rate is not None and rate < self.min_grasp_rate:
                words.refuse(f"grasp rate below {self.min_grasp_rate}")
            elif not self.room.holds(thing.centre):
                words.refuse("out of reach")
            elif view.below[i] >= 0 or view.above(i):
                words.refuse("stands in or under something")
            elif words(i) is not None:
                yield i


class Pick(_Carry):
    """Pick up the object that category, colour and rank mean."""

    kind = "pick"

    def __init__(
        self,
        clarity: Clarity,
        room: Room,
        *,
        min_grasp_rate: float | None,
        max_steps: int,
        pack: Pack | None = None,
    ) -> None:
        """Set what may be asked.

        Args:
            clarity: margins of descriptions.
            room: where the arm gets to.
            min_grasp_rate: least measured grasp rate of the target; None takes any object.
            max_steps: steps until truncation.
            pack: assets; None takes the package's own.
        """
        super().__init__(
            clarity, room, min_grasp_rate=min_grasp_rate, max_steps=max_steps, pack=pack
        )
        self.wants = Wants(graspable=self._graspable, duplicates=True)

    def sample(
        self, scene: SceneSpec, state: State, frame: Frame, rng: np.random.Generator
    ) -> TaskSpec:
        """Choose an object to pick; raises TaskError where there is none."""
        view = see(scene, state, frame, self._pack)
        words = Describer(view, self.clarity, rng)
        for i in self._targets(view, words):
            program = words(i)
            if program is not None:
                return TaskSpec(
                    scene=scene.digest,
                    kind=self.kind,
                    instruction=instruct("pick", program, rng),
                    program=program,
                    goal=HoldGoal(object=scene.objects[i].id),
                    subgoals=("hold",),
                    certificate=certify(
                        view,
                        self.clarity,
                        [program],
                        target=i,
                        chance=float(view.pixels[i]) / frame.ids.size,
                    ),
                )
        raise words.error(self.kind)

    def is_over(
        self, spec: TaskSpec, scene: SceneSpec, acts: Sequence[Act], verdict: Verdict
    ) -> bool:
        """Something was picked: the right object or a wrong one."""
        return verdict.success or (bool(acts) and acts[-1].event == Event.PICKED)


@dataclass(frozen=True, kw_only=True)
class _Site:
    """A place that was found for a target."""

    where: Region
    relation: Relation
    anchors: tuple[int, ...]
    area: Area
    shows: int


class PickPlace(_Carry):
    """Pick up one object and put it onto, into, beside or between others."""

    kind = "pick_place"

    def __init__(
        self,
        clarity: Clarity,
        room: Room,
        *,
        relations: Sequence[Relation],
        tolerance: float,
        strip: float,
        gap: float,
        upright: float | None,
        min_grasp_rate: float | None,
        max_steps: int,
        pack: Pack | None = None,
    ) -> None:
        """Set what may be asked, and how it is judged.

        Args:
            clarity: margins of descriptions.
            room: how much room a place needs, and where the arm gets to.
            relations: some of onto, into, beside, between.
            tolerance: m from the goal point that is right even outside the region.
            strip: m, half the width of the place between two objects.
            gap: m, least length left between two objects beyond what the target takes.
            upright: rad that the object may have tipped at the end; None accepts any.
            min_grasp_rate: least measured grasp rate of the target; None takes any object.
            max_steps: steps until truncation.
            pack: assets; None takes the package's own.

        Raises:
            TaskError: if a value is out of range.
        """
        super().__init__(
            clarity, room, min_grasp_rate=min_grasp_rate, max_steps=max_steps, pack=pack
        )
        unknown = [r for r in relations if r not in RELATIONS]
        if unknown or not relations:
            raise TaskError(
                f"relations: expected some of {', '.join(RELATIONS)}; got {list(relations)}"
            )
        self.relations = tuple(relations)
        self.tolerance = tolerance
        self.strip = strip
        self.gap = gap
        self.upright = upright
        inside = {"onto", "into"} & set(relations)
        receptacles = 1 if inside else 0
        self.wants = Wants(graspable=self._graspable, receptacles=receptacles, duplicates=True)

    def sample(
        self, scene: SceneSpec, state: State, frame: Frame, rng: np.random.Generator
    ) -> TaskSpec:
        """Choose an object and a place for it; raises TaskError where there are none."""
        view = see(scene, state, frame, self._pack)
        words = Describer(view, self.clarity, rng)
        targets = list(self._targets(view, words))
        for k in rng.permutation(len(self.relations)):
            for target in targets:
                site = self._site(view, words, rng, self.relations[k], target)
                if site is not None:
                    return self._task(view, words, rng, target, site)
        raise words.error(self.kind)

    def is_over(
        self, spec: TaskSpec, scene: SceneSpec, acts: Sequence[Act], verdict: Verdict
    ) -> bool:
        """The object was put down, wherever that is."""
        if verdict.success or not acts:
            return verdict.success
        target = scene.index(spec.goal.object) if isinstance(spec.goal, PutGoal) else -1
        last = acts[-1]
        return last.object == target and last.event in (Event.PLACED, Event.UNSTABLE)

    def _task(
        self, view: View, words: Describer, rng: np.random.Generator, target: int, site: _Site
    ) -> TaskSpec:
        scene = view.scene
        what = words(target)
        assert what is not None, "targets have descriptions"
        program = Move(what=what, where=site.where)
        shown = len(areas.pixels_of(view, site.area, site.shows))
        size = view.frame.ids.size
        return TaskSpec(
            scene=scene.digest,
            kind=self.kind,
            instruction=instruct("move", program, rng),
            program=program,
            goal=PutGoal(
                object=scene.objects[target].id,
                relation=site.relation,
                anchors=tuple(scene.objects[a].id for a in site.anchors),
                anchors_xy=tuple(_pair(view.thing(a).centre) for a in site.anchors),
                area=site.area,
                tolerance=self.tolerance,
                upright=self.upright,
            ),
            subgoals=("hold", "put"),
            certificate=certify(
                view,
                self.clarity,
                [what, *anchors_of(site.where)],
                target=target,
                anchors=site.anchors,
                area_pixels=shown,
                chance=float(view.pixels[target]) / size * shown / size,
            ),
        )

    def _site(
        self,
        view: View,
        words: Describer,
        rng: np.random.Generator,
        relation: Relation,
        target: int,
    ) -> _Site | None:
        others = [i for i in range(len(view)) if i != target and view.below[i] < 0]
        if relation == "between":
            pairs = [(a, b) for n, a in enumerate(others) for b in others[n + 1 :]]
            for k in rng.permutation(len(pairs)):
                site = self._between(view, words, target, pairs[k])
                if site is not None:
                    return site
            return None
        for anchor in words.shuffled(others):
            find = self._beside if relation == "beside" else self._inside
            site = find(view, words, rng, relation, target, anchor)
            if site is not None:
                return site
        return None

    def _inside(
        self,
        view: View,
        words: Describer,
        rng: np.random.Generator,
        relation: Relation,
        target: int,
        anchor: int,
    ) -> _Site | None:
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
            view,
            words,
            target,
            _Site(where=where, relation=relation, anchors=(anchor,), area=area, shows=anchor),
        )

    def _beside(
        self,
        view: View,
        words: Describer,
        rng: np.random.Generator,
        relation: Relation,
        target: int,
        anchor: int,
    ) -> _Site | None:
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
                view,
                words,
                target,
                _Site(
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

    def _between(
        self, view: View, words: Describer, target: int, pair: tuple[int, int]
    ) -> _Site | None:
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
            view,
            words,
            target,
            _Site(
                where=program,
                relation="between",
                anchors=pair,
                area=areas.area_of(strip, view, goal),
                shows=ID_SUPPORT,
            ),
        )

    def _checked(self, view: View, words: Describer, target: int, site: _Site) -> _Site | None:
        """Refuse places that can't be seen, or where the object already is."""
        thing = view.thing(target)
        there = shapely.Polygon(site.area.ring).covers(shapely.Point(thing.centre))
        if there or np.hypot(*(thing.centre - site.area.goal[:2])) <= self.tolerance:
            words.refuse("it is there already")
            return None
        if areas.goal_pixel(view, site.area, site.shows) is None:
            words.refuse("the place is hidden")
            return None
        return site


def _pair(xy: np.ndarray) -> tuple[float, float]:
    return round(float(xy[0]), 5) + 0.0, round(float(xy[1]), 5) + 0.0
