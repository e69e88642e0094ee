"""Tops and legs of tables that are built here, so that their measures are known."""

import numpy as np
import pytest
import shapely
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_parts import Mesh, box, joined

from refergym.assets.builder import furniture
from refergym.assets.library import Top


def four_legs(height: float) -> list[trimesh.Trimesh]:
    return [
        box((x, x + 0.05), (y, y + 0.05), (0, height)) for x in (-0.55, 0.5) for y in (-0.35, 0.3)
    ]


def table() -> Mesh:
    return joined(box((-0.6, 0.6), (-0.4, 0.4), (0.7, 0.73)), *four_legs(0.7))


def area(top: Top) -> float:
    ring = np.array(top.outline)
    after = np.roll(ring, -1, axis=0)
    return float((ring[:, 0] * after[:, 1] - ring[:, 1] * after[:, 0]).sum() / 2)


def is_convex(top: Top) -> bool:
    ring = np.array(top.outline)
    a, b = np.roll(ring, -1, axis=0) - ring, np.roll(ring, -2, axis=0) - np.roll(ring, -1, axis=0)
    return bool((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] > -1e-9).all())


def test_a_plain_table_has_a_rectangle_on_top() -> None:
    top = furniture.top_of(*table())
    assert (top.height, top.thickness) == (0.73, 0.03)
    assert sorted(top.outline) == [(-0.6, -0.4), (-0.6, 0.4), (0.6, -0.4), (0.6, 0.4)]
    assert area(top) == pytest.approx(0.96)  # positive: counter-clockwise


def test_a_table_that_is_inside_out_is_measured_alike() -> None:
    vertices, faces = table()
    assert furniture.top_of(vertices, faces[:, ::-1]) == furniture.top_of(vertices, faces)


@given(st.floats(0.3, 0.8), st.floats(0.3, 0.8), st.integers(7, 90))
@settings(max_examples=8, deadline=None)
def test_an_oval_top_gets_a_convex_outline_inside_it(a: float, b: float, sections: int) -> None:
    disc = trimesh.creation.cylinder(1.0, 0.04, sections=sections)
    disc.apply_scale([a, b, 1])
    disc.apply_translation([0, 0, 0.5])
    foot = trimesh.creation.cylinder(0.05, 0.48, sections=12)
    foot.apply_translation([0, 0, 0.24])
    top = furniture.top_of(*joined(disc, foot))
    real = shapely.MultiPoint(np.asarray(disc.vertices)[:, :2]).convex_hull
    assert 3 <= len(top.outline) <= furniture.MOST_CORNERS
    assert is_convex(top)
    assert real.buffer(1e-4).contains(shapely.Polygon(top.outline))
    assert area(top) > 0.93 * real.area
    assert top.height == pytest.approx(0.52)
    assert top.thickness == pytest.approx(0.04, abs=1e-4)


def test_an_l_shaped_top_gets_its_largest_rectangle() -> None:
    top = furniture.top_of(
        *joined(box((0, 1.2), (0, 0.6), (0, 0.7)), box((0, 0.5), (0.6, 1.4), (0, 0.7)))
    )
    assert len(top.outline) == 4
    x, y = np.transpose(top.outline)
    # 1.2 x 0.6 is 0.72, 0.5 x 1.4 is 0.7; a cell of the grid may be lost on either side.
    assert (np.ptp(x), np.ptp(y)) == pytest.approx((1.2, 0.6), abs=0.05)
    assert min(y) >= -1e-6
    assert max(y) <= 0.6 + 1e-6


def test_what_stands_above_a_desk_does_not_hide_it() -> None:
    shelf = box((-0.6, 0.6), (0.3, 0.4), (1.0, 1.02))
    top = furniture.top_of(*joined(box((-0.6, 0.6), (-0.4, 0.4), (0.7, 0.73)), shelf))
    assert top.height == 0.73
    assert area(top) == pytest.approx(1.2 * 0.7, rel=0.05)
    assert max(y for _, y in top.outline) <= 0.3 + 1e-6


def test_a_solid_block_gets_a_slab_and_one_part_below() -> None:
    mesh = joined(box((0, 1), (0, 0.6), (0, 0.9)))
    top = furniture.top_of(*mesh)
    assert top.thickness == furniture.BLOCK
    (below,) = furniture.legs(*mesh, top)
    assert below.min(0) == pytest.approx([0, 0, 0], abs=1e-6)
    assert below.max(0) == pytest.approx([1, 0.6, 0.9 - furniture.BLOCK], abs=1e-6)


def test_legs_are_convex_parts_below_the_slab() -> None:
    mesh = table()
    parts = furniture.legs(*mesh, furniture.top_of(*mesh))
    assert len(parts) == 4
    for part in parts:
        assert np.ptp(part, axis=0) == pytest.approx([0.05, 0.05, 0.7], abs=2e-3)
        assert part[:, 2].max() <= 0.7


@pytest.mark.slow
def test_legs_that_hang_together_are_cut_up() -> None:
    pytest.importorskip("coacd")
    frame = [
        box((-0.55, -0.5), (-0.3, 0.3), (0, 0.05)),
        box((-0.55, -0.5), (-0.3, -0.25), (0.05, 0.7)),
        box((-0.55, -0.5), (0.25, 0.3), (0.05, 0.7)),
    ]
    frame = [m.subdivide() for m in frame]
    mesh = joined(box((-0.6, 0.6), (-0.4, 0.4), (0.7, 0.73)), *frame)
    parts = furniture.legs(*mesh, furniture.top_of(*mesh))
    assert 3 <= len(parts) <= furniture.MOST_LEGS
    for part in parts:
        hull = trimesh.convex.convex_hull(part)
        assert not hull.contains([[-0.525, 0.0, 0.4]]).any()


def test_a_ball_has_no_top() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.5)
    ball.apply_translation([0, 0, 0.5])
    with pytest.raises(ValueError, match="no level face"):
        furniture.top_of(np.asarray(ball.vertices), np.asarray(ball.faces))
