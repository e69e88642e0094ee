"""Convex parts of meshes that are not convex, against the meshes."""

import sys

import numpy as np
import pytest
import trimesh

from refergym.assets.builder import coacd_parts, hulls
from refergym.assets.errors import AssetError

pytest.importorskip("coacd")


def bracket() -> tuple[np.ndarray, np.ndarray]:
    """An L of two plates, 8 mm thick, bottom at z = 0."""
    plates = [trimesh.creation.box((0.1, 0.04, 0.008)), trimesh.creation.box((0.008, 0.04, 0.06))]
    plates[0].apply_translation([0, 0, 0.004])
    plates[1].apply_translation([-0.046, 0, 0.03])
    whole = trimesh.util.concatenate(plates)
    return np.asarray(whole.vertices, np.float64), np.asarray(whole.faces, np.int64)


def inside(parts: list[np.ndarray], points: np.ndarray, slack: float = 0.0) -> np.ndarray:
    found = np.zeros(len(points), bool)
    for part in parts:
        hull = trimesh.convex.convex_hull(part)
        offset = np.einsum("fd,fd->f", hull.face_normals, hull.triangles_center)
        found |= (points @ hull.face_normals.T - offset < slack).all(1)
    return found


@pytest.fixture(scope="module")
def parts() -> list[np.ndarray]:
    return coacd_parts.convex_parts(*bracket())


def test_parts_fill_the_mesh_to_its_bounds_and_leave_the_corner_free(
    parts: list[np.ndarray],
) -> None:
    vertices, _ = bracket()
    joined = np.concatenate(parts)
    assert np.allclose(joined.min(0), vertices.min(0), atol=2e-6)
    assert np.allclose(joined.max(0), vertices.max(0), atol=2e-6)
    assert joined[:, 2].min() == 0.0
    in_plates = np.array([[0.03, 0.0, 0.004], [-0.046, 0.01, 0.05], [-0.02, -0.015, 0.004]])
    assert inside(parts, in_plates).all()
    assert not inside(parts, np.array([[0.0, 0.0, 0.03], [-0.03, 0.0, 0.02]])).any()
    volume = sum(trimesh.convex.convex_hull(p).volume for p in parts)
    assert volume == pytest.approx(0.04 * (0.1 * 0.008 + 0.008 * 0.052), rel=0.2)


def test_parts_are_few_small_and_no_thinner_than_a_wall(parts: list[np.ndarray]) -> None:
    assert 2 <= len(parts) <= coacd_parts.MOST_PARTS
    for part in parts:
        assert len(part) <= coacd_parts.MOST_CORNERS
        normals = trimesh.convex.convex_hull(part).face_normals
        assert np.ptp(part @ normals.T, axis=0).min() > hulls.LEAST_WALL - 1e-5


def test_equal_seeds_give_equal_parts(parts: list[np.ndarray]) -> None:
    again = coacd_parts.convex_parts(*bracket())
    assert len(again) == len(parts)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def test_a_thin_sheet_gets_the_least_wall_and_stays_above_the_table() -> None:
    sheet = trimesh.creation.box((0.1, 0.06, 0.0008))
    sheet.apply_translation([0, 0, 0.0004])
    found = coacd_parts.convex_parts(np.asarray(sheet.vertices), np.asarray(sheet.faces))
    joined = np.concatenate(found)
    assert joined[:, 2].min() >= 0
    assert np.ptp(joined, axis=0) == pytest.approx([0.1, 0.06, hulls.LEAST_WALL], abs=1e-4)


def test_a_sparse_hull_keeps_bounds_and_nearly_the_volume() -> None:
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
    corners = coacd_parts.sparse_hull(np.asarray(ball.vertices))
    assert len(corners) == coacd_parts.MOST_CORNERS
    assert np.allclose(corners.min(0), ball.bounds[0])
    assert np.allclose(corners.max(0), ball.bounds[1])
    assert trimesh.convex.convex_hull(corners).volume > 0.75 * ball.volume
    can = trimesh.creation.cylinder(0.04, 0.1, sections=100)
    corners = coacd_parts.sparse_hull(np.asarray(can.vertices))
    foot = corners[corners[:, 2] < -0.0499]
    assert len(hulls.reduced_outline(foot[:, :2])) >= coacd_parts.FOOT - 2


def test_a_mesh_without_volume_is_named() -> None:
    flat = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0.1, 0.1, 0]], np.float64)
    with pytest.raises(ValueError, match=r"no volume \(size \[0\.1, 0\.1, 0\.0\] m\)"):
        coacd_parts.convex_parts(flat, np.array([[0, 1, 2], [1, 3, 2]]))
    with pytest.raises(ValueError, match="no volume"):
        coacd_parts.convex_parts(flat, np.zeros((0, 3), np.int64))


def test_a_missing_coacd_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coacd", None)
    with pytest.raises(AssetError, match=r"pip install 'refergym\[pack\]'"):
        coacd_parts.convex_parts(*bracket())
