"""Questions about annotated frames and pictures, with the point that answers each.

The same programs and words as in simulated scenes. Free places follow RefSpatial (arXiv 2506.04308,
appendix): a candidate is visible if the depth at its pixel is its own to 2.5 cm, and the answer is
the mean of the visible ones.
"""

import functools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage
from shapely.geometry.base import BaseGeometry

from refergym.assets import camera as pinhole
from refergym.envs import areas
from refergym.envs.annotated import flat
from refergym.envs.annotated.flat import FlatView
from refergym.envs.annotated.frame import AnnotatedFrame
from refergym.envs.annotated.picture import Picture
from refergym.envs.annotated.pixels import met, middle_of
from refergym.envs.annotated.placed import SurfaceView
from refergym.envs.annotated.surfaces import LEAST
from refergym.envs.annotated.view import FrameView
from refergym.envs.errors import TaskError
from refergym.envs.grammar import steps as steps_of
from refergym.envs.key_steps import KeyStep
from refergym.envs.language import instruct, noun_phrase
from refergym.envs.programs import (
    Beside,
    Between,
    Corner,
    Direction,
    Edge,
    Meets,
    Missing,
    Region,
    Select,
    Turn,
)
from refergym.envs.proposals import Proposer, check_steps
from refergym.envs.proposed_places import propose_region
from refergym.envs.referents import Clarity, Reading, read
from refergym.envs.regions import Limits, area_in, locate

CLEARANCE = 0.03
"""m between a free place and everything else"""
PIXELS = 40
"""least visible pixels of a free place, in a picture 224 px wide"""
RIM = 0.004
"""of the picture's width: pixels this near to another thing's are not taken for bare surface"""
TRIES = 12
"""proposals for each question that is asked for"""
_ANYWHERE: tuple[type[Region], ...] = (Beside, Between, Direction, Turn, Meets, Missing)
_ON_A_TABLE: tuple[type[Region], ...] = (*_ANYWHERE, Edge, Corner)


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """One instruction and its answer."""

    source: str
    """name of the frame or picture"""
    instruction: str
    program: Select | Region
    steps: int
    """of reasoning"""
    point_uv: tuple[float, float]
    """(u, v) in [0, 1], u right, v down: the middle of a pixel inside `mask`"""
    mask: NDArray[np.bool_]
    """[H, W] pixels that are right as well: the object's, or the visible free place"""
    facts: tuple[KeyStep, ...]
    """positions of what the words name, in the order of the reasoning: anchors before what they
    describe, the object that is meant last"""
    target: str | None
    """id of the object that is meant; none of a place"""


def questions(
    source: AnnotatedFrame | Picture,
    rng: np.random.Generator,
    *,
    steps: Sequence[int] = (1, 3),
    count: int = 8,
    places: float = 0.5,
    clarity: Clarity | None = None,
    limits: Limits | None = None,
    refused: Counter[str] | None = None,
) -> Iterator[Question]:
    """Yield different questions about a frame or a picture, fewer than `count` where it has fewer.

    Args:
        source: what is asked about. A picture has no places: objects alone are asked for.
        rng: all choices.
        steps: [least, most] steps of reasoning.
        count: questions, at most.
        places: share of them that ask for a free place, where things stand on a surface.
        clarity: margins; None takes the defaults, for pictures those of `flat.CLARITY`.
        limits: how large places are.
        refused: counts why proposals came to nothing, if given.

    Raises:
        TaskError: if `steps` or `places` is out of range.
    """
    low, high = check_steps(steps) or (1, 1)
    if not 0 <= places <= 1:
        raise TaskError(f"places: expected in [0, 1], got {places}")
    refused = Counter() if refused is None else refused
    if isinstance(source, Picture):
        asker: _Asker = _Asker(FlatView(source), clarity or flat.CLARITY, rng)
        beds: list[_PlaceAsker] = []
    else:
        view, clear = FrameView(source), clarity or Clarity()
        asker = _Asker(_with_table(view), clear, rng)
        beds = [
            _PlaceAsker(SurfaceView(view, s), clear, limits or Limits(), rng)
            for s in (view.surfaces if places > 0 else [])
        ]
    asked: set[Select | Region] = set()
    for _ in range(TRIES * count):
        if len(asked) == count:
            break
        chosen: _Asker = asker
        if beds and rng.random() < places:
            chosen = beds[int(rng.integers(len(beds)))]
        found = chosen.ask(int(rng.integers(low, high + 1)))
        if found is not None and found.program not in asked:
            asked.add(found.program)
            yield found
    for each in (asker, *beds):
        refused.update(each.refused)


def _with_table(view: FrameView) -> FrameView:
    """A view that knows the table's edges, if there is a table."""
    return view if view.the_table is None else SurfaceView(view, view.the_table)


class _Asker:
    """Asks for the objects of a view."""

    def __init__(
        self, view: FrameView | FlatView, clarity: Clarity, rng: np.random.Generator
    ) -> None:
        self.view, self.clarity, self.rng = view, clarity, rng
        self.proposer = Proposer(view, clarity, rng)

    @property
    def refused(self) -> Counter[str]:
        return self.proposer.refused

    @property
    def name(self) -> str:
        source = self.view.picture if isinstance(self.view, FlatView) else self.view.frame
        return source.name

    def ask(self, count: int) -> Question | None:
        program = self.proposer.object(count, tries=1)
        if program is None:
            return None
        reading = read(program, self.view, self.clarity)
        mask = self.view.mask(reading.index)
        return Question(
            source=self.name,
            instruction=instruct("point", program, self.rng),
            program=program,
            steps=count,
            point_uv=self.uv_of(middle_of(mask)),
            mask=mask,
            facts=self.facts([reading]),
            target=self.view.id_of(reading.index),
        )

    def facts(self, readings: Sequence[Reading]) -> tuple[KeyStep, ...]:
        found = [r for each in readings for r in each.named()[::-1]]
        return tuple(
            KeyStep(
                perception="Position",
                target=noun_phrase(r.select),
                value=self.uv_of(middle_of(self.view.mask(r.index))),
            )
            for r in found
        )

    def uv_of(self, pixel: tuple[int, int]) -> tuple[float, float]:
        return pinhole.point_of_pixel(self.view.onlooker.camera, *pixel)


class _PlaceAsker(_Asker):
    """Asks for free places on one surface of a frame."""

    view: SurfaceView

    def __init__(
        self, view: SurfaceView, clarity: Clarity, limits: Limits, rng: np.random.Generator
    ) -> None:
        super().__init__(view, clarity, rng)
        self.limits = limits
        is_table = view.surface is view.the_table
        self.kinds = _ON_A_TABLE if is_table else _ANYWHERE
        self.words = rng if is_table else None  # only canonical words do without "the table"

    def ask(self, count: int) -> Question | None:
        region = propose_region(self.proposer, count, self.kinds, tries=1)
        if region is None:
            return None
        try:
            place = locate(region, self.view, self.clarity, self.limits)
            area_in(place, self.view, self._free)
            mask = self._visible(place.polygon, region)
            pixel = self._answer(mask, place.goal)
        except TaskError as e:
            self.refused[str(e).partition(":")[0]] += 1
            return None
        return Question(
            source=self.name,
            instruction=instruct("point", region, self.words),
            program=region,
            steps=steps_of(region),
            point_uv=self.uv_of(pixel),
            mask=mask,
            facts=self.facts(place.anchors),
            target=None,
        )

    @functools.cached_property
    def _free(self) -> BaseGeometry:
        taken = self.view.in_the_way()
        without = [i for i in range(len(self.view)) if i not in taken]
        return areas.free(self.view, 0.0, CLEARANCE, without)

    def _visible(self, polygon: BaseGeometry, region: Region) -> NDArray[np.bool_]:
        """Which pixels [H, W] show a free part of a place."""
        where = polygon.intersection(self._free)
        if isinstance(region, Beside | Meets) and where.area < LEAST:
            raise TaskError("too little of the place is free")
        mask = self._bare.copy()
        ys, xs = np.nonzero(mask)
        shapely.prepare(where)
        mask[ys, xs] = shapely.contains_xy(where, *self._met[ys, xs, :2].T)
        need = PIXELS * (self.view.frame.camera.width / 224) ** 2
        if mask.sum() < need:
            raise TaskError("too little of the place is visible")
        return mask

    @functools.cached_property
    def _met(self) -> NDArray[np.float64]:
        """Where the pixels' rays meet the surface, and at what depth: [H, W, 3] m."""
        return met(self.view.frame, self.view.table_top)

    @functools.cached_property
    def _bare(self) -> NDArray[np.bool_]:
        """Which pixels [H, W] show the surface itself, its depth to 2.5 cm, away from other things.

        Depth maps are coarser than pictures, and blurred where one thing ends before another.
        """
        off = np.abs(self._met[..., 2] - self.view.frame.depth)
        bare = self.view.shows_it & (off <= areas.NEAR)  # NaN compares as too far
        rim = math.ceil(RIM * bare.shape[1])
        return np.asarray(ndimage.binary_erosion(bare, iterations=rim, border_value=1))

    def _answer(self, mask: NDArray[np.bool_], goal: NDArray[np.float64] | None) -> tuple[int, int]:
        """The pixel (x, y) of a mask that is nearest to the exact place, or to the mask's mean."""
        ys, xs = np.nonzero(mask)
        xy = self._met[ys, xs, :2]
        wish = xy.mean(0) if goal is None else goal
        off = np.hypot(*(xy - wish).T)
        best = int(off.argmin())
        if goal is not None and off[best] > areas.NEAR:
            raise TaskError("the place is hidden")
        return int(xs[best]), int(ys[best])
