"""From words to things and back: which object a Select means, and the Selects that mean an object.

A description counts only where every reasonable reading of it agrees: all objects of the category
are counted, and the visible ones alone give the same answer; a relation must hold or fail for each
of them by more than its tie; a rank must hold by a margin on the table and in the same order in the
picture; a colour must be known for each object of the category. Whatever is in between is not
asked.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from refergym.assets.records import Record
from refergym.assets.spec import NonNegative, Unit
from refergym.envs.errors import TaskError
from refergym.envs.programs import Axis, Rank, Select, Where
from refergym.envs.relations.bodies import Body
from refergym.envs.relations.places import apart, gap
from refergym.envs.relations.table import RELATIONS, Terms
from refergym.envs.seen import Seen
from refergym.envs.types import Array

CONFUSED = tuple(
    frozenset(pair.split())
    for pair in (
        "red orange", "red pink", "red brown", "red purple", "orange brown", "orange yellow",
        "orange pink", "pink purple", "purple blue", "blue cyan", "green cyan", "green yellow",
        "yellow brown", "yellow white", "yellow beige", "beige white", "beige brown", "beige grey",
        "grey white", "grey black", "grey blue", "brown black", "turquoise blue", "turquoise green",
        "cyan turquoise", "gold yellow", "silver grey", "silver white",
    )
)  # fmt: skip
"""colour names that people mix up; where both occur in a category, colour is not used"""
ALIKE = tuple(
    frozenset(pair.split("|"))
    for pair in (
        "cup|mug", "cup|glass", "cup|tumbler", "pot|pan", "pot|saucepan", "pot|bowl", "jar|can",
        "jar|vase", "bottle|vase", "plate|saucer", "plate|dish", "bowl|dish", "book|book stack",
        "bag|sack", "box|carton", "box|crate", "crate|basket", "towel|napkin", "basket|box",
    )
)  # fmt: skip
"""categories that people may mix up; see Clarity.alike"""
ORDINALS = 3
"""ranks go up to the third from an end"""
SIMPLE_AXES: tuple[Axis, ...] = ("left-right", "front-back", "size")
"""orders that `describe` uses"""


class Clarity(Record, frozen=True, kw_only=True):
    """How clear a description must be."""

    pixels: int = 60
    """least visible pixels of anything named, in a picture 224 px wide"""
    share: Unit = 0.5
    """least visible share of its silhouette"""
    rank: NonNegative = 0.02
    """m between neighbours in an order by place, distance, height or width"""
    size: NonNegative = 0.1
    """relative difference between neighbours in an order of height, size or width"""
    alike: bool = False
    """whether categories that people mix up (`ALIKE`) may stand in one scene with the one named"""
    ties: Mapping[str, NonNegative] = {}
    """by relation, in its unit: up to which margin, either way, it is not asked; where none is
    given, the relation's own"""
    length: NonNegative = 0.03
    """m by which a distance may differ from the number that is named"""
    angle: NonNegative = 15.0
    """degrees by which an angle may differ from the number that is named"""

    def __post_init__(self) -> None:
        """Raise TaskError if a tie is of no relation."""
        for name in self.ties:
            if name not in RELATIONS:
                raise TaskError(f"ties: expected some of {', '.join(RELATIONS)}; got {name!r}")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a Select means in a view."""

    index: int
    """the object"""
    margin: float
    """the least gap that any rank or relation in it rests on, in units of the margin asked for;
    inf without any"""
    anchors: tuple["Reading", ...] = ()
    """what its anchors mean, in the order of the words"""
    select: Select
    """the words"""
    among: int = 1
    """how many objects fit its category, colour and material"""

    def named(self) -> list["Reading"]:
        """Return this and all that it is described by, each before what describes it."""
        return [self, *(r for a in self.anchors for r in a.named())]


@dataclass
class _Found:
    """What has been read on the way."""

    margin: float = math.inf
    anchors: list[Reading] = field(default_factory=list)

    def rests_on(self, gap: float, need: float) -> None:
        if need > 0:
            self.margin = min(self.margin, gap / need)


def read(select: Select, view: Seen, clarity: Clarity) -> Reading:
    """Find the one object that a description means.

    Raises:
        TaskError: if it means none, several, or one by less than the margins.
    """
    found = _Found()
    family = _family(select, view, clarity)
    chosen = family
    for clause in select.where:
        chosen = _standing(chosen, clause, view, clarity, found)
    index = _pick(chosen, select.rank, view, clarity, found)
    shown = [i for i in chosen if is_clear(i, view, clarity)]
    if len(shown) < len(chosen) and _pick(shown, select.rank, view, clarity, _Found()) != index:
        raise TaskError("objects that are hidden change which one is meant")
    return Reading(
        index=index,
        margin=found.margin,
        anchors=tuple(found.anchors),
        select=select,
        among=len(family),
    )


def read_all(select: Select, view: Seen, clarity: Clarity) -> list[Reading]:
    """Find all objects that a description without a rank means, in the scene's order.

    Raises:
        TaskError: if one of them is hidden, or a relation in it is a tie.
    """
    found = _Found()
    family = _family(select, view, clarity)
    chosen = family
    for clause in select.where:
        chosen = _standing(chosen, clause, view, clarity, found)
    if not all(is_clear(i, view, clarity) for i in chosen):
        raise TaskError("some of the objects that are meant are hidden")
    anchors = tuple(found.anchors)
    return [
        Reading(index=i, margin=found.margin, anchors=anchors, select=select, among=len(family))
        for i in chosen
    ]


def ordered(select: Select, axis: Axis, view: Seen, clarity: Clarity) -> list[int]:
    """Return the objects that fit a description without its rank, in an order; ties or not.

    Raises:
        TaskError: if some relation in it is a tie, or an anchor is not clear.
    """
    chosen = _family(select, view, clarity)
    for clause in select.where:
        chosen = _standing(chosen, clause, view, clarity, _Found())
    if not chosen:
        return []
    readings, _ = _orders(chosen, axis, None, view, clarity)
    return [chosen[k] for k in np.argsort(readings[0], kind="stable")]


def is_clear(index: int, view: Seen, clarity: Clarity) -> bool:
    """Tell whether a viewer sees enough of an object for it to be named."""
    need = clarity.pixels * (view.onlooker.camera.width / 224) ** 2
    return bool(view.pixels[index] >= need) and view.share(index) >= clarity.share


def describe(index: int, view: Seen, clarity: Clarity, rng: np.random.Generator) -> Select | None:
    """Make a description that means exactly this object, or None if there is none.

    The shortest kind that works is taken: the category; with the colour; with a rank; with both.
    Among equals, and whether to name a colour that is not needed, `rng` decides.
    """
    if not is_clear(index, view, clarity):
        return None
    thing = view.thing(index)
    plain = Select(category=thing.category)
    colours = [] if thing.colour is None else [thing.colour]
    coloured = [Select(category=thing.category, colour=c) for c in colours]
    tiers = [[plain], coloured, _ranked(plain, rng), [r for c in coloured for r in _ranked(c, rng)]]
    if coloured and rng.random() < 0.3:
        tiers[0], tiers[1] = tiers[1], tiers[0]
    if rng.random() < 0.3:
        tiers[1], tiers[2] = tiers[2], tiers[1]
    for tier in tiers:
        for select in tier:
            if means(select, index, view, clarity):
                return select
    return None


def means(select: Select, index: int, view: Seen, clarity: Clarity) -> bool:
    """Tell whether a description means exactly this object."""
    try:
        return read(select, view, clarity).index == index
    except TaskError:
        return False


def _ranked(select: Select, rng: np.random.Generator) -> list[Select]:
    ends = [p for k in range(1, ORDINALS + 1) for p in (k, -k)]
    ranks = [Rank(axis=axis, position=p) for axis in SIMPLE_AXES for p in ends]
    order = sorted(range(len(ranks)), key=rng.random(len(ranks)).__getitem__)
    return [
        Select(category=select.category, colour=select.colour, rank=ranks[i])
        for i in sorted(order, key=lambda i: abs(ranks[i].position))
    ]


def _family(select: Select, view: Seen, clarity: Clarity) -> list[int]:
    """Objects of a kind; refused where others could be taken for one."""
    family = [t.index for t in view.things]
    if select.category is not None:
        family = _of_category(select.category, view, clarity)
    if select.colour is not None:
        family = _of_colour(family, select.colour, view)
    if select.material is not None:
        family = _of_material(family, select.material, view)
    return family


def _of_category(category: str, view: Seen, clarity: Clarity) -> list[int]:
    found = []
    for thing in view.things:
        if thing.category == category:
            found.append(thing.index)
        elif _may_be_taken_for(thing.category, category, clarity):
            raise TaskError(f"a {thing.category} may be taken for a {category}")
    if not found:
        raise TaskError(f"no {category} in the scene")
    return found


def _may_be_taken_for(one: str, other: str, clarity: Clarity) -> bool:
    if one.endswith(" " + other) or other.endswith(" " + one):
        return True  # a wine glass is a glass
    return not clarity.alike and frozenset((one, other)) in ALIKE


def _of_colour(family: list[int], colour: str, view: Seen) -> list[int]:
    chosen = []
    for i in family:
        other = view.thing(i).colour
        if other is None:
            raise TaskError(f"the colour of a {view.thing(i).category} is not known")
        if other == colour:
            chosen.append(i)
        elif frozenset((other, colour)) in CONFUSED:
            raise TaskError(f"{other} may be taken for {colour}")
    return chosen


def _of_material(family: list[int], material: str, view: Seen) -> list[int]:
    for i in family:
        if view.thing(i).material is None:
            raise TaskError(f"the material of a {view.thing(i).category} is not known")
    return [i for i in family if view.thing(i).material == material]


def _standing(
    chosen: list[int], clause: Where, view: Seen, clarity: Clarity, found: _Found
) -> list[int]:
    """Those of some objects that stand in a relation; refused where one is a tie."""
    anchors = [read(a, view, clarity) for a in clause.anchors]
    found.anchors += anchors
    for reading in anchors:
        found.margin = min(found.margin, reading.margin)
    relation = view.relation(clause.relation)
    kept = []
    for i in chosen:
        if any(i == a.index for a in anchors):
            continue
        terms = terms_of(clause, view.bodies[i], [view.bodies[a.index] for a in anchors], view,
                         clarity)  # fmt: skip
        margin = relation(terms)
        tie = clarity.ties.get(clause.relation, relation.tie_of(terms))
        if abs(margin) <= tie:
            raise TaskError(f"a tie in {clause.relation}: {margin:.3f} {relation.unit}")
        found.rests_on(abs(margin), tie)
        if margin > 0:
            kept.append(i)
    return kept


def terms_of(
    clause: Where, subject: Body, anchors: list[Body], view: Seen, clarity: Clarity
) -> Terms:
    """What a relation is asked of."""
    is_angle = RELATIONS[clause.relation].unit == "deg"
    return Terms(
        a=subject,
        anchors=anchors,
        by=view.onlooker,
        frame=clause.frame,
        side=clause.side,
        value=clause.value or 0.0,
        tolerance=clarity.angle if is_angle else clarity.length,
        table=view.table,
    )


def _pick(chosen: list[int], rank: Rank | None, view: Seen, clarity: Clarity, found: _Found) -> int:
    if rank is None:
        if len(chosen) != 1:
            raise TaskError(f"{len(chosen)} objects fit, expected one")
        return chosen[0]
    origin = None
    if rank.anchor is not None:
        reading = read(rank.anchor, view, clarity)
        found.anchors.append(reading)
        found.margin = min(found.margin, reading.margin)
        origin = view.bodies[reading.index]
        chosen = [i for i in chosen if i != reading.index]
    place = abs(rank.position) - 1
    if len(chosen) < 2 or place >= len(chosen):
        raise TaskError(f"{len(chosen)} objects fit, too few for a rank {rank.position}")
    readings, needs = _orders(chosen, rank.axis, origin, view, clarity)
    if rank.position < 0:
        readings = -readings
    order = np.argsort(readings[0], kind="stable")
    for values, need in zip(readings, needs, strict=True):
        ahead, at, after = values[order[:place]], values[order[place]], values[order[place + 1 :]]
        least = min([at - v for v in ahead] + [v - at for v in after])
        if least < need or least <= 0:
            raise TaskError(f"a tie in {rank.axis}: {least:.3f}, expected {need:.3f}")
        found.rests_on(float(least), need)
    return chosen[int(order[place])]


def _orders(
    chosen: list[int], axis: Axis, origin: Body | None, view: Seen, clarity: Clarity
) -> tuple[Array, list[float]]:
    """Readings of an order: values [R, K] that grow along it, and the least gap of each."""
    view.check_rank(axis)
    values = view.readings[:, chosen]
    if axis == "size":
        return -values[4:], [math.log1p(clarity.size)] * 2
    if axis == "left-right":
        # perspective can turn the order on the table round in the picture
        return values[:2], [clarity.rank, 0.0]
    if axis == "front-back":
        return values[2:4], [clarity.rank, 0.0]
    bodies = [view.bodies[i] for i in chosen]
    if axis == "distance":
        assert origin is not None, "checked by the program"
        # a large thing can be nearer by its edge and farther by its middle
        return (
            np.array([[apart(b, origin) for b in bodies], [gap(b, origin) for b in bodies]]),
            [clarity.rank, 0.0],
        )
    lengths = np.array([b.height if axis == "height" else b.width for b in bodies])
    return -np.stack([lengths, np.log(lengths)]), [clarity.rank / 2, math.log1p(clarity.size)]
