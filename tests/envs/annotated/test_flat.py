"""Pictures with 2D boxes: what can be said of them, and what cannot."""

import numpy as np
import pytest

from refergym.envs.annotated.flat import CLARITY, FlatView
from refergym.envs.annotated.picture import FlatObject, Picture
from refergym.envs.annotated.questions import questions
from refergym.envs.errors import SourceError, TaskError
from refergym.envs.programs import Rank, Select, Where, walk
from refergym.envs.referents import is_clear, read
from refergym.envs.relations.table import RELATIONS

TOLD = {"left", "right", "above", "below", "front", "behind", "close", "far", "depth"}


def thing(name, category, *box, **marks):
    return FlatObject(id=name, category=category, box=box, **marks)


ROW = (
    thing("a", "cup", 20, 90, 60, 130),
    thing("b", "cup", 120, 60, 160, 100),
    thing("c", "cup", 220, 110, 280, 170),
    thing("p", "plate", 165, 150, 215, 190),
)
NEARNESS = np.linspace(0.0, 1.0, 200, dtype=np.float32)[:, None] * np.ones((1, 300), np.float32)
"""nearer the lower in the picture"""


def picture(objects=ROW, nearness=NEARNESS):
    return Picture(
        name="x", rgb=np.zeros((200, 300, 3), np.uint8), objects=tuple(objects), nearness=nearness
    )


def meant(select, seen):
    return seen.id_of(read(select, seen, CLARITY).index)


def cup(relation, *anchors, rank=None):
    where = (Where(relation=relation, anchors=anchors),)
    return Select(category="cup", where=where, rank=rank)


def ranked(axis, position):
    return Select(category="cup", rank=Rank(axis=axis, position=position))


PLATE = Select(category="plate")


def test_programs_read_a_picture():
    seen = FlatView(picture())
    assert [meant(ranked("left-right", k), seen) for k in (1, 2, 3)] == ["a", "b", "c"]
    assert meant(ranked("front-back", 1), seen) == "c"
    assert meant(ranked("front-back", -1), seen) == "b"
    assert meant(cup("left", PLATE, rank=Rank(axis="left-right", position=-1)), seen) == "b"
    assert meant(cup("right", PLATE), seen) == "c"
    first = ranked("left-right", 1)
    assert meant(cup("above", first), seen) == "b"
    assert meant(cup("behind", first), seen) == "b"
    assert meant(cup("far", first), seen) == "b"
    assert meant(cup("behind", cup("right", PLATE), rank=Rank(axis="front-back", position=1)),
                 seen) == "a"  # fmt: skip


def test_boxes_whose_edges_disagree_are_a_tie():
    seen = FlatView(picture((ROW[1], thing("s", "sofa", 10, 20, 290, 180))))
    with pytest.raises(TaskError, match="a tie in left"):
        read(cup("left", Select(category="sofa")), seen, CLARITY)


def test_depths_that_overlap_are_a_tie():
    close = (ROW[0], thing("b", "cup", 120, 94, 160, 134), ROW[3])
    seen = FlatView(picture(close))
    with pytest.raises(TaskError, match="a tie in behind"):
        read(cup("behind", ranked("left-right", 1)), seen, CLARITY)
    with pytest.raises(TaskError, match="a tie in front-back"):
        read(ranked("front-back", 1), seen, CLARITY)


@pytest.mark.parametrize("name", sorted(set(RELATIONS) - TOLD))
def test_what_needs_metric_3d_is_refused_by_name(name):
    with pytest.raises(TaskError, match=f"^{name}: needs metric 3D"):
        FlatView(picture()).relation(name)


@pytest.mark.parametrize("axis", ["height", "width", "size", "distance"])
def test_orders_that_need_metric_3d_are_refused_by_name(axis):
    anchor = PLATE if axis == "distance" else None
    select = Select(category="cup", rank=Rank(axis=axis, position=1, anchor=anchor))
    with pytest.raises(TaskError, match=f"rank by {axis}: needs metric 3D"):
        read(select, FlatView(picture()), CLARITY)


@pytest.mark.parametrize("name", ["front", "behind", "close", "far", "depth"])
def test_without_a_depth_map_nothing_is_said_of_depth(name):
    seen = FlatView(picture(nearness=None))
    with pytest.raises(TaskError, match=f"{name}: needs relative depth"):
        seen.relation(name)
    with pytest.raises(TaskError, match="rank by front-back: needs relative depth"):
        read(ranked("front-back", 1), seen, CLARITY)
    assert meant(ranked("left-right", 1), seen) == "a"


def test_frames_of_reference_other_than_the_viewers_are_refused():
    seen = FlatView(picture())
    for frame in ("robot", "object"):
        side = "handle" if frame == "object" else ""
        where = Where(relation="left", anchors=(PLATE,), frame=frame, side=side)
        with pytest.raises(TaskError, match="expected one of viewer"):
            read(Select(category="cup", where=(where,)), seen, CLARITY)


def test_the_scale_of_relative_depth_does_not_matter():
    seen, scaled = FlatView(picture()), FlatView(picture(nearness=NEARNESS * 700 - 30))
    np.testing.assert_allclose(seen.readings[2:4], scaled.readings[2:4], atol=1e-6)
    turned = FlatView(picture(nearness=-NEARNESS))
    assert meant(ranked("front-back", 1), turned) == "b"


def test_smaller_boxes_are_taken_to_be_in_front():
    table = thing("t", "table", 0, 0, 300, 200)
    seen = FlatView(picture((table, *ROW)))
    assert seen.mask(0).sum() == 300 * 200 - sum(seen.mask(i).sum() for i in range(1, 5))
    assert seen.share(1) == 1.0
    covered = thing("d", "dish", 165, 150, 215, 180)
    assert FlatView(picture((*ROW, covered))).share(3) == pytest.approx(0.25)


def test_marks_make_things_less_clear():
    marked = (
        thing("a", "cup", 20, 100, 60, 140, is_occluded=True),
        thing("b", "cup", 120, 60, 160, 100, is_occluded=True, is_cut=True),
        thing("c", "cup", 220, 110, 280, 170, is_sure=False),
    )
    seen = FlatView(picture(marked))
    assert [seen.share(i) for i in range(3)] == [0.5, 0.25, 0.0]
    assert [is_clear(i, seen, CLARITY) for i in range(3)] == [True, False, False]


def test_questions_ask_what_the_picture_tells():
    asked = list(questions(picture(), np.random.default_rng(0), steps=(1, 4), count=20))
    assert len(asked) >= 12
    named = {n.relation for q in asked for _, n in walk(q.program) if isinstance(n, Where)}
    assert named
    assert named <= TOLD
    boxes = {o.id: o.box for o in ROW}
    for q in asked:
        x0, y0, x1, y1 = boxes[q.target]
        assert x0 <= q.point_uv[0] * 300 <= x1
        assert y0 <= q.point_uv[1] * 200 <= y1
        assert q.mask[int(q.point_uv[1] * 200), int(q.point_uv[0] * 300)]


@pytest.mark.parametrize(
    ("objects", "nearness", "message"),
    [
        ([thing("a", "cup", 0, 0, 301, 10)], None, r"objects\[0\].box: .* inside 300 x 200"),
        ([thing("a", "cup", 20, 10, 20, 30)], None, r"objects\[0\].box"),
        ([thing("a", "cup", 0, float("nan"), 5, 5)], None, r"objects\[0\].box: expected finite"),
        ([ROW[0], ROW[0]], None, "'a' is already"),
        (ROW, NEARNESS[:50], "nearness: expected 300 x 200"),
        (ROW, NEARNESS + np.float32(np.inf), "nearness: expected finite"),
    ],
)
def test_a_picture_whose_parts_do_not_fit_is_refused(objects, nearness, message):
    with pytest.raises(SourceError, match=message):
        picture(objects, nearness)
