"""Stable poses against closed forms, and of things of the pack."""

import math

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from refergym.assets import poses
from refergym.assets.builder import resting
from refergym.assets.builder.stable import LEAST_SHARE, MOST, stable_poses
from refergym.assets.library import StablePose, open_pack

UPRIGHT = (1.0, 0.0, 0.0, 0.0)


def found(mesh: trimesh.Trimesh) -> tuple[StablePose, ...]:
    return stable_poses([np.asarray(mesh.vertices)], np.asarray(mesh.center_mass))


def face_share(a: float, b: float, d: float) -> float:
    """Solid angle of an a x b rectangle from d above its middle, of the whole sphere."""
    return math.atan(a * b / (2 * d * math.sqrt(4 * d * d + a * a + b * b))) / math.pi


def test_a_cube_rests_on_each_face_alike() -> None:
    sides = found(trimesh.creation.box((0.05, 0.05, 0.05)))
    assert len(sides) == 6
    assert [p.probability for p in sides] == pytest.approx([1 / 6] * 6, abs=1e-4)
    assert sides[0].orientation == UPRIGHT
    down = [poses.rotation(p.orientation).T @ [0, 0, -1] for p in sides]
    assert np.allclose(sorted(map(tuple, np.round(down, 9))), sorted(map(tuple, _axes())))


def _axes() -> list[list[float]]:
    return np.concatenate([np.eye(3), -np.eye(3)]).tolist()


def test_a_flat_box_rests_on_its_faces_by_their_solid_angles() -> None:
    a, b, c = 0.2, 0.1, 0.02
    sides = found(trimesh.creation.box((a, b, c)))
    expected = [face_share(a, b, c / 2)] * 2 + [face_share(a, c, b / 2)] * 2
    assert [p.probability for p in sides] == pytest.approx(expected, abs=1e-4)
    assert face_share(b, c, a / 2) < LEAST_SHARE


def test_a_can_has_two_ends_and_one_side() -> None:
    side, *ends = found(trimesh.creation.cylinder(0.03, 0.1, sections=48))
    cone = (1 - 0.05 / math.hypot(0.05, 0.03)) / 2
    assert [p.probability for p in ends] == pytest.approx([cone] * 2, abs=2e-3)
    assert ends[0].orientation == UPRIGHT
    assert side.probability == pytest.approx(1 - 2 * cone, abs=4e-3)
    assert (poses.rotation(side.orientation) @ [0, 0, 1])[2] == pytest.approx(0, abs=1e-6)


def test_a_ball_has_one_pose_and_a_coarse_one_many() -> None:
    (only,) = found(trimesh.creation.icosphere(subdivisions=3))
    assert only.probability == pytest.approx(1)
    coarse = found(trimesh.creation.icosahedron())
    assert len(coarse) == MOST
    assert [p.probability for p in coarse] == pytest.approx([1 / 20] * MOST, abs=1e-4)


def test_a_heavy_bottom_makes_upright_likelier() -> None:
    box = np.asarray(trimesh.creation.box((0.1, 0.1, 0.1)).vertices)
    low = stable_poses([box], np.array([0, 0, -0.04]))
    assert low[0].orientation == UPRIGHT
    assert low[0].probability == pytest.approx(face_share(0.1, 0.1, 0.01), abs=1e-4)


def test_a_rare_upright_pose_is_kept() -> None:
    tall = found(trimesh.creation.box((0.03, 0.03, 0.3)))
    (upright,) = (p for p in tall if p.orientation == UPRIGHT)
    assert 0 < upright.probability < LEAST_SHARE
    assert len(tall) == 5


def test_a_foot_that_is_hardly_level_counts_as_upright() -> None:
    box = trimesh.creation.box((0.1, 0.08, 0.06))
    box.apply_transform(trimesh.transformations.rotation_matrix(0.01, [1, 0, 0]))
    assert UPRIGHT in [p.orientation for p in found(box)]


def test_a_tilted_thing_has_no_upright_pose() -> None:
    box = trimesh.creation.box((0.1, 0.08, 0.06))
    box.apply_transform(trimesh.transformations.rotation_matrix(0.3, [1, 0, 0]))
    assert all(p.orientation != UPRIGHT for p in found(box))


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_each_pose_lies_on_a_foot_below_the_centre_of_mass(seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(14, 3)) * [0.05, 0.04, 0.02]
    com = np.asarray(trimesh.convex.convex_hull(points).center_mass)
    sides = stable_poses([points], com)
    assert [p.probability for p in sides] == sorted((p.probability for p in sides), reverse=True)
    assert 0 < sum(p.probability for p in sides) <= 1 + 1e-3
    for p in sides:
        turned = points @ poses.rotation(p.orientation).T
        assert p.orientation[0] >= 0
        foot = turned[turned[:, 2] < turned[:, 2].min() + 1e-6]
        middle = poses.rotation(p.orientation) @ com
        assert len(foot) >= 3
        assert resting._margin(foot[:, :2], middle[:2]) > -1e-6


def test_a_centre_of_mass_outside_is_an_error() -> None:
    with pytest.raises(ValueError, match="inside the parts' hull"):
        stable_poses([np.asarray(trimesh.creation.box((1, 1, 1)).vertices)], np.array([0, 0, 2.0]))


@pytest.mark.parametrize("noun", ["bottle", "bowl", "book", "can", "cup", "plate"])
def test_things_of_the_pack_stand_as_they_are(noun: str) -> None:
    pack = open_pack()
    info = next(a for a in pack.manifest.assets if a.category == noun)
    sides = stable_poses(pack.hulls(info.name), np.array(info.com))
    assert UPRIGHT in [p.orientation for p in sides]
    assert sum(p.probability for p in sides) > 0.9
