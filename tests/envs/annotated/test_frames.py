"""Annotated frames made by hand: pixels, shares, surfaces, and what boxes tell."""

import dataclasses
from collections import Counter

import msgspec
import numpy as np
import pytest
import shapely

from refergym.assets import camera as pinhole
from refergym.assets.camera import camera_from_fov, look_at
from refergym.envs.annotated.frame import AnnotatedFrame, AnnotatedObject, Box
from refergym.envs.annotated.outlines import body_of, rounded
from refergym.envs.annotated.pixels import corners_of, middle_of
from refergym.envs.annotated.placed import SurfaceView
from refergym.envs.annotated.questions import questions
from refergym.envs.annotated.view import FrameView
from refergym.envs.errors import SourceError, TaskError
from refergym.envs.programs import Between, Direction, Edge, Rank, Select, Where
from refergym.envs.referents import Clarity, read
from refergym.envs.regions import Limits, locate

CAMERA = camera_from_fov(320, 240, 60, look_at((1.4, 0.0, 1.5), (0.0, 0.0, 0.75)), far=20.0)
TOP = 0.75
CLARITY = Clarity()


def boxed(name, category, x, y, sides, *, bottom=TOP, yaw=0.0, colour=None):
    c, s = np.cos(yaw), np.sin(yaw)
    box = Box(
        centre=np.array([x, y, bottom + sides[2] / 2]),
        sides=np.array(sides),
        rotation=np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    )
    return AnnotatedObject(id=name, category=category, box=box, colour=colour)


TABLE = boxed("t", "table", 0.0, 0.0, (0.8, 1.2, 0.05), bottom=TOP - 0.05)
CUPS = (
    boxed("c0", "cup", 0.1, -0.3, (0.08, 0.08, 0.10)),
    boxed("c1", "cup", -0.1, 0.0, (0.08, 0.08, 0.16)),
    boxed("c2", "cup", 0.2, 0.3, (0.12, 0.12, 0.12), yaw=0.5),
)


def cast(objects, *, camera=CAMERA, floor=0.0, solid=None):
    """Depth [H, W] m of boxes (their inscribed shape is the whole box) and of a floor."""
    rays = pinhole.rays_c(camera)
    m = pinhole.pose_matrix(camera.pose)
    turned = rays @ m[:3, :3].T
    depth = np.where(turned[:, 2] < 0, (floor - m[2, 3]) / turned[:, 2], np.inf)
    for o in objects:
        local = turned @ o.box.rotation
        origin = (m[:3, 3] - o.box.centre) @ o.box.rotation
        with np.errstate(divide="ignore"):
            a, b = (-o.box.sides / 2 - origin) / local, (o.box.sides / 2 - origin) / local
        enters, leaves = np.minimum(a, b).max(1), np.maximum(a, b).min(1)
        hit = (enters <= leaves) & (enters > 0)
        depth = np.where(hit & (enters < depth), enters, depth)
    depth = np.where(np.isfinite(depth), depth, 0).reshape(camera.height, camera.width)
    return depth.astype(np.float32)


def frame_of(annotated, shown=None, camera=CAMERA):
    depth = cast(annotated if shown is None else shown, camera=camera)
    return AnnotatedFrame(
        name="f",
        rgb=np.zeros((camera.height, camera.width, 3), np.uint8),
        depth=depth,
        camera=camera,
        objects=tuple(annotated),
    )


def test_programs_read_an_annotated_frame():
    view = FrameView(frame_of((TABLE, *CUPS)))
    # seen from +x, left is -y
    names = {b.name: i for i, b in enumerate(view.bodies)}

    def meant(select):
        return view.id_of(read(select, view, CLARITY).index)

    cup = Select(category="cup")
    assert meant(Select(category="cup", rank=Rank(axis="left-right", position=1))) == "c0"
    assert meant(Select(category="cup", rank=Rank(axis="height", position=1))) == "c1"
    assert meant(Select(category="cup", rank=Rank(axis="front-back", position=1))) == "c2"
    leftmost = Select(category="cup", rank=Rank(axis="left-right", position=1))
    right = Select(
        category="cup",
        where=(Where(relation="right", anchors=(leftmost,)),),
        rank=Rank(axis="height", position=1),
    )
    assert meant(right) == "c1"
    with pytest.raises(TaskError, match="3 objects fit"):
        read(cup, view, CLARITY)
    with pytest.raises(TaskError, match="colour of a cup is not known"):
        read(Select(category="cup", colour="red"), view, CLARITY)
    assert set(names) == {"t", "c0", "c1", "c2"}


def test_pixels_and_shares_follow_the_depth():
    view = FrameView(frame_of((TABLE, *CUPS)))
    assert (view.pixels > 200).all()
    assert min(view.share(i) for i in range(1, 4)) > 0.9
    screen = boxed("s", "screen", 0.3, 0.3, (0.01, 0.2, 0.08))
    hidden = FrameView(frame_of((TABLE, *CUPS), (TABLE, *CUPS, screen)))
    assert 0.2 < hidden.share(3) < 0.75
    assert hidden.share(1) == pytest.approx(view.share(1))
    aside = camera_from_fov(320, 240, 60, look_at((1.4, 0.33, 1.5), (0.0, 0.86, 0.75)), far=20.0)
    cut = FrameView(frame_of((TABLE, *CUPS), camera=aside))
    assert cut.share(1) == 0.0
    assert cut.pixels[1] == 0


def test_what_the_pictures_edge_cuts_is_less_visible():
    px, _ = pinhole.project(CAMERA, CUPS[0].box.centre[None])
    at_the_edge = msgspec.structs.replace(CAMERA, cx=CAMERA.cx - float(px[0, 0]))
    cut = FrameView(frame_of((TABLE, *CUPS), camera=at_the_edge))
    assert cut.share(1) == pytest.approx(0.5, abs=0.1)
    assert cut.share(2) > 0.9


def test_masks_win_over_boxes():
    mask = np.zeros((240, 320), bool)
    mask[100:110, 50:70] = True
    cup = dataclasses.replace(CUPS[0], mask=mask)
    view = FrameView(frame_of((TABLE, cup, *CUPS[1:])))
    np.testing.assert_array_equal(view.mask(1), mask)
    assert view.pixels[1] == 200


def test_what_has_no_name_is_counted_but_not_asked_for():
    unnamed = dataclasses.replace(CUPS[1], category="object")
    wall = boxed("w", "wall", -2.0, 0.0, (0.1, 4.0, 2.0), bottom=0.0)
    view = FrameView(frame_of((TABLE, wall, unnamed, CUPS[0])))
    assert [t.category for t in view.things] == ["table", "object", "cup"]
    assert view.share(1) == 0.0
    assert view.share(2) > 0.9


def test_the_annotated_table_carries_what_stands_on_it():
    chair = boxed("k", "chair", 0.0, 1.0, (0.4, 0.4, 0.8), bottom=0.0)
    view = FrameView(frame_of((TABLE, chair, *CUPS)))
    tops = [s for s in view.surfaces if s.is_table]
    assert len(tops) == 1
    assert tops[0].height == pytest.approx(TOP)
    placed = SurfaceView(view, tops[0])
    on = [view.id_of(i) for i in range(len(view)) if placed.is_on_table(i)]
    assert on == ["c0", "c1", "c2"]
    assert view.the_table is tops[0]


@pytest.mark.parametrize(("y", "stands"), [(0.56, True), (0.585, False)])
def test_seven_tenths_of_a_thing_lie_over_what_it_stands_on(y, stands):
    cup = boxed("c", "cup", 0.0, y, (0.1, 0.1, 0.1))
    sunk = boxed("d", "cup", 0.0, 0.0, (0.1, 0.1, 0.1), bottom=TOP + (0.04 if stands else 0.06))
    view = FrameView(frame_of((TABLE, cup, sunk, CUPS[0])))
    table = next(s for s in view.surfaces if s.is_table)
    assert table.carries(view.bodies[1]) == stands
    assert table.carries(view.bodies[2]) == stands


def test_without_an_annotated_table_the_plane_is_found_from_depth():
    view = FrameView(frame_of(CUPS, (TABLE, *CUPS)))
    (plane,) = view.surfaces
    assert plane.owner is None
    assert plane.height == pytest.approx(TOP, abs=0.005)
    assert plane.polygon.symmetric_difference(shapely.box(-0.4, -0.6, 0.4, 0.6)).area < 0.1
    assert all(plane.carries(b) for b in view.bodies)
    assert view.the_table is None
    in_the_air = [boxed(f"c{k}", "cup", 0.0, y, (0.1, 0.1, 0.1), bottom=1.05)
                  for k, y in enumerate((-0.3, 0.3))]  # fmt: skip
    assert FrameView(frame_of(in_the_air, (TABLE,))).surfaces == []


def test_a_round_table_has_no_edges_that_its_box_tells():
    round_top = [
        boxed(f"p{k}", "part", 0, 0, (2 * 0.4 * np.cos(a), 2 * 0.4 * np.sin(a), 0.05), bottom=0.7)
        for k, a in enumerate(np.linspace(0.1, np.pi / 2 - 0.1, 12))
    ]
    square = boxed("t", "table", 0.0, 0.0, (0.8, 0.8, 0.05), bottom=0.7)
    cups = [boxed(f"c{k}", "cup", 0.1, y, (0.07, 0.07, 0.1)) for k, y in enumerate((-0.1, 0.1))]
    assert FrameView(frame_of((square, *cups))).the_table is not None
    seen = FrameView(frame_of((square, *cups), (*round_top, *cups)))
    assert seen.the_table is None
    with pytest.raises(TaskError, match="edge: needs one table alone"):
        SurfaceView(seen, seen.surfaces[0]).relation("edge")


def test_places_are_found_on_the_surface():
    view = FrameView(frame_of((TABLE, *CUPS)))
    assert view.the_table is not None
    placed = SurfaceView(view, view.the_table)
    leftmost = Select(category="cup", rank=Rank(axis="left-right", position=1))
    rightmost = Select(category="cup", rank=Rank(axis="left-right", position=-1))
    there = locate(Direction(anchor=leftmost, side="behind", distance=0.2), placed, CLARITY,
                   Limits())  # fmt: skip
    np.testing.assert_allclose(there.goal, [-0.1, -0.3], atol=1e-6)
    assert there.height == pytest.approx(TOP)
    gap = locate(Between(a=leftmost, b=rightmost), placed, CLARITY, Limits())
    assert gap.goal is not None
    assert abs(gap.goal[1]) < 0.05
    edge = locate(Edge(side="front"), placed, CLARITY, Limits())
    assert shapely.contains_xy(edge.polygon, 0.35, 0.0)
    assert not shapely.contains_xy(edge.polygon, 0.2, 0.0)


@pytest.mark.parametrize("relation", ["inside", "outside", "vertical_rotate"])
def test_what_boxes_do_not_tell_is_refused_by_name(relation):
    view = FrameView(frame_of((TABLE, *CUPS)))
    with pytest.raises(TaskError, match=f"{relation}: needs to know"):
        view.relation(relation)


def test_touch_is_a_tie_where_boxes_and_what_is_in_them_disagree():
    pair = [boxed("a", "can", 0.0, 0.0, (0.1, 0.1, 0.1)),
            boxed("b", "cup", 0.08, 0.08, (0.1, 0.1, 0.1))]  # fmt: skip
    apart = boxed("c", "cup", -0.3, 0.3, (0.1, 0.1, 0.1))
    view = FrameView(frame_of((TABLE, *pair, apart)))
    touching = Select(
        category="cup", where=(Where(relation="touch", anchors=(Select(category="can"),)),)
    )
    with pytest.raises(TaskError, match="a tie in touch"):
        read(touching, view, CLARITY)


def test_a_box_has_an_up_of_its_own_whatever_the_order_of_its_axes():
    turn = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    box = Box(centre=np.zeros(3), sides=np.array([0.1, 0.3, 0.2]), rotation=turn)
    body = body_of(AnnotatedObject(id="a", category="box", box=box))
    assert body.up[2] == pytest.approx(1.0)
    assert np.linalg.det(body.rotation) == pytest.approx(1.0)
    assert body.height == pytest.approx(0.3)
    assert body.width == pytest.approx(0.2)
    corners = body.middle + np.array([1, 1, 1]) * body.half @ body.rotation.T
    assert np.abs(corners_of(box) - corners).sum(1).min() < 1e-9
    assert rounded(body).footprint.area == pytest.approx(np.pi / 4 * 0.02, rel=0.02)


def test_the_middle_of_a_mask_is_inside_it():
    mask = np.zeros((40, 40), bool)
    mask[5:35, 5:9] = mask[31:35, 5:35] = True  # its mean lies outside
    x, y = middle_of(mask)
    assert mask[y - 1 : y + 2, x - 1 : x + 2].all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": np.zeros((10, 9), np.float32)}, "depth: expected 320 x 240 .* got 9 x 10"),
        ({"depth": np.full((240, 320), np.nan, np.float32)}, "depth: expected finite"),
        ({"rgb": np.zeros((240, 300, 3), np.uint8)}, "rgb: expected 320 x 240"),
        ({"objects": (CUPS[0], CUPS[0])}, "'c0' is already objects\\[0\\]"),
        ({"objects": (dataclasses.replace(CUPS[0], category=""),)}, "category: expected a noun"),
    ],
)  # fmt: skip
def test_a_frame_whose_parts_do_not_fit_is_refused(change, message):
    with pytest.raises(SourceError, match=message):
        dataclasses.replace(frame_of((TABLE, *CUPS)), **change)


def test_questions_repeat_for_a_seed_and_answers_lie_in_their_masks():
    frame = frame_of((TABLE, *CUPS))
    asked = list(questions(frame, np.random.default_rng(3), steps=(1, 3), count=10))
    again = list(questions(frame, np.random.default_rng(3), steps=(1, 3), count=10))
    assert [q.instruction for q in asked] == [q.instruction for q in again]
    assert len({q.program for q in asked}) == len(asked) == 10
    assert {q.target is None for q in asked} == {True, False}
    for q in asked:
        x, y = int(q.point_uv[0] * 320), int(q.point_uv[1] * 240)
        assert q.mask[y, x]
        assert 1 <= q.steps <= 3
    with pytest.raises(TaskError, match="steps: expected"):
        next(questions(frame, np.random.default_rng(0), steps=(0, 9)))
    objects = questions(frame, np.random.default_rng(0), steps=(1, 2), count=6, places=0.0)
    assert all(q.target is not None and q.facts[-1].perception == "Position" for q in objects)


def test_of_a_frame_without_things_nothing_is_asked():
    refused = Counter()
    assert not list(questions(frame_of((), (TABLE,)), np.random.default_rng(0), refused=refused))
    assert refused["nothing clear to name"] > 0
