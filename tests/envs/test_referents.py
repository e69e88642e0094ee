"""Referents on scenes made by hand: what is meant, and what is too close to ask."""

import msgspec
import numpy as np
import pytest

from refergym.assets.camera import camera_from_fov, look_at
from refergym.assets.library import open_pack
from refergym.assets.spec import ObjectSpec, Pose, SceneSpec, SupportSpec
from refergym.assets.tints import colour_name
from refergym.envs.errors import TaskError
from refergym.envs.programs import Rank, Select
from refergym.envs.referents import SIMPLE_AXES, Clarity, describe, means, read
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.starts import look, rest_state
from refergym.envs.view import View


def first(fits):
    return next(a for a in open_pack().manifest.assets if fits(a))


PLAIN = first(lambda a: a.category == "apple" and a.colour is None).name
RED = first(lambda a: a.category == "apple" and a.colour == "red").name
GREEN = first(lambda a: a.category == "apple" and a.colour == "green").name
CLARITY = Clarity()


@pytest.fixture(scope="module")
def renderer():
    made = EmbreeRenderer()
    yield made
    made.close()


@pytest.fixture
def view(renderer):
    """Return what makes a view of apples from (asset, x, y, scale) rows, seen from +x."""

    def make(*rows, tints=None, mirror=False):
        objects = tuple(
            ObjectSpec(
                id=f"thing_{i}",
                asset=asset,
                pose=Pose(position=(x, -y if mirror else y, 0.0)),
                scale=scale,
                tint=(tints or {}).get(i, (1.0, 1.0, 1.0)),
            )
            for i, (asset, x, y, scale) in enumerate(rows)
        )
        table = SupportSpec(
            id="table", pose=Pose(position=(0.625, 0.0, -0.02)), size=(0.85, 1.3, 0.04)
        )
        scene = SceneSpec(
            pack=open_pack().digest,
            supports=(table,),
            objects=objects,
            camera=camera_from_fov(224, 224, 55, look_at((1.2, 0.0, 0.6), (0.5, 0.0, 0.0))),
            settled={"kinematic": tuple(o.pose for o in objects)},
        )
        state = rest_state(scene, "kinematic")
        return View(scene, state, look(renderer, scene, state), open_pack())

    return make


def rank(axis, position, colour=None):
    return Select(category="apple", colour=colour, rank=Rank(axis=axis, position=position))


THREE = ((PLAIN, 0.40, -0.15, 0.8), (RED, 0.55, 0.0, 1.3), (GREEN, 0.50, 0.15, 1.0))
"""from the left 0 1 2; from the front 1 2 0; from the largest 1 2 0"""


@pytest.mark.parametrize(
    ("axis", "order"),
    [("left-right", [0, 1, 2]), ("front-back", [1, 2, 0]), ("size", [1, 2, 0])],
)
def test_ranks_count_from_both_ends(view, axis, order):
    seen = view(*THREE)
    for k in (1, 2, 3):
        assert read(rank(axis, k), seen, CLARITY).index == order[k - 1]
        assert read(rank(axis, -k), seen, CLARITY).index == order[-k]


def test_left_and_right_are_mirror_images(view):
    seen, mirrored = view(*THREE), view(*THREE, mirror=True)
    for k in (1, 2, 3):
        a = read(rank("left-right", k), seen, CLARITY)
        b = read(rank("left-right", -k), mirrored, CLARITY)
        assert a.index == b.index
        for axis in ("front-back", "size"):
            same = read(rank(axis, k), seen, CLARITY).index
            assert same == read(rank(axis, k), mirrored, CLARITY).index


@pytest.mark.parametrize("gap", [0.005, 0.015, 0.019, 0.021, 0.03])
def test_a_rank_holds_by_its_margin_or_not_at_all(view, gap):
    rows = ((PLAIN, 0.4, 0.0, 1.0), (PLAIN, 0.55, gap, 1.0), (PLAIN, 0.5, 0.15, 1.0))
    seen = view(*rows)
    assert means(rank("left-right", 1), 0, seen, CLARITY) == (gap > 0.02)
    assert means(rank("left-right", 3), 2, seen, CLARITY)
    if gap > 0.02:
        margin = read(rank("left-right", 1), seen, CLARITY).margin
        assert margin == pytest.approx(gap / 0.02, rel=1e-3)


@pytest.mark.parametrize("ratio", [1.02, 1.08, 1.12, 1.3])
def test_sizes_differ_by_a_tenth_or_not_at_all(view, ratio):
    seen = view((PLAIN, 0.4, 0.0, 0.9), (PLAIN, 0.5, 0.15, 0.9 * ratio))
    assert means(rank("size", 1), 1, seen, CLARITY) == (ratio > 1.1)


def test_perspective_that_turns_the_order_round_is_not_asked(view):
    near, far = (PLAIN, 0.72, 0.12, 0.8), (PLAIN, 0.36, 0.15, 0.8)
    seen = view(near, far)
    middles = np.array([[*t.centre, 0.03] for t in seen.things])
    px, _ = seen.project(middles)
    assert px[0, 0] > px[1, 0]
    assert not means(rank("left-right", 1), 0, seen, CLARITY)
    assert not means(rank("left-right", 1), 1, seen, CLARITY)


def test_a_category_alone_means_one_object_only(view):
    with pytest.raises(TaskError, match="3 objects fit"):
        read(Select(category="apple"), view(*THREE), CLARITY)
    with pytest.raises(TaskError, match="no pear"):
        read(Select(category="pear"), view(*THREE), CLARITY)
    assert read(Select(category="apple"), view(THREE[0]), CLARITY).index == 0


def test_a_rank_among_one_is_not_asked(view):
    with pytest.raises(TaskError, match="too few"):
        read(rank("left-right", 1), view(THREE[0]), CLARITY)


def test_a_colour_is_said_only_where_every_colour_is_known(view):
    red, green = THREE[1:]
    select = Select(category="apple", colour="red")
    assert read(select, view(red, green), CLARITY).index == 0
    with pytest.raises(TaskError, match="colour of a apple is not known"):
        read(select, view(red, green, THREE[0]), CLARITY)
    # between green and what is left without any green lies a tint that nobody would name
    tints = [(1.0, k / 20, k / 20) for k in range(20, 0, -1)]
    murky = next(t for t in tints if colour_name(open_pack(), green[0], t) is None)
    with pytest.raises(TaskError, match="not known"):
        read(select, view(red, green, tints={1: murky}), CLARITY)


def test_a_rank_counts_among_objects_of_its_colour(view):
    rows = (
        (GREEN, 0.5, -0.2, 1.0), (RED, 0.5, -0.1, 1.0), (RED, 0.5, 0.0, 1.0), (GREEN, 0.5, 0.1, 1.0)
    )  # fmt: skip
    seen = view(*rows)
    assert read(rank("left-right", 1), seen, CLARITY).index == 0
    assert read(rank("left-right", 1, "red"), seen, CLARITY).index == 1


def test_a_hidden_object_makes_ranks_ambiguous(view):
    rows = ((PLAIN, 0.45, -0.1, 0.6), (RED, 0.53, -0.1, 1.4), (GREEN, 0.5, 0.15, 1.0))
    seen = view(*rows)
    assert seen.share(0) < 0.5
    assert seen.share(1) > 0.9
    assert describe(0, seen, CLARITY, np.random.default_rng(0)) is None
    assert means(rank("front-back", 2), 2, seen, CLARITY)
    for axis in ("front-back", "size"):
        with pytest.raises(TaskError, match="hidden"):
            read(rank(axis, -1), seen, CLARITY)


def test_what_is_described_is_what_is_meant(view):
    seen = view(*THREE)
    kinds = set()
    for i in range(3):
        for seed in range(30):
            select = describe(i, seen, CLARITY, np.random.default_rng(seed))
            assert select is not None
            assert read(select, seen, CLARITY).index == i
            kinds.add(select.rank.axis)
    assert kinds == set(SIMPLE_AXES)


def test_lookalikes_are_refused_unless_allowed(view):
    pan = first(lambda a: a.category == "pan").name
    pot = first(lambda a: a.category == "pot").name
    seen = view((pan, 0.45, -0.2, 0.7), (pot, 0.5, 0.2, 0.7))
    with pytest.raises(TaskError, match="a pot may be taken for a pan"):
        read(Select(category="pan"), seen, CLARITY)
    allowed = msgspec.structs.replace(CLARITY, alike=True)
    assert read(Select(category="pan"), seen, allowed).index == 0


def test_turning_the_camera_round_turns_left_and_right_round(view, renderer):
    seen = view(*THREE)
    pose = look_at((-0.2, 0.0, 0.6), (0.5, 0.0, 0.0))
    camera = msgspec.structs.replace(seen.scene.camera, pose=pose)
    scene = msgspec.structs.replace(seen.scene, camera=camera)
    state = rest_state(scene, "kinematic")
    parked = np.zeros(9)
    behind = View(
        scene, type(state)(objects=state.objects, joints=parked),
        look(renderer, scene, state), open_pack(),
    )  # fmt: skip
    loose = Clarity(pixels=0, share=0.0)
    for axis in ("left-right", "front-back"):
        a = read(rank(axis, 1), seen, loose).index
        assert a == read(rank(axis, -1), behind, loose).index
