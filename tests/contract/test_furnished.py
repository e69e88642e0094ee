"""Rooms with furniture, slabs of any outline and fixtures: what every backend promises."""

import furnished
import msgspec
import numpy as np
import pytest
from contract_parts import resident_mb
from furnished import BLOCK, BLOCKS, HEIGHT, KINDS, RADIUS, SHELF, SIZE, room, start

from refergym.assets.library import Pack
from refergym.assets.poses import about_z, as_pose, as_row
from refergym.assets.spec import Pose, SceneSpec
from refergym.envs.backends.bullet import BulletBackend
from refergym.envs.geometry import heightmap
from refergym.envs.geometry.caster import Caster
from refergym.envs.skills import ways
from refergym.envs.types import ID_SUPPORT, Backend, Event
from refergym.rollouts.contract_checks import settled


@pytest.mark.parametrize("kind", KINDS)
def test_reset_is_bitwise_repeatable(
    furnished_backend: Backend, furniture: Pack, kind: str
) -> None:
    backend = furnished_backend
    spec = settled(backend, room(furniture, kind, *BLOCKS))
    assert settled(backend, room(furniture, kind, *BLOCKS)).digest == spec.digest
    other = settled(backend, room(furniture, KINDS[KINDS.index(kind) - 1], (0.6, 0.0)))
    digests = []
    for _ in range(2):
        backend.reset(other)
        backend.reset(spec)
        first = backend.state()
        wanted = [as_row(p) for p in spec.settled[backend.kind]]
        np.testing.assert_allclose(first.objects, wanted, atol=1e-6)
        backend.pick(np.array([0.5, 0.1, BLOCK]))
        digests.append((first.digest(), backend.state().digest()))
    assert digests[0] == digests[1]
    assert digests[0][0] != digests[0][1]


@pytest.mark.parametrize("kind", KINDS)
def test_things_are_picked_from_and_put_onto_any_slab(
    furnished_backend: Backend, furniture: Pack, kind: str
) -> None:
    backend = furnished_backend
    spec = settled(backend, room(furniture, kind, *BLOCKS))
    backend.reset(spec)
    assert backend.pick(np.array([0.5, 0.1, BLOCK])).event is Event.PICKED
    assert backend.place(np.array([0.45, -0.15, 0.0])).event is Event.PLACED
    np.testing.assert_allclose(backend.state().objects[0, :3], [0.45, -0.15, 0.0], atol=0.01)


@pytest.mark.bullet
def test_things_beside_a_round_edge_fall_though_the_bounding_box_holds_them(
    furniture: Pack,
) -> None:
    backend = BulletBackend(pack=furniture)
    corner = 0.8 * RADIUS  # inside the square about the circle, outside of the circle
    inside = 0.6 * RADIUS
    spots = ((0.65 - corner, corner), (0.65 - inside, inside))
    for kind in ("outline", "round table"):
        rest = backend.settle(room(furniture, kind, *spots))
        assert rest[0].position[2] < -HEIGHT / 2
        assert rest[1].position == pytest.approx((*spots[1], 0.0), abs=2e-3)
    backend.close()


def test_nothing_is_put_beside_a_round_edge(furnished_backend: Backend, furniture: Pack) -> None:
    backend = furnished_backend
    spec = settled(backend, room(furniture, "outline", *BLOCKS))
    beside = np.array([0.65 - 0.78 * RADIUS, 0.78 * RADIUS, 0.0])
    backend.reset(spec)
    assert backend.pick(np.array([0.5, 0.1, BLOCK])).event is Event.PICKED
    result = backend.place(beside)
    assert result.event in (Event.PLACE_BLOCKED, Event.UNSTABLE)


@pytest.mark.bullet
def test_things_rest_as_high_on_furniture_as_on_a_box(furniture: Pack) -> None:
    backend = BulletBackend(pack=furniture)
    heights = []
    for kind in (*KINDS, "box"):
        spec = room(furniture, "table" if kind == "box" else kind, (0.5, 0.1))
        if kind == "box":
            slab = msgspec.structs.replace(spec.supports[0], asset=None)
            spec = msgspec.structs.replace(spec, supports=(slab, *spec.supports[1:]))
        heights.append(backend.settle(spec)[0].position[2])
    backend.close()
    np.testing.assert_allclose(heights, heights[-1], atol=2e-5)


@pytest.mark.bullet
def test_legs_and_shelves_below_the_top_are_solid(furniture: Pack) -> None:
    backend = BulletBackend(pack=furniture)
    spec = room(furniture, "table", (0.65, 0.0))
    low = Pose(position=(0.65, 0.0, SHELF - HEIGHT + 0.1))
    block = msgspec.structs.replace(spec.objects[0], pose=low)
    rest = backend.settle(msgspec.structs.replace(spec, objects=(block,)))
    backend.close()
    assert rest[0].position[2] == pytest.approx(SHELF - HEIGHT, abs=2e-3)


def test_the_slab_alone_decides_what_skills_see(furniture: Pack) -> None:
    spec = room(furniture, "table", *BLOCKS)
    view = heightmap.overhead(
        Caster(furniture), spec, start(spec), np.array([-0.2, -0.9]), np.array([1.5, 0.9])
    )
    table = view.ids == ID_SUPPORT
    assert set(np.unique(view.ids)) == {0, 1, ID_SUPPORT, ID_SUPPORT - 1}
    assert (view.heights[table] == 0.0).all()
    blocks = (view.ids >= 0).sum()
    area = (table.sum() + blocks) * heightmap.RESOLUTION**2
    assert area == pytest.approx(SIZE[0] * SIZE[1], rel=0.01)


@pytest.mark.parametrize("at", [(0.6, 0.45, 0.2), (0.2, -1.0, 0.3), (-1.1, 0.0, 0.6)])
def test_pointing_at_a_wall_is_a_miss_with_a_cause(
    furnished_backend: Backend, furniture: Pack, at: tuple[float, float, float]
) -> None:
    backend = furnished_backend
    spec = settled(backend, room(furniture, "table", *BLOCKS))
    backend.reset(spec)
    result = backend.pick(np.array(at))
    assert result.event in (Event.OUT_OF_REACH, Event.NO_GRASP)
    assert result.detail
    assert backend.pick(np.array([0.5, 0.1, BLOCK])).event is Event.PICKED
    result = backend.place(np.array(at))
    assert result.event in (Event.OUT_OF_REACH, Event.PLACE_BLOCKED)
    assert backend.state().held == 0


@pytest.mark.parametrize(
    "make", ["kinematic", pytest.param("bullet", marks=pytest.mark.bullet)], indirect=True
)
def test_resets_with_furniture_and_new_outlines_do_not_leak(
    furnished_backend: Backend, furniture: Pack
) -> None:
    backend = furnished_backend
    specs = [settled(backend, room(furniture, kind, *BLOCKS)) for kind in KINDS]

    def cut(spec: SceneSpec, k: int) -> SceneSpec:
        """The same with a table of another outline, as randomisation gives."""
        ring = furnished.circle(RADIUS * (1 - 1e-4 * (k % 97)), 40 + k % 20)
        outline = tuple((float(x), float(y)) for x, y in ring)
        table = msgspec.structs.replace(spec.supports[0], outline=outline)
        return msgspec.structs.replace(spec, supports=(table, spec.supports[1]))

    for i in range(60):
        backend.reset(specs[i % 3] if i % 2 else cut(specs[0], i))
    before = resident_mb()
    for i in range(60, 360):
        backend.reset(specs[i % 3] if i % 2 else cut(specs[0], i))
    assert resident_mb() - before < 5


def test_a_higher_shelf_in_reach_is_kept_clear_of(furniture: Pack) -> None:
    spec = room(furniture, "table", *BLOCKS)
    state, caster = start(spec), Caster(furniture)
    tall = ways.tallest(caster, spec, state)
    assert tall == pytest.approx(BLOCK)
    for x, height in ((0.4, 0.3), (2.5, BLOCK)):
        pose = as_pose(np.array([x, 0.6, 0.29, *about_z(0.0)]))
        shelf = msgspec.structs.replace(
            spec.supports[0], id="shelf", asset=None, outline=None, pose=pose, size=(0.2, 0.2, 0.02)
        )
        more = msgspec.structs.replace(spec, supports=(*spec.supports, shelf))
        assert ways.tallest(caster, more, state) == pytest.approx(height)
