"""Friction, falls and stacks, against closed forms, in both backends that simulate forces."""

from collections.abc import Iterator

import numpy as np
import physics_parts as parts
import pytest

from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.library import Pack
from refergym.envs.backends.arm import ArmBackend

SLIDES = [(mu, speed) for mu in (0.3, 0.6, 1.0) for speed in (0.5, 1.0, 1.5)]
DROPS = [(name, h, scale) for name in ("cube", "block") for h in (0.05, 0.3) for scale in (0.2, 10)]


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return parts.make_pack(tmp_path_factory.mktemp("boxes"))


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("bullet", marks=pytest.mark.bullet),
        "newton",
        pytest.param("newton together", marks=pytest.mark.slow),
    ],
)
def backend(request: pytest.FixtureRequest, boxes: Pack) -> Iterator[ArmBackend]:
    if request.param != "bullet":
        pytest.importorskip("newton")
    made = parts.BACKENDS[request.param](boxes)
    yield made
    made.close()


def test_a_sliding_block_stops_where_friction_stops_it(backend: ArmBackend, boxes: Pack) -> None:
    for slide in parts.slides(backend, boxes, SLIDES):
        assert slide.error < 0.03 * slide.expected + slide.speed * parts.STEP, slide
        assert slide.creep < 1e-4, slide


def test_a_sliding_block_hops_no_higher_than_its_friction_throws_it(
    backend: ArmBackend, boxes: Pack
) -> None:
    for slide in parts.slides(backend, boxes, SLIDES):
        thrown = (slide.friction * slide.speed) ** 2 / (2 * parts.G)
        assert slide.hop < 1.2 * thrown + parts.MARGIN, slide


def test_a_block_slides_on_another_by_the_friction_of_the_engine(
    backend: ArmBackend, boxes: Pack
) -> None:
    own, below, table = 0.4, 0.5, 1.0
    mu = own * below if backend.kind == "bullet" else max(own * table, below * table)
    slide = parts.slide_on_another(
        backend, boxes, upper=own, lower=below, table_friction=table, mu=mu
    )
    assert slide.error < 0.03 * slide.expected + slide.speed * parts.STEP, slide


def test_a_slope_holds_what_friction_can_hold(backend: ArmBackend, boxes: Pack) -> None:
    sliding = 0
    for block in parts.inclines(backend, boxes, (0.6, 0.8, 1.2, 1.5)):
        if block.share > 1:
            assert block.moved < 1.5 * parts.MARGIN, block
        else:
            assert block.acceleration == pytest.approx(block.expected, rel=0.05), block
            sliding += 1
    assert sliding == 2


def test_a_box_falls_for_as_long_as_gravity_says_and_stays_down(
    backend: ArmBackend, boxes: Pack
) -> None:
    for drop in parts.drops(backend, boxes, DROPS):
        assert drop.fall == pytest.approx(drop.expected, abs=2 * parts.STEP), drop
        assert drop.rebound < 0.02 * drop.height + parts.MARGIN, drop
        assert abs(drop.rest) < 1.5 * parts.MARGIN, drop
        assert drop.calm < 2.0, drop
        assert drop.sink < 0.015, drop


def test_a_stack_stands_and_the_hardest_one_in_newton(backend: ArmBackend, boxes: Pack) -> None:
    equal, heavier, hardest = parts.stacks(backend, boxes)
    far = 0.02 if backend.kind == "bullet" else 0.0005
    for stack in (equal, heavier, *([hardest] if backend.kind == "newton" else [])):
        assert stack.stands, stack
        assert stack.drift < far, stack


def test_a_brick_topples_when_more_than_half_of_it_overhangs(
    backend: ArmBackend, boxes: Pack
) -> None:
    found = parts.overhangs(backend, boxes, (0.40, 0.47, 0.53, 0.60))
    assert [brick.stayed for brick in found] == [True, True, False, False]


def test_a_velocity_is_what_a_body_starts_with(backend: ArmBackend, boxes: Pack) -> None:
    backend.reset(parts.table(boxes, [parts.Box(asset="cube", at=(0.0, 0.0, 0.5))]))
    turn = np.array([0.0, 0.0, 2.0])
    backend.world.set_velocity(0, np.array([0.3, -0.2, 0.0]), turn)
    start, *_, end = parts.paths(backend, 0.25)
    assert (end - start)[0, :2] == pytest.approx([0.075, -0.05], abs=1e-3)
    assert 2 * np.arctan2(end[0, 6], end[0, 3]) == pytest.approx(0.5, abs=0.01)


@pytest.mark.bullet
@pytest.mark.parametrize("scenes", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_composed_scenes_come_to_rest_alike_in_both(scenes: int) -> None:
    pytest.importorskip("newton")
    one, other = (parts.BACKENDS[name](None) for name in ("bullet", "newton"))
    apart = parts.settling(one, other, [Tabletop().compose(5, index=i) for i in range(scenes)])
    one.close()
    assert apart.tipped == 0
    assert np.median(apart.distance) < parts.MARGIN
    assert apart.distance.max() < 0.005
