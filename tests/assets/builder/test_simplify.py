"""Meshes get few triangles and one small picture, and keep their form and colours."""

import sys

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from refergym.assets.builder import sampling, simplify
from refergym.assets.builder.finish import RawMesh
from refergym.assets.builder.reading import Surface
from refergym.assets.errors import BuildError

RED, BLUE = (200, 30, 30), (30, 60, 190)


def plain(mesh: trimesh.Trimesh, rgb: tuple[int, int, int]) -> Surface:
    return Surface(
        vertices=np.asarray(mesh.vertices, np.float64),
        faces=np.asarray(mesh.faces, np.int64),
        texture=np.array(rgb, np.uint8).reshape(1, 1, 3),
    )


def by_height(mesh: trimesh.Trimesh) -> Surface:
    """Red above z = 0, blue below, by a picture."""
    v = np.asarray(mesh.vertices, np.float64)
    texture = np.zeros((64, 4, 3), np.uint8)
    texture[:32], texture[32:] = RED, BLUE
    low, high = v[:, 2].min(), v[:, 2].max()
    span = max(-low, high)
    uv = np.stack([np.full(len(v), 0.5), 0.5 - 0.49 * v[:, 2] / span], axis=1)
    return Surface(vertices=v, faces=np.asarray(mesh.faces, np.int64), texture=texture, uv=uv)


def seen(raw: RawMesh, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Places and colours of points of a mesh."""
    face, bary = sampling.spread(raw.vertices, raw.faces, count, np.random.default_rng(1))
    place = np.einsum("nk,nkd->nd", bary, raw.vertices[raw.faces[face]])
    uv = np.einsum("nk,nkd->nd", bary, raw.uv[raw.faces[face]])
    h, w = raw.texture.shape[:2]
    x, y = np.minimum((uv * [w, h]).astype(int), [w - 1, h - 1]).T
    return place, raw.texture[y, x]


def is_closed(vertices: np.ndarray, faces: np.ndarray) -> bool:
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    return bool(mesh.is_watertight)


def test_a_small_mesh_with_its_own_picture_stays_as_it_is() -> None:
    surface = by_height(trimesh.creation.icosphere(2))
    raw = simplify.simplified([surface], 400)
    assert np.array_equal(raw.vertices, surface.vertices)
    assert np.array_equal(raw.faces, surface.faces)
    assert raw.texture is surface.texture


def test_a_ball_is_decimated_and_keeps_its_form_and_its_two_colours() -> None:
    surface = by_height(trimesh.creation.icosphere(5))
    raw = simplify.simplified([surface], 500)
    assert 300 <= len(raw.faces) <= 750
    assert is_closed(raw.vertices, raw.faces)
    radius = np.linalg.norm(raw.vertices, axis=1)
    assert radius == pytest.approx(1, abs=0.02)
    assert raw.texture.shape == (256, 256, 3)
    assert raw.uv.min() >= 0
    assert raw.uv.max() <= 1
    place, rgb = seen(raw)
    sure = np.abs(place[:, 2]) > 0.05
    expected = np.where((place[:, 2] > 0)[:, None], RED, BLUE)
    wrong = np.abs(rgb.astype(int) - expected).max(1) > 8
    assert wrong[sure].mean() < 0.002


def test_the_unit_of_length_does_not_matter() -> None:
    ball = trimesh.creation.icosphere(4)
    small = simplify.simplified([by_height(ball)], 300)
    large = simplify.simplified([by_height(ball.copy().apply_scale(1024))], 300)
    assert len(small.faces) == len(large.faces)
    near, _ = cKDTree(1024 * small.vertices).query(large.vertices)
    assert near.max() < 0.1


def test_both_sides_of_a_thin_wall_keep_their_own_colour() -> None:
    """A shell of 4 mm on a radius of 100 mm: red outside, blue inside."""
    outer, inner = trimesh.creation.icosphere(4, 0.1), trimesh.creation.icosphere(4, 0.096)
    inner.invert()
    raw = simplify.simplified([plain(outer, RED), plain(inner, BLUE)], 1500)
    place, rgb = seen(raw)
    is_outer = np.linalg.norm(place, axis=1) > 0.098
    assert 0.3 < is_outer.mean() < 0.7
    expected = np.where(is_outer[:, None], RED, BLUE)
    assert (np.abs(rgb.astype(int) - expected).max(1) > 8).mean() < 0.005


def test_what_lies_under_a_label_does_not_shine_through() -> None:
    """A blue can with a red label 0.1 mm above it: nobody sees the blue under the label."""
    can = trimesh.creation.cylinder(0.03, 0.1, sections=64)
    label = trimesh.creation.cylinder(0.0301, 0.06, sections=64)
    raw = simplify.simplified([plain(can, BLUE), plain(label, RED)], 4000)
    place, rgb = seen(raw, 20_000)
    out = np.linalg.norm(place[:, :2], axis=1)
    on_label = (out > 0.03) & (np.abs(place[:, 2]) < 0.029)
    assert on_label.sum() > 1000
    assert (np.abs(rgb[on_label].astype(int) - RED).max(1) > 8).mean() < 0.01


def test_surfaces_of_one_plain_colour_need_no_picture() -> None:
    box, ball = trimesh.creation.box(), trimesh.creation.icosphere(2)
    raw = simplify.simplified([plain(box, RED), plain(ball, RED)])
    assert raw.texture.shape == (4, 4, 3)
    assert np.unique(raw.texture.reshape(-1, 3), axis=0).tolist() == [list(RED)]
    assert len(raw.faces) == len(box.faces) + len(ball.faces)


def test_colours_of_corners_become_a_picture() -> None:
    box = trimesh.creation.box()
    rgb = np.where((box.vertices[:, 2] > 0)[:, None], RED, BLUE).astype(np.uint8)
    surface = Surface(
        vertices=box.vertices,
        faces=box.faces,
        texture=np.zeros((1, 1, 3), np.uint8),
        colours=rgb,
    )
    raw = simplify.simplified([surface])
    place, seen_rgb = seen(raw)
    share = (place[:, 2:] + 0.5).clip(0, 1)
    expected = share * RED + (1 - share) * BLUE
    assert np.abs(seen_rgb - expected).max() < 6


def test_a_piece_that_would_lose_its_form_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ball, box = trimesh.creation.icosphere(3), trimesh.creation.icosphere(3)
    box.apply_translation([5, 0, 0])
    both = trimesh.util.concatenate([ball, box])
    real = simplify._collapsed

    def shrinks_what_is_left_of_three(v, f, target):  # type: ignore[no-untyped-def]
        points, faces = real(v, f, target)
        return (points * 0.9 if v[:, 0].min() < 3 else points), faces

    monkeypatch.setattr(simplify, "_collapsed", shrinks_what_is_left_of_three)
    v, f = simplify.decimated(both.vertices, both.faces, 300)
    left = v[f].mean(1)[:, 0] < 3
    assert left.sum() == len(ball.faces)
    assert 60 <= (~left).sum() <= 225
    assert is_closed(v, f)


def test_seams_of_the_texture_do_not_tear_open() -> None:
    ball = trimesh.creation.icosphere(4)
    ball.unmerge_vertices()
    raw = simplify.simplified([plain(ball, RED)], 400)
    assert is_closed(raw.vertices, raw.faces)


@pytest.mark.parametrize("package", ["xatlas", "fast_simplification"])
def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BuildError, match=r"pip install 'refergym\[pack\]'"):
        simplify.simplified(
            [by_height(trimesh.creation.icosphere(3)), plain(trimesh.creation.box(), RED)], 400
        )


def test_the_same_mesh_gives_the_same_bytes() -> None:
    surface = by_height(trimesh.creation.icosphere(4))
    a, b = (simplify.simplified([surface], 300) for _ in range(2))
    assert np.array_equal(a.vertices, b.vertices)
    assert np.array_equal(a.texture, b.texture)
