"""Shapes that the importer makes: hulls, turned parts, normals, resting poses, pictures."""

import numpy as np
import pytest
import trimesh

from refergym.assets.builder import hulls, normals, resting, turned
from refergym.assets.builder.contact_sheet import contact_sheet, picture
from refergym.assets.library import open_pack


def inside(parts: list[np.ndarray], points: np.ndarray) -> np.ndarray:
    """Tell which points lie in any convex part."""
    found = np.zeros(len(points), bool)
    for part in parts:
        hull = trimesh.convex.convex_hull(part)
        offset = np.einsum("fd,fd->f", hull.face_normals, hull.triangles_center)
        found |= (points @ hull.face_normals.T - offset < 1e-7).all(1)
    return found


def test_a_reduced_hull_keeps_the_bounds_and_the_foot() -> None:
    can = trimesh.creation.cylinder(0.04, 0.1, sections=200)
    corners = hulls.reduced_hull(np.asarray(can.vertices))
    assert len(corners) <= 90
    assert np.allclose(corners.min(0), can.vertices.min(0))
    assert np.allclose(corners.max(0), can.vertices.max(0))
    foot = corners[corners[:, 2] < -0.0499]
    assert len(hulls.reduced_outline(foot[:, :2])) >= 12


def test_slabs_follow_a_bent_thing() -> None:
    bow = np.array([[x, y, 0.2 * x * x + z] for x in np.linspace(-0.1, 0.1, 41)
                    for y in (-0.01, 0.01) for z in (0, 0.002)])  # fmt: skip
    faces = [
        [k * 4 + a, k * 4 + b, k * 4 + c]
        for k in range(40)
        for a, b, c in ((0, 4, 2), (4, 6, 2), (1, 3, 5), (5, 3, 7), (0, 1, 4), (1, 5, 4),
                        (2, 6, 3), (3, 6, 7))
    ]  # fmt: skip
    probe = np.array([[0.0, 0.0, 0.0015]])
    assert inside([bow], np.array([[0.0, 0.0, 0.0018]])).all()
    parts = hulls.slabs(bow, np.array(faces), 0, 6)
    assert len(parts) == 6
    assert inside(parts, probe).all()
    assert not inside(parts, np.array([[0.0, 0.0, 0.0035]])).any()


def test_an_open_box_is_open() -> None:
    outer = trimesh.creation.box((0.2, 0.16, 0.1))
    outer.apply_translation([0, 0, 0.05])
    hole = trimesh.creation.box((0.19, 0.15, 0.1))
    hole.apply_translation([0, 0, 0.055])
    hole.invert()
    vertices = np.concatenate([outer.vertices, hole.vertices])
    # Without the lids of both, what is left is a tray.
    faces = np.concatenate([outer.faces, hole.faces + len(outer.vertices)])
    up = vertices[faces][:, :, 2].min(1) > 0.0999
    parts = hulls.open_box(vertices, faces[~up])
    assert len(parts) == 5
    assert not inside(parts, np.array([[0, 0, 0.05], [0.09, 0.07, 0.02]])).any()
    assert inside(parts, np.array([[0.0975, 0, 0.05], [0, -0.0775, 0.05], [0, 0, 0.002]])).all()


def bowl() -> trimesh.Trimesh:
    t = np.linspace(0, np.pi / 2, 24)
    outside = np.stack([0.02 + 0.08 * np.sin(t), 0.08 - 0.08 * np.cos(t)], axis=1)
    within = np.stack([0.02 + 0.076 * np.sin(t), 0.084 - 0.076 * np.cos(t)], axis=1)
    within[:, 1] = np.minimum(within[:, 1], 0.08)
    profile = np.concatenate([[[0, 0]], outside, within[::-1], [[0, 0.008]]])
    return trimesh.creation.revolve(profile, sections=64)


def test_turned_parts_of_a_bowl_leave_its_inside_free() -> None:
    mesh = bowl()
    parts = turned.turned_parts(np.asarray(mesh.vertices), np.asarray(mesh.faces))
    assert not inside(parts, np.array([[0, 0, 0.02], [0.06, 0, 0.05], [0, -0.09, 0.079]])).any()
    angle = np.linspace(0, 6, 20)
    wall = np.stack([0.097 * np.cos(angle), 0.097 * np.sin(angle), np.full(20, 0.072)], axis=1)
    assert inside(parts, np.array([[0, 0, 0.004]])).all()
    assert inside(parts, wall).mean() > 0.5


def test_a_turned_thing_stands_on_one_part() -> None:
    """Many parts that touch the table make many contacts, and slow and shaky physics."""
    mesh = bowl()
    parts = turned.turned_parts(np.asarray(mesh.vertices), np.asarray(mesh.faces))
    assert sum(p[:, 2].min() < 0.002 for p in parts) == 1


def test_what_lies_deeper_than_fingers_reach_can_be_filled() -> None:
    mesh = bowl()
    parts = turned.turned_parts(np.asarray(mesh.vertices), np.asarray(mesh.faces), hollow=0.03)
    assert inside(parts, np.array([[0, 0, 0.03]])).all()
    assert not inside(parts, np.array([[0, 0, 0.07]])).any()


def test_a_handle_gets_its_own_parts_with_the_hole_left_open() -> None:
    mesh = bowl()
    ring = trimesh.creation.torus(0.022, 0.004, major_sections=32, minor_sections=10)
    ring.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    ring.apply_translation([0.118, 0, 0.045])
    vertices = np.concatenate([mesh.vertices, ring.vertices])
    faces = np.concatenate([mesh.faces, ring.faces + len(mesh.vertices)])
    parts = turned.turned_parts(vertices, faces, handle_pieces=8)
    assert inside(parts, np.array([[0.139, 0, 0.045]])).all()
    assert not inside(parts, np.array([[0.12, 0, 0.045]])).any()


def test_normals_are_sharp_on_a_box_and_smooth_on_a_ball() -> None:
    box = trimesh.creation.box((1, 1, 1))
    _, unit, faces = normals.smooth(np.asarray(box.vertices), np.empty((8, 0)), box.faces)
    assert len(unit) == 24
    assert np.allclose(np.abs(unit).max(1), 1)
    ball = trimesh.creation.icosphere(subdivisions=3)
    seam = np.random.default_rng(0).uniform(0, 1, (len(ball.faces) * 3, 2))
    corners, unit, faces = normals.smooth(
        ball.vertices[ball.faces].reshape(-1, 3), seam, np.arange(len(seam)).reshape(-1, 3)
    )
    assert np.einsum("nd,nd->n", corners[:, :3], unit).min() > 0.999
    assert len(faces) == len(ball.faces)


def test_a_leaning_box_is_laid_on_its_nearest_face() -> None:
    box = np.asarray(trimesh.creation.box((0.1, 0.06, 0.02)).vertices)
    tilt = trimesh.transformations.rotation_matrix(0.3, [1, 0.4, 0])[:3, :3]
    turn = resting.resting_rotation([box @ tilt.T], np.zeros(3))
    assert np.allclose(np.ptp(box @ tilt.T @ turn.T, axis=0)[2], 0.02, atol=1e-6)
    assert np.allclose(turn @ turn.T, np.eye(3))
    assert np.linalg.det(turn) == pytest.approx(1)


def test_a_face_under_which_the_mass_does_not_lie_is_no_foot() -> None:
    box = np.asarray(trimesh.creation.box((0.1, 0.02, 0.02)).vertices)
    wedge = box.copy()
    wedge[wedge[:, 2] < 0, 0] *= 0.2
    turn = resting.resting_rotation([wedge], np.array([0.03, 0.0, 0.0]))
    assert not np.allclose(turn, np.eye(3))


def test_the_contact_sheet_shows_the_thing_on_a_light_ground() -> None:
    mesh = open_pack().mesh("mug_004_red")
    image = picture(mesh, 64)
    assert (image[0, 0] > 230).all()
    r, g, b = (int(c) for c in image[40, 32])
    assert r > 2 * max(g, b)
    sheet = contact_sheet([("a", mesh), ("b", mesh), ("c", mesh)], columns=2, size=32)
    assert sheet.size == (64, 2 * (32 + 16))
