"""Rotational symmetry of known shapes."""

import numpy as np
import pytest
import trimesh

from refergym.assets.builder import symmetry


def order(*meshes: trimesh.Trimesh, tolerance: float = symmetry.TOLERANCE) -> int:
    whole = trimesh.util.concatenate(list(meshes))
    return symmetry.order(np.asarray(whole.vertices), np.asarray(whole.faces), tolerance)


def handle() -> trimesh.Trimesh:
    ring = trimesh.creation.torus(0.02, 0.004)
    ring.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    ring.apply_translation([0.05, 0, 0])
    return ring


@pytest.mark.parametrize("n", [3, 4, 5, 6, 7, 8])
def test_a_prism_has_the_order_of_its_base(n: int) -> None:
    assert order(trimesh.creation.cylinder(0.04, 0.1, sections=n)) == n


def test_a_ninth_of_a_turn_is_not_taken_for_an_eighth() -> None:
    assert order(trimesh.creation.cylinder(0.04, 0.1, sections=9)) == 3


def test_a_box_has_order_two_and_a_square_one_four() -> None:
    assert order(trimesh.creation.box((0.1, 0.05, 0.2))) == 2
    assert order(trimesh.creation.box((0.1, 0.1, 0.2))) == 4


@pytest.mark.parametrize("sections", [14, 24, 90])
def test_what_is_turned_is_round_even_in_coarse_triangles(sections: int) -> None:
    cup = trimesh.creation.cylinder(0.04, 0.1, sections=sections)
    assert order(cup) == symmetry.ROUND


def test_a_handle_leaves_no_symmetry_and_two_leave_half_turns() -> None:
    cup = trimesh.creation.cylinder(0.04, 0.1, sections=64)
    other = handle()
    other.apply_transform(trimesh.transformations.rotation_matrix(np.pi, [0, 0, 1]))
    assert order(cup, handle()) == 1
    assert order(cup, handle(), other) == 2


def test_a_small_handle_counts() -> None:
    pot = trimesh.creation.cylinder(0.1, 0.12, sections=64)
    knob = trimesh.creation.box((0.02, 0.01, 0.01))
    knob.apply_translation([0.105, 0, 0.03])
    assert knob.area < 0.01 * pot.area
    assert order(pot, knob) == 1


def test_symmetry_is_about_the_frames_axis_at_any_turn_and_size() -> None:
    prism = trimesh.creation.cylinder(0.04, 0.1, sections=6)
    prism.apply_transform(trimesh.transformations.rotation_matrix(0.3, [0, 0, 1]))
    assert order(prism) == 6
    prism.apply_scale(20)
    assert order(prism) == 6
    prism.apply_translation([0.2, 0, 0])
    assert order(prism) == 1


def test_a_lax_tolerance_makes_a_hexagon_round() -> None:
    prism = trimesh.creation.cylinder(0.04, 0.1, sections=6)
    assert order(prism, tolerance=0.15) == symmetry.ROUND


def test_no_surface_is_an_error() -> None:
    with pytest.raises(ValueError, match="area"):
        symmetry.order(np.zeros((3, 3)), np.array([[0, 1, 2]]))
