"""Rooms with furniture, slabs of any outline and fixtures: what every renderer promises."""

import contextlib
from collections.abc import Iterator

import msgspec
import numpy as np
import pytest
import shapely
from furnished import BLOCKS, HEIGHT, KINDS, RADIUS, SHELF, room, start

from refergym.assets import camera as pinhole
from refergym.assets.footprints import support_polygon
from refergym.assets.library import Pack
from refergym.assets.spec import FixtureSpec, SceneSpec
from refergym.envs.areas import FLUSH, area_of, is_bare, pixels_of
from refergym.envs.errors import RenderError
from refergym.envs.geometry.caster import Caster
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.render.gl import ModernGLRenderer
from refergym.envs.types import ID_FIXTURE, ID_NOTHING, ID_ROBOT, ID_SUPPORT, Frame, Renderer
from refergym.envs.view import View

ABOVE = {"eye": (1.7, 0.0, 1.1), "target": (0.5, 0.0, -0.1)}


@pytest.fixture(scope="module")
def renderers(furniture: Pack) -> Iterator[dict[str, Renderer]]:
    """Those that can start here."""
    made: dict[str, Renderer] = {"embree": EmbreeRenderer(furniture)}
    with contextlib.suppress(RenderError):
        made["moderngl"] = ModernGLRenderer(furniture)
    yield made
    for renderer in made.values():
        renderer.close()


@pytest.fixture(params=["embree", "moderngl"])
def renderer(request: pytest.FixtureRequest, renderers: dict[str, Renderer]) -> Renderer:
    if request.param not in renderers:
        pytest.skip("EGL cannot start here")
    return renderers[request.param]


def points_w(spec: SceneSpec, frame: Frame, where: np.ndarray) -> np.ndarray:
    y, x = np.nonzero(where)
    return pinhole.unproject(spec.camera, np.column_stack([x, y]) + 0.5, frame.depth[where])


@pytest.mark.parametrize("kind", KINDS)
def test_both_renderers_see_the_same(
    renderers: dict[str, Renderer], furniture: Pack, kind: str
) -> None:
    spec = room(furniture, kind, *BLOCKS)
    state = start(spec)
    frames = []
    for renderer in renderers.values():
        frames.append(renderer.render(spec, state))
        depth, ids = renderer.render_ids(spec, state)  # type: ignore[attr-defined]
        np.testing.assert_array_equal(ids, frames[-1].ids)
        np.testing.assert_array_equal(depth, frames[-1].depth)
    if len(frames) < 2:
        pytest.skip("EGL cannot start here")
    a, b = frames
    assert (a.ids == b.ids).mean() >= 0.999
    inside = _off_edges(a) & (a.ids == b.ids)
    assert inside.mean() > 0.6
    assert np.abs(a.depth - b.depth)[inside].max() < 1e-3
    assert np.abs(a.rgb.astype(int) - b.rgb).mean() < 3
    walls = set(range(ID_FIXTURE - len(spec.fixtures) + 1, ID_FIXTURE + 1))
    seen = set(np.unique(a.ids).tolist())
    assert {0, 1, ID_SUPPORT, ID_SUPPORT - 1, ID_ROBOT, ID_NOTHING} <= seen
    assert len(seen & walls) >= 12


def _off_edges(frame: Frame) -> np.ndarray:
    """Pixels among four neighbours of one thing, without a step or crease between them."""
    out = np.zeros(frame.ids.shape, bool)
    ids, depth = frame.ids, frame.depth
    middle = ids[1:-1, 1:-1]
    same = np.ones(middle.shape, bool)
    for a, b in (
        (np.s_[:-2, 1:-1], np.s_[2:, 1:-1]),
        (np.s_[1:-1, :-2], np.s_[1:-1, 2:]),
        (np.s_[:-2, :-2], np.s_[2:, 2:]),
        (np.s_[:-2, 2:], np.s_[2:, :-2]),
    ):
        same &= (ids[a] == middle) & (ids[b] == middle)
        same &= np.abs(depth[a] + depth[b] - 2 * depth[1:-1, 1:-1]) < 0.003
    out[1:-1, 1:-1] = same
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_a_tables_upper_face_is_where_its_slab_is(
    renderer: Renderer, furniture: Pack, kind: str
) -> None:
    spec = room(furniture, kind, **ABOVE)  # type: ignore[arg-type]
    frame = renderer.render(spec, start(spec))
    points = points_w(spec, frame, frame.ids == ID_SUPPORT)
    face = points[np.abs(points[:, 2]) < 2e-5]
    assert len(face) > 3000
    top = support_polygon(spec.supports[0])
    seen = shapely.convex_hull(shapely.multipoints(face[:, :2]))
    assert top.buffer(1e-4).covers(seen)
    assert seen.area == pytest.approx(top.area, rel=0.05)
    if kind == "table":
        assert np.isclose(points[:, 2], SHELF - HEIGHT, atol=1e-4).sum() > 100


def test_what_is_not_the_upper_face_is_no_free_place(renderer: Renderer, furniture: Pack) -> None:
    spec = room(furniture, "table", eye=(2.1, 0.3, 0.25), target=(0.65, 0.0, -0.3))
    frame = renderer.render(spec, start(spec))
    view = View(spec, start(spec), frame, furniture)
    shelf = points_w(spec, frame, frame.ids == ID_SUPPORT)
    shelf = shelf[np.isclose(shelf[:, 2], SHELF - HEIGHT, atol=1e-4)]
    assert len(shelf) > 50
    whole = area_of(view.table, view, np.array([0.65, 0.0]))
    free = pixels_of(view, whole)
    heights = view.points(free[:, 1], free[:, 0])[:, 2]
    assert len(free) > 300
    assert np.abs(heights).max() < FLUSH + 1e-4
    assert len(free) < (frame.ids == ID_SUPPORT).sum() - len(shelf)
    assert is_bare(view, whole)
    low = msgspec.structs.replace(whole, goal=tuple(shelf[len(shelf) // 2].tolist()))
    assert not is_bare(view, low)


def test_a_mesh_beyond_its_slab_is_no_free_place(renderer: Renderer, furniture: Pack) -> None:
    spec = room(furniture, "round table", **ABOVE)  # type: ignore[arg-type]
    small = tuple((0.6 * x, 0.6 * y) for x, y in spec.supports[0].outline or ())
    table = msgspec.structs.replace(spec.supports[0], outline=small)
    spec = msgspec.structs.replace(spec, supports=(table, spec.supports[1]))
    view = View(spec, start(spec), renderer.render(spec, start(spec)), furniture)
    square = area_of(shapely.box(0.2, -0.45, 1.1, 0.45), view, np.array([0.65, 0.4]))
    free = pixels_of(view, square)
    points = view.points(free[:, 1], free[:, 0])
    assert len(free) > 500
    assert np.hypot(points[:, 0] - 0.65, points[:, 1]).max() < 0.6 * RADIUS + 1e-4
    assert not is_bare(view, square)


def test_furniture_does_not_shade_itself_in_stripes(
    renderers: dict[str, Renderer], furniture: Pack
) -> None:
    spec = room(furniture, "table", *BLOCKS)
    low = msgspec.structs.replace(spec.light, direction=(0.56, -0.75, 0.34))
    lit = renderers["embree"].render(msgspec.structs.replace(spec, light=low), start(spec)).rgb
    for renderer in renderers.values():
        frame = renderer.render(msgspec.structs.replace(spec, light=low), start(spec))
        face = (frame.ids == ID_SUPPORT) & _off_edges(frame)
        darker = lit.astype(int).max(axis=-1) - frame.rgb.max(axis=-1) > 3
        assert (darker & face).sum() < 0.05 * face.sum()


def test_rays_meet_what_the_picture_shows(renderer: Renderer, furniture: Pack) -> None:
    caster = Caster(furniture)
    for kind in KINDS:
        spec = room(furniture, kind, *BLOCKS, size=(96, 96))
        frame = renderer.render(spec, start(spec))
        directions = pinhole.rays_c(spec.camera) @ pinhole.pose_matrix(spec.camera.pose)[:3, :3].T
        origins = np.broadcast_to(spec.camera.pose.position, directions.shape)
        depth, ids = caster.cast(spec, start(spec), origins, directions)
        same = ids.reshape(96, 96) == frame.ids
        assert same.mean() > 0.995
        seen = same & (frame.ids != ID_NOTHING) & _off_edges(frame)
        np.testing.assert_allclose(depth.reshape(96, 96)[seen], frame.depth[seen], atol=1e-3)


def test_walls_let_the_light_through_and_windows_glow_in_the_dark(
    renderer: Renderer, furniture: Pack
) -> None:
    spec = room(furniture, "round table", *BLOCKS)
    bare = msgspec.structs.replace(spec, fixtures=())
    state = start(spec)
    roofed, open_ = renderer.render(spec, state), renderer.render(bare, state)
    # all light from behind the walls: what they do not cover looks the same
    light = msgspec.structs.replace(spec.light, direction=(-1.0, 0.0, 0.6))
    lit, plain = (
        renderer.render(msgspec.structs.replace(s, light=light), state) for s in (spec, bare)
    )
    inner = (lit.ids > ID_FIXTURE) & (plain.ids != ID_NOTHING) & _off_edges(lit)
    assert inner.mean() > 0.3
    assert np.abs(lit.rgb[inner].astype(int) - plain.rgb[inner]).max() <= 1
    assert (roofed.rgb != open_.rgb).any()
    dark = msgspec.structs.replace(spec.light, intensity=0.0, ambient=0.0)
    night = renderer.render(msgspec.structs.replace(spec, light=dark), state)
    windows = night.ids <= ID_FIXTURE - 12
    assert windows.sum() > 100
    assert night.rgb[windows & _off_edges(night)].min() > 200
    walls = (night.ids <= ID_FIXTURE) & ~windows
    assert night.rgb[walls & _off_edges(night)].max() < 60


def test_a_picture_follows_its_fixtures(renderer: Renderer, furniture: Pack) -> None:
    """What does not move is kept from picture to picture."""
    spec = room(furniture, "table", *BLOCKS)
    pink = tuple(msgspec.structs.replace(f, colour=(1.0, 0.3, 0.5)) for f in spec.fixtures)
    other = msgspec.structs.replace(spec, fixtures=pink)
    first = renderer.render(spec, start(spec))
    second = renderer.render(other, start(spec))
    where = first.ids <= ID_FIXTURE
    assert (first.rgb != second.rgb)[where].mean() > 0.5
    again = renderer.render(spec, start(spec))
    np.testing.assert_array_equal(again.rgb, first.rgb)


def test_a_wall_round_the_eye_is_not_seen(renderer: Renderer, furniture: Pack) -> None:
    spec = room(furniture, "table", *BLOCKS)
    around = FixtureSpec(id="wall", pose=spec.camera.pose, size=(0.3, 0.3, 0.3))
    spec = msgspec.structs.replace(spec, fixtures=(*spec.fixtures, around))
    frame = renderer.render(spec, start(spec))
    assert (frame.ids != ID_FIXTURE - 18).all()
    assert frame.depth[frame.ids != ID_NOTHING].min() > 0.5
