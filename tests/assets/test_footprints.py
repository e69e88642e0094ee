import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
import shapely
import trimesh
from shapely import Polygon, box

from refergym.assets.errors import SpecError
from refergym.assets.footprints import (
    fixture_polygon,
    footprint,
    free_region,
    low_parts,
    outline,
    outline_of,
    overlaps,
    placed,
    support_corners,
    support_polygon,
)
from refergym.assets.library import Pack, open_pack
from refergym.assets.poses import about_z, as_pose
from refergym.assets.spec import FixtureSpec, Pose, SupportSpec

SQUARE = np.array([(-0.1, -0.1), (0.1, -0.1), (0.1, 0.1), (-0.1, 0.1), (0.0, 0.05)])


def test_an_outline_is_the_convex_hull_with_its_circles() -> None:
    shape = outline_of(SQUARE)
    assert sorted(map(tuple, shape.points.tolist())) == sorted(map(tuple, SQUARE[:4].tolist()))
    assert shape.area == pytest.approx(0.04)
    assert shape.perimeter == pytest.approx(0.8)
    assert shape.inner == pytest.approx(0.1)
    assert shape.outer == pytest.approx(0.1 * math.sqrt(2))
    assert outline_of(SQUARE + 1.0).inner == 0.0


def test_the_grown_area_is_that_of_the_grown_polygon() -> None:
    shape = outline_of(SQUARE)
    grown = placed(shape, 0, 0, 0, scale=1.5).buffer(0.03, quad_segs=256)
    assert shape.grown_area(1.5, 0.03) == pytest.approx(grown.area, rel=1e-4)


def test_points_on_a_line_have_no_outline() -> None:
    with pytest.raises(ValueError, match="expected points that span an area"):
        outline_of(np.array([(0.0, 0.0), (1.0, 1.0), (2.0, 2.0)]))


def test_a_placed_outline_is_scaled_turned_and_moved() -> None:
    polygon = placed(outline_of(SQUARE), 0.5, -0.2, math.pi / 4, scale=2.0)
    half = 0.2 * math.sqrt(2)
    assert polygon.bounds == pytest.approx((0.5 - half, -0.2 - half, 0.5 + half, -0.2 + half))
    assert polygon.area == pytest.approx(0.16)
    assert polygon.exterior.is_ccw


def first(pack: Pack) -> str:
    return pack.manifest.assets[0].name


def test_a_footprint_covers_every_hull_point_upright_and_fallen() -> None:
    pack = open_pack()
    name = first(pack)
    points = np.concatenate(pack.hulls(name)) * 1.2
    upright = footprint(pack, name, as_pose(np.array([0.4, 0.1, 0, *about_z(0.7)])), 1.2)
    c, s = math.cos(0.7), math.sin(0.7)
    xy = points[:, :2] @ np.array([[c, s], [-s, c]]) + (0.4, 0.1)
    assert shapely.covers(upright.buffer(1e-6), shapely.points(xy)).all()
    assert upright.area == pytest.approx(outline(pack, name).area * 1.44, rel=1e-6)
    # a quarter turn about x lays the height along -y
    r = math.sqrt(0.5)
    fallen = footprint(pack, name, Pose(position=(0, 0, 0), orientation=(r, r, 0, 0)), 1.2)
    low_x, low_y = points[:, 0].min(), -points[:, 2].max()
    assert fallen.bounds[:2] == pytest.approx((low_x, low_y), abs=1e-6)


def test_overlap_means_nearer_than_the_margin() -> None:
    a, touching, apart = box(0, 0, 1, 1), box(1, 0, 2, 1), box(1.25, 0, 2, 1)
    assert not overlaps(a, touching)
    assert overlaps(a, touching, 0.01)
    assert not overlaps(a, apart, 0.25)
    assert overlaps(a, apart, 0.26)
    assert overlaps(a, box(0.2, 0.2, 0.3, 0.3))


def test_free_region_is_the_surface_less_what_stands_on_it() -> None:
    table = box(0, 0, 2, 1)
    assert free_region(table, []).area == pytest.approx(2)
    assert free_region(table, [box(0.5, 0.25, 1, 0.75)]).area == pytest.approx(1.75)
    assert free_region(table, [], edge=0.1).area == pytest.approx(1.8 * 0.8)
    grown = 0.25 + 4 * 0.5 * 0.1 + math.pi * 0.01
    free = free_region(table, [box(0.5, 0.25, 1, 0.75)], margin=0.1)
    assert free.area == pytest.approx(2 - grown, rel=1e-3)
    twice = [box(0.5, 0.25, 1, 0.75), box(0.75, 0.25, 1.25, 0.75)]
    assert free_region(table, twice).area == pytest.approx(2 - 0.375)
    assert free_region(table, [box(-1, -1, 3, 3)]).is_empty


def test_a_support_turns_with_its_pose() -> None:
    pose = as_pose(np.array([1.0, 2.0, 0.0, *about_z(math.pi / 2)]))
    top = support_polygon(SupportSpec(id="t", pose=pose, size=(0.4, 0.2, 0.1)))
    assert isinstance(top, Polygon)
    assert top.bounds == pytest.approx((0.9, 1.8, 1.1, 2.2))


def test_outlines_are_computed_once_for_each_pack(tmp_path: Path) -> None:
    pack = open_pack()
    assert outline(pack, first(pack)) is outline(pack, first(pack))
    assert not outline(pack, first(pack)).points.flags.writeable


SLAB = SupportSpec(id="t", pose=Pose(position=(1.0, 2.0, 0.0)), size=(0.4, 0.2, 0.1))


def test_an_outline_is_the_upper_face_instead_of_the_rectangle() -> None:
    ring = ((-0.2, -0.1), (0.2, 0.0), (0.0, 0.1))
    slab = msgspec.structs.replace(
        SLAB, pose=as_pose(np.array([1.0, 2.0, 0.0, *about_z(math.pi / 2)])), outline=ring
    )
    assert support_polygon(slab).area == pytest.approx(0.4 * 0.2 / 2 - 0.2 * 0.1 / 2)
    corners = [(1.1, 1.8), (1.0, 2.2), (0.9, 2.0)]
    assert shapely.get_coordinates(support_polygon(slab))[:3] == pytest.approx(np.array(corners))
    np.testing.assert_array_equal(support_corners(slab), ring)
    assert not support_corners(slab).flags.writeable


@pytest.mark.parametrize(
    ("outline", "fault"),
    [
        (((-0.2, -0.1), (0.2, 0.0)), "at least 3 corners, got 2"),
        (((-0.2, -0.1), (0.0, 0.1), (0.2, 0.0)), "counter-clockwise"),
        (((-0.2, -0.1), (0.2, -0.1), (0.0, -0.05), (0.0, 0.1)), "convex"),
        (((-0.2, -0.1), (0.2, 0.1), (0.2, -0.1), (-0.2, 0.1)), "convex"),
        (((-0.2, -0.1), (0.2, -0.1), (0.0, 0.11)), r"within .* got \[0.0, 0.11\]"),
        (((0.0, 0.0), (0.0, 0.0), (0.0, 0.0)), "convex"),
        (((0.0, 0.0), (0.1, 0.0), (float("nan"), 0.1)), "finite"),
    ],
)
def test_an_outline_that_is_no_convex_face_is_refused_by_name(
    outline: tuple[tuple[float, float], ...], fault: str
) -> None:
    with pytest.raises(SpecError, match=f"supports: outline of 't': expected .*{fault}"):
        support_polygon(msgspec.structs.replace(SLAB, outline=outline))


def test_a_fixture_covers_its_turned_box() -> None:
    turned = as_pose(np.array([1.0, 0.0, 3.0, *about_z(math.pi / 4)]))
    wall = fixture_polygon(FixtureSpec(id="w", pose=turned, size=(1.0, 1.0, 2.0)))
    assert wall.area == pytest.approx(1.0)
    assert wall.bounds == pytest.approx((1 - 0.5**0.5, -(0.5**0.5), 1 + 0.5**0.5, 0.5**0.5))
    r = math.sqrt(0.5)  # a quarter turn about x: the height lies along y
    fallen = FixtureSpec(
        id="w", pose=Pose(position=(0, 0, 0), orientation=(r, r, 0, 0)), size=(1, 1, 2)
    )
    assert fixture_polygon(fallen).bounds == pytest.approx((-0.5, -1.0, 0.5, 1.0))


@pytest.mark.parametrize(
    ("name", "heights"),
    [("coffee_table_003", (0.02, 0.1, 0.3, 0.42)), ("bowl_000", (0.01, 0.03, 0.05))],
)
def test_what_a_thing_covers_low_down_is_its_parts_cut_off_at_the_height(
    name: str, heights: tuple[float, ...]
) -> None:
    pack, c, s = open_pack(), math.cos(0.7), math.sin(0.7)
    pose = as_pose(np.array([0.4, -0.1, -0.5, *about_z(0.7)]))
    for height in heights:
        parts = low_parts(pack, name, pose, height - 0.5)
        expected = []
        for points in pack.hulls(name):
            solid = trimesh.convex.convex_hull(points)
            if solid.bounds[0, 2] < height:
                low = solid.slice_plane((0, 0, height), (0, 0, -1)).vertices[:, :2]
                turned = np.add(low @ np.array([[c, s], [-s, c]]), (0.4, -0.1))
                expected.append(shapely.convex_hull(shapely.multipoints(turned)))
        assert len(parts) == len(expected)
        difference = shapely.union_all(parts).symmetric_difference(shapely.union_all(expected))
        assert difference.area < 1e-6


def test_low_down_a_table_covers_its_feet_and_posts_alone() -> None:
    pack, pose = open_pack(), Pose(position=(0.0, 0.0, -0.5))
    counts = [len(low_parts(pack, "coffee_table_003", pose, z)) for z in (-0.5, -0.4, -0.08)]
    assert counts == [0, 4, 5], "nothing, two feet with their posts, and the top"
