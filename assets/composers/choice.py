"""Which things stand on the table: assets and scales that fit, with duplicates and stacks."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from refergym.assets.composers.base import Wants
from refergym.assets.composers.params import SceneParams, TabletopParams
from refergym.assets.composers.search import Misfit
from refergym.assets.errors import ComposeError
from refergym.assets.footprints import Outline, outline
from refergym.assets.library import AssetInfo, Pack

PLAY = 0.004
"""m between a thing and the wall of the container it stands in"""
RESERVE = 0.006
"""m2 kept for each object still to be chosen, so that a first big plate leaves room for others"""
DRAWS = 40
"""assets drawn for one place in the scene"""
_GRID = 25


@dataclass(frozen=True, kw_only=True)
class Item:
    """An asset at a scale, chosen for a scene."""

    info: AssetInfo
    shape: Outline
    scale: float
    is_wanted: bool = False
    """asked for by the task: on the table, in reach, and nothing in or on it"""
    parent: int | None = None
    """index of the item that it stands in or on"""

    @property
    def radius(self) -> float:
        """Radius in m of the circle round its middle that holds it."""
        return self.shape.outer * self.scale

    @property
    def tallness(self) -> float:
        """Height, m."""
        return self.info.size[2] * self.scale

    @property
    def bulk(self) -> float:
        """Mean side, m: what size ranks compare."""
        return math.prod(self.info.size) ** (1 / 3) * self.scale

    def room(self) -> float:
        """Radius in m of what it can hold or carry round its middle; 0 for other things."""
        if self.info.cavity is not None:
            return max(0.0, self.info.cavity.radius * self.scale - PLAY)
        return 0.8 * self.shape.inner * self.scale if self.info.flat_top else 0.0


class Catalogue:
    """The pack's assets with the scales that the parameters allow."""

    def __init__(self, pack: Pack, params: SceneParams) -> None:
        """Sort the pack's items; furniture is left out.

        Raises:
            ComposeError: if a category is unknown, or if nothing is left.
        """
        self.pack = pack
        self.params = params
        items = [a for a in pack.manifest.assets if a.use == "item"]
        known = sorted({a.category for a in items})
        for category in params.categories or ():
            if category not in known:
                raise ComposeError(
                    f"scene.categories: {category!r} is not in pack {pack.manifest.name!r} "
                    f"(has: {', '.join(known)})"
                )
        self.scales: dict[str, tuple[float, float]] = {}
        self.categories: dict[str, list[AssetInfo]] = {}
        for info in items:
            if not self.allows(info):
                continue
            low, high = self._limits(info)
            if low <= high:
                self.scales[info.name] = (low, high)
                self.categories.setdefault(info.category, []).append(info)
        if not self.categories:
            raise ComposeError(
                f"scene: no asset of pack {pack.manifest.name!r} in splits "
                f"{', '.join(params.splits)} has a scale in "
                f"[{params.scale[0]:g}, {params.scale[1]:g}] within "
                "max_extent, max_height and min_width"
            )
        self.graspable = {
            a.name: scales
            for assets in self.categories.values()
            for a in assets
            if (scales := [s for s in self._grid(a) if a.grasp_rate(s) >= params.min_grasp_rate])
        }
        self.names = sorted(self.categories)
        self.receptacles = [
            a
            for assets in self.categories.values()
            for a in assets
            if a.cavity is not None or a.flat_top
        ]

    def allows(self, info: AssetInfo) -> bool:
        """Tell whether scenes may show an asset, by its category and its split."""
        categories = self.params.categories
        return info.split in self.params.splits and (
            categories is None or info.category in categories
        )

    def item(
        self,
        info: AssetInfo,
        scale: float,
        is_wanted: bool = False,
        parent: int | None = None,
    ) -> Item:
        """Make an item."""
        shape = outline(self.pack, info.name)
        scale = round(scale, 4)
        return Item(info=info, shape=shape, scale=scale, is_wanted=is_wanted, parent=parent)

    def draw(self, assets: Sequence[AssetInfo], rng: np.random.Generator) -> Item:
        """Draw one of some of the catalogue's assets, and its scale."""
        info = assets[int(rng.integers(len(assets)))]
        return self.item(info, rng.uniform(*self.scales[info.name]))

    def draw_graspable(self, rng: np.random.Generator, category: str | None = None) -> Item:
        """Draw a category, an asset and a scale that the gripper is known to pick up.

        Args:
            rng: draws.
            category: of these only; None draws one.
        """
        pool = self.graspable
        if category is None:
            category = _pick(sorted({self.pack[n].category for n in pool}), rng)
        name = _pick([n for n in pool if self.pack[n].category == category], rng)
        scales = pool[name]
        scale = scales[int(rng.integers(len(scales)))]
        return self.item(self.pack[name], scale, is_wanted=True)

    def _limits(self, info: AssetInfo) -> tuple[float, float]:
        p = self.params
        sides = sorted(info.size)
        longest = max(info.size[0], info.size[1])
        low = max(p.scale[0], p.min_width / sides[1])
        high = min(p.scale[1], p.max_height / info.size[2], p.max_extent / longest)
        return math.ceil(low * 1e4) / 1e4, math.floor(high * 1e4) / 1e4

    def _grid(self, info: AssetInfo) -> list[float]:
        low, high = self.scales[info.name]
        return [low + (high - low) * k / (_GRID - 1) for k in range(_GRID)]


def choose(
    catalogue: Catalogue,
    params: TabletopParams,
    count: int,
    wants: Wants,
    rng: np.random.Generator,
    alike: Sequence[Item] = (),
) -> list[Item]:
    """Choose `count` items that fit on the table together; parents stand before their children.

    Args:
        catalogue: assets and scales.
        params: shares, margins.
        count: of all items.
        wants: what a task needs.
        rng: all choices.
        alike: of a row or grid; these come first, and nothing else is of their category.

    Raises:
        Misfit: if the draws do not come together.
    """
    return _Choice(catalogue, params, count, rng, alike).run(wants)


class _Choice:
    def __init__(
        self,
        catalogue: Catalogue,
        p: TabletopParams,
        count: int,
        rng: np.random.Generator,
        alike: Sequence[Item],
    ) -> None:
        self.catalogue, self.params, self.count, self.rng = catalogue, p, count, rng
        width = p.region_x[1] - p.region_x[0] + 2 * p.spill
        depth = p.region_y[1] - p.region_y[0] + 2 * p.spill
        self.left = width * depth * p.density[1]
        self.items = list(alike)
        # one more than there are: their free place
        for item in (*alike, *alike[:1]):
            self.left -= item.shape.grown_area(item.scale, p.margin / 2)
        self.taken = {item.info.category for item in alike}

    def run(self, wants: Wants) -> list[Item]:
        if wants.alike:
            self._alike(wants.alike, wants.category)
        for _ in range(wants.graspable - wants.alike):
            self._add(self._graspable, "graspable objects do not fit the table")
        for _ in range(wants.receptacles):
            self._add(self._receptacle, "receptacles do not fit the table")
        if not (self.taken or wants.alike) and (
            wants.duplicates or self.rng.random() < self.params.duplicates
        ):
            self._duplicate(wants.duplicates)
        while len(self.items) < self.count:
            self._add(self._any, "sizes do not fit the table")
            self._stack()
        return self.items

    def _alike(self, count: int, category: str) -> None:
        """Append graspable things of one category (empty: any); nothing else is of it."""
        if not category:
            category = self._graspable().info.category
        elif category not in {self.catalogue.pack[n].category for n in self.catalogue.graspable}:
            raise Misfit(f"there is no graspable {category} to choose")
        for _ in range(count):
            self._add(
                lambda: self.catalogue.draw_graspable(self.rng, category),
                "graspable objects of one category do not fit the table",
                suits=lambda _: True,
            )
        self.taken = {*self.taken, category}

    def _duplicate(self, is_needed: bool) -> None:
        room = self.count - len(self.items)
        several = {c for c, assets in self.catalogue.categories.items() if len(assets) > 1}
        groups = sorted(several or self.catalogue.categories)
        taken = sorted({i.info.category for i in self.items})
        category = self._pick(taken if taken and self.rng.random() < 0.5 else groups)
        low, high = self.params.duplicate_counts
        there = sum(i.info.category == category for i in self.items)
        more = min(int(self.rng.integers(low, high + 1)) - there, room)
        for _ in range(more):
            try:
                self._add(lambda: self._of(category), "duplicates do not fit the table")
            except Misfit:
                if is_needed:
                    raise
                return
        names = [i.info.category for i in self.items]
        if is_needed and len(set(names)) == len(names):
            raise Misfit("duplicates do not fit the table")

    def _add(
        self,
        draw: Callable[[], Item],
        cause: str,
        suits: Callable[[Item], bool] | None = None,
    ) -> None:
        """Append the first drawn item that leaves room for the rest and differs from its like."""
        suits = suits or self._differs
        reserve = RESERVE * (self.count - len(self.items) - 1)
        for _ in range(DRAWS):
            item = draw()
            area = item.shape.grown_area(item.scale, self.params.margin / 2)
            if area <= self.left - reserve and suits(item):
                self.left -= area
                self.items.append(item)
                return
        raise Misfit(cause)

    def _differs(self, item: Item) -> bool:
        if item.info.category in self.taken:
            return False
        gap = 1 + self.params.duplicate_gap
        for other in self.items:
            if other.info.category == item.info.category:
                ratio = item.bulk / other.bulk
                if 1 / gap < ratio < gap:
                    return False
        return True

    def _stack(self) -> None:
        """Now and then put something into or onto the last item."""
        parent = self.items[-1]
        is_container = parent.info.cavity is not None
        share = self.params.inside if is_container else self.params.on_top
        if not can_carry(parent, self.params) or len(self.items) >= self.count:
            return
        if self.rng.random() >= share:
            return
        k = len(self.items) - 1
        child = draw_child(self.catalogue, parent, k, self._any, self._differs, self.rng)
        if child is not None:
            self.items.append(child)

    def _any(self) -> Item:
        return self._of(self._pick(self.catalogue.names))

    def _of(self, category: str) -> Item:
        """Draw among the category's assets that are used least."""
        assets = self.catalogue.categories[category]
        there = [i.info.shape for i in self.items if i.info.category == category]
        if there:
            used = [there.count(a.shape) for a in assets]
            assets = [a for a, n in zip(assets, used, strict=True) if n == min(used)]
        return self.catalogue.draw(assets, self.rng)

    def _graspable(self) -> Item:
        return self.catalogue.draw_graspable(self.rng)

    def _receptacle(self) -> Item:
        """Draw one; most draws insist on room for a wanted graspable."""
        smallest = min((i.radius for i in self.items if i.is_wanted), default=0.0)
        pool = self.catalogue.receptacles
        for k in range(DRAWS):
            info = pool[int(self.rng.integers(len(pool)))]
            scale = self.rng.uniform(*self.catalogue.scales[info.name])
            item = self.catalogue.item(info, scale, is_wanted=True)
            if item.room() >= smallest or k == DRAWS - 1:
                break
        return item

    def _pick(self, names: list[str]) -> str:
        return _pick(names, self.rng)


def _pick(names: list[str], rng: np.random.Generator) -> str:
    return names[int(rng.integers(len(names)))]


def can_carry(parent: Item, params: SceneParams) -> bool:
    """Tell whether a thing has room for another in or on it."""
    is_low = parent.info.cavity is not None or parent.tallness <= params.carrier_height
    return is_low and parent.room() > 0


def draw_child(
    catalogue: Catalogue,
    parent: Item,
    index: int,
    draw: Callable[[], Item],
    suits: Callable[[Item], bool],
    rng: np.random.Generator,
) -> Item | None:
    """Draw something that goes into or onto an item, at a scale that fits.

    Args:
        catalogue: assets and scales.
        parent: the container, or the flat top.
        index: of the parent, among the scene's items.
        draw: draws an asset.
        suits: refuses what the scene has already.
        rng: for the scale.
    """
    room, cavity = parent.room(), parent.info.cavity
    depth = 0.0 if cavity is None else cavity.depth * parent.scale
    for _ in range(DRAWS):
        child = draw()
        low, high = catalogue.scales[child.info.name]
        high = min(high, room / child.shape.outer)
        high = min(high, (catalogue.params.carried_height + depth) / child.info.size[2])
        if high < low:
            continue
        child = catalogue.item(child.info, rng.uniform(low, high), parent=index)
        # what stands in a container has to come up to half its depth, or nobody sees it
        if child.tallness >= 0.5 * depth and suits(child):
            return child
    return None
