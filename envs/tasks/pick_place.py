"""Pick up one object and put it to the place that a description means."""

from collections.abc import Sequence
from typing import Unpack

import numpy as np

from refergym.assets.composers.base import Wants
from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec
from refergym.envs import areas
from refergym.envs.errors import TaskError
from refergym.envs.language import instruct
from refergym.envs.programs import REGIONS, Into, Move, Onto, Region, Select
from refergym.envs.proposals import Proposer, check_steps
from refergym.envs.proposed_places import propose_region
from refergym.envs.referents import Reading, read
from refergym.envs.regions import Limits
from refergym.envs.task_spec import Act, PutGoal, TaskSpec
from refergym.envs.tasks.carrying import Carrying, Common, is_put_down, rounded
from refergym.envs.tasks.common import Describer, see, task_spec
from refergym.envs.tasks.sites import RELATIONS, Relation, Site, SiteFinder
from refergym.envs.truth import direction_mask
from refergym.envs.types import Frame, State, Verdict
from refergym.envs.view import View

PLACES: dict[str, type[Region]] = {**REGIONS, "onto": Onto, "into": Into}
"""places that things can be put, by name"""
PROPOSALS = 30
"""programs tried in one scene"""


class PuttingKeys(Common):
    """Keys of all tasks that put things somewhere.

    regions: kinds of places, some of `PLACES`. limits: how large the places are that words mean.
    tolerance: m from the goal point that is right even outside the region. upright: rad that an
    object may have tipped at the end; None accepts any.
    """

    regions: Sequence[str]
    limits: Limits
    tolerance: float
    upright: float | None


class PickPlaceKeys(PuttingKeys):
    """Keys of `PickPlace`.

    relations: some of onto, into, beside, between: what is asked without `steps`. strip: m, half
    the width of the place between two objects, likewise. gap: m, least length left between two
    objects beyond what the target takes, likewise. steps: least and most steps of a program, each
    as often; None asks for `relations` with the shortest names that work.
    """

    relations: Sequence[Relation]
    strip: float
    gap: float
    steps: tuple[int, int] | None


class Putting(Carrying):
    """What tasks share that put things somewhere: where, and how it is judged."""

    def __init__(
        self,
        *,
        regions: Sequence[str],
        limits: Limits,
        tolerance: float,
        upright: float | None,
        pack: Pack | None,
        **common: Unpack[Common],
    ) -> None:
        """Set where things may be put; see `PuttingKeys`.

        Raises:
            TaskError: if a value is out of range.
        """
        super().__init__(**common, pack=pack)
        unknown = [r for r in regions if r not in PLACES]
        if unknown or not regions:
            raise TaskError(f"regions: expected some of {', '.join(PLACES)}; got {list(regions)}")
        self.regions = tuple(PLACES[r] for r in regions)
        self.limits = limits
        self.tolerance = tolerance
        self.upright = upright

    def goal(self, view: View, target: int, site: Site) -> PutGoal:
        """Return the goal of putting an object to a place."""
        objects = view.scene.objects
        return PutGoal(
            object=objects[target].id,
            relation=site.relation,
            anchors=tuple(objects[r.index].id for r in site.names),
            anchors_xy=tuple(rounded(view.thing(r.index).centre) for r in site.names),
            area=site.area,
            tolerance=self.tolerance,
            upright=self.upright,
        )

    def finder(self, view: View, words: Describer) -> SiteFinder:
        """Return what finds places."""
        return SiteFinder(view, words, self.room, self.tolerance, 0.0, self.tolerance, self.limits)

    def named(self, proposer: Proposer, count: int, targets: Sequence[int]) -> Select | None:
        """Propose a name of `count` steps for one of some objects."""
        if count == 1:
            plain = proposer.called(targets)
            if plain is not None:
                return plain
        return proposer.object(count, among=targets)


class PickPlace(Putting):
    """Pick up one object and put it onto, into, beside or between others, or to any region."""

    kind = "pick_place"

    def __init__(
        self,
        *,
        relations: Sequence[Relation],
        strip: float,
        gap: float,
        steps: tuple[int, int] | None,
        pack: Pack | None = None,
        **keys: Unpack[PuttingKeys],
    ) -> None:
        """Set what may be asked, and how it is judged.

        Args:
            relations: see `PickPlaceKeys`.
            strip: likewise.
            gap: likewise.
            steps: likewise.
            pack: assets; None takes the package's own.
            **keys: see `PuttingKeys`.

        Raises:
            TaskError: if a value is out of range.
        """
        super().__init__(pack=pack, **keys)
        unknown = [r for r in relations if r not in RELATIONS]
        if unknown or not relations:
            raise TaskError(
                f"relations: expected some of {', '.join(RELATIONS)}; got {list(relations)}"
            )
        self.relations = tuple(relations)
        self.strip = strip
        self.gap = gap
        self.steps = check_steps(steps)
        if self.steps is not None and self.steps[0] < 2:
            raise TaskError("steps: what is moved and its place take 2 at least")
        inside = {Onto, Into} & set(self.regions) if steps else {"onto", "into"} & set(relations)
        receptacles = 1 if inside else 0
        self.wants = Wants(graspable=self._graspable, receptacles=receptacles, duplicates=True)

    def sample(
        self, scene: SceneSpec, state: State, frame: Frame, rng: np.random.Generator
    ) -> TaskSpec:
        """Choose an object and a place for it; raises TaskError where there are none."""
        view = see(scene, state, frame, self._pack)
        words = Describer(view, self.clarity, rng)
        targets = list(self.targets(view, words))
        if self.steps is not None:
            count = int(rng.integers(self.steps[0], self.steps[1] + 1))
            return self._programmed(view, words, targets, count, rng)
        finder = SiteFinder(view, words, self.room, self.strip, self.gap, self.tolerance)
        for k in rng.permutation(len(self.relations)):
            for target in [t for t in targets if words(t) is not None]:
                site = finder.find(self.relations[k], target, rng)
                what = words(target)
                if site is None or what is None:
                    continue
                try:
                    return self.task(view, read(what, view, self.clarity), site, rng)
                except TaskError as e:
                    words.refuse(str(e))
        raise words.error(self.kind)

    def is_over(
        self, spec: TaskSpec, scene: SceneSpec, acts: Sequence[Act], verdict: Verdict
    ) -> bool:
        """The object was put down, wherever that is."""
        assert isinstance(spec.goal, PutGoal), "made by this task"
        return verdict.success or is_put_down(spec.goal, scene, acts)

    def task(self, view: View, what: Reading, site: Site, rng: np.random.Generator) -> TaskSpec:
        """Make the task of bringing an object to a place; raises TaskError if that can't work."""
        program = Move(what=what.select, where=site.where)
        return self.record(view, program, self.goal(view, what.index, site), what, site, (), rng)

    def record(
        self,
        view: View,
        program: Move,
        goal: PutGoal,
        what: Reading,
        site: Site,
        others: Sequence[Reading],
        rng: np.random.Generator,
    ) -> TaskSpec:
        """Put a task on record that can be carried out; `others` are named behind the place."""
        proof = self.prove(goal, view)
        right = [areas.pixels_of(view, site.area, site.shows)]
        if goal.turn is not None:
            told = direction_mask(view, np.array(site.area.goal), goal.turn)
            right.append(np.argwhere(told)[:, ::-1])
        return task_spec(
            view,
            kind=self.kind,
            instruction=instruct("move", program, rng, self.voice),
            program=program,
            goal=goal,
            subgoals=("hold", "put") if goal.turn is None else ("hold", "put", "turn"),
            names=[what, *site.names, *others],
            targets=[what.index],
            places=right,
            proof=proof,
        )

    def _programmed(
        self,
        view: View,
        words: Describer,
        targets: Sequence[int],
        count: int,
        rng: np.random.Generator,
    ) -> TaskSpec:
        """Ask for a move by a program of so many steps."""
        proposer = Proposer(view, self.clarity, rng)
        finder = self.finder(view, words)
        for _ in range(PROPOSALS):
            own = int(rng.integers(1, max(count - 1, 1) + 1))
            what = self.named(proposer, own, targets)
            region = propose_region(proposer, count - own, self.regions, tries=8)
            if what is None or region is None:
                continue
            try:
                reading = read(what, view, self.clarity)
                return self.task(view, reading, finder.programmed(region, reading.index), rng)
            except TaskError as e:
                proposer.refused[str(e)] += 1
        proposer.refused.update(words.reasons)
        raise proposer.error(self.kind, count)
