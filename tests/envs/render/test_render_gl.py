import sys
from collections.abc import Callable, Iterator

import msgspec
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from refergym.assets.errors import PackError
from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec, SupportSpec
from refergym.envs.errors import RenderError
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.render.gl import ModernGLRenderer
from refergym.envs.types import ID_ROBOT, Frame, Renderer, State

Compose = Callable[..., SceneSpec]
Begin = Callable[[SceneSpec], State]
Make = Callable[..., ModernGLRenderer]

IN_VIEW = np.array([0.3, 0.2, 0.1, -1.8, 0.2, 2.2, 0.9, 0.02, 0.03])
"""[9] joints with which the arm reaches over the table"""


@pytest.fixture
def make_gl() -> Iterator[Make]:
    """Make a renderer; skip where EGL cannot start."""
    made: list[ModernGLRenderer] = []

    def make(pack: Pack | None = None, **options: object) -> ModernGLRenderer:
        try:
            made.append(ModernGLRenderer(pack, **options))  # type: ignore[arg-type]
        except RenderError as e:
            pytest.skip(f"EGL cannot start here: {e}")
        return made[-1]

    yield make
    for renderer in made:
        renderer.close()


def off_silhouettes(frame: Frame) -> np.ndarray:
    """Pixels among eight neighbours of the same thing, where its surface has no step or crease."""
    ids = np.pad(frame.ids, 1, mode="edge")
    depth = np.pad(frame.depth, 1, mode="edge")
    h, w = frame.ids.shape
    out = np.ones((h, w), bool)
    for y, x in ((0, 0), (0, 1), (0, 2), (1, 0)):
        sides = [np.s_[j : j + h, i : i + w] for j, i in ((y, x), (2 - y, 2 - x))]
        for side in sides:
            out &= ids[side] == frame.ids
        out &= np.abs(depth[sides[0]] + depth[sides[1]] - 2 * frame.depth) < 0.003
    return out


def bent(spec: SceneSpec, begin: Begin, seed: int) -> State:
    """A state with things lifted and tipped over, and the arm in the picture."""
    rng = np.random.default_rng(seed)
    objects = begin(spec).objects.copy()
    objects[:, 2] += rng.uniform(0, 0.1, len(objects))
    objects[:, 3:] += rng.normal(0, 0.4, (len(objects), 4))
    objects[:, 3:] /= np.linalg.norm(objects[:, 3:], axis=1, keepdims=True)
    return State(objects=objects, joints=IN_VIEW)


@pytest.mark.parametrize("seed", range(4))
def test_both_renderers_see_the_same(
    make_gl: Make, composed: Compose, begin: Begin, seed: int
) -> None:
    spec = composed(seed=seed, size=((224, 224), (320, 200))[seed % 2])
    gl, embree = make_gl(), EmbreeRenderer()
    for state in (begin(spec), bent(spec, begin, seed)):
        a, b = embree.render(spec, state), gl.render(spec, state)
        assert (a.ids == b.ids).mean() >= 0.99
        inside = off_silhouettes(a) & (a.ids == b.ids)
        assert inside.mean() > 0.6
        assert np.abs(a.depth - b.depth)[inside].max() < 1e-3
        assert np.abs(a.rgb.astype(int) - b.rgb).mean() < 6
    assert (a.ids == ID_ROBOT).mean() > 0.02, "the arm was to be in the picture"


def test_both_renderers_throw_the_same_shadows(
    make_gl: Make, solid_pack: Pack, simple: Compose, begin: Begin
) -> None:
    spec = simple(("cube", 0.5, 0, 0), ("ball", 0.6, 0.25, 0.1), width=160, height=160)
    dark = []
    for make in (make_gl, EmbreeRenderer):
        plain, shaded = (
            make(solid_pack, shadows=s, antialias="none").render(spec, begin(spec))
            for s in (False, True)
        )
        loss = plain.rgb.astype(int).sum(axis=-1) - shaded.rgb.astype(int).sum(axis=-1)
        dark.append((loss > 60) & (plain.ids < 0))
    both, either = (dark[0] & dark[1]).sum(), (dark[0] | dark[1]).sum()
    assert both > 300
    assert both / either > 0.85


def test_ids_alone_are_the_same_and_frames_repeat(
    make_gl: Make, composed: Compose, begin: Begin
) -> None:
    gl, spec, other = make_gl(), composed(seed=1), composed(seed=2, size=(64, 48))
    first = gl.render(spec, begin(spec))
    assert isinstance(gl, Renderer)
    assert first.rgb.shape == (224, 224, 3)
    assert (first.rgb.dtype, first.depth.dtype, first.ids.dtype) == (np.uint8, np.float32, np.int32)
    depth, ids = gl.render_ids(spec, begin(spec))
    assert_array_equal(depth, first.depth)
    assert_array_equal(ids, first.ids)
    assert gl.render(other, begin(other)).ids.shape == (48, 64)
    again = make_gl().render(spec, begin(spec))
    for frame in (gl.render(spec, begin(spec)), again):
        assert_array_equal(frame.rgb, first.rgb)
        assert_array_equal(frame.depth, first.depth)


def test_textures_of_supports_lie_the_same_way(
    make_gl: Make, solid_pack: Pack, simple: Compose, begin: Begin, quarters_table: object
) -> None:
    spec = simple(
        ("sheet", 0.5, 0.1, 0.02), supports=(quarters_table, simple().supports[1]), width=128
    )
    a = EmbreeRenderer(solid_pack).render(spec, begin(spec))
    b = make_gl(solid_pack).render(spec, begin(spec))
    assert np.abs(a.rgb.astype(int) - b.rgb).mean() < 4


def test_an_outline_that_is_the_rectangle_changes_no_picture(
    make_gl: Make, solid_pack: Pack, simple: Compose, begin: Begin, quarters_table: SupportSpec
) -> None:
    """A slab with an outline is drawn as triangles, without one as a box."""
    x, y, _ = quarters_table.size
    ring = tuple((i * x / 2, j * y / 2) for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1)))
    fine = {"colour": (0.9, 0.8, 0.7), "texture_scale": 0.05}
    slab = msgspec.structs.replace(quarters_table, outline=ring, **fine)
    box = msgspec.structs.replace(slab, outline=None)
    floor = simple().supports[1]
    for renderer in (EmbreeRenderer(solid_pack), make_gl(solid_pack)):
        frames = []
        for table in (box, slab):
            spec = simple(("cube", 0.5, 0.1, 0.0), supports=(table, floor), width=128)
            frames.append(renderer.render(spec, begin(spec)))
        a, b = frames
        assert (a.ids == b.ids).mean() > 0.999
        assert np.abs(a.depth - b.depth)[a.ids == b.ids].max() < 1e-4
        top = off_silhouettes(a) & (a.ids == b.ids)
        assert np.abs(a.rgb.astype(int) - b.rgb)[top].mean() < 1
        assert (np.abs(a.rgb.astype(int) - b.rgb)[top].max(axis=-1) > 8).mean() < 0.01


def test_errors_are_those_of_the_other_renderer(
    make_gl: Make, solid_pack: Pack, simple: Compose, begin: Begin
) -> None:
    gl = make_gl(solid_pack)
    with pytest.raises(PackError, match="teapot"):
        gl.render(simple(("teapot", 0.5, 0, 0)), begin(simple(("teapot", 0.5, 0, 0))))
    spec = simple(("cube", 0.5, 0, 0))
    with pytest.raises(RenderError, match=r"state.objects: expected shape"):
        gl.render(spec, begin(simple()))
    crowded = msgspec.structs.replace(spec, supports=spec.supports * 5)
    with pytest.raises(RenderError, match="supports: moderngl draws at most"):
        gl.render(crowded, begin(spec))
    gl.close()
    gl.close()
    with pytest.raises(RenderError, match="closed"):
        gl.render(spec, begin(spec))
    with pytest.raises(RenderError, match="antialias"):
        ModernGLRenderer(antialias="edges")  # type: ignore[arg-type]


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moderngl", None)
    with pytest.raises(RenderError, match=r"pip install 'refergym\[gl\]'.*libegl1"):
        ModernGLRenderer()


def test_a_device_that_is_not_there_says_what_to_install(make_gl: Make) -> None:
    make_gl()
    with pytest.raises(RenderError, match=r"no EGL context.*libegl1"):
        ModernGLRenderer(device=97)
