"""Tasks that move something: pick it up, or put it somewhere."""

from collections.abc import Iterator, Sequence

import numpy as np

from refergym.assets.composers.base import Wants
from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec
from refergym.envs import areas, rehearsal
from refergym.envs.areas import Room
from refergym.envs.errors import TaskError
from refergym.envs.language import instruct
from refergym.envs.programs import Move, anchors_of
from refergym.envs.referents import Clarity
from refergym.envs.task_spec import Act, HoldGoal, PutGoal, TaskSpec
from refergym.envs.tasks.common import Describer, certify, see
from refergym.envs.tasks.judging import judge
from refergym.envs.tasks.sites import RELATIONS, Relation, Site, SiteFinder
from refergym.envs.types import Event, Frame, State, Verdict
from refergym.envs.view import View


class _Carry:
    moves = True

    def __init__(
        self,
        clarity: Clarity,
        room: Room,
        *,
        min_grasp_rate: float | None,
        min_place_rate: float | None,
        rehearsed: bool,
        max_steps: int,
        pack: Pack | None,
    ) -> None:
        if max_steps < 1:
            raise TaskError(f"max_steps: expected >= 1, got {max_steps}")
        self.clarity = clarity
        self.room = room
        self.min_grasp_rate = min_grasp_rate
        self.min_place_rate = min_place_rate
        self.rehearsed = rehearsed
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
            elif (
                self.min_place_rate is not None
                and thing.info.place_rate(thing.scale) < self.min_place_rate
            ):
                words.refuse(f"place rate below {self.min_place_rate}")
            elif not self.room.holds(thing.centre):
                words.refuse("out of reach")
            elif view.below[i] >= 0 or view.above(i):
                words.refuse("stands in or under something")
            elif words(i) is not None:
                yield i

    def _fails(self, goal: HoldGoal | PutGoal, view: View, words: Describer) -> bool:
        """Whether the arm could not carry the task out even at the right points."""
        reason = rehearsal.failure(goal, view) if self.rehearsed else None
        if reason is not None:
            words.refuse(reason)
        return reason is not None


class Pick(_Carry):
    """Pick up the object that category, colour and rank mean."""

    kind = "pick"

    def __init__(
        self,
        clarity: Clarity,
        room: Room,
        *,
        min_grasp_rate: float | None,
        rehearsed: bool,
        max_steps: int,
        pack: Pack | None = None,
    ) -> None:
        """Set what may be asked.

        Args:
            clarity: margins of descriptions.
            room: where the arm gets to.
            min_grasp_rate: least measured grasp rate of the target; None takes any object.
            rehearsed: only ask what works kinematically at the right point.
            max_steps: steps until truncation.
            pack: assets; None takes the package's own.
        """
        super().__init__(
            clarity,
            room,
            min_grasp_rate=min_grasp_rate,
            min_place_rate=None,
            rehearsed=rehearsed,
            max_steps=max_steps,
            pack=pack,
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
            goal = HoldGoal(object=scene.objects[i].id)
            if program is not None and not self._fails(goal, view, words):
                return TaskSpec(
                    scene=scene.digest,
                    kind=self.kind,
                    instruction=instruct("pick", program, rng),
                    program=program,
                    goal=goal,
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
        min_place_rate: float | None,
        rehearsed: bool,
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
            min_place_rate: least measured rate of also standing where it was put; None likewise.
            rehearsed: only ask what works kinematically at the right points.
            max_steps: steps until truncation.
            pack: assets; None takes the package's own.

        Raises:
            TaskError: if a value is out of range.
        """
        super().__init__(
            clarity,
            room,
            min_grasp_rate=min_grasp_rate,
            min_place_rate=min_place_rate,
            rehearsed=rehearsed,
            max_steps=max_steps,
            pack=pack,
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
        finder = SiteFinder(view, words, self.room, self.strip, self.gap, self.tolerance)
        for k in rng.permutation(len(self.relations)):
            for target in targets:
                site = finder.find(self.relations[k], target, rng)
                if site is not None and not self._fails(
                    self._goal(view, target, site), view, words
                ):
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

    def _goal(self, view: View, target: int, site: Site) -> PutGoal:
        objects = view.scene.objects
        return PutGoal(
            object=objects[target].id,
            relation=site.relation,
            anchors=tuple(objects[a].id for a in site.anchors),
            anchors_xy=tuple(_pair(view.thing(a).centre) for a in site.anchors),
            area=site.area,
            tolerance=self.tolerance,
            upright=self.upright,
        )

    def _task(
        self, view: View, words: Describer, rng: np.random.Generator, target: int, site: Site
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
            goal=self._goal(view, target, site),
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


def _pair(xy: np.ndarray) -> tuple[float, float]:
    return round(float(xy[0]), 5) + 0.0, round(float(xy[1]), 5) + 0.0
