"""An annotated frame with the one of its surfaces that places are asked on.

World frame, metres.
"""

import functools

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon

from refergym.envs.annotated import outlines, surfaces
from refergym.envs.annotated.surfaces import Surface
from refergym.envs.annotated.view import FrameView
from refergym.envs.errors import TaskError
from refergym.envs.relations.bodies import Body, sided
from refergym.envs.relations.table import Relation
from refergym.envs.types import Array, Side

HEADROOM = 0.25
"""m over a surface that a free place has"""


class SurfaceView(FrameView):
    """A frame with the one of its surfaces that places are asked on."""

    def __init__(self, view: FrameView, surface: Surface) -> None:
        """Take over what the view has worked out."""
        super().__init__(view.frame)
        self.__dict__.update(view.__dict__)
        self.surface = surface

    @property
    def table(self) -> Polygon:
        """Outline of the surface, m."""
        return self.surface.polygon

    @property
    def table_top(self) -> float:
        """Height of the surface, m."""
        return self.surface.height

    @property
    def axes(self) -> tuple[Array, Array]:
        """The viewer's right and near directions, [2] each, unit length, world."""
        return self.onlooker.axes

    def direction(self, side: Side) -> Array:
        """Return a side as the viewer sees it as a unit vector [2], world."""
        return sided(self.axes, side)

    def is_on_table(self, index: int) -> bool:
        """Tell whether a thing stands on the surface itself, not in or on another thing."""
        return self.below[index] < 0 and self.surface.carries(self.bodies[index])

    def above(self, index: int) -> list[int]:
        """Things that stand on or in a thing."""
        return [i for i, b in enumerate(self.below) if b == index]

    @functools.cached_property
    def shows_it(self) -> NDArray[np.bool_]:
        """Which pixels [H, W] show no thing but, if it is one, the surface's owner."""
        owner = None if self.surface.owner is None else self.surface.owner.id
        own = [o.id == owner for o in self._objects]
        return np.array([*own, True])[self.ids]  # -1 takes the last

    def in_the_way(self) -> list[int]:
        """Things that take room on the surface, or hang lower over it than `HEADROOM`."""
        low, high = self.table_top + surfaces.LEVEL, self.table_top + HEADROOM
        return [i for i, b in enumerate(self.bodies) if b.top > low and b.bottom < high]

    def relation(self, name: str) -> Relation:
        """Return a relation as boxes and the surface tell it.

        The table's edges and corners are told of things that stand on it.
        """
        relation = outlines.relation_of(name, self._round)
        if "table" not in relation.needs:
            return relation
        if self.surface is not self.the_table:
            raise TaskError(f"{name}: needs one table alone, with the edges of its box")
        return outlines.only_of(relation, self._stands)

    def _stands(self, body: Body) -> bool:
        return any(b is body and self.is_on_table(i) for i, b in enumerate(self.bodies))
