"""Programs of a wanted number of steps that mean one thing in a view.

Proposed at random along the grammar, kept if every part is clear and narrows the search: an order
of one or a relation that nothing fails says nothing, and would only sound like a step.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
import numpy as np

from refergym.envs.errors import TaskError
from refergym.envs.grammar import steps
from refergym.envs.language.nouns import check_sayable
from refergym.envs.nameable import nameable, shortened
from refergym.envs.programs import (
    Axis,
    Rank,
    Select,
    Where,
)
from refergym.envs.referents import (
    ORDINALS,
    Clarity,
    means,
    ordered,
    read,
    terms_of,
)
from refergym.envs.relations import places, turns
from refergym.envs.relations.bodies import Body, Reference
from refergym.envs.relations.table import OPPOSITE, RELATIONS
from refergym.envs.seen import Seen
from refergym.envs.types import SIDES, Array, Side

MOST_STEPS = 5
RANK_AXES: tuple[Axis, ...] = ("left-right", "front-back", "height", "size", "width")
_RANK_SHARES = np.cumsum([0.35, 0.3, 0.1, 0.15])

CLAUSES: Mapping[str, float] = {
    "left": 3, "right": 3, "front": 3, "behind": 3, "between": 2, "face": 2, "back": 1,
    "close": 1, "far": 1, "above": 1, "below": 1, "depth": 1, "tall": 1, "short": 1, "big": 1,
    "small": 1, "wide": 1, "thin": 1, "world_above": 1, "world_below": 1, "distance": 1, "edge": 2,
    "corner": 2, "inside": 2, "outside": 1, "touch": 1, "far_from": 1, "vertical_rotate": 1,
    "horizontal_rotate": 1, "angle": 1,
}  # fmt: skip
"""how often each relation is proposed, against the others"""


def check_steps(given: Sequence[int] | None) -> tuple[int, int] | None:
    """Check a range of steps; raises TaskError if it is none."""
    if given is None:
        return None
    low, high = (int(g) for g in given) if len(given) == 2 else (0, 0)
    if not 1 <= low <= high <= MOST_STEPS:
        raise TaskError(
            f"steps: expected [least, most] with 1 <= least <= most <= {MOST_STEPS}, got"
            f" {list(given)}"
        )
    return low, high


class Proposer:
    """Proposes programs in one view; what comes to nothing is counted in `refused`."""

    def __init__(
        self,
        view: Seen,
        clarity: Clarity,
        rng: np.random.Generator,
        *,
        relations: Sequence[str] | None = None,
    ) -> None:
        """Look for what can be named.

        Args:
            view: what is seen.
            clarity: margins.
            rng: all choices.
            relations: of these only; None takes all.
        """
        self.view, self.clarity = view, clarity
        self.refused: Counter[str] = Counter()
        self._rng = rng
        asked = [n for n in CLAUSES if relations is None or n in relations]
        names = [n for n in asked if _is_told(n, view)]
        weights = np.array([CLAUSES[n] for n in names], float)
        self._relations, self._weights = names, weights / max(weights.sum(), 1e-9)
        known = nameable(view, clarity)
        self.refused.update(known.refused)
        self._clear, self._plain, self._several = known.clear, known.plain, known.several
        self._shares: dict[int, Array] = {}

    def object(
        self, count: int, tries: int = 60, among: Sequence[int] | None = None
    ) -> Select | None:
        """Propose a description of `count` steps that means one object, or None.

        Args:
            count: steps, 1 to MOST_STEPS.
            tries: proposals.
            among: the objects that may be meant; None takes any.
        """
        pool = self._clear if count == 1 else self._several
        pool = pool if among is None else [i for i in pool if i in among]
        for _ in range(tries):
            index = self._pick(pool)
            if index is None:
                self.refused["nothing clear to name"] += 1
                return None
            found = self._select(index, count)
            if found is not None:
                return found
        return None

    def called(self, among: Sequence[int]) -> Select | None:
        """Name one of some objects by its kind and colour alone, or None."""
        index = self._pick([i for i in self._plain if i in among])
        return None if index is None else self._called(index)

    def error(self, kind: str, count: int) -> TaskError:
        """Say what was tried and why nothing came of it."""
        tried = ", ".join(f"{n} x {r}" for r, n in self.refused.most_common(5)) or "nothing to try"
        return TaskError(
            f"{kind}: no task of {count} steps in this scene of {len(self.view)} objects ({tried})"
        )

    def anchor(
        self,
        count: int,
        without: Sequence[int] = (),
        fits: Callable[[int], bool] = lambda _: True,
    ) -> tuple[Select, int]:
        """Name an anchor whose own phrases take `count` steps (0: kind and colour alone).

        Args:
            count: steps.
            without: indices of objects that are not it.
            fits: tells which objects may be it.

        Raises:
            TaskError: if none is found in a few tries.
        """
        known = self._several if count else list(self._plain)
        pool = [i for i in known if i not in without and fits(i)]
        for _ in range(8):
            index = self._pick(pool)
            if index is None:
                break
            found = self._select(index, count) if count else self._called(index)
            if found is not None and bool(count) == (found.rank is not None or bool(found.where)):
                return found, index
        raise TaskError(f"no anchor of {count} phrases")

    def _select(self, index: int, count: int) -> Select | None:
        """One proposal for an object: a description of exactly `count` steps."""
        base = self._base(index)
        try:
            select = self._narrowed(base, index, count)
            if select is None or steps(select) != count:
                return None
            check_sayable(select)
            reading = read(select, self.view, self.clarity)
        except TaskError as e:
            self.refused[shortened(str(e))] += 1
            return None
        if reading.index != index:
            self.refused["means another object"] += 1
            return None
        named = [r.index for r in reading.named()]
        if len(set(named)) < len(named):
            self.refused["one thing is named twice"] += 1
            return None
        return select if self._narrows(select) else None

    def _narrowed(self, base: Select, index: int, count: int) -> Select | None:
        if count == 1:
            if base.colour is not None and means(base, index, self.view, self.clarity):
                return base
            return self._ranked(base, index)
        has_rank = self._rng.random() < 0.35
        left = count - has_rank
        where: list[Where] = []
        while left > 0 and len(where) < 2:
            take = left if len(where) == 1 or left < 3 or self._rng.random() < 0.6 else 2
            clause = self._where(index, take)
            if clause is None:
                return None
            where.append(clause)
            left -= take
        if left:
            return None
        if len(where) == 2 and _is_deep(where[0]):
            where.reverse()
        select = msgspec.structs.replace(base, where=tuple(where))
        return self._ranked(select, index) if has_rank else select

    def _where(self, index: int, count: int) -> Where | None:
        """Propose a relation in which an object stands, of `count` steps with its anchors."""
        fitting = self._fitting(count)
        name = self._relations[int(np.searchsorted(fitting, self._rng.random(), "right"))]
        relation = RELATIONS[name]
        own = count - 1 - relation.anchors
        anchors, taken = [], [index]
        for k in range(relation.anchors):
            # clauses of its own may only follow the last thing that is named
            share = own if k == relation.anchors - 1 else 0
            select, other = self.anchor(share, taken)
            anchors.append(select)
            taken.append(other)
        if name in ("inside", "outside") and self.view.bodies[taken[1]].hollow is None:
            self.refused["an anchor that holds nothing"] += 1
            return None
        side = ""
        frame: Reference = "viewer" if "viewer" in relation.frames else relation.frames[0]
        if "side" in relation.needs:
            words = self.view.bodies[taken[1]].facings
            if not words:
                self.refused["an anchor without a direction"] += 1
                return None
            side = words[int(self._rng.integers(len(words)))]
        value = None
        if "value" in relation.needs:
            value = self._value(name, [self.view.bodies[i] for i in taken], side)
        where = Where(relation=name, anchors=tuple(anchors), frame=frame, side=side, value=value)
        return self._holding(where, taken)

    def _holding(self, where: Where, indices: Sequence[int]) -> Where | None:
        """Return a relation that holds of an object and anchors, or its opposite; None if neither.

        Args:
            where: the relation.
            indices: the object, then the anchors.
        """
        subject, *anchors = (self.view.bodies[i] for i in indices)
        margin = self.view.relation(where.relation)(
            terms_of(where, subject, anchors, self.view, self.clarity)
        )
        if margin > 0:
            return where
        other = OPPOSITE.get(where.relation)
        if margin < 0 and other in self._relations:
            return msgspec.structs.replace(where, relation=other)
        self.refused["a relation that does not hold"] += 1
        return None

    def _fitting(self, count: int) -> Array:
        """Cumulative shares, [R], of the relations that can take so many steps with anchors."""
        if count in self._shares:
            return self._shares[count]
        counts = [RELATIONS[n].anchors for n in self._relations]
        can = np.array([count == 1 if a == 0 else count > a for a in counts])
        weights = self._weights * can
        if not weights.any():
            raise TaskError(f"no relation takes {count} steps")
        self._shares[count] = np.minimum(np.cumsum(weights / weights.sum()), 1.0 - 1e-12)
        self._shares[count][-1] = 1.0
        return self._shares[count]

    def _value(self, name: str, bodies: Sequence[Body], side: str) -> float:
        subject, *others = bodies
        if name == "distance":
            return round(places.apart(subject, others[0]), 2)
        if name == "vertical_rotate":
            return float(5 * round(turns.tilt(subject) / 5))
        if name == "horizontal_rotate":
            found = turns.yaw(subject, side) - turns.yaw(others[0], side)
            return float(15 * round(found % 360 / 15))
        return float(5 * round(turns.angle_at(others[0], subject, others[1]) / 5))

    def _base(self, index: int) -> Select:
        thing = self.view.thing(index)
        use_colour = thing.colour is not None and self._rng.random() < 0.35
        material = thing.material
        says_more = material is not None and material not in thing.category.split()
        use_material = says_more and self._rng.random() < 0.1
        return Select(
            category=thing.category,
            colour=thing.colour if use_colour else None,
            material=material if use_material else None,
        )

    def _called(self, index: int) -> Select:
        """Choose among an object's plain names."""
        forms = self._plain[index]
        return forms[int(self._rng.integers(len(forms)))]

    def _ranked(self, select: Select, index: int) -> Select | None:
        """Add the place that an object has in some order among those that fit."""
        axis = RANK_AXES[int(np.searchsorted(_RANK_SHARES, self._rng.random(), "right"))]
        family = ordered(select, axis, self.view, self.clarity)
        if len(family) < 2 or index not in family:
            self.refused["an order of one"] += 1
            return None
        place = family.index(index)
        both = [p for p in (place + 1, place - len(family)) if abs(p) <= ORDINALS]
        if not both:
            self.refused["too far from both ends of an order"] += 1
            return None
        position = both[int(self._rng.integers(len(both)))]
        return msgspec.structs.replace(select, rank=Rank(axis=axis, position=position))

    def _narrows(self, select: Select) -> bool:
        """Tell whether no clause and no rank, here or in an anchor, could be left out."""
        for shorter in _without_one(select):
            try:
                read(shorter, self.view, self.clarity)
            except TaskError:
                continue
            self.refused["a step that narrows nothing"] += 1
            return False
        return True

    def _pick(self, pool: Sequence[int]) -> int | None:
        return pool[int(self._rng.integers(len(pool)))] if pool else None

    def sides(self) -> Side:
        """Draw one of the viewer's sides."""
        return SIDES[int(self._rng.integers(4))]

    def facing(self, index: int) -> tuple[Reference, str]:
        """Draw a frame for a side of an object: ("viewer", "") or ("object", its direction)."""
        words = self.view.bodies[index].facings
        if words and self._rng.random() < 0.4:
            return "object", words[int(self._rng.integers(len(words)))]
        return "viewer", ""

    def uniform(self, low: float, high: float) -> float:
        """Draw a number."""
        return float(self._rng.uniform(low, high))


def _is_told(name: str, view: Seen) -> bool:
    try:
        view.relation(name)
    except TaskError:
        return False
    return True


def _is_deep(where: Where) -> bool:
    return any(a.where or (a.rank is not None and a.rank.anchor) for a in where.anchors)


def _without_one(select: Select) -> Iterator[Select]:
    """Yield a description with each of its phrases left out, here and in its anchors."""
    for k, clause in enumerate(select.where):
        rest = select.where[:k] + select.where[k + 1 :]
        yield msgspec.structs.replace(select, where=rest)
        for n, anchor in enumerate(clause.anchors):
            for shorter in _without_one(anchor):
                anchors = (*clause.anchors[:n], shorter, *clause.anchors[n + 1 :])
                changed = msgspec.structs.replace(clause, anchors=anchors)
                yield msgspec.structs.replace(
                    select, where=(*select.where[:k], changed, *select.where[k + 1 :])
                )
    if select.rank is not None:
        yield msgspec.structs.replace(select, rank=None)
