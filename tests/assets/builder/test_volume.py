"""Volumes of meshes that are closed, open, in pieces or inside out."""

import numpy as np
import pytest
import trimesh

from refergym.assets.builder import volume


def solid(*meshes: trimesh.Trimesh) -> volume.Solid:
    return volume.solid(*arrays(*meshes))


def arrays(*meshes: trimesh.Trimesh) -> tuple[np.ndarray, np.ndarray]:
    whole = trimesh.util.concatenate(list(meshes))
    return np.asarray(whole.vertices, np.float64), np.asarray(whole.faces, np.int64)


def ball(at: tuple[float, float, float] = (0, 0, 0)) -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(subdivisions=2, radius=0.05)
    mesh.apply_translation(at)
    return mesh


def test_a_closed_mesh_is_integrated() -> None:
    box = trimesh.creation.box((0.1, 0.2, 0.3))
    box.apply_translation([1, 2, 3])
    found = solid(box)
    assert found.is_exact
    assert found.volume == pytest.approx(0.006)
    assert found.com == pytest.approx([1, 2, 3])
    mass = found.filled(500)
    assert mass.mass == pytest.approx(3)
    expected = np.diag([0.2**2 + 0.3**2, 0.1**2 + 0.3**2, 0.1**2 + 0.2**2]) * 3 / 12
    assert mass.inertia == pytest.approx(expected, abs=1e-9)


def test_texture_seams_and_inside_out_faces_change_nothing() -> None:
    mesh = ball((0.1, 0, 0))
    split = np.asarray(mesh.triangles).reshape(-1, 3)
    faces = np.arange(len(split)).reshape(-1, 3)
    for turned in (faces, faces[:, ::-1]):
        found = volume.solid(split, turned)
        assert found.is_exact
        assert found.volume == pytest.approx(mesh.volume)
        assert found.com == pytest.approx(mesh.center_mass)


def test_what_two_closed_pieces_share_counts_once() -> None:
    a = trimesh.creation.box((0.1, 0.1, 0.1))
    b = trimesh.creation.box((0.1, 0.1, 0.1))
    b.apply_translation([0.05, 0, 0])
    found, whole = solid(a, b), solid(trimesh.creation.box((0.15, 0.1, 0.1)))
    assert not found.is_exact
    assert found.volume == pytest.approx(0.0015, rel=0.01)
    assert found.com == pytest.approx([0.025, 0, 0], abs=5e-4)
    assert found.inertia == pytest.approx(whole.inertia, rel=0.03, abs=1e-9)


def test_thin_pieces_weigh_what_they_should() -> None:
    sheets = [trimesh.creation.box((0.2, 0.2, 0.0005)), trimesh.creation.box((0.0005, 0.2, 0.2))]
    sheets[1].apply_translation([0.15, 0, 0])
    assert solid(*sheets).volume == pytest.approx(2 * 0.2 * 0.2 * 0.0005, rel=0.05)


def test_an_open_label_round_a_closed_can_weighs_nothing() -> None:
    can = trimesh.creation.cylinder(0.03, 0.1, sections=48)
    label = trimesh.creation.cylinder(0.0302, 0.06, sections=48)
    side = np.abs(label.face_normals[:, 2]) < 0.5
    label.update_faces(side)
    assert solid(can, label).volume == pytest.approx(can.volume, rel=0.01)


def test_a_hole_hardly_changes_a_volume() -> None:
    whole = ball()
    mesh = whole.copy()
    mesh.update_faces(np.arange(len(mesh.faces)) % 100 != 7)
    found = solid(mesh)
    assert not found.is_exact
    assert found.volume == pytest.approx(whole.volume, rel=0.03)
    assert found.inertia == pytest.approx(whole.moment_inertia, rel=0.05, abs=3e-9)


def test_an_open_sheet_has_no_volume() -> None:
    sheet = trimesh.creation.box((0.2, 0.2, 0.1))
    sheet.update_faces(np.asarray(sheet.face_normals)[:, 2] > 0.5)
    with pytest.raises(ValueError, match="no volume to speak of"):
        solid(sheet)
    with pytest.raises(ValueError, match="no volume"):
        volume.solid(np.zeros((0, 3)), np.zeros((0, 3), np.int64))


def test_a_mesh_winds_once_round_what_is_inside() -> None:
    vertices, faces = arrays(ball(), ball((0.06, 0, 0)))
    points = np.array([[-0.03, 0, 0], [0.03, 0, 0], [0.2, 0, 0], [0, 0, 0.06]])
    assert volume.winding(vertices, faces, points) == pytest.approx([1, 2, 0, 0], abs=1e-6)


def test_pieces_are_what_hangs_together() -> None:
    vertices, faces = arrays(ball(), ball((0.2, 0, 0)), ball((0.35, 0, 0)))
    found = volume.pieces(vertices, faces)
    assert [len(f) for f in found] == [len(faces) // 3] * 3
    assert np.array_equal(np.concatenate(found), faces)
    assert all(volume.is_closed(vertices, f) for f in found)
    assert not volume.is_closed(vertices, faces[1:])
