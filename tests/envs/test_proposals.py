"""Programs that are proposed mean one thing, need every step, and are said and read back."""

from collections import Counter
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
import shapely

from refergym.assets.composers.base import Wants
from refergym.assets.library import open_pack
from refergym.envs import areas
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.errors import TaskError
from refergym.envs.grammar import check_program, steps
from refergym.envs.language import noun_phrase
from refergym.envs.language.parse import parse
from refergym.envs.programs import (
    REGIONS,
    Beside,
    Between,
    Corner,
    Direction,
    Edge,
    Meets,
    Select,
    Turn,
    Where,
    walk,
)
from refergym.envs.proposals import Proposer, check_steps
from refergym.envs.proposed_places import propose_region
from refergym.envs.referents import Clarity, is_clear, read
from refergym.envs.regions import Limits, locate
from refergym.envs.registration import compose_env
from refergym.envs.relations.table import RELATIONS
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.starts import look, rest_state, settle
from refergym.envs.view import View

CLARITY, LIMITS = Clarity(), Limits()
COUNTS = (1, 2, 3, 4, 5)


@pytest.fixture(scope="module")
def views() -> list[View]:
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    composer = instantiate(OmegaConf.to_container(compose_env([]).scene), _convert_="all")
    backend, renderer = KinematicBackend(), EmbreeRenderer()
    made = []
    for index in range(14):
        scene = settle(composer.compose(11, index, Wants(duplicates=True)), backend)
        state = rest_state(scene, "kinematic")
        made.append(View(scene, state, look(renderer, scene, state), open_pack()))
    renderer.close()
    return made


def proposed(views: list[View], count: int) -> Iterator[tuple[View, Select]]:
    for k, view in enumerate(views):
        proposer = Proposer(view, CLARITY, np.random.default_rng(k))
        for _ in range(6):
            select = proposer.object(count)
            if select is not None:
                yield view, select


@pytest.mark.parametrize("count", COUNTS)
def test_descriptions_have_the_steps_asked_for_and_mean_one_clear_thing(
    views: list[View], count: int
) -> None:
    found = list(proposed(views, count))
    assert len(found) >= 14
    for view, select in found:
        check_program(select)
        assert steps(select) == count
        reading = read(select, view, CLARITY)
        assert reading.margin > 1
        assert len({r.index for r in reading.named()}) == len(reading.named())
        assert all(is_clear(r.index, view, CLARITY) for r in reading.named())
        assert parse(noun_phrase(select)) == select


@pytest.mark.parametrize("count", [2, 3, 4])
def test_without_any_one_of_its_steps_a_description_means_less(
    views: list[View], count: int
) -> None:
    for view, select in proposed(views, count):
        shorter = [
            msgspec.structs.replace(select, where=select.where[:k] + select.where[k + 1 :])
            for k in range(len(select.where))
        ]
        shorter += [msgspec.structs.replace(select, rank=None)] if select.rank else []
        assert shorter
        for each in shorter:
            with pytest.raises(TaskError):
                read(each, view, CLARITY)


def test_many_relations_come_up(views: list[View]) -> None:
    used: Counter[str] = Counter()
    for count in (2, 3, 4):
        for _, select in proposed(views, count):
            used.update(n.relation for _, n in walk(select) if isinstance(n, Where))
    assert len(used) >= 16, used


def test_equal_seeds_give_equal_programs(views: list[View]) -> None:
    first = [s for _, s in proposed(views[:4], 3)]
    assert first == [s for _, s in proposed(views[:4], 3)]


@pytest.mark.parametrize("relation", ["left", "face", "between", "edge"])
def test_relations_can_be_chosen(views: list[View], relation: str) -> None:
    own = 1 + RELATIONS[relation].anchors
    for k, view in enumerate(views):
        proposer = Proposer(view, CLARITY, np.random.default_rng(k), relations=[relation])
        select = proposer.object(own)
        if select is not None and select.where:
            assert {w.relation for w in select.where} == {relation}


def test_what_cannot_be_asked_ends_with_the_reasons(views: list[View]) -> None:
    small = min(views, key=len)
    proposer = Proposer(small, msgspec.structs.replace(CLARITY, rank=10.0, size=10.0),
                        np.random.default_rng(0), relations=["left"])  # fmt: skip
    tight = msgspec.structs.replace(CLARITY, rank=10.0, size=10.0, ties={"left": 10.0})
    proposer.clarity = tight
    assert proposer.object(5) is None
    assert "5 steps" in str(proposer.error("point", 5))
    assert sum(proposer.refused.values()) > 0


@pytest.mark.parametrize("given", [[0, 3], [2, 1], [1, 6], [1], []])
def test_steps_out_of_range_are_refused(given: list[int]) -> None:
    with pytest.raises(TaskError, match="steps: expected"):
        check_steps(given)


@pytest.mark.parametrize("count", COUNTS)
def test_regions_have_the_steps_asked_for(views: list[View], count: int) -> None:
    kinds = list(REGIONS.values())
    found = 0
    for k, view in enumerate(views):
        proposer = Proposer(view, CLARITY, np.random.default_rng(k))
        for _ in range(5):
            region = propose_region(proposer, count, kinds)
            if region is not None:
                check_program(region)
                assert steps(region) == count
                found += 1
    assert found >= 25


def test_places_lie_where_the_words_say(views: list[View]) -> None:
    """Against the plain meaning of each kind of region, from the scene's own numbers."""
    seen: Counter[str] = Counter()
    kinds = [Beside, Direction, Between, Turn, Meets, Edge, Corner]
    for k, view in enumerate(views):
        proposer = Proposer(view, CLARITY, np.random.default_rng(k))
        for _ in range(25):
            region = propose_region(proposer, int(1 + k % 4), kinds)
            if region is None:
                break
            try:
                place = locate(region, view, CLARITY, LIMITS)
            except TaskError:
                continue
            seen[type(region).__name__] += 1
            points = np.array(place.polygon.representative_point().coords)
            corners = shapely.get_coordinates(place.polygon)
            assert all(view.table.buffer(1e-6).covers(shapely.Point(p)) for p in corners)
            at = [view.thing(a.index).centre for a in place.anchors]
            right, near = view.axes
            toward = {"left": -right, "right": right, "front": near, "behind": -near}
            if isinstance(region, Beside) and region.frame == "viewer":
                assert ((points - at[0]) @ toward[region.side] > 0).all()
            elif isinstance(region, Direction):
                assert place.goal is not None
                assert np.linalg.norm(place.goal - at[0]) == pytest.approx(region.distance)
                if region.frame == "viewer":
                    off = (place.goal - at[0]) @ toward[region.side]
                    assert off == pytest.approx(region.distance)
            elif isinstance(region, Between):
                assert np.linalg.norm(points[0] - at[0]) < np.linalg.norm(at[1] - at[0]) + 0.05
                assert (points[0] - at[0]) @ (at[1] - at[0]) > 0
            elif isinstance(region, Meets):
                for part, anchor in zip(region.parts, at, strict=True):
                    assert ((corners - anchor) @ toward[part.side] > -1e-6).all()
            elif isinstance(region, Turn):
                assert place.goal is not None
                a, b = at[1] - at[0], place.goal - at[0]
                turn = np.degrees(np.arctan2(a[0] * b[1] - a[1] * b[0], a @ b))
                assert np.cos(np.radians(turn - region.angle)) == pytest.approx(1, abs=1e-6)
            elif isinstance(region, Edge):
                ends = shapely.get_coordinates(view.table.exterior) @ toward[region.side]
                assert (corners @ toward[region.side]).max() == pytest.approx(ends.max())
    assert len(seen) == len(kinds), seen


def test_a_place_without_room_is_refused_with_a_reason(views: list[View]) -> None:
    from refergym.envs.regions import area_in

    view = views[0]
    nothing = shapely.Polygon()
    place = locate(Edge(side="left"), view, CLARITY, LIMITS)
    with pytest.raises(TaskError, match="no such place"):
        area_in(place, view, nothing)
    free = areas.free(view, 0.0, 0.03)
    area = area_in(place, view, free)
    assert shapely.contains_xy(free, *area.goal[:2])
