"""The same programs mean the same things in a simulated scene and in a frame annotated from it."""

import dataclasses
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
import shapely
from ca1m_parts import Members, composed, members_of, rendered, write_tar

from refergym.assets import camera as pinhole
from refergym.envs.annotated.ca1m import read_ca1m
from refergym.envs.annotated.frame import AnnotatedFrame, Box
from refergym.envs.annotated.questions import questions
from refergym.envs.annotated.view import FrameView
from refergym.envs.errors import TaskError
from refergym.envs.programs import Select
from refergym.envs.proposals import Proposer
from refergym.envs.referents import Clarity, is_clear, read
from refergym.envs.regions import Limits, locate
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.seen import Seen
from refergym.envs.view import View

CLARITY = Clarity()
SCENES = 10
Pair = tuple[View, AnnotatedFrame]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    """Scenes, and what is read back of them from a tar in CA-1M's layout, with the colours."""
    renderer, members = EmbreeRenderer(), Members()
    views = []
    for k, scene in enumerate(composed(SCENES)):
        view, frame, depth = rendered(scene, renderer)
        members |= members_of(view, frame, depth, "42", k + 1)
        views.append(view)
    renderer.close()
    path = write_tar(tmp_path_factory.mktemp("ca1m") / "ca1m-val-42.tar", members)
    found = []
    for view, frame in zip(views, read_ca1m(path), strict=True):
        assert isinstance(frame, AnnotatedFrame)
        known = {b.name: b for b in view.bodies}
        objects = [
            dataclasses.replace(o, colour=known[o.id].colour, material=known[o.id].material)
            if o.id in known
            else o
            for o in frame.objects
        ]
        found.append((view, dataclasses.replace(frame, objects=tuple(objects))))
    return found


def compared(pairs: list[Pair], *, back: bool) -> Counter[str]:
    """Count how descriptions made in one are read in the other: same, different or refused."""
    outcomes: Counter[str] = Counter()
    for k, (view, frame) in enumerate(pairs):
        of: Seen = FrameView(frame) if back else view
        to: Seen = view if back else FrameView(frame)
        for meant, select in made(of, k):
            try:
                other = to.bodies[read(select, to, CLARITY).index].name
            except TaskError:
                outcomes["refused"] += 1
            else:
                outcomes["same" if other == meant else "different"] += 1
    return outcomes


def made(view: Seen, seed: int) -> Iterator[tuple[str, Select]]:
    proposer = Proposer(view, CLARITY, np.random.default_rng(seed))
    for count in (1, 2, 3, 4):
        for _ in range(6):
            select = proposer.object(count)
            if select is not None:
                yield view.bodies[read(select, view, CLARITY).index].name, select


def test_boxes_come_back_where_they_were(pairs: list[Pair]) -> None:
    for view, frame in pairs:
        m = pinhole.pose_matrix(view.scene.camera.pose)
        n = pinhole.pose_matrix(frame.camera.pose)
        seen = FrameView(frame)
        names = [b.name for b in seen.bodies]
        for body in view.bodies:
            other = seen.bodies[names.index(body.name)]
            mine = (body.middle - m[:3, 3]) @ m[:3, :3]
            np.testing.assert_allclose((other.middle - n[:3, 3]) @ n[:3, :3], mine, atol=1e-6)
            assert other.size == pytest.approx(body.size)
            assert other.width == pytest.approx(body.width)
            assert other.up[2] >= abs(body.up[2]) - 1e-6
        np.testing.assert_allclose(n[2, 1], m[2, 1], atol=1e-6)  # as far from upright


def test_most_pixels_are_found_from_boxes_and_depth(pairs: list[Pair]) -> None:
    ratios, same = [], []
    for view, frame in pairs:
        seen = FrameView(frame)
        for i in range(len(view)):
            if view.pixels[i] > 400:
                ratios.append(float((seen.mask(i) & (view.frame.ids == i)).sum() / view.pixels[i]))
                union = (seen.mask(i) | (view.frame.ids == i)).sum()
                ratios[-1] = float((seen.mask(i) & (view.frame.ids == i)).sum() / union)
            same.append(is_clear(i, view, CLARITY) == is_clear(i, seen, CLARITY))
    assert np.median(ratios) > 0.9
    assert np.quantile(ratios, 0.1) > 0.7
    assert np.mean(same) > 0.9


@pytest.mark.parametrize("back", [False, True])
def test_descriptions_mean_the_same_thing_or_are_not_asked(pairs: list[Pair], back: bool) -> None:
    outcomes = compared(pairs, back=back)
    assert outcomes.total() >= 150
    assert outcomes["different"] == 0
    assert outcomes["same"] >= (0.95 if back else 0.8) * outcomes.total()


def test_boxes_that_are_swapped_are_noticed(pairs: list[Pair]) -> None:
    swapped = []
    for view, frame in pairs:
        boxes = [o.box for o in frame.objects[:-1]]
        turned = [*boxes[1:], boxes[0], frame.objects[-1].box]
        objects = [
            dataclasses.replace(o, box=b) for o, b in zip(frame.objects, turned, strict=True)
        ]
        swapped.append((view, dataclasses.replace(frame, objects=tuple(objects))))
    assert compared(swapped, back=True)["different"] > 20


def test_mirrored_boxes_are_noticed(pairs: list[Pair]) -> None:
    mirrored = []
    for view, frame in pairs:
        right = pinhole.pose_matrix(frame.camera.pose)[:3, 0]

        def flip(box: Box, right=right) -> Box:
            return dataclasses.replace(box, centre=box.centre - 2 * (box.centre @ right) * right)

        objects = tuple(dataclasses.replace(o, box=flip(o.box)) for o in frame.objects)
        mirrored.append((view, dataclasses.replace(frame, objects=objects)))
    assert compared(mirrored, back=False)["different"] > 5


def test_places_are_where_the_words_say_in_the_simulator(pairs: list[Pair]) -> None:
    """The point that answers lies in the place that the simulator finds, and on bare table."""
    outcomes: Counter[str] = Counter()
    for k, (view, frame) in enumerate(pairs):
        height, width = frame.depth.shape
        for q in questions(frame, np.random.default_rng(k), steps=(1, 4), count=10, places=1.0):
            if q.target is not None:
                continue
            x, y = int(q.point_uv[0] * width), int(q.point_uv[1] * height)
            shows = view.frame.ids[y, x]
            point = view.points(np.array([y]), np.array([x]))[0]
            outcomes["bare"] += shows == -10
            outcomes["asked"] += 1
            try:
                place = locate(q.program, view, CLARITY, Limits())  # type: ignore[arg-type]
            except TaskError:
                outcomes["refused"] += 1
                continue
            off = float(shapely.distance(place.polygon, shapely.Point(point[:2])))
            assert off < 0.02, (q.instruction, off)
            outcomes["inside"] += off < 0.005
    assert outcomes["asked"] >= 60
    assert outcomes["bare"] == outcomes["asked"]
    assert outcomes["inside"] >= 0.9 * (outcomes["asked"] - outcomes["refused"])
    assert outcomes["refused"] <= 0.2 * outcomes["asked"]
