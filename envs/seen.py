"""What programs need of what is seen, whatever it comes from.

A simulated scene's `view.View` has it, and so has a frame that somebody annotated
(`annotated.view`). `Seen` is enough to say which object is meant; `Placed` has a surface on which
places are as well; `Laid` is the same without the picture. World frame, metres, z up.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon

from refergym.envs.programs import Axis
from refergym.envs.relations.bodies import Body, Onlooker
from refergym.envs.relations.table import Relation
from refergym.envs.types import Array, Side


class Named(Protocol):
    """One thing by its words."""

    @property
    def index(self) -> int:
        """Its place among the things."""
        ...

    @property
    def category(self) -> str:
        """English noun, singular."""
        ...

    @property
    def colour(self) -> str | None:
        """The colour's name if it may be said."""
        ...

    @property
    def material(self) -> str | None:
        """The material's name if it is known."""
        ...

    @property
    def flat_top(self) -> bool:
        """Whether things can stand on it."""
        ...


class Shown(Named, Protocol):
    """One thing as it stands."""

    @property
    def footprint(self) -> Polygon:
        """Convex outline seen from above, m."""
        ...

    @property
    def centre(self) -> Array:
        """[2] m, the middle of its box seen from above."""
        ...

    @property
    def bottom(self) -> float:
        """Height of its lowest point, m."""
        ...

    @property
    def top(self) -> float:
        """Height of its highest point, m."""
        ...

    @property
    def radius(self) -> float:
        """m, of the circle round the centre that holds the footprint."""
        ...


class Seen(Protocol):
    """Things with the picture that a viewer has of them."""

    def __len__(self) -> int:
        """Count the things."""
        ...

    def thing(self, index: int) -> Named:
        """Return a thing."""
        ...

    @property
    def things(self) -> Sequence[Named]:
        """All things, by index."""
        ...

    @property
    def bodies(self) -> Sequence[Body]:
        """All things as relations see them, by index."""
        ...

    @property
    def onlooker(self) -> Onlooker:
        """Who looks."""
        ...

    @property
    def pixels(self) -> NDArray[np.int64]:
        """[N] visible pixels of each thing."""
        ...

    def share(self, index: int) -> float:
        """Visible share of a thing's silhouette, [0, 1]."""
        ...

    @property
    def readings(self) -> Array:
        """What orders are read from: rows [6, N].

        Two that grow to the right, two that grow away from the viewer, two that grow with size.
        """
        ...

    @property
    def table(self) -> Polygon | None:
        """Outline of the surface that things stand on, m, if it is known."""
        ...

    def relation(self, name: str) -> Relation:
        """Return a relation; raises TaskError, with what is missing, if it can't be told here."""
        ...

    def check_rank(self, axis: Axis) -> None:
        """Raise TaskError, with what is missing, if an order can't be told here."""
        ...


class Laid(Protocol):
    """Things on a surface."""

    def thing(self, index: int) -> Shown:
        """Return a thing."""
        ...

    @property
    def things(self) -> Sequence[Shown]:
        """All things, by index."""
        ...

    @property
    def table(self) -> Polygon:
        """Outline of the surface, m."""
        ...

    @property
    def table_top(self) -> float:
        """Height of the surface, m."""
        ...

    @property
    def axes(self) -> tuple[Array, Array]:
        """The viewer's right and near directions on the surface, [2] each, unit length."""
        ...

    def direction(self, side: Side) -> Array:
        """Return a side as the viewer sees it as a unit vector [2] on the surface."""
        ...

    def is_on_table(self, index: int) -> bool:
        """Tell whether a thing stands on the surface itself, not in or on another thing."""
        ...

    def above(self, index: int) -> Sequence[int]:
        """Things that stand on or in a thing."""
        ...


class Placed(Laid, Seen, Protocol):
    """Things that are seen on a surface."""
