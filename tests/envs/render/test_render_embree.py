import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from refergym.assets import records
from refergym.assets.camera import camera_from_fov, look_at, project, unproject
from refergym.assets.errors import PackError
from refergym.assets.library import Pack
from refergym.assets.spec import LightSpec, SceneSpec
from refergym.envs.errors import RenderError
from refergym.envs.render.content import Lru
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.types import ID_NOTHING, ID_ROBOT, ID_SUPPORT, Frame, Renderer, State

Compose = Callable[..., SceneSpec]
Begin = Callable[[SceneSpec], State]


@pytest.fixture
def renderer(solid_pack: Pack) -> EmbreeRenderer:
    return EmbreeRenderer(solid_pack)


def points_w(spec: SceneSpec, frame: Frame, where: np.ndarray) -> np.ndarray:
    y, x = np.nonzero(where)
    px = np.column_stack([x + 0.5, y + 0.5])
    return unproject(spec.camera, px, frame.depth[where])


def moved(state: State, index: int, step: tuple[float, float, float]) -> State:
    objects = state.objects.copy()
    objects[index, :3] += step
    return State(objects=objects, joints=state.joints)


def same(a: Frame, b: Frame) -> bool:
    return all((getattr(a, k) == getattr(b, k)).all() for k in ("rgb", "depth", "ids"))


def test_it_is_a_renderer(renderer: EmbreeRenderer) -> None:
    assert isinstance(renderer, Renderer)


def test_supports_are_seen_at_their_exact_depth(
    renderer: EmbreeRenderer, simple: Compose, begin: Begin
) -> None:
    spec = simple()
    frame = renderer.render(spec, begin(spec))
    assert frame.rgb.shape == (96, 96, 3)
    assert (frame.rgb.dtype, frame.depth.dtype, frame.ids.dtype) == (np.uint8, np.float32, np.int32)
    on_table = points_w(spec, frame, frame.ids == ID_SUPPORT)
    assert len(on_table) > 1000
    top = on_table[:, 2] > -1e-6
    assert_allclose(on_table[top, 2], 0, atol=2e-6)
    assert (np.abs(on_table[:, 1]) <= 0.65 + 1e-5).all()
    on_floor = points_w(spec, frame, frame.ids == ID_SUPPORT - 1)
    assert_allclose(on_floor[:, 2], -0.75, atol=5e-6)


def test_a_ball_is_seen_at_its_radius(
    renderer: EmbreeRenderer, simple: Compose, begin: Begin
) -> None:
    spec = simple(("cube", 0.6, 0.2, 0.0), ("ball", 0.5, 0.0, 0.0), width=201, height=151)
    frame = renderer.render(spec, begin(spec))
    ball = points_w(spec, frame, frame.ids == 1)
    assert len(ball) > 300
    radius = np.linalg.norm(ball - (0.5, 0, 0.05), axis=1)
    assert_allclose(radius, 0.05, atol=3e-4)
    centre, _ = project(spec.camera, [[0.5, 0, 0.05]])
    y, x = np.nonzero(frame.ids == 1)
    assert_allclose([x.mean() + 0.5, y.mean() + 0.5], centre[0], atol=1.0)


def test_scale_and_pose_are_those_of_the_state(
    renderer: EmbreeRenderer, simple: Compose, begin: Begin
) -> None:
    spec = simple(("cube", 0, 0, 0), eye=(0.5, 0, 1.0), target=(0.5, 0, 0))
    cube = msgspec.structs.replace(spec.objects[0], scale=1.5)
    spec = msgspec.structs.replace(spec, objects=(cube,))
    turn = (np.cos(np.pi / 8), 0, 0, np.sin(np.pi / 8))
    state = State(objects=np.array([[0.55, -0.1, 0.02, *turn]]), joints=begin(spec).joints)
    frame = renderer.render(spec, state)
    seen = points_w(spec, frame, frame.ids == 0)
    top = seen[seen[:, 2] > 0.169]
    assert_allclose(top[:, 2], 0.17, atol=2e-6)
    extent = (top[:, :2] - (0.55, -0.1)) @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    assert_allclose(np.abs(extent).max(axis=0), 0.075, atol=0.012)


def test_the_robot_and_its_pedestal_have_the_robots_id(
    renderer: EmbreeRenderer, simple: Compose, begin: Begin
) -> None:
    spec = simple(eye=(0.9, 0, 1.2), target=(0, 0, 0.1))
    frame = renderer.render(spec, begin(spec))
    robot = points_w(spec, frame, frame.ids == ID_ROBOT)
    assert (robot[:, 2] > 0.2).sum() > 100, "the arm"
    assert (robot[:, 2] < -0.05).sum() > 20, "the pedestal"


def test_where_nothing_is_within_reach_of_the_camera_the_depth_is_zero(
    renderer: EmbreeRenderer, simple: Compose, begin: Begin
) -> None:
    spec = simple(("cube", 0.5, 0, 0), eye=(1.4, 0, 0.3), target=(0.3, 0, 0.5))
    frame = renderer.render(spec, begin(spec))
    nothing = frame.ids == ID_NOTHING
    assert nothing[0].any()
    assert_array_equal(frame.depth == 0, nothing)
    near = msgspec.structs.replace(spec.camera, far=0.5)
    close = renderer.render(spec, begin(spec), near)
    assert close.depth.max() <= 0.5
    assert (close.ids == ID_NOTHING).sum() > nothing.sum()


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (224, 224), (113, 57)])
def test_any_size_renders_and_ids_alone_are_the_same(
    composed: Compose, begin: Begin, size: tuple[int, int]
) -> None:
    renderer = EmbreeRenderer()
    spec = composed(seed=1, size=size)
    frame = renderer.render(spec, begin(spec))
    assert frame.rgb.shape == (size[1], size[0], 3)
    depth, ids = renderer.render_ids(spec, begin(spec))
    assert_array_equal(depth, frame.depth)
    assert_array_equal(ids, frame.ids)


def test_another_camera_than_the_scenes_can_look(
    renderer: EmbreeRenderer, simple: Compose, begin: Begin
) -> None:
    spec = simple(("cube", 0.5, 0, 0))
    above = camera_from_fov(40, 30, 45, look_at((0.5, 0, 1.0), (0.5, 0, 0)))
    frame = renderer.render(spec, begin(spec), above)
    assert frame.ids.shape == (30, 40)
    assert frame.depth[15, 20] == pytest.approx(0.9, abs=1e-5)
    assert_array_equal(renderer.render_ids(spec, begin(spec), above)[1], frame.ids)


def test_object_textures_are_the_right_way_up(
    renderer: EmbreeRenderer, simple: Compose, begin: Begin
) -> None:
    spec = simple(("sheet", 0.5, 0, 0.01), eye=(0.5, 0, 0.6), target=(0.5, 0, 0))
    frame = renderer.render(spec, begin(spec))
    # seen from above by the viewer on the +x side, world y is right and world -x is up
    px, _ = project(spec.camera, [[0.45, 0.05, 0.01], [0.45, -0.05, 0.01], [0.55, 0.05, 0.01]])
    left_top, left_bottom, right_top = (frame.rgb[int(y), int(x)] for x, y in px)
    assert left_top[0] > 2 * left_top[1], "texture u < 1/2, v < 1/2: red"
    assert left_top[0] > 2 * left_top[2]
    assert left_bottom[2] > 2 * left_bottom[0], "texture v > 1/2: blue"
    assert right_top[1] > 2 * right_top[0], "texture u > 1/2: green"


def test_supports_repeat_their_texture_every_texture_scale(
    renderer: EmbreeRenderer, simple: Compose, begin: Begin, quarters_table: object
) -> None:
    spec = simple(
        supports=(quarters_table, simple().supports[1]), eye=(0.625, 0, 1.0), target=(0.625, 0, 0)
    )
    frame = renderer.render(spec, begin(spec))
    # u and v follow x and y from the table's middle, 0.4 m to a repetition
    where = [[0.725, 0.1, 0], [0.925, 0.1, 0], [0.725, 0.3, 0], [0.725, -0.3, 0], [0.925, 0.3, 0]]
    px, _ = project(spec.camera, where)
    red, green, blue, again, white = (frame.rgb[int(y), int(x)].astype(int) for x, y in px)
    assert red.argmax() == 0
    assert green.argmax() == 1
    assert blue.argmax() == 2
    assert_allclose(again, red, atol=2)
    assert white.min() > 150


def test_a_finely_chequered_texture_is_grey_from_afar(
    renderer: EmbreeRenderer, simple: Compose, begin: Begin
) -> None:
    spec = simple(("chequered", 0.5, 0, 0.01))
    frame = renderer.render(spec, begin(spec))
    inner = frame.rgb[frame.ids == 0]
    assert np.median(np.abs(inner.astype(int) - np.median(inner, axis=0))) < 3


def test_a_tint_colours_an_object(renderer: EmbreeRenderer, simple: Compose, begin: Begin) -> None:
    spec = simple(("ball", 0.5, 0, 0))
    tinted = msgspec.structs.replace(spec.objects[0], tint=(1.0, 0.2, 0.2))
    other = msgspec.structs.replace(spec, objects=(tinted,))
    plain, red = (renderer.render(s, begin(s)).rgb.astype(int) for s in (spec, other))
    ball = renderer.render(spec, begin(spec)).ids == 0
    assert (red[ball][:, 1] < plain[ball][:, 1]).mean() > 0.95
    assert_allclose(red[ball][:, 0], plain[ball][:, 0], atol=1)


def test_a_thing_throws_its_shadow_away_from_the_light(
    solid_pack: Pack, simple: Compose, begin: Begin
) -> None:
    light = LightSpec(direction=(0.0, -1.0, 1.0))
    spec = simple(("cube", 0.5, 0, 0), light=light)
    state = begin(spec)
    lit = EmbreeRenderer(solid_pack, shadows=False).render(spec, state)
    shaded = EmbreeRenderer(solid_pack, shadows=True).render(spec, state)
    assert_array_equal(lit.ids, shaded.ids)
    # the cube's top edge at y = 0.05, z = 0.1 falls on the table at y = 0.15
    px, _ = project(spec.camera, [[0.5, 0.10, 0], [0.5, 0.2, 0], [0.5, -0.1, 0]])
    values = [tuple(int(f.rgb[int(y), int(x)].sum()) for f in (lit, shaded)) for x, y in px]
    assert values[0][1] < 0.8 * values[0][0]
    assert values[1][0] == values[1][1]
    assert values[2][0] == values[2][1]


def test_a_shadow_moves_with_its_thing_and_leaves_nothing_behind(
    renderer: EmbreeRenderer, solid_pack: Pack, simple: Compose, begin: Begin
) -> None:
    spec = simple(("cube", 0.5, 0, 0), ("ball", 0.6, -0.2, 0))
    state = begin(spec)
    renderer.render(spec, state)
    elsewhere = moved(state, 0, (0, 0.15, 0.03))
    fresh = EmbreeRenderer(solid_pack).render(spec, elsewhere)
    assert same(renderer.render(spec, elsewhere), fresh)


def test_things_shade_each_other(solid_pack: Pack, simple: Compose, begin: Begin) -> None:
    light = LightSpec(direction=(0.0, 0.0, 1.0))
    spec = simple(("cube", 0.5, 0, 0), ("ball", 0.5, 0.0, 0.3), light=light)
    frames = [
        EmbreeRenderer(solid_pack, shadows=s).render(spec, begin(spec)) for s in (False, True)
    ]
    px, _ = project(spec.camera, [[0.5, 0.0, 0.1], [0.546, 0.046, 0.1]])
    under, corner = ([int(f.rgb[int(y), int(x)].sum()) for f in frames] for x, y in px)
    assert under[1] < 0.8 * under[0]
    assert corner[1] == corner[0]


def test_more_light_makes_a_brighter_picture(
    renderer: EmbreeRenderer, simple: Compose, begin: Begin
) -> None:
    means = []
    for value in (0.2, 0.6, 1.0, 1.4):
        spec = simple(("ball", 0.5, 0, 0), light=LightSpec(intensity=value))
        means.append(renderer.render(spec, begin(spec)).rgb.mean())
        spec = simple(("ball", 0.5, 0, 0), light=LightSpec(intensity=value, ambient=0.5))
        assert renderer.render(spec, begin(spec)).rgb.mean() < means[-1]
    assert means == sorted(means)
    assert means[0] + 20 < means[-1]


def test_ordinary_scenes_are_neither_dark_nor_washed_out(composed: Compose, begin: Begin) -> None:
    renderer = EmbreeRenderer()
    for seed in range(4):
        spec = composed(seed=seed)
        rgb = renderer.render(spec, begin(spec)).rgb
        assert 60 < rgb.mean() < 190
        assert (rgb.max(axis=-1) >= 254).mean() < 0.05
        assert (rgb.max(axis=-1) < 8).mean() < 0.08
        assert rgb.std() > 20


def test_smoothing_changes_colours_at_edges_only(composed: Compose, begin: Begin) -> None:
    spec = composed(seed=2)
    frames = {
        k: EmbreeRenderer(antialias=k).render(spec, begin(spec)) for k in ("none", "edges", "full")
    }
    for other in ("edges", "full"):
        assert_array_equal(frames[other].depth, frames["none"].depth)
        assert_array_equal(frames[other].ids, frames["none"].ids)
    changed = (frames["edges"].rgb != frames["none"].rgb).any(axis=-1)
    assert 0.005 < changed.mean() < 0.2

    def error(name: str) -> float:
        wrong = frames[name].rgb.astype(float) - frames["full"].rgb
        return float((wrong[changed] ** 2).mean())

    assert error("edges") < 0.4 * error("none")


def test_a_frame_does_not_depend_on_what_was_rendered_before(
    composed: Compose, begin: Begin
) -> None:
    used = EmbreeRenderer(kept_views=1)
    spec, other = composed(seed=3), composed(seed=4)
    first = used.render(spec, begin(spec))
    used.render(spec, moved(begin(spec), 0, (0.05, 0.0, 0.1)))
    used.render(other, begin(other))
    joints = begin(spec).joints + np.array([-2.3, 0.5, 0, 0, 0, 0, 0, 0, 0])
    used.render(spec, State(objects=begin(spec).objects, joints=joints))
    assert same(used.render(spec, begin(spec)), first)
    assert same(EmbreeRenderer().render(spec, begin(spec)), first)


def test_nothing_given_out_is_used_again(composed: Compose, begin: Begin) -> None:
    renderer, spec = EmbreeRenderer(), composed(count=3, size=(64, 64))
    first = renderer.render(spec, begin(spec))
    kept = Frame(rgb=first.rgb.copy(), depth=first.depth.copy(), ids=first.ids.copy())
    for array in (first.rgb, first.depth, first.ids):
        array[:] = 7
    depth, ids = renderer.render_ids(spec, begin(spec))
    depth[:], ids[:] = 7, 7
    assert same(renderer.render(spec, begin(spec)), kept)


SCRIPT = """
import hashlib, sys
import numpy as np
from refergym.assets.spec import load_scene
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.types import State
spec = load_scene(open(sys.argv[1], "rb").read())
state = State(objects=np.load(sys.argv[2]), joints=np.load(sys.argv[3]))
frame = EmbreeRenderer().render(spec, state)
h = hashlib.sha256()
for a in (frame.rgb, frame.depth, frame.ids):
    h.update(a.tobytes())
sys.stdout.write(h.hexdigest())
"""


def test_another_process_renders_the_same_bytes(
    composed: Compose, begin: Begin, tmp_path: Path
) -> None:
    spec = composed(seed=5)
    state = begin(spec)
    (tmp_path / "scene.json").write_bytes(records.canonical_json(spec))
    np.save(tmp_path / "objects.npy", state.objects)
    np.save(tmp_path / "joints.npy", state.joints)
    renderer = EmbreeRenderer()
    renderer.render(composed(seed=6), begin(composed(seed=6)))
    frame = renderer.render(spec, state)
    h = hashlib.sha256()
    for array in (frame.rgb, frame.depth, frame.ids):
        h.update(array.tobytes())
    files = [str(tmp_path / n) for n in ("scene.json", "objects.npy", "joints.npy")]
    there = subprocess.run(
        [sys.executable, "-c", SCRIPT, *files], capture_output=True, text=True, check=True
    )
    assert there.stdout == h.hexdigest()


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_two_hundred_frames_leak_nothing(composed: Compose, begin: Begin) -> None:
    renderer = EmbreeRenderer(kept_views=2)
    rng = np.random.default_rng(0)
    spec = composed(seed=7, size=(64, 64))
    state = begin(spec)

    def render(count: int) -> None:
        for k in range(count):
            step = np.zeros_like(state.objects)
            step[:, :2] = rng.uniform(-0.05, 0.05, (len(step), 2))
            joints = state.joints + (0.01 * k if k % 10 == 0 else 0.0)
            renderer.render(spec, State(objects=state.objects + step, joints=joints))

    render(60)
    before = resident_mb()
    render(200)
    assert resident_mb() - before < 5


def test_a_bounded_dictionary_forgets_what_was_used_longest_ago() -> None:
    lru: Lru[int] = Lru(2)
    lru.put("a", 1)
    lru.put("b", 2)
    assert lru.get("a") == 1
    lru.put("c", 3)
    assert (lru.get("a"), lru.get("b"), lru.get("c"), len(lru)) == (1, None, 3, 2)


def test_an_asset_that_the_pack_lacks_is_named(
    renderer: EmbreeRenderer, simple: Compose, begin: Begin, quarters_table: object
) -> None:
    spec = simple(("teapot", 0.5, 0, 0))
    for call in (renderer.render, renderer.render_ids):
        with pytest.raises(PackError, match="asset 'teapot' is not in pack 'solids'"):
            call(spec, begin(spec))
    bad = msgspec.structs.replace(quarters_table, texture="velvet")
    with pytest.raises(PackError, match="texture 'velvet'"):
        renderer.render(simple(supports=(bad,)), begin(simple()))


def test_a_state_that_does_not_fit_is_refused(
    renderer: EmbreeRenderer, simple: Compose, begin: Begin
) -> None:
    spec = simple(("cube", 0.5, 0, 0), ("ball", 0.6, 0.1, 0))
    state = begin(spec)
    with pytest.raises(RenderError, match=r"state.objects: expected shape \(2, 7\), got \(1, 7\)"):
        renderer.render(spec, State(objects=state.objects[:1], joints=state.joints))
    with pytest.raises(RenderError, match=r"state.joints: expected shape \(9,\)"):
        renderer.render(spec, State(objects=state.objects, joints=state.joints[:7]))
    broken = state.objects.copy()
    broken[1, 3] = np.nan
    with pytest.raises(RenderError, match=r"state.objects\[1\]: expected finite"):
        renderer.render(spec, State(objects=broken, joints=state.joints))


def test_settings_that_make_no_sense_are_refused(simple: Compose, begin: Begin) -> None:
    with pytest.raises(RenderError, match="antialias: expected 'none', 'edges' or 'full'"):
        EmbreeRenderer(antialias="some")  # type: ignore[arg-type]
    with pytest.raises(RenderError, match="kept_views"):
        EmbreeRenderer(kept_views=0)


def test_a_light_from_nowhere_is_refused(
    renderer: EmbreeRenderer, simple: Compose, begin: Begin
) -> None:
    spec = simple(light=LightSpec(direction=(0.0, 0.0, 0.0)))
    with pytest.raises(RenderError, match=r"light\.direction"):
        renderer.render(spec, begin(spec))


def test_a_closed_renderer_says_so(renderer: EmbreeRenderer, simple: Compose, begin: Begin) -> None:
    renderer.close()
    renderer.close()
    with pytest.raises(RenderError, match="closed"):
        renderer.render(simple(), begin(simple()))
    with pytest.raises(RenderError, match="closed"):
        renderer.render_ids(simple(), begin(simple()))


def test_a_missing_ray_caster_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embreex", None)
    with pytest.raises(RenderError, match="pip install embreex"):
        EmbreeRenderer()
