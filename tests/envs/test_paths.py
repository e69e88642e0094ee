"""What a base cannot get to on a straight path, in closed form."""

import math

import numpy as np
import pytest
import shapely

from refergym.envs import paths

WITHIN = shapely.box(-5, -5, 5, 5)


def test_the_shadow_of_a_square_is_the_cone_behind_its_nearest_face() -> None:
    square, start = shapely.box(1, -0.5, 2, 0.5), np.zeros(2)
    dark = paths.shadow(square, start, WITHIN)
    # all that is seen through the near face, from x = 1 to 5, widens as |y| <= x / 2
    trapezium = shapely.Polygon([(1, -0.5), (5, -2.5), (5, 2.5), (1, 0.5)])
    assert dark.symmetric_difference(trapezium).area < 1e-9


def test_the_shadow_of_a_disc_has_the_tangents_angle() -> None:
    disc, start = shapely.Point(2, 1).buffer(0.5, quad_segs=64), np.array([-1.0, 1.0])
    dark = paths.shadow(disc, start, WITHIN)
    angle = math.asin(0.5 / 3)
    for side in (-1, 1):
        for turn, is_dark in ((0.98, True), (1.02, False)):
            to = start + 5 * np.array([math.cos(angle * turn), side * math.sin(angle * turn)])
            assert dark.contains(shapely.Point(to)) is is_dark
    assert not dark.contains(shapely.Point(1.4, 1)), "before it is light"


@pytest.mark.parametrize("seed", range(5))
def test_a_place_is_in_a_shadow_if_the_straight_line_to_it_meets_the_obstacle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = shapely.convex_hull(shapely.multipoints(rng.uniform((0.5, -1), (2.5, 1), (6, 2))))
    start = np.array([-0.2, rng.uniform(-1, 1)]) - (seed == 0) * np.array([1.0, 0.0])
    dark = paths.shadow(shape, start, WITHIN)
    assert dark.is_valid
    assert dark.convex_hull.area == pytest.approx(dark.area)
    for point in rng.uniform(-5, 5, (400, 2)):
        line = shapely.LineString([start, point])
        if abs(line.distance(shape)) < 1e-6 and not line.crosses(shape.buffer(-1e-4)):
            continue
        assert dark.contains(shapely.Point(point)) == line.intersects(shape)


def test_a_shadow_reaches_all_of_the_region_from_a_start_next_to_the_obstacle() -> None:
    wall = shapely.box(0.001, -0.5, 0.1, 0.5)
    dark = paths.shadow(wall, np.zeros(2), WITHIN)
    assert dark.covers(shapely.box(0.1, -5, 5, 5).intersection(shapely.box(0.1, -4.9, 5, 4.9)))


def test_what_lies_off_the_region_casts_its_shadow_into_it() -> None:
    dark = paths.shadow(shapely.box(1, -1, 2, 1), np.zeros(2), shapely.box(3, -1, 4, 1))
    assert dark.area == pytest.approx(2.0)
    away = paths.shadow(shapely.box(-2, -1, -1, 1), np.zeros(2), shapely.box(3, -1, 4, 1))
    assert away.is_empty


def test_a_start_inside_an_obstacle_is_refused() -> None:
    with pytest.raises(ValueError, match="start: expected outside the obstacle"):
        paths.shadow(shapely.box(-1, -1, 1, 1), np.zeros(2), WITHIN)


def test_the_start_is_the_nearest_place_off_the_edges() -> None:
    free = shapely.box(0, 0, 2, 2)
    assert paths.nearest_start(free, np.array([-1.0, 1.0])) == pytest.approx([paths.AIR, 1.0])
    assert paths.nearest_start(free, np.array([0.7, 1.1])) == pytest.approx([0.7, 1.1])
    assert paths.nearest_start(shapely.box(0, 0, 0.03, 2), np.zeros(2)) is None
