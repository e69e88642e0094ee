"""Scenes that Infinigen's Indoors solver arranged: a table with things on it in a room.

The arm stands beside the table where it reaches most. On request, things are swapped within their
category, taken away or added where they fit; with all of that at 0 they stand as solved, each let
down onto what carries it.
"""

import dataclasses
from typing import Any

import msgspec
import numpy as np
from shapely import Polygon, affinity

from refergym.assets.camera import camera_from_fov, look_at
from refergym.assets.composers import edits
from refergym.assets.composers.base import Arrangement, Wants
from refergym.assets.composers.choice import Catalogue
from refergym.assets.composers.framing import find_framing
from refergym.assets.composers.infinigen_params import InfinigenParams
from refergym.assets.composers.layout import Place, as_objects
from refergym.assets.composers.overview import find_overview
from refergym.assets.composers.params import read_params
from refergym.assets.composers.play import choose_play, refuse
from refergym.assets.composers.reach import ORIGIN, missing, near, reachable
from refergym.assets.composers.rows import Row, Space, draw_row, kind_of_row, last_try
from refergym.assets.composers.search import Misfit, check_count, search
from refergym.assets.composers.solved_table import SolvedTable, moved, read_table
from refergym.assets.composers.stance import find_stance
from refergym.assets.composers.surroundings import Surroundings
from refergym.assets.composers.things import Things, inverted
from refergym.assets.composers.viewpoint import Sight
from refergym.assets.errors import ComposeError
from refergym.assets.library import Pack, open_pack
from refergym.assets.seeding import generator
from refergym.assets.spec import CameraSpec, Pose, SceneSpec

INNER = 0.9
"""of the table's outline: what the view has to be free to"""


class Infinigen:
    """The composer `infinigen`. Its parameters are those of `InfinigenParams`, by keyword.

    Raises:
        SpecError: for a parameter that is unknown or out of range.
        ComposeError: for a scene or a kind that the pack lacks.
    """

    def __init__(self, *, pack: Pack | None = None, **params: Any) -> None:
        """Check the parameters and list the scenes; None opens the package's own pack."""
        self.pack = pack or open_pack()
        self.params: InfinigenParams = read_params(params, InfinigenParams)
        self.scenes = self._names()
        """names of the solved scenes that are composed from"""
        self._catalogue = Catalogue(self.pack, self.params)
        self._tables: dict[str, SolvedTable] = {}

    def compose(self, seed: int, index: int = 0, wants: Wants = Wants()) -> SceneSpec:  # noqa: B008
        """Compose scene number `index` of a seed; see `Composer`."""
        scene, _ = self.search(seed, index, wants)
        return scene

    def search(
        self,
        seed: int,
        index: int = 0,
        wants: Wants = Wants(),  # noqa: B008
    ) -> tuple[SceneSpec, dict[str, int]]:
        """Compose a scene and count the tries that failed on the way, by constraint.

        Raises:
            ComposeError: as in `Composer.compose`, or if the pack has no solved scenes, or if a row
                is wanted in a wide view.
        """
        is_wide = self.params.view == "room" or wants.floor
        if wants.arrangement and is_wide:
            raise ComposeError(
                f"wants.arrangement: {wants.arrangement!r} wanted, but things are too small in a "
                "wide view; use scene.view=table"
            )
        if not self.scenes:
            name, known = self.pack.manifest.name, len(self.pack.manifest.scenes)
            if known:
                p = self.params
                raise ComposeError(
                    f"scene: none of the {known} solved scenes of pack {name!r} is of "
                    f"scenes={_listed(p.scenes)} and of kinds={_listed(p.kinds)}"
                )
            raise ComposeError(
                f"scene: pack {name!r} has no solved scenes; "
                "use scene=tabletop, or a pack that has some"
            )
        check_count(wants, self.params.counts[1])
        most = self.params.counts[1] - wants.graspable - wants.receptacles
        kind = kind_of_row(wants, self.params, most, generator(seed, "rows", index))
        last = 0 if is_wide else last_try(wants, self.params)

        def attempt(k: int) -> SceneSpec:
            rng = generator(seed, "infinigen", index, k)
            return self._try(seed, wants, kind if k <= last else "", rng)

        return search(
            attempt,
            self.params.tries,
            f"scene {index} of seed {seed} from {len(self.scenes)} solved",
        )

    def as_solved(self, name: str) -> tuple[SceneSpec, tuple[Pose, ...]]:
        """Compose a whole solved scene without any change, in a view from over the table's far end.

        Returns:
            The scene, and where the solver left each object: up to millimetres above what it rests
            on in the scene.

        Raises:
            ComposeError: if there is no room for the arm.
        """
        table, rng = self.table(name), generator(0, "as solved")
        try:
            stance = find_stance(table, table.things, Wants(), self.params, rng)
        except Misfit as e:
            raise ComposeError(f"scene {name!r}: {e}") from e
        things, table_at = table.things.seen_from(stance), inverted(stance)
        eye = (2 * table_at.x + 0.4, table_at.y, 1.0)
        pose = look_at(eye, (table_at.x, table_at.y, 0.0))
        p = self.params
        spec = self._spec(
            table, table_at, things, camera_from_fov(p.width, p.height, 60, pose), rng
        )
        left = read_table(self.pack, name).things.seen_from(stance)
        return spec, tuple(o.pose for o in as_objects(left.items, left.places))

    def table(self, name: str) -> SolvedTable:
        """Return a solved scene, its things at rest; raises PackError if it is damaged."""
        if name not in self._tables:
            table = read_table(self.pack, name)
            things = table.things.rested(self.pack)
            self._tables[name] = dataclasses.replace(table, things=things)
        return self._tables[name]

    def _names(self) -> tuple[str, ...]:
        p, known = self.params, self.pack.manifest.scenes
        for key, wanted, there in (
            ("scenes", p.scenes, [s.name for s in known]),
            ("kinds", p.kinds, sorted({s.kind for s in known})),
        ):
            for name in wanted or ():
                if name not in there:
                    raise ComposeError(
                        f"scene.{key}: {name!r} is not in pack {self.pack.manifest.name!r} "
                        f"(has: {', '.join(there) or 'none'})"
                    )
        return tuple(
            s.name
            for s in known
            if (p.scenes is None or s.name in p.scenes) and (p.kinds is None or s.kind in p.kinds)
        )

    def _try(
        self, seed: int, wants: Wants, kind: Arrangement, rng: np.random.Generator
    ) -> SceneSpec:
        p = self.params
        table = self.table(self.scenes[int(rng.integers(len(self.scenes)))])
        things = edits.swap(table.things, table, self._catalogue, p.swap, rng)
        things = edits.remove(things, p.remove, rng)
        stance = find_stance(table, things, wants, p, rng)
        needs = self._needs(things, stance, wants, rng)
        things = edits.add(things, table, stance, self._catalogue, p, needs, rng)
        things, table_at = things.seen_from(stance), inverted(stance)
        walls, surface = (_moved(shape, table_at) for shape in (table.walls, table.surface))
        if p.view == "room" or wants.floor:
            refuse(things, near(things, ORIGIN, p), wants, p, "in reach")
            sight = find_overview(surface, walls, table.floor_z, table.ceiling_z, p, rng)
        else:
            row = None
            if kind:
                row = self._row(surface, wants, kind, rng)
                things = edits.clear(things, row, p.margin)
            sight, things = self._near_view(things, row, wants, walls, table.ceiling_z, rng)
        return self._spec(table, table_at, things, sight.camera, rng, seed)

    def _spec(
        self,
        table: SolvedTable,
        table_at: Place,
        things: Things,
        camera: CameraSpec,
        rng: np.random.Generator,
        seed: int = 0,
    ) -> SceneSpec:
        """Put a scene together; things are in the world's frame."""
        inner = affinity.scale(_moved(table.surface, table_at), INNER, INNER).exterior.coords
        targets = np.array([*inner, *((place.x, place.y) for place in things.places)])
        objects = as_objects(things.items, things.places)
        around = Surroundings(self.pack, table, table_at, self.params, rng)
        return SceneSpec(
            seed=seed,
            composer="infinigen",
            pack=self.pack.digest,
            supports=around.supports(),
            objects=objects,
            fixtures=around.fixtures(camera.pose.position, targets),
            light=around.light(),
            camera=camera,
            settled={"kinematic": tuple(o.pose for o in objects)},
        )

    def _needs(
        self, things: Things, stance: Place, wants: Wants, rng: np.random.Generator
    ) -> list[str]:
        """What to add for a task.

        For a duplicate, a category of which one is in reach; for things alike, all of them.
        """
        p = self.params
        there = near(things, stance, p)
        found = sorted({things.items[k].info.category for k in there} & set(self._catalogue.names))
        category = found[int(rng.integers(len(found)))] if found else ""
        needs = missing(things, there, wants, p, stance)
        named = {"duplicate": category}
        if "alike" in needs and self._catalogue.graspable:
            named["alike"] = self._catalogue.draw_graspable(rng).info.category
            needs += ["alike"] * (wants.alike - needs.count("alike"))
        return [named.get(need, need) for need in needs]

    def _row(
        self, surface: Polygon, wants: Wants, kind: Arrangement, rng: np.random.Generator
    ) -> Row:
        """Draw a row in reach, whatever stands there; world's frame."""
        p = self.params
        inner = surface.buffer(-edits.EDGE, join_style="mitre")
        space = Space(middles=inner.intersection(reachable(p)), surface=inner)
        most = p.counts[1] - wants.graspable - wants.receptacles
        return draw_row(self._catalogue, space, p, kind, most, rng)

    def _near_view(
        self,
        things: Things,
        row: Row | None,
        wants: Wants,
        walls: Polygon,
        ceiling: float,
        rng: np.random.Generator,
    ) -> tuple[Sight, Things]:
        """Find a camera for what is in play, a row with it; take away what it should not show."""
        p, alike, spot = self.params, range(0), None
        if row is not None:
            alike, spot = range(len(things), len(things) + len(row.items)), row.spot()
            for item, place in zip(row.items, row.places, strict=True):
                things = things.plus(item, place)
            p = msgspec.structs.replace(p, azimuth=(row.azimuth, row.azimuth))
            # the row itself is of one category; what else is wanted is not in it
            wants = dataclasses.replace(wants, duplicates=False, arrangement="")
        play = choose_play(things, wants, p, rng, alike)
        framing = find_framing(self.pack, things, play, walls, ceiling, p, rng, alike, spot)
        shown = [k for k in framing.shown if k not in alike]
        refuse(things, shown, wants, p, "seen well")
        gone = {"none": (), "cut": framing.cut, "outside": framing.cut + framing.outside}
        return framing.sight, things.without(gone[p.crop])


def _listed(names: tuple[str, ...] | None) -> str:
    return "null" if names is None else f"[{', '.join(names)}]"


def _moved(shape: Polygon, base: Place) -> Polygon:
    """A polygon that is given in the frame of a place."""
    return Polygon(moved(base, np.array(shape.exterior.coords)))
