"""Newton's own camera shows what our renderer shows."""

from collections.abc import Iterator

import msgspec
import numpy as np
import pytest

from refergym.assets import poses
from refergym.assets.camera import look_at, pose_matrix
from refergym.assets.composers.base import Wants
from refergym.assets.composers.infinigen import Infinigen
from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.library import open_pack
from refergym.assets.robots.kinematics import FINGER_MAX, tcp_pose
from refergym.assets.spec import CameraSpec, SceneSpec
from refergym.envs.backends.newton import NewtonBackend
from refergym.envs.backends.newton_camera import NewtonCamera
from refergym.envs.errors import BackendError, ClosedError
from refergym.envs.geometry.caster import Caster
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.types import (
    ID_FIXTURE,
    ID_NOTHING,
    ID_ROBOT,
    ID_SUPPORT,
    Event,
    Frame,
    State,
)
from refergym.rollouts.contract_checks import (
    Bench,
    graspable,
    its_own_camera_shows_what_our_renderer_shows,
    settled,
    top_of,
)

pytest.importorskip("newton")
WANTS = Wants(graspable=2)
CASTER = Caster()
ALIKE = 15
"""of 255, the median difference of two pictures' colours"""


@pytest.fixture(scope="module")
def table() -> SceneSpec:
    return Tabletop().compose(11, 0, WANTS)


@pytest.fixture(scope="module")
def room() -> SceneSpec:
    """Walls, windows, furniture."""
    return Infinigen().compose(0, 0, WANTS)


@pytest.fixture(scope="module")
def backend() -> Iterator[NewtonBackend]:
    made = NewtonBackend(device="cpu", camera=True)
    yield made
    made.close()


@pytest.fixture(scope="module")
def newton() -> NewtonCamera:
    return NewtonCamera(open_pack(), "cpu")


@pytest.fixture(scope="module")
def ours() -> EmbreeRenderer:
    return EmbreeRenderer(open_pack())


def as_composed(spec: SceneSpec) -> State:
    rows = np.array([poses.as_row(thing.pose) for thing in spec.objects])
    return State(objects=rows, joints=np.array([*spec.robot.parked, FINGER_MAX, FINGER_MAX]))


def overlap(a: Frame, b: Frame, number: int) -> float:
    """Pixels that both pictures give an id, as a share of those that one of them does."""
    mine, yours = a.ids == number, b.ids == number
    assert yours.any(), f"{number} is not seen"
    return float((mine & yours).sum() / (mine | yours).sum())


def shows_the_same(a: Frame, b: Frame) -> None:
    same = a.ids == b.ids
    assert same.mean() > 0.98
    assert np.quantile(np.abs(a.depth - b.depth)[same], 0.999) < 1e-3


@pytest.mark.parametrize("name", ["table", "room"])
def test_it_shows_what_our_renderer_shows(
    request: pytest.FixtureRequest, backend: NewtonBackend, name: str
) -> None:
    scene = request.getfixturevalue(name)
    its_own_camera_shows_what_our_renderer_shows(
        Bench(backend=backend, make=NewtonBackend, scenes=[scene], caster=CASTER, tolerance=0.0)
    )


def test_it_tells_walls_furniture_robot_and_every_object(
    newton: NewtonCamera, ours: EmbreeRenderer, room: SceneSpec
) -> None:
    own, wanted = (c(room, as_composed(room)) for c in (newton.look, ours.render))
    assert (own.rgb.dtype, own.depth.dtype, own.ids.dtype) == (np.uint8, np.float32, np.int32)
    shows_the_same(own, wanted)
    seen, counts = np.unique(wanted.ids, return_counts=True)
    assert seen.min() <= ID_FIXTURE
    assert {ID_SUPPORT, ID_ROBOT} <= set(seen.tolist())
    for number in seen[counts > 30]:
        assert overlap(own, wanted, number) > 0.9, number


def test_what_is_held_and_the_arm_are_seen_where_they_are(
    backend: NewtonBackend, ours: EmbreeRenderer, table: SceneSpec
) -> None:
    spec = settled(backend, table)
    backend.reset(spec)
    parked = backend.look()
    before = parked.ids.copy()
    for target in graspable(CASTER, spec):
        if backend.pick(top_of(CASTER, spec, backend.state(), target)).event is Event.PICKED:
            break
    state = backend.state()
    assert state.held >= 0
    hand = (pose_matrix(spec.robot.base) @ tcp_pose(state.joints))[:3, 3]
    aside = msgspec.structs.replace(
        spec.camera,
        pose=look_at(hand + np.array([0.5, 0.5, -0.1]), hand),
        cx=0.6 * spec.camera.width,
    )
    own, wanted = backend.look(aside), ours.render(spec, state, aside)
    shows_the_same(own, wanted)
    assert overlap(own, wanted, state.held) > 0.9
    assert overlap(own, wanted, ID_ROBOT) > 0.95
    assert overlap(backend.look(), parked, state.held) < 0.5
    np.testing.assert_array_equal(parked.ids, before)


def test_pictures_do_not_change_what_happens(backend: NewtonBackend, table: SceneSpec) -> None:
    blind = NewtonBackend(device="cpu")
    after = []
    for one in (backend, blind):
        spec = settled(one, table)
        one.reset(spec)
        if one is backend:
            one.look()
        one.pick(top_of(CASTER, spec, one.state(), graspable(CASTER, spec)[0]))
        after.append(one.state().digest())
    blind.close()
    assert after[0] == after[1]


def uneven(camera: CameraSpec) -> CameraSpec:
    return msgspec.structs.replace(
        camera,
        width=201,
        height=120,
        fx=0.8 * camera.fx,
        fy=1.1 * camera.fx,
        cx=71.3,
        cy=89.9,
    )


def test_principal_point_and_focal_lengths_may_be_any(
    newton: NewtonCamera, ours: EmbreeRenderer, table: SceneSpec
) -> None:
    state, camera = as_composed(table), uneven(table.camera)
    own, wanted = newton.look(table, state, camera), ours.render(table, state, camera)
    assert own.rgb.shape == (120, 201, 3)
    shows_the_same(own, wanted)
    centred = msgspec.structs.replace(camera, cx=100.5, cy=60.0)
    assert (newton.look(table, state, centred).ids == wanted.ids).mean() < 0.95


def test_nothing_is_seen_beyond_the_far_limit(
    newton: NewtonCamera, ours: EmbreeRenderer, table: SceneSpec
) -> None:
    state = as_composed(table)
    near = msgspec.structs.replace(
        table.camera, far=float(np.median(ours.render(table, state).depth))
    )
    own = newton.look(table, state, near)
    is_empty = own.ids == ID_NOTHING
    assert 0.3 < is_empty.mean() < 0.7
    assert (own.depth[is_empty] == 0).all()
    assert own.depth.max() <= near.far
    shows_the_same(own, ours.render(table, state, near))


def test_colours_are_close_to_those_of_our_renderer(
    newton: NewtonCamera, ours: EmbreeRenderer, table: SceneSpec
) -> None:
    tinted = tuple(msgspec.structs.replace(thing, tint=(0.9, 0.3, 0.1)) for thing in table.objects)
    scene = msgspec.structs.replace(table, objects=tinted)
    state = as_composed(scene)
    wanted = ours.render(scene, state)
    is_thing = wanted.ids >= 0

    def off(spec: SceneSpec) -> float:
        own = newton.look(spec, state)
        return float(np.median(np.abs(own.rgb.astype(int) - wanted.rgb).max(axis=2)[is_thing]))

    assert off(scene) < ALIKE
    assert off(table) > 3 * ALIKE


def test_surfaces_that_are_inside_out_are_lit_from_where_they_are_seen(
    newton: NewtonCamera, ours: EmbreeRenderer
) -> None:
    scene = Infinigen().compose(5)  # most of its table's top points down
    state = as_composed(scene)
    own, wanted = newton.look(scene, state), ours.render(scene, state)
    is_top = (own.ids == ID_SUPPORT) & (wanted.ids == ID_SUPPORT)
    assert scene.supports[0].asset is not None
    assert is_top.mean() > 0.3
    off = np.abs(own.rgb.astype(int) - wanted.rgb)[is_top]
    assert np.median(off.max(axis=1)) < ALIKE


def test_another_camera_or_pose_needs_no_new_model_and_another_look_does(
    newton: NewtonCamera, table: SceneSpec
) -> None:
    newton.look(table, as_composed(table))
    kept = newton._drawing
    thing = msgspec.structs.replace(table.objects[0], pose=table.objects[1].pose)
    moved = msgspec.structs.replace(
        table, camera=uneven(table.camera), objects=(thing, *table.objects[1:])
    )
    newton.look(moved, as_composed(moved))
    assert newton._drawing is kept
    for changed in (
        msgspec.structs.replace(table, light=msgspec.structs.replace(table.light, ambient=0.2)),
        msgspec.structs.replace(
            table,
            objects=(
                msgspec.structs.replace(table.objects[0], tint=(0.2, 0.9, 0.2)),
                *table.objects[1:],
            ),
        ),
    ):
        before = newton._drawing
        newton.look(changed, as_composed(changed))
        assert newton._drawing is not before


def test_without_the_option_it_says_how_to_get_one(table: SceneSpec) -> None:
    blind = NewtonBackend(device="cpu")
    blind.reset(settled(blind, table))
    with pytest.raises(BackendError, match=r"no camera of its own.*backend\.camera=true"):
        blind.look()
    blind.close()


def test_it_needs_a_scene_and_an_open_backend() -> None:
    made = NewtonBackend(device="cpu", camera=True)
    with pytest.raises(BackendError, match="no scene yet"):
        made.look()
    made.close()
    with pytest.raises(ClosedError):
        made.look()
