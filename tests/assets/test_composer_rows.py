"""Rows and grids of `tabletop`: evenly spaced, apart, in view, with one free place in reach."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import shapely

from refergym.assets import camera as cameras
from refergym.assets.composers import Composer, Infinigen, Tabletop, Wants, infinigen, tabletop
from refergym.assets.composers.rows import OPEN, Row, draw_row
from refergym.assets.errors import ComposeError
from refergym.assets.footprints import footprint, placed
from refergym.assets.library import Pack, open_pack
from refergym.assets.spec import ObjectSpec, SceneSpec

SEEDS = 40
PACK = open_pack()
KINDS = (
    (Tabletop, "row", SEEDS),
    (Tabletop, "grid", SEEDS),
    (Tabletop, "any", SEEDS),
    (Infinigen, "any", 12),
)
Made = list[tuple[SceneSpec, Row]]


@pytest.fixture(scope="module", params=KINDS, ids=lambda p: f"{p[0].__name__}-{p[1]}")
def made(request: pytest.FixtureRequest) -> Made:
    """Scenes with what was drawn for them last, which is what they hold."""
    composer, kind, count = request.param
    return list(compose(composer(), Wants(arrangement=kind), count))


def compose(composer: Composer, wants: Wants, count: int) -> Iterator[tuple[SceneSpec, Row]]:
    drawn: list[Row] = []

    def noted(*args: object) -> Row:
        drawn.append(draw_row(*args))  # type: ignore[arg-type]
        return drawn[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tabletop, "draw_row", noted)
        patch.setattr(infinigen, "draw_row", noted)
        for seed in range(count):
            scene = composer.compose(seed, 2, wants)
            yield scene, drawn[-1]


def members(scene: SceneSpec, row: Row) -> list[ObjectSpec]:
    kind = row.items[0].info.category
    return [o for o in scene.objects if PACK[o.asset].category == kind]


def rest(scene: SceneSpec, row: Row) -> list[ObjectSpec]:
    return [o for o in scene.objects if o not in members(scene, row)]


def test_a_row_stands_where_it_was_drawn_and_nothing_else_is_of_its_category(
    made: Made,
) -> None:
    for scene, row in made:
        for thing, item, place in zip(members(scene, row), row.items, row.places, strict=True):
            assert (thing.asset, thing.scale) == (item.info.name, item.scale)
            assert thing.pose.position == pytest.approx((place.x, place.y, 0.0))
            assert thing.pose.orientation[1:3] == (0, 0)
        assert len({item.info.category for item in row.items}) == 1
    counts = {len(row.items) for _, row in made}
    assert counts <= {3, 4, 5, 8}
    assert len(counts) >= 2


def test_with_its_free_place_a_row_is_an_even_lattice(made: Made) -> None:
    for _, row in made:
        sites = np.array([(p.x, p.y) for p in (*row.places, row.free)])
        between = (sites[:, None] - sites).reshape(-1, 2)
        apart = np.hypot(*between.T)
        # the shortest way between two places goes along the lattice
        u = between[np.where(apart > 1e-9, apart, np.inf).argmin()]
        u /= np.hypot(*u)
        sizes = []
        for axis in (u, np.array([-u[1], u[0]])):
            steps = np.diff(np.sort(sites @ axis))
            steps = steps[steps > 1e-4]
            assert steps == pytest.approx(steps[:1].repeat(len(steps)), abs=1e-5)
            sizes.append(len(steps) + 1)
        assert sizes[0] * sizes[1] == len(sites)
        assert max(sizes) <= (3 if min(sizes) > 1 else 6)


def test_things_keep_apart_and_fingers_have_room(
    made: Made,
) -> None:
    graspable = 0
    for scene, row in made:
        shapes = [footprint(PACK, o.asset, o.pose, o.scale) for o in members(scene, row)]
        for k, own in enumerate(shapes):
            others = shapely.union_all([*shapes[:k], *shapes[k + 1 :]])
            assert own.distance(others) > 0.03 - 1e-5
            item = row.items[k]
            if item.info.grasp_rate(item.scale) >= 0.8:
                graspable += 1
                middle = shapely.Point(row.places[k].x, row.places[k].y)
                # fingers may close along the row
                assert middle.distance(others) > OPEN - 1e-5
    assert graspable > len(made) / 2


def test_the_free_place_is_free_in_reach_and_in_sight(
    made: Made,
) -> None:
    for scene, row in made:
        free = row.free
        item = row.largest
        shape = placed(item.shape, free.x, free.y, free.yaw, item.scale)
        others = [footprint(PACK, o.asset, o.pose, o.scale) for o in scene.objects]
        assert shape.distance(shapely.union_all(others)) > 0.025 - 1e-6
        assert 0.3 <= math.hypot(free.x, free.y) <= 0.7
        px, depth = cameras.project(scene.camera, row.spot())
        assert (depth > 0).all()
        assert px.min() > 0.03 * 224
        assert px.max() < 0.97 * 224


def test_the_rest_of_the_scene_is_as_usual(made: Made) -> None:
    most = 9 if made[0][0].composer == "tabletop" else 40
    counts = [len(scene.objects) for scene, _ in made]
    assert 3 <= min(counts) < max(counts) <= most
    assert sum(bool(rest(*one)) for one in made) > len(made) / 2


@pytest.mark.parametrize("composer", [Tabletop(), Infinigen()], ids=["tabletop", "infinigen"])
def test_a_row_comes_on_top_of_what_a_task_wants(composer: Composer) -> None:
    wants = Wants(graspable=1, receptacles=1, duplicates=True, arrangement="any")
    for scene, row in compose(composer, wants, 10):
        near = [o for o in rest(scene, row) if 0.30 <= math.hypot(*o.pose.position[:2]) <= 0.70]
        assert any(PACK[o.asset].grasp_rate(o.scale) >= 0.8 for o in near)
        assert any(PACK[o.asset].cavity or PACK[o.asset].flat_top for o in near)


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (0.3, 8, 26), (1.0, 57, 60)])
def test_now_and_then_a_scene_has_a_row_that_nobody_asked_for(
    share: float, low: int, high: int
) -> None:
    composer, plain = Tabletop(rows=share), Tabletop()
    wants = Wants(duplicates=True)
    scenes = [composer.compose(seed, wants=wants) for seed in range(60)]
    changed = [s != plain.compose(seed, wants=wants) for seed, s in enumerate(scenes)]
    assert low <= sum(changed) <= high
    assert composer.compose(0) == plain.compose(0), "only where several of a kind are wanted"


def test_equal_arguments_give_equal_rows() -> None:
    wants = Wants(arrangement="any")
    one, other = Tabletop(rows=0.5), Tabletop(rows=0.5)
    assert one.compose(3, 1, wants) == other.compose(3, 1, wants)
    assert one.compose(3, 1, wants) != one.compose(3, 2, wants)


def test_what_cannot_be_arranged_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"wants.arrangement: expected one of '', 'row', 'grid'"):
        Wants(arrangement="circle")  # type: ignore[arg-type]
    with pytest.raises(ComposeError, match=r"5 objects wanted, but scene.counts allows 4"):
        Tabletop(counts=[3, 4]).compose(0, wants=Wants(arrangement="grid"))
    with pytest.raises(ComposeError, match="a row does not fit the table: "):
        Tabletop(row_gap=[0.5, 0.5], tries=3).compose(0, wants=Wants(arrangement="row"))


def test_a_wide_view_has_no_rows(solved_pack: Pack) -> None:
    with pytest.raises(ComposeError, match=r"wants.arrangement: .* use scene.view=table"):
        Infinigen(pack=solved_pack, view="room").compose(0, wants=Wants(arrangement="any"))
