"""Things on a table: what they are, where they stand, and what stands in or on what."""

import dataclasses
import math
from collections.abc import Collection
from dataclasses import dataclass

from shapely import Polygon

from refergym.assets.composers.choice import Item
from refergym.assets.composers.layout import Place, joined, resting
from refergym.assets.footprints import placed
from refergym.assets.library import Pack


@dataclass(frozen=True, kw_only=True)
class Things:
    """Items and their places in one frame; parents come before their children."""

    items: tuple[Item, ...]
    places: tuple[Place, ...]

    def __len__(self) -> int:
        """Count them."""
        return len(self.items)

    @property
    def roots(self) -> list[int]:
        """Those that stand on the table itself."""
        return [k for k, item in enumerate(self.items) if item.parent is None]

    def footprint(self, index: int) -> Polygon:
        """Return what a thing covers, m."""
        return covered(self.items[index], self.places[index])

    def children(self, index: int) -> list[int]:
        """Return what stands straight in or on a thing."""
        return [k for k, item in enumerate(self.items) if item.parent == index]

    def stack(self, index: int) -> list[int]:
        """Return a thing, what stands in or on it, what stands on that, and so on."""
        found = [index]
        for k in range(index + 1, len(self)):
            if self.items[k].parent in found:
                found.append(k)
        return found

    def below(self, index: int) -> list[int]:
        """Return what a thing stands in or on, what that stands on, and so on."""
        found, parent = [], self.items[index].parent
        while parent is not None:
            found.append(parent)
            parent = self.items[parent].parent
        return found

    def offset(self, index: int) -> Place:
        """Return a thing's place in the frame of what it stands in or on."""
        parent = self.items[index].parent
        place = self.places[index]
        return place if parent is None else joined(inverted(self.places[parent]), place)

    def seen_from(self, base: Place) -> "Things":
        """Return the same things in the frame of a place."""
        inverse = inverted(base)
        return dataclasses.replace(self, places=tuple(joined(inverse, p) for p in self.places))

    def plus(self, item: Item, place: Place) -> "Things":
        """Add one thing."""
        return Things(items=(*self.items, item), places=(*self.places, place))

    def without(self, gone: Collection[int]) -> "Things":
        """Take things away, with all that stands in or on them."""
        new: dict[int, int] = {}
        items: list[Item] = []
        for k, item in enumerate(self.items):
            if k in gone or (item.parent is not None and item.parent not in new):
                continue
            new[k] = len(items)
            parent = None if item.parent is None else new[item.parent]
            items.append(dataclasses.replace(item, parent=parent))
        return Things(items=tuple(items), places=tuple(self.places[k] for k in new))

    def rested(self, pack: Pack) -> "Things":
        """Let each thing go straight down, or up, to what it stands on: z = 0 is the table.

        A thing that geometry would let tip keeps its height above what it stands on.
        """
        places: list[Place] = []
        for k, item in enumerate(self.items):
            local = self.offset(k)
            if item.parent is None:
                places.append(dataclasses.replace(local, z=0.0))
                continue
            base, at = places[item.parent], (local.x, local.y)
            found = resting(pack, item, self.items[item.parent], base, at, local.yaw)
            places.append(found or joined(base, local))
        return dataclasses.replace(self, places=tuple(places))


def covered(item: Item, place: Place) -> Polygon:
    """Return the footprint of an item at a place, m."""
    return placed(item.shape, place.x, place.y, place.yaw, item.scale)


def inverted(place: Place) -> Place:
    """Return the place of a frame's parent in that frame; not rounded."""
    c, s = math.cos(place.yaw), math.sin(place.yaw)
    return Place(
        x=-c * place.x - s * place.y, y=s * place.x - c * place.y, z=-place.z, yaw=-place.yaw
    )
