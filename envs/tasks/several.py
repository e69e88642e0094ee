"""Bring several objects to their places: move after move, or all of a kind to one place."""

import math
from collections.abc import Sequence
from typing import Unpack

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from refergym.assets.composers.base import Wants
from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec
from refergym.envs import areas
from refergym.envs.errors import TaskError
from refergym.envs.language import instruct
from refergym.envs.programs import Gather, Into, Move, Moves, Onto, Region, Select
from refergym.envs.proposals import Proposer, check_steps
from refergym.envs.proposed_places import propose_region
from refergym.envs.referents import Reading, read, read_all
from refergym.envs.task_spec import Act, SeveralGoal, TaskSpec
from refergym.envs.tasks.carrying import Carrying
from refergym.envs.tasks.common import Describer, see, task_spec
from refergym.envs.tasks.pick_place import PROPOSALS, Putting, PuttingKeys
from refergym.envs.tasks.sites import Site, SiteFinder
from refergym.envs.types import Array, Frame, State, Verdict
from refergym.envs.view import View

Parts = list[tuple[Reading, Site]]


class _Several(Putting):
    kind: str
    steps: tuple[int, int]

    def is_over(
        self, spec: TaskSpec, scene: SceneSpec, acts: Sequence[Act], verdict: Verdict
    ) -> bool:
        """Everything is in its place; what went wrong may be tried again."""
        return verdict.success

    def _set_steps(self, steps: tuple[int, int], least: int) -> None:
        checked = check_steps(steps)
        if checked is None or checked[0] < least:
            raise TaskError(f"steps: expected [least, most] of {least} or more, got {steps}")
        self.steps = checked

    def _record(
        self, view: View, program: Moves | Gather, parts: Parts,
        names: Sequence[Reading | Sequence[Reading]], rng: np.random.Generator,
    ) -> TaskSpec:  # fmt: skip
        puts = tuple(self.goal(view, what.index, site) for what, site in parts)
        goal = SeveralGoal(parts=puts, ordered=isinstance(program, Moves))
        proof = self.prove(goal, view)
        return task_spec(
            view,
            kind=self.kind,
            instruction=instruct("move", program, rng, self.voice),
            program=program,
            goal=goal,
            subgoals=tuple(f"put {p.object}" for p in puts),
            names=names,
            targets=[what.index for what, _ in parts],
            places=[areas.pixels_of(view, site.area, site.shows) for _, site in parts],
            proof=proof,
        )


class MoveSequence(_Several):
    """Two or three picks and places, in order."""

    kind = "sequence"

    def __init__(
        self,
        *,
        moves: tuple[int, int],
        steps: tuple[int, int],
        pack: Pack | None = None,
        **keys: Unpack[PuttingKeys],
    ) -> None:
        """Set what may be asked, and how it is judged.

        Args:
            moves: least and most of them, each as often: 2 or 3.
            steps: least and most steps of each move.
            pack: assets; None takes the package's own.
            **keys: see `PuttingKeys`.

        Raises:
            TaskError: if a value is out of range.
        """
        super().__init__(pack=pack, **keys)
        if not 2 <= moves[0] <= moves[1] <= 3:
            raise TaskError(f"moves: expected [least, most] of 2 or 3, got {list(moves)}")
        self.counts = (moves[0], moves[1])
        self._set_steps(steps, 2)
        self.wants = Wants(graspable=moves[1] * self._graspable, receptacles=1, duplicates=True)

    def sample(
        self, scene: SceneSpec, state: State, frame: Frame, rng: np.random.Generator
    ) -> TaskSpec:
        """Choose objects and places for them; raises TaskError where there are none."""
        view = see(scene, state, frame, self._pack)
        words = Describer(view, self.clarity, rng)
        proposer = Proposer(view, self.clarity, rng)
        targets = list(self.targets(view, words))
        count = int(rng.integers(self.counts[0], self.counts[1] + 1))
        for _ in range(PROPOSALS):
            parts: Parts = []
            try:
                while len(parts) < count:
                    parts.append(self._next(proposer, words, targets, parts, rng))
                program = Moves(parts=tuple(Move(what=w.select, where=s.where) for w, s in parts))
                names = [r for what, site in parts for r in (what, *site.names)]
                return self._record(view, program, parts, names, rng)
            except TaskError as e:
                proposer.refused[str(e)] += 1
        proposer.refused.update(words.reasons)
        raise proposer.error(self.kind, count)

    def _next(
        self,
        proposer: Proposer,
        words: Describer,
        targets: Sequence[int],
        parts: Parts,
        rng: np.random.Generator,
    ) -> tuple[Reading, Site]:
        """One more move that leaves what the others name where it is."""
        view = words.view
        moved = [what.index for what, _ in parts]
        named = [r.index for what, site in parts for n in (what, *site.names) for r in n.named()]
        count = int(rng.integers(self.steps[0], self.steps[1] + 1))
        own = int(rng.integers(1, max(count - 1, 1) + 1))
        what = self.named(proposer, own, [t for t in targets if t not in named])
        region = propose_region(proposer, count - own, self.regions, tries=8)
        if what is None or region is None:
            raise TaskError("no further move")
        reading = read(what, view, self.clarity)
        site = self.finder(view, words).programmed(region, reading.index, _taken(view, parts))
        anchors = [r.index for n in (reading, *site.names) for r in n.named()[int(n is reading) :]]
        if set(anchors) & {*moved, reading.index}:
            raise TaskError("a thing that is moved is an anchor of another move")
        if any(site.shows == s.shows and s.relation != "table" for _, s in parts):
            raise TaskError("two things onto or into one")
        return reading, site


class PutAll(_Several):
    """Bring all objects that a description means to one place."""

    kind = "put_all"

    def __init__(
        self,
        *,
        most: int,
        steps: tuple[int, int],
        pack: Pack | None = None,
        **keys: Unpack[PuttingKeys],
    ) -> None:
        """Set what may be asked, and how it is judged.

        Args:
            most: objects at most.
            steps: least and most steps of the place.
            pack: assets; None takes the package's own.
            **keys: see `PuttingKeys`.

        Raises:
            TaskError: if a value is out of range.
        """
        super().__init__(pack=pack, **keys)
        if most < 2:
            raise TaskError(f"most: expected 2 or more, got {most}")
        self.most = most
        self._set_steps(steps, 1)
        inside = {Onto, Into} & set(self.regions)
        self.wants = Wants(
            graspable=2 * self._graspable,
            alike=2 * self._graspable,
            receptacles=int(bool(inside)),
            duplicates=True,
        )

    def sample(
        self, scene: SceneSpec, state: State, frame: Frame, rng: np.random.Generator
    ) -> TaskSpec:
        """Choose objects and a place; raises TaskError where there are none."""
        view = see(scene, state, frame, self._pack)
        words = Describer(view, self.clarity, rng)
        proposer = Proposer(view, self.clarity, rng)
        count = int(rng.integers(self.steps[0], self.steps[1] + 1))
        families = movable_families(self, view, words, 2, self.most)
        for _ in range(PROPOSALS if families else 0):
            what, members = families[int(rng.integers(len(families)))]
            region = propose_region(proposer, count, self.regions, tries=8)
            if region is None:
                continue
            try:
                parts = self._parts(view, self.finder(view, words), region, members)
                program = Gather(what=what, where=region)
                return self._record(view, program, parts, [members, *parts[0][1].names], rng)
            except TaskError as e:
                proposer.refused[str(e)] += 1
        proposer.refused.update(words.reasons)
        raise proposer.error(self.kind, count)

    def _parts(
        self, view: View, finder: SiteFinder, region: Region, members: Sequence[Reading]
    ) -> Parts:
        """A place for each object."""
        parts: Parts = []
        shifts: list[Array | None] = [None] * len(members)
        if isinstance(region, Into | Onto):
            shifts = list(_ring(view, finder, region, members))
        moved = {m.index for m in members}
        for member, shift in zip(members, shifts, strict=True):
            site = finder.programmed(region, member.index, _taken(view, parts), shift)
            if moved & {r.index for n in site.names for r in n.named()}:
                raise TaskError("a thing that is moved is an anchor")
            parts.append((member, site))
        return parts


def movable_families(
    task: Carrying, view: View, words: Describer, least: int, most: int
) -> list[tuple[Select, list[Reading]]]:
    """Return kinds of which all things are clear and may be moved, with what they mean.

    Args:
        task: says what may be moved.
        view: of the start.
        words: notes why others may not.
        least: things of a kind.
        most: likewise.
    """
    found: list[tuple[Select, list[Reading]]] = []
    kinds = {(t.category, c) for t in view.things for c in (None, t.colour)}
    for category, colour in sorted(kinds, key=str):
        select = Select(category=category, colour=colour)
        try:
            members = read_all(select, view, task.clarity)
        except TaskError as e:
            words.refuse(str(e))
            continue
        if not least <= len(members) <= most:
            words.refuse(f"not {least} to {most} things of a kind")
            continue
        hindrances = [h for m in members if (h := task.hindrance(view, m.index)) is not None]
        for reason in hindrances[:1]:
            words.refuse(reason)
        if not hindrances:
            found.append((select, members))
    return found


def _taken(view: View, parts: Parts) -> BaseGeometry | None:
    """What the places of some things take of the table, seen from above."""
    discs = [
        shapely.Point(site.area.goal[:2]).buffer(view.thing(what.index).radius)
        for what, site in parts
        if site.relation == "table"
    ]
    return shapely.union_all(discs) if discs else None


def _ring(
    view: View, finder: SiteFinder, region: Into | Onto, members: Sequence[Reading]
) -> list[Array]:
    """Places [2] m round the middle of a container or a top, one for each thing.

    Raises:
        TaskError: if they do not all have room beside each other.
    """
    anchor = view.thing(read(region.anchor, view, finder.words.clarity).index)
    widest = max(view.thing(m.index).radius for m in members)
    if isinstance(region, Into):
        cavity = anchor.info.cavity
        room = 0.0 if cavity is None else cavity.radius * anchor.scale
    else:
        room = float(shapely.Point(anchor.centre).distance(anchor.footprint.exterior))
    n = len(members)
    radius = room - widest - areas.LOOSE
    if radius <= 0 or 2 * radius * math.sin(math.pi / n) < 2 * widest + areas.LOOSE:
        raise TaskError("not room for all of them")
    angles = 2 * np.pi * np.arange(n) / n
    return [radius * np.array([np.cos(a), np.sin(a)]) for a in angles]
