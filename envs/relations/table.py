"""The 31 relations by name: what each needs, in which frames it holds, when it is a tie.

The names are those of RefSpatial (arXiv 2506.04308, appendix); what the paper leaves open is
decided in the functions' docstrings. A relation holds where its margin is above the tie, fails
where it is below minus the tie, and is not asked in between.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from shapely import Polygon

from refergym.envs.errors import TaskError
from refergym.envs.relations import orders, places, turns
from refergym.envs.relations.bodies import Body, Onlooker, Reference
from refergym.envs.types import Array

Unit = Literal["m", "deg", "share"]
"""share: of a picture's width, or of its range of depths"""
Need = Literal["side", "value", "table", "point"]

PAPER = "RefSpatial"
OURS = "RefSpatial names it; the definition is ours"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a relation is asked of."""

    a: Body | None = None
    """the subject; none where a point is asked about"""
    anchors: Sequence[Body] = ()
    by: Onlooker
    frame: Reference = "viewer"
    side: str = ""
    """a semantic direction of the anchor: "handle" """
    value: float = 0.0
    """m or degrees, of relations that compare with a number"""
    tolerance: float = 0.0
    """m or degrees round that number"""
    table: Polygon | None = None
    """outline of the support, m"""
    others: Sequence[Body] = ()
    """what else takes room on it"""
    point: Array | None = None
    """[2] m"""


@dataclass(frozen=True, kw_only=True)
class Relation:
    """One relation."""

    name: str
    margin: Callable[[Terms], float]
    """by how much it holds, in `unit`"""
    unit: Unit
    tie: float
    """in `unit`: less than this, either way, is not asked"""
    share: float = 0.0
    """of the greater of two compared values: less than this is a tie as well"""
    compared: Callable[[Body], float] | None = None
    """what `share` is of"""
    anchors: int = 1
    frames: tuple[Reference, ...]
    needs: tuple[Need, ...] = ()
    source: str

    def __call__(self, terms: Terms) -> float:
        """Return the margin.

        Raises:
            TaskError: if the terms lack something, or the frame is not one of its own.
        """
        if terms.frame not in self.frames:
            raise TaskError(
                f"{self.name}: frame {terms.frame!r}: expected one of {', '.join(self.frames)}"
            )
        if len(terms.anchors) != self.anchors:
            raise TaskError(
                f"{self.name}: expected {self.anchors} anchors, got {len(terms.anchors)}"
            )
        missing = [n for n in self.needs if _lacks(terms, n)]
        if "point" not in self.needs and terms.a is None:
            missing.append("a")  # type: ignore[arg-type]
        if missing:
            raise TaskError(f"{self.name}: needs {', '.join(missing)}")
        return self.margin(terms)

    def tie_of(self, terms: Terms) -> float:
        """Return the margin, either way, up to which these terms are a tie."""
        if self.compared is None or terms.a is None:
            return self.tie
        values = [self.compared(b) for b in (terms.a, *terms.anchors)]
        return max(self.tie, self.share * max(values))

    def holds(self, terms: Terms, tie: float | None = None) -> bool | None:
        """Tell whether it holds; None where it is a tie.

        Args:
            terms: what it is asked of.
            tie: in `unit`; None takes the relation's own.
        """
        margin, least = self(terms), self.tie_of(terms) if tie is None else tie
        return None if abs(margin) <= least else margin > 0


def _lacks(terms: Terms, need: Need) -> bool:
    if need == "side":
        return not terms.side
    if need == "value":
        return terms.tolerance <= 0
    return (terms.table if need == "table" else terms.point) is None


def _body(t: Terms) -> Body:
    assert t.a is not None, "checked by Relation"
    return t.a


def _outline(t: Terms) -> Polygon:
    assert t.table is not None, "checked by Relation"
    return t.table


def _pair(function: Callable[[Body, Body], float]) -> Callable[[Terms], float]:
    return lambda t: function(_body(t), t.anchors[0])


def _seen(function: Callable[[Body, Body, Onlooker], float]) -> Callable[[Terms], float]:
    return lambda t: function(_body(t), t.anchors[0], t.by)


def _framed(
    function: Callable[[Body, Body, Onlooker, Reference, str], float],
) -> Callable[[Terms], float]:
    return lambda t: function(_body(t), t.anchors[0], t.by, t.frame, t.side)


def _near(function: Callable[[Body, Body, Onlooker, Reference], float]) -> Callable[[Terms], float]:
    return lambda t: function(_body(t), t.anchors[0], t.by, t.frame)


def _sided(function: Callable[[Body, Body, str], float]) -> Callable[[Terms], float]:
    return lambda t: function(_body(t), t.anchors[0], t.side)


def _free(t: Terms) -> float:
    return places.free(np.asarray(t.point), t.value, _outline(t), t.others)


_SIDES: tuple[Reference, ...] = ("viewer", "object", "robot")
_WHO: tuple[Reference, ...] = ("viewer", "robot")
_VIEW: tuple[Reference, ...] = ("viewer",)
_WORLD: tuple[Reference, ...] = ("world", "viewer", "robot")
"""frames that make no difference: a height is a height for everybody"""
_OWN: tuple[Reference, ...] = ("object",)


def _height(body: Body) -> float:
    return body.height


def _width(body: Body) -> float:
    return body.width


def _size(body: Body) -> float:
    return body.size


_ALL = (
    Relation(name="close", margin=_near(orders.close), unit="m", tie=0.02, frames=_WHO,
             source=PAPER),
    Relation(name="far", margin=_near(orders.far), unit="m", tie=0.02, frames=_WHO, source=PAPER),
    Relation(name="above", margin=_seen(orders.image_above), unit="deg", tie=1.0, frames=_VIEW,
             source=PAPER),
    Relation(name="below", margin=_seen(orders.image_below), unit="deg", tie=1.0, frames=_VIEW,
             source=PAPER),
    Relation(name="depth", margin=_seen(orders.depth), unit="m", tie=0.02, frames=_VIEW,
             source=OURS),
    Relation(name="left", margin=_framed(orders.left), unit="m", tie=0.02, frames=_SIDES,
             source=PAPER),
    Relation(name="right", margin=_framed(orders.right), unit="m", tie=0.02, frames=_SIDES,
             source=PAPER),
    Relation(name="front", margin=_framed(orders.front), unit="m", tie=0.02, frames=_SIDES,
             source=PAPER),
    Relation(name="behind", margin=_framed(orders.behind), unit="m", tie=0.02, frames=_SIDES,
             source=PAPER),
    Relation(name="tall", margin=_pair(orders.tall), unit="m", tie=0.01, share=0.1,
             compared=_height, frames=_WORLD, source=PAPER),
    Relation(name="short", margin=_pair(orders.short), unit="m", tie=0.01, share=0.1,
             compared=_height, frames=_WORLD, source=PAPER),
    Relation(name="big", margin=_pair(orders.big), unit="m", tie=0.005, share=0.1,
             compared=_size, frames=_WORLD, source=PAPER),
    Relation(name="small", margin=_pair(orders.small), unit="m", tie=0.005, share=0.1,
             compared=_size, frames=_WORLD, source=PAPER),
    Relation(name="wide", margin=_pair(orders.wide), unit="m", tie=0.01, share=0.1,
             compared=_width, frames=_WORLD, source=PAPER),
    Relation(name="thin", margin=_pair(orders.thin), unit="m", tie=0.01, share=0.1,
             compared=_width, frames=_WORLD, source=PAPER),
    Relation(name="world_above", margin=_pair(orders.world_above), unit="m", tie=0.02,
             frames=_WORLD, source=PAPER),
    Relation(name="world_below", margin=_pair(orders.world_below), unit="m", tie=0.02,
             frames=_WORLD, source=PAPER),
    Relation(name="distance", unit="m", tie=0.01, frames=_WORLD, needs=("value",), source=PAPER,
             margin=lambda t: places.distance(_body(t), t.anchors[0], t.value, t.tolerance)),
    Relation(name="between", unit="m", tie=0.01, anchors=2, frames=_WORLD, source=PAPER,
             margin=lambda t: places.between(_body(t), t.anchors[0], t.anchors[1])),
    Relation(name="face", margin=_sided(places.face), unit="deg", tie=8.0, frames=_OWN,
             needs=("side",), source=PAPER),
    Relation(name="back", margin=_sided(places.back), unit="deg", tie=8.0, frames=_OWN,
             needs=("side",), source=PAPER),
    Relation(name="edge", unit="m", tie=0.02, anchors=0, frames=_WORLD, needs=("table",),
             source=PAPER, margin=lambda t: places.edge(_body(t), _outline(t))),
    Relation(name="corner", unit="m", tie=0.03, anchors=0, frames=_WORLD, needs=("table",),
             source=PAPER, margin=lambda t: places.corner(_body(t), _outline(t))),
    Relation(name="free_space", unit="m", tie=0.005, anchors=0, frames=_WORLD,
             needs=("table", "point"), source=PAPER, margin=_free),
    Relation(name="inside", margin=_pair(places.inside), unit="m", tie=0.005, frames=_WORLD,
             source=PAPER),
    Relation(name="outside", margin=_pair(places.outside), unit="m", tie=0.005, frames=_WORLD,
             source=PAPER),
    Relation(name="touch", margin=_pair(places.touch), unit="m", tie=0.003, frames=_WORLD,
             source=PAPER),
    Relation(name="far_from", margin=_pair(places.far_from), unit="m", tie=0.02, frames=_WORLD,
             source=PAPER),
    Relation(name="vertical_rotate", unit="deg", tie=5.0, anchors=0, frames=_WORLD,
             needs=("value",), source=OURS,
             margin=lambda t: turns.vertical_rotate(_body(t), t.value, t.tolerance)),
    Relation(name="horizontal_rotate", unit="deg", tie=5.0, frames=_OWN, needs=("side", "value"),
             source=OURS,
             margin=lambda t: turns.horizontal_rotate(
                 _body(t), t.anchors[0], t.side, t.value, t.tolerance)),
    Relation(name="angle", unit="deg", tie=5.0, anchors=2, frames=_WORLD, needs=("value",),
             source=OURS,
             margin=lambda t: turns.angle(
                 t.anchors[0], _body(t), t.anchors[1], t.value, t.tolerance)),
)  # fmt: skip

RELATIONS: Mapping[str, Relation] = MappingProxyType({r.name: r for r in _ALL})
"""by name"""
OPPOSITE: Mapping[str, str] = MappingProxyType(
    {
        a: b
        for pair in (
            "close far", "above below", "left right", "front behind", "tall short", "big small",
            "wide thin", "world_above world_below", "inside outside",
        )
        for a, b in (pair.split(), pair.split()[::-1])
    }
)  # fmt: skip
"""relations whose margins add up to nothing"""
