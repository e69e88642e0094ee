"""Scenes on a table top, after the simulated part of RefSpatial (RoboRefer, section on RefSpatial).

Objects stand upright without touching, some of one category, some in or on others; lights and
camera vary, and the camera is as near as shows everything.
"""

import math
from typing import Any

import msgspec
import numpy as np
import shapely

from refergym.assets.composers.base import Arrangement, Wants
from refergym.assets.composers.choice import Catalogue, Item, choose
from refergym.assets.composers.layout import Place, arrange, as_objects, stack
from refergym.assets.composers.params import TabletopParams, read_tabletop
from refergym.assets.composers.picture import find_camera
from refergym.assets.composers.rows import Row, Space, draw_row, kind_of_row, last_try
from refergym.assets.composers.search import Misfit, check_count, search
from refergym.assets.errors import ComposeError
from refergym.assets.library import Pack, open_pack
from refergym.assets.seeding import generator
from refergym.assets.spec import CameraSpec, LightSpec, Pose, SceneSpec, SupportSpec

FLOOR_SIZE = (6.0, 6.0, 0.1)
"""[3] m"""


class Tabletop:
    """The composer `tabletop`. Its parameters are those of `TabletopParams`, by keyword.

    Raises:
        SpecError: for a parameter that is unknown or out of range.
        ComposeError: if the pack has nothing that fits the parameters.
    """

    def __init__(self, *, pack: Pack | None = None, **params: Any) -> None:
        """Check the parameters and sort the pack's assets; None opens the package's own pack."""
        self.pack = pack or open_pack()
        self.params: TabletopParams = read_tabletop(params)
        self._catalogue = Catalogue(self.pack, self.params)
        (x0, x1), (y0, y1) = self.params.region_x, self.params.region_y
        region = shapely.box(x0, y0, x1, y1)
        surface = region.buffer(self.params.spill, join_style="mitre")
        self._space = Space(middles=region, surface=surface)

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
            ComposeError: as in `Composer.compose`.
        """
        self._check(wants)
        count = self._count(wants, generator(seed, "compose", index))
        what = f"scene {index} of seed {seed} with {count} objects"
        most = self.params.counts[1] - wants.graspable - wants.receptacles
        kind = kind_of_row(wants, self.params, most, generator(seed, "rows", index))
        last = last_try(wants, self.params)

        def attempt(k: int) -> SceneSpec:
            rng = generator(seed, "compose", index, k)
            return self._try(seed, count, wants, kind if k <= last else "", rng)

        return search(attempt, self.params.tries, what)

    def _check(self, wants: Wants) -> None:
        p, name = self.params, self.pack.manifest.name
        if (wants.graspable or wants.alike) and not self._catalogue.graspable:
            raise ComposeError(
                f"wants.graspable: {wants.graspable} wanted, but no asset of pack {name!r} has a "
                f"measured grasp rate >= {p.min_grasp_rate:g} at the scales that fit"
            )
        if wants.receptacles and not self._catalogue.receptacles:
            raise ComposeError(
                f"wants.receptacles: {wants.receptacles} wanted, but no asset of pack {name!r} "
                "that fits has a cavity or a flat top"
            )
        check_count(wants, p.counts[1])

    def _count(self, wants: Wants, rng: np.random.Generator) -> int:
        low, high = self.params.counts
        return max(int(rng.integers(low, high + 1)), wants.least)

    def _try(
        self,
        seed: int,
        count: int,
        wants: Wants,
        kind: Arrangement,
        rng: np.random.Generator,
    ) -> SceneSpec:
        p, row = self.params, None
        if kind:
            wanted = wants.graspable + wants.receptacles
            row = draw_row(self._catalogue, self._space, p, kind, p.counts[1] - wanted, rng)
            count = max(count, wanted + len(row.items))
        items = choose(self._catalogue, p, count, wants, rng, row.items if row else ())
        places = self._stack(items, self._arrange(items, row, rng), rng)
        camera = self._camera(items, places, row, rng)
        objects = as_objects(items, places)
        return SceneSpec(
            seed=seed,
            composer="tabletop",
            pack=self.pack.digest,
            supports=self._supports(rng),
            objects=objects,
            light=self._light(rng),
            camera=camera,
            settled={"kinematic": tuple(o.pose for o in objects)},
        )

    def _arrange(
        self, items: list[Item], row: Row | None, rng: np.random.Generator
    ) -> dict[int, Place]:
        """Place what stands on the table itself; a row's things come first and have theirs."""
        if row is None:
            return arrange(items, self.params, rng)
        fixed = dict(enumerate(row.places))
        return arrange(items, self.params, rng, fixed, [(row.largest, row.free)])

    def _camera(
        self, items: list[Item], places: list[Place], row: Row | None, rng: np.random.Generator
    ) -> CameraSpec:
        """Find a camera that shows all items, and a row's free place where its ends have names."""
        if row is None:
            return find_camera(self.pack, items, places, self.params, rng)
        params = msgspec.structs.replace(self.params, azimuth=(row.azimuth, row.azimuth))
        return find_camera(self.pack, items, places, params, rng, row.spot())

    def _stack(
        self, items: list[Item], places: dict[int, Place], rng: np.random.Generator
    ) -> list[Place]:
        """Add the places of what stands in or on something; parents come before children."""
        for k, item in enumerate(items):
            if item.parent is not None:
                place = stack(self.pack, item, items[item.parent], places[item.parent], rng)
                if place is None:
                    raise Misfit("nothing rests in or on what was chosen to hold it")
                places[k] = place
        return [places[k] for k in range(len(items))]

    def _supports(self, rng: np.random.Generator) -> tuple[SupportSpec, SupportSpec]:
        p = self.params
        (x0, x1), (y0, y1) = p.table_x, p.table_y
        table = SupportSpec(
            id="table",
            pose=Pose(position=((x0 + x1) / 2, (y0 + y1) / 2, -p.table_thickness / 2)),
            size=(x1 - x0, y1 - y0, p.table_thickness),
            texture=self._texture("table", rng),
            texture_scale=round(float(rng.uniform(*p.texture_scale)), 3),
        )
        floor = SupportSpec(
            id="floor",
            pose=Pose(position=((x0 + x1) / 2, (y0 + y1) / 2, p.floor_z - FLOOR_SIZE[2] / 2)),
            size=FLOOR_SIZE,
            texture=self._texture("floor", rng),
            texture_scale=round(float(rng.uniform(*p.texture_scale)), 3),
        )
        return table, floor

    def _texture(self, use: str, rng: np.random.Generator) -> str | None:
        names = self.pack.textures(use)
        return names[int(rng.integers(len(names)))] if names else None

    def _light(self, rng: np.random.Generator) -> LightSpec:
        p = self.params
        high = math.radians(rng.uniform(*p.light_elevation))
        round_z = float(rng.uniform(-math.pi, math.pi))
        direction = (
            round(math.cos(high) * math.cos(round_z), 6),
            round(math.cos(high) * math.sin(round_z), 6),
            round(math.sin(high), 6),
        )
        return LightSpec(
            direction=direction,
            intensity=round(float(rng.uniform(*p.light)), 4),
            ambient=round(float(rng.uniform(*p.light)), 4),
        )
