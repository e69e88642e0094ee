"""Pictures with boxes in 2D, and relative depth at best: what can be said of them without metres.

Lengths are shares of the picture's width; nearness is in shares of its range in the picture. Told
are left, right, above and below, where both edges of the boxes agree, and, with relative depth,
front, behind, close, far and depth, where the middle halves of the boxes' depths agree. Everything
else needs metric 3D and is refused by name: heights, widths and sizes too, as a thing that looks
larger may only be nearer.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon

from refergym.assets.spec import CameraSpec, Pose
from refergym.envs.annotated.picture import FlatObject, Picture
from refergym.envs.errors import TaskError
from refergym.envs.programs import Axis
from refergym.envs.referents import Clarity
from refergym.envs.relations.bodies import Body, Onlooker
from refergym.envs.relations.table import OURS, Relation, Terms
from refergym.envs.types import Array

CLARITY = Clarity(rank=0.05)
"""margins for pictures: neighbours in an order are a twentieth of the picture's width, or of its
range of depths, apart"""
TIE = 0.05
"""share up to which a relation, either way, is not asked"""
HALF_SEEN = 0.5
"""share that is taken to be visible of what is marked as occluded, or as cut by the picture's edge;
the marks do not say how much"""


@dataclass(frozen=True, kw_only=True)
class FlatThing:
    """One object of a picture by its words."""

    index: int
    category: str
    colour: str | None
    material: str | None
    flat_top: bool = False
    """nothing is known of its top"""


class FlatView:
    """A picture as programs see it; it says which object is meant, and knows no places."""

    def __init__(self, picture: Picture) -> None:
        """Keep the picture; nothing is computed yet."""
        self.picture = picture

    def __len__(self) -> int:
        """Count the things."""
        return len(self.picture.objects)

    def thing(self, index: int) -> FlatThing:
        """Return a thing."""
        return self.things[index]

    def id_of(self, index: int) -> str:
        """Return a thing's id in the picture."""
        return self.picture.objects[index].id

    @functools.cached_property
    def things(self) -> list[FlatThing]:
        """All things, in the picture's order."""
        return [
            FlatThing(index=i, category=o.category, colour=o.colour, material=o.material)
            for i, o in enumerate(self.picture.objects)
        ]

    @functools.cached_property
    def bodies(self) -> list[Body]:
        """All things as flat boxes that stand in the picture's plane: x right, z up, in its widths.

        y is minus the nearness; its two sides are the edges of the middle half of the box's depths.
        """
        width = self.picture.rgb.shape[1]
        return [
            _body(o, np.array(o.box) / width, d)
            for o, d in zip(self.picture.objects, self._depths, strict=True)
        ]

    @functools.cached_property
    def onlooker(self) -> Onlooker:
        """A camera of the picture's size; nothing else of it means anything."""
        height, width = self.picture.rgb.shape[:2]
        camera = CameraSpec(width=width, height=height, fx=width, fy=width, cx=width / 2,
                            cy=height / 2, pose=Pose(position=(0.0, 0.0, 0.0)))  # fmt: skip
        return Onlooker(camera=camera)

    def mask(self, index: int) -> NDArray[np.bool_]:
        """Return a thing's box as pixels [H, W], without smaller boxes, which may be before it."""
        return np.asarray(self._drawn == index)

    @functools.cached_property
    def pixels(self) -> NDArray[np.int64]:
        """[N] pixels of each thing's mask."""
        drawn = self._drawn
        return np.bincount(drawn[drawn >= 0].ravel(), minlength=len(self))

    def share(self, index: int) -> float:
        """Share of a box that no smaller one covers, less for each mark; 0 of what is not sure."""
        o = self.picture.objects[index]
        if not o.is_sure:
            return 0.0
        rows, columns = _window(o)
        area = (rows.stop - rows.start) * (columns.stop - columns.start)
        seen = float(self.pixels[index]) / area
        marks = int(o.is_occluded) + int(o.is_cut)
        return float(seen * HALF_SEEN**marks)

    @functools.cached_property
    def readings(self) -> Array:
        """What orders are read from, rows [6, N]: left and right edges; depths; no sizes."""
        rows = np.full((6, len(self)), np.nan)
        for i, b in enumerate(self.bodies):
            low, high = b.middle - b.half, b.middle + b.half
            rows[:4, i] = low[0], high[0], low[1], high[1]
        return rows

    @property
    def table(self) -> Polygon | None:
        """None: a picture says nothing of surfaces."""
        return None

    def relation(self, name: str) -> Relation:
        """Return a relation as the picture tells it."""
        if name not in _TOLD or (name in _BY_DEPTH and self.picture.nearness is None):
            lacks = "relative depth" if name in _BY_DEPTH else "metric 3D"
            raise TaskError(f"{name}: needs {lacks}, which this picture does not have")
        return _TOLD[name]

    def check_rank(self, axis: Axis) -> None:
        """Let orders from left to right pass, and from front to back where depth is known."""
        if axis == "left-right" or (axis == "front-back" and self.picture.nearness is not None):
            return
        lacks = "relative depth" if axis == "front-back" else "metric 3D"
        raise TaskError(f"rank by {axis}: needs {lacks}, which this picture does not have")

    @functools.cached_property
    def _drawn(self) -> NDArray[np.int32]:
        """Index of the smallest box over each pixel [H, W], or -1."""
        drawn = np.full(self.picture.rgb.shape[:2], -1, np.int32)
        order = sorted(range(len(self)), key=lambda i: -_area(self.picture.objects[i]))
        for i in order:
            drawn[_window(self.picture.objects[i])] = i
        return drawn

    @functools.cached_property
    def _depths(self) -> list[tuple[float, float]]:
        """Of each thing, minus the nearness that the middle half of its pixels lies between."""
        near = self.picture.nearness
        if near is None:
            return [(np.nan, np.nan)] * len(self)
        span = float(np.ptp(near))
        away = (near.max() - near) / span if span > 0 else np.zeros_like(near)
        found = []
        for i, o in enumerate(self.picture.objects):
            values = away[self.mask(i)]
            values = values if len(values) else away[_window(o)].ravel()
            low, high = np.quantile(values, (0.25, 0.75))
            found.append((float(low), float(high)))
        return found


def _area(o: FlatObject) -> float:
    return (o.box[2] - o.box[0]) * (o.box[3] - o.box[1])


def _window(o: FlatObject) -> tuple[slice, slice]:
    x0, y0, x1, y1 = o.box
    return (
        slice(int(y0), max(int(y0) + 1, round(y1))),
        slice(int(x0), max(int(x0) + 1, round(x1))),
    )


def _body(o: FlatObject, box: Array, depths: tuple[float, float]) -> Body:
    low = np.array([box[0], depths[0], -box[3]])
    high = np.array([box[2], depths[1], -box[1]])
    return Body(
        name=o.id,
        category=o.category,
        rotation=np.eye(3),
        middle=(low + high) / 2,
        half=(high - low) / 2,
        corners=np.stack([low, high]),
        colour=o.colour,
        material=o.material,
    )


def _along(axis: int, sign: float) -> Callable[[Terms], float]:
    """By how much both ends of `a` lie further along an axis than those of its anchor."""

    def margin(terms: Terms) -> float:
        assert terms.a is not None, "checked by Relation"
        a, b = terms.a, terms.anchors[0]
        low = sign * float((a.middle - a.half - b.middle + b.half)[axis])
        high = sign * float((a.middle + a.half - b.middle - b.half)[axis])
        if low * high <= 0:
            return 0.0
        return low if abs(low) < abs(high) else high

    return margin


_BY_DEPTH = ("front", "behind", "close", "far", "depth")
_SIGNS = {
    "right": (0, 1.0), "left": (0, -1.0), "above": (2, 1.0), "below": (2, -1.0),
    "behind": (1, 1.0), "far": (1, 1.0), "front": (1, -1.0), "close": (1, -1.0),
    "depth": (1, -1.0),
}  # fmt: skip
_TOLD: Mapping[str, Relation] = MappingProxyType(
    {
        name: Relation(
            name=name,
            margin=_along(*sign),
            unit="share",
            tie=TIE,
            frames=("viewer",),
            source=OURS,
        )
        for name, sign in _SIGNS.items()
    }
)
