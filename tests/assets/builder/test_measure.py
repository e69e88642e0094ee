"""Mass properties against closed forms, and what counts as room or as a flat top."""

import numpy as np
import pytest
import trimesh

from refergym.assets.builder import measure


def arrays(mesh: trimesh.Trimesh) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)


def test_a_thin_sphere_has_two_thirds_of_m_r_squared() -> None:
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
    ball.apply_translation([0.1, -0.2, 0.3])
    found = measure.shell_mass(*arrays(ball), area_density=2.0)
    assert found.mass == pytest.approx(2.0 * 4 * np.pi * 0.05**2, rel=5e-3)
    assert found.com == pytest.approx([0.1, -0.2, 0.3], abs=1e-6)
    expected = 2 / 3 * found.mass * 0.05**2
    assert np.diag(found.inertia) == pytest.approx(np.full(3, expected), rel=5e-3)
    assert np.abs(found.inertia - np.diag(np.diag(found.inertia))).max() < 1e-3 * expected


def test_two_blocks_that_touch_weigh_like_one() -> None:
    def block(low: float, high: float) -> np.ndarray:
        box = np.asarray(trimesh.creation.box((0.1, 0.1, high - low)).vertices)
        return np.add(box, (0.02, 0, (low + high) / 2))

    two = measure.solid_mass([block(0, 0.1), block(0.1, 0.3)], 500)
    one = measure.solid_mass([block(0, 0.3)], 500)
    assert two.mass == pytest.approx(500 * 0.1 * 0.1 * 0.3)
    assert np.allclose(two.com, one.com)
    assert np.allclose(two.inertia, one.inertia)
    assert one.inertia[2, 2] == pytest.approx(one.mass / 12 * (0.1**2 + 0.1**2))


def test_a_block_has_no_cavity_and_a_flat_top_and_a_ball_neither() -> None:
    block = trimesh.creation.box((0.1, 0.1, 0.05))
    block.apply_translation([0, 0, 0.025])
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.05)
    for mesh, is_flat in ((block, True), (ball, False)):
        vertices, faces = arrays(mesh)
        assert measure.cavity(vertices, faces, [vertices]) is None
        assert measure.is_flat_on_top(vertices, faces, [vertices]) is is_flat


def test_a_cavity_that_only_the_picture_has_is_none() -> None:
    """A beaker whose convex part is one lump: things that are put in would lie on its rim."""
    profile = [[0, 0], [0.04, 0], [0.04, 0.09], [0.036, 0.09], [0.036, 0.006], [0, 0.006]]
    vertices, faces = arrays(trimesh.creation.revolve(np.array(profile), sections=48))
    assert measure.cavity(vertices, faces, [vertices]) is None


def test_people_see_the_outside_of_a_box_and_not_its_bottom() -> None:
    box = trimesh.creation.box((0.1, 0.1, 0.1))
    box.unmerge_vertices()
    vertices, faces = arrays(box)
    is_bottom = np.repeat(box.face_normals[:, 2] < -0.9, 3)
    texture = np.array([[[200, 30, 30], [30, 60, 190]]], np.uint8)
    uv = np.stack([np.where(is_bottom, 0.75, 0.25), np.full(len(vertices), 0.5)], axis=1)
    seen = measure.seen_samples(vertices, uv, faces, texture)
    assert len(seen) > 1000
    assert (seen == [200, 30, 30]).all()
