"""Closed forms and properties of the 31 relations."""

import dataclasses
import math

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from refergym.assets.camera import camera_from_fov, look_at, project
from refergym.assets.spec import Pose
from refergym.envs.errors import TaskError
from refergym.envs.relations import orders, places, turns
from refergym.envs.relations.bodies import Body, Hollow, Onlooker, boxed
from refergym.envs.relations.table import OPPOSITE, RELATIONS, Terms

CAMERA = camera_from_fov(224, 224, 60.0, look_at((1.6, 0.0, 0.8), (0.5, 0.0, 0.0)))
"""it looks along -x and down: its right is +y, near is +x"""
BY = Onlooker(camera=CAMERA, robot=Pose(position=(0.0, 0.0, 0.0)))
TABLE = shapely.box(0.0, -0.5, 1.0, 0.5)

coordinate = st.floats(-0.4, 0.4).map(lambda v: round(v, 3))
side = st.floats(0.02, 0.2).map(lambda v: round(v, 3))
turned = st.floats(0, 6.28)


def rotated(degrees: float) -> np.ndarray:
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def body(x: float, y: float, size: float | tuple[float, ...] = 0.1, **more: object) -> Body:
    """A box that stands on z = 0."""
    sides = np.broadcast_to(np.array(size, np.float64), 3)
    made = boxed(f"at {x} {y}", np.array([x, y, sides[2] / 2]), sides)
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


def facing(x: float, y: float, degrees: float, symmetry: int = 1) -> Body:
    toward = rotated(degrees) @ [1.0, 0, 0]
    return body(x, y, directions={"handle": toward}, symmetry=symmetry, rotation=rotated(degrees))


@st.composite
def bodies(draw: st.DrawFn) -> Body:
    sides = np.array([draw(side), draw(side), draw(side)])
    at = np.array([0.5 + draw(coordinate), draw(coordinate), sides[2] / 2 + draw(side)])
    degrees = math.degrees(draw(turned))
    made = boxed("made", at, sides, rotated(degrees))
    return dataclasses.replace(made, directions={"handle": rotated(degrees)[:, 0]})


def test_there_are_31() -> None:
    assert len(RELATIONS) == 31


def test_the_viewers_sides() -> None:
    a, b = body(0.5, 0.2), body(0.5, -0.1)
    assert orders.right(a, b, BY) == pytest.approx(0.3, abs=0.02)
    assert orders.left(a, b, BY) == -orders.right(a, b, BY)
    near, away = body(0.8, 0.0), body(0.4, 0.0)
    assert orders.front(near, away, BY) == pytest.approx(0.4)
    assert orders.behind(near, away, BY) == pytest.approx(-0.4)


def test_the_robots_sides_are_its_own() -> None:
    a, b = body(0.5, 0.2), body(0.5, -0.1)
    assert orders.left(a, b, BY, "robot") == pytest.approx(0.3)
    assert orders.front(body(0.4, 0), body(0.8, 0), BY, "robot") == pytest.approx(0.4)
    with pytest.raises(TaskError, match="there is no robot"):
        orders.left(a, b, Onlooker(camera=CAMERA), "robot")


@pytest.mark.parametrize(
    ("degrees", "right", "front"), [(0, 0.0, 0.2), (90, 0.2, 0.0), (180, 0.0, -0.2)]
)
def test_an_objects_sides_turn_with_it(degrees: float, right: float, front: float) -> None:
    b = facing(0.5, 0.0, degrees)
    a = body(0.7, 0.0)
    assert orders.right(a, b, BY, "object", "handle") == pytest.approx(right, abs=1e-9)
    assert orders.front(a, b, BY, "object", "handle") == pytest.approx(front, abs=1e-9)


def test_an_order_that_perspective_turns_round_is_a_tie() -> None:
    # beside the view's axis, what is farther away comes nearer to the middle of the picture
    near, away = body(1.0, 0.30), body(0.1, 0.33)
    px, _ = project(CAMERA, np.stack([near.middle, away.middle]))
    assert px[0, 0] > px[1, 0], "the near one is further right in the picture"
    assert away.centre[1] > near.centre[1], "the far one is further right on the table"
    assert orders.right(near, away, BY) == 0.0
    assert RELATIONS["right"].holds(Terms(a=near, anchors=[away], by=BY)) is None


def test_distances_from_the_onlooker() -> None:
    a, b = body(0.9, 0.0), body(0.4, 0.0)
    eye = np.array([1.6, 0.0, 0.8])
    expected = np.linalg.norm(eye - [0.4, 0, 0.05]) - np.linalg.norm(eye - [0.9, 0, 0.05])
    assert orders.close(a, b, BY) == pytest.approx(expected)
    assert orders.close(a, b, BY, "robot") == pytest.approx(
        math.hypot(0.4, 0.05) - math.hypot(0.9, 0.05)
    )
    forward = np.array([0.5 - 1.6, 0, -0.8]) / math.hypot(1.1, 0.8)
    assert orders.depth(a, b, BY) == pytest.approx(0.5 * abs(forward[0]))


def test_above_in_the_picture_is_an_angle() -> None:
    middle = boxed("m", np.array([0.5, 0.0, 0.0]), np.full(3, 0.1))
    distance = math.hypot(1.1, 0.8)
    up = np.array([-0.8, 0, 1.1]) / distance  # across the line of sight, upwards
    higher = boxed("h", middle.middle + math.tan(math.radians(5)) * distance * up, middle.half)
    assert orders.image_above(higher, middle, BY) == pytest.approx(5.0, abs=1e-6)
    assert orders.image_below(higher, middle, BY) == pytest.approx(-5.0, abs=1e-6)


def test_sizes() -> None:
    a, b = body(0.5, 0, (0.1, 0.2, 0.3)), body(0.5, 0.3, (0.1, 0.1, 0.1))
    assert orders.tall(a, b) == pytest.approx(0.2)
    assert orders.wide(a, b) == pytest.approx(0.1)
    assert orders.big(a, b) == pytest.approx((0.1 * 0.2 * 0.3) ** (1 / 3) - 0.1)
    lain = boxed("lain", np.array([0.5, 0, 0.05]), np.array([0.1, 0.2, 0.3]), np.array(
        [[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]))  # fmt: skip
    assert lain.height == pytest.approx(0.2)
    assert lain.width == pytest.approx(0.3)


def test_a_fork_is_neither_bigger_nor_smaller_than_a_cup() -> None:
    fork, cup = body(0.5, 0, (0.2, 0.02, 0.01)), body(0.5, 0.3, (0.08, 0.08, 0.1))
    assert orders.big(fork, cup) == 0.0
    assert RELATIONS["small"].holds(Terms(a=fork, anchors=[cup], by=BY)) is None


def test_above_in_the_world() -> None:
    low = body(0.5, 0)
    high = boxed("high", np.array([0.7, 0.1, 0.25]), np.full(3, 0.1))
    assert orders.world_above(high, low) == pytest.approx(0.2)
    assert orders.world_below(high, low) == pytest.approx(-0.2)


def test_distance_between_middles() -> None:
    a, b = body(0.5, 0.0), body(0.8, 0.4)
    assert places.distance(a, b, 0.5, 0.03) == pytest.approx(0.03)
    assert places.distance(a, b, 0.45, 0.03) == pytest.approx(-0.02)


def test_gaps() -> None:
    a, b = body(0.5, 0.0), body(0.5, 0.25)
    assert places.gap(a, b) == pytest.approx(0.15)
    assert places.touch(a, b, 0.005) == pytest.approx(-0.145)
    assert places.far_from(a, b, 0.1) == pytest.approx(0.05)
    on_top = boxed("top", np.array([0.5, 0.0, 0.15]), np.full(3, 0.1))
    assert places.gap(a, on_top) == pytest.approx(0.0, abs=1e-12)
    assert places.touch(a, on_top) == pytest.approx(0.005)


def test_between() -> None:
    b, c = body(0.5, -0.3), body(0.5, 0.3)
    assert places.between(body(0.5, 0.0), b, c, 0.06) == pytest.approx(0.06)
    assert places.between(body(0.54, 0.0), b, c, 0.06) == pytest.approx(0.02)
    assert places.between(body(0.5, 0.23), b, c, 0.06) == pytest.approx(0.02)
    assert places.between(body(0.5, 0.5), b, c, 0.06) == pytest.approx(-0.25)
    assert places.between(body(0.5, 0.4), body(0.5, 0), body(0.5, 0.05)) < 0, "no gap at all"


def test_facing() -> None:
    b = facing(0.5, 0.0, 90)
    assert places.face(body(0.5, 0.3), b, "handle") == pytest.approx(45)
    assert places.face(body(0.8, 0.3), b, "handle") == pytest.approx(0, abs=1e-6)
    assert places.back(body(0.5, -0.3), b, "handle") == pytest.approx(45)
    assert places.back(body(0.5, 0.3), b, "handle") == pytest.approx(-135)
    with pytest.raises(TaskError, match="has no level direction 'spout'"):
        places.face(body(0.8, 0.3), b, "spout")


def test_edges_and_corners() -> None:
    a = body(0.5, 0.4)
    assert places.to_edge(a, TABLE) == pytest.approx(0.05)
    assert places.edge(a, TABLE, 0.1) == pytest.approx(0.05)
    assert places.to_edge(body(0.5, 0.48), TABLE) == 0.0
    assert places.corner(body(0.9, 0.4), TABLE, 0.2) == pytest.approx(0.2 - math.hypot(0.05, 0.05))
    assert sorted(map(tuple, places.corners_of(TABLE))) == [
        (0, -0.5),
        (0, 0.5),
        (1, -0.5),
        (1, 0.5),
    ]
    round_table = shapely.Point(0.5, 0.0).buffer(0.5, quad_segs=16)
    assert places.corner(body(0.9, 0.0), round_table) == -math.inf
    ell = shapely.Polygon([(0, 0), (1, 0), (1, 0.4), (0.4, 0.4), (0.4, 1), (0, 1)])
    assert (0.4, 0.4) not in set(map(tuple, places.corners_of(ell))), "it points inwards"
    assert len(places.corners_of(ell)) == 5


def test_free_space() -> None:
    others = [body(0.5, 0.0)]
    assert places.free(np.array([0.5, 0.3]), 0.05, TABLE, others) == pytest.approx(0.15)
    assert places.free(np.array([0.5, 0.45]), 0.05, TABLE, others) == pytest.approx(0.0)
    assert places.free(np.array([0.5, 0.0]), 0.05, TABLE, others) == pytest.approx(-0.1)
    assert places.free(np.array([0.5, 0.3]), 0.05, TABLE, others, 0.1) == pytest.approx(0.1)
    assert places.free(np.array([1.2, 0.0]), 0.05, TABLE, others) == pytest.approx(-0.25)


def test_inside() -> None:
    bowl = body(0.5, 0.0, 0.2, hollow=Hollow(centre=(0.5, 0.0), radius=0.08, floor=0.01, rim=0.1))
    apple = boxed("apple", np.array([0.53, 0.0, 0.045]), np.full(3, 0.06))
    assert places.inside(apple, bowl) == pytest.approx(min(0.05, 0.085, 0.015))
    assert places.outside(apple, bowl) == -places.inside(apple, bowl)
    assert places.inside(body(0.62, 0.0, 0.04), bowl) == pytest.approx(-0.04)
    crate = boxed("crate", np.array([0.5, 0.0, 0.1]), np.array([0.4, 0.3, 0.2]))
    assert places.inside(body(0.65, 0.0), crate) == pytest.approx(0.05)


def test_turns() -> None:
    a, b = facing(0.5, 0.0, 120), facing(0.2, 0.0, 30)
    assert turns.horizontal_rotate(a, b, "handle", 90, 10) == pytest.approx(10)
    assert turns.horizontal_rotate(b, a, "handle", 90, 10) == pytest.approx(-170)
    assert turns.horizontal_rotate(facing(0, 0, 1), facing(0, 0, 359), "handle", 0, 10) == (
        pytest.approx(8)
    )
    lain = boxed("lain", np.zeros(3), np.ones(3), np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]))
    assert turns.tilt(lain) == pytest.approx(90)
    assert turns.vertical_rotate(lain, 90, 10) == pytest.approx(10)
    assert turns.vertical_rotate(a, 90, 10) == pytest.approx(-80)
    corner = body(0.0, 0.0)
    assert turns.angle_at(body(0.3, 0), corner, body(0, 0.2)) == pytest.approx(90)
    assert turns.angle(body(0.3, 0), corner, body(-0.3, 0), 150, 10) == pytest.approx(-20)


@pytest.mark.parametrize(("orders_of", "off"), [((2, 1), 180), ((4, 1), 90), ((2, 3), 60)])
def test_what_looks_the_same_after_a_turn_is_turned_by_it(
    orders_of: tuple[int, int], off: float
) -> None:
    a, b = facing(0.5, 0, 90 + off, orders_of[0]), facing(0.2, 0, 30, orders_of[1])
    assert turns.horizontal_rotate(a, b, "handle", 60, 10) == pytest.approx(10)
    assert turns.horizontal_rotate(facing(0, 0, 77, 0), b, "handle", 60, 10) == 10


def test_a_relation_says_what_it_lacks() -> None:
    a, b = body(0.5, 0), body(0.5, 0.3)
    for name, terms, message in (
        ("left", Terms(a=a, by=BY), "left: expected 1 anchors, got 0"),
        ("close", Terms(a=a, anchors=[b], by=BY, frame="object"), "expected one of viewer, robot"),
        ("face", Terms(a=a, anchors=[b], by=BY, frame="object"), "face: needs side"),
        ("distance", Terms(a=a, anchors=[b], by=BY), "distance: needs value"),
        ("edge", Terms(a=a, by=BY), "edge: needs table"),
        ("tall", Terms(anchors=[b], by=BY), "tall: needs a"),
    ):
        with pytest.raises(TaskError, match=message):
            RELATIONS[name](terms)


def test_a_tie_grows_with_what_is_compared() -> None:
    small = Terms(a=body(0.5, 0, 0.10), anchors=[body(0.5, 0.3, 0.115)], by=BY)
    assert RELATIONS["short"].holds(small) is True
    large = Terms(a=body(0.5, 0, 0.30), anchors=[body(0.5, 0.3, 0.315)], by=BY)
    assert RELATIONS["short"].holds(large) is None
    assert RELATIONS["short"].holds(large, tie=0.01) is True


# properties


@pytest.mark.parametrize("name", sorted(n for n in OPPOSITE if n not in ("inside", "outside")))
@given(a=bodies(), b=bodies())
def test_opposites_and_swaps_mirror_each_other(name: str, a: Body, b: Body) -> None:
    margin = RELATIONS[name](Terms(a=a, anchors=[b], by=BY))
    assert RELATIONS[OPPOSITE[name]](Terms(a=a, anchors=[b], by=BY)) == pytest.approx(-margin)
    assert RELATIONS[name](Terms(a=b, anchors=[a], by=BY)) == pytest.approx(-margin)


@pytest.mark.parametrize("name", ["left", "right"])
@given(a=bodies(), b=bodies())
def test_a_mirrored_scene_swaps_left_and_right(name: str, a: Body, b: Body) -> None:
    """The camera looks along x, so that y -> -y is its mirror."""
    flip = np.array([1.0, -1.0, 1.0])

    def mirrored(thing: Body) -> Body:
        return dataclasses.replace(thing, middle=thing.middle * flip, corners=thing.corners * flip)

    other = RELATIONS[OPPOSITE[name]]
    assert other(Terms(a=mirrored(a), anchors=[mirrored(b)], by=BY)) == pytest.approx(
        RELATIONS[name](Terms(a=a, anchors=[b], by=BY)), abs=1e-9
    )


@given(things=st.lists(bodies(), min_size=2, max_size=5))
def test_closest_is_the_minimum(things: list[Body]) -> None:
    best = min(things, key=lambda t: float(np.linalg.norm(t.middle - BY.eye)))
    assert all(orders.close(best, t, BY) >= -1e-12 for t in things)


@pytest.mark.parametrize("name", ["distance", "touch", "far_from", "tall", "big", "wide"])
@given(a=bodies(), b=bodies(), degrees=st.floats(-180, 180), shift=coordinate)
def test_what_nobody_looks_at_stays_when_the_world_turns(
    name: str, a: Body, b: Body, degrees: float, shift: float
) -> None:
    turn = rotated(degrees)

    def moved(thing: Body) -> Body:
        return dataclasses.replace(
            thing,
            rotation=turn @ thing.rotation,
            middle=turn @ thing.middle + [shift, 0, 0],
            corners=thing.corners @ turn.T + [shift, 0, 0],
        )

    before = Terms(a=a, anchors=[b], by=BY, value=0.3, tolerance=0.05)
    after = dataclasses.replace(before, a=moved(a), anchors=[moved(b)])
    assert RELATIONS[name](after) == pytest.approx(RELATIONS[name](before), abs=1e-6)


@given(b=bodies(), degrees=st.floats(-180, 180), away=st.floats(0.05, 0.5))
def test_every_place_round_a_thing_is_before_it_behind_it_or_beside_it(
    b: Body, degrees: float, away: float
) -> None:
    to = rotated(degrees)[:, 0] * away
    a = boxed("a", b.middle + to, np.full(3, 0.02))
    face, back = places.face(a, b, "handle"), places.back(a, b, "handle")
    assert face + back == pytest.approx(-90, abs=1e-4)
    facing_margin = orders.front(a, b, BY, "object", "handle")
    if face > 0.01:
        assert facing_margin > 0


@given(a=bodies(), b=bodies(), c=bodies(), s=st.floats(0.01, 0.2))
def test_between_does_not_mind_the_order_of_its_ends(a: Body, b: Body, c: Body, s: float) -> None:
    assert places.between(a, b, c, s) == pytest.approx(places.between(a, c, b, s), abs=1e-9)


@given(step=st.floats(-0.5, 0.5))
def test_margins_change_their_sign_where_the_truth_does(step: float) -> None:
    """Things moved past the limit of a relation."""
    a, b = body(0.5, step), body(0.5, 0.0)
    assert (orders.right(a, b, BY, "robot") > 0) == (step < 0)
    assert (places.far_from(a, b, 0.1) > 0) == (abs(step) > 0.2)
    assert (places.edge(a, TABLE, 0.1) > 0) == (abs(step) > 0.35)
    assert (places.distance(a, b, 0.2, 0.05) > 0) == (0.15 < abs(step) < 0.25)
