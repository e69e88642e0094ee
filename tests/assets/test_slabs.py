import furnished
import msgspec
import numpy as np
import pytest
import trimesh

from refergym.assets.errors import SpecError
from refergym.assets.slabs import convex_parts, cut
from refergym.envs.backends.rows import shared_rows


def volume(points):
    return trimesh.convex.convex_hull(points).volume


CUBE = trimesh.creation.box((0.2, 0.2, 0.2)).vertices


@pytest.mark.parametrize("height", [-0.09, -0.02, 0.0, 0.07])
def test_a_cut_cube_keeps_what_lies_below(height):
    kept = cut(CUBE, height)
    assert kept[:, 2].max() == pytest.approx(height)
    assert volume(kept) == pytest.approx(0.04 * (height + 0.1))


def test_a_cut_keeps_all_of_what_lies_below_and_nothing_of_what_lies_above():
    assert volume(cut(CUBE, 0.1)) == pytest.approx(0.008)
    assert cut(CUBE, -0.1) is None
    assert cut(CUBE, -0.2) is None
    assert cut(CUBE, -0.1 + 5e-5) is None


def test_a_cut_ball_is_a_cap():
    ball = trimesh.creation.icosphere(subdivisions=4, radius=1.0).vertices
    depth = 0.6  # from the south pole up
    cap = np.pi * depth**2 * (1 - depth / 3)
    assert volume(cut(np.array(ball), depth - 1)) == pytest.approx(cap, rel=0.01)


def test_furniture_is_solid_below_its_slab_only(tmp_path):
    pack = furnished.make_pack(tmp_path)
    bare, table, disc = (
        convex_parts(pack, furnished.room(pack, kind).supports[0]) for kind in furnished.KINDS
    )
    assert len(bare) == 1
    np.testing.assert_allclose(np.sort(np.unique(bare[0][:, 2])), [-0.015, 0.015])
    assert len(table) == 5, (
        "a shelf and four legs; the slab is a box, the mesh's own top is cut off"
    )
    assert max(part[:, 2].max() for part in table) == pytest.approx(-0.015)
    assert min(part[:, 2].min() for part in table) == pytest.approx(0.015 - furnished.HEIGHT)
    assert len(disc) == 2, "the slab and the foot"
    leg = sum(volume(part) for part in table[1:])
    assert leg == pytest.approx(4 * 0.05**2 * (furnished.HEIGHT - furnished.THICKNESS), rel=1e-4)


def test_what_is_no_furniture_cannot_be_a_table(tmp_path):
    pack = furnished.make_pack(tmp_path)
    table = furnished.room(pack, "table").supports[0]
    wrong = msgspec.structs.replace(table, asset="block")
    with pytest.raises(SpecError, match="asset 'block' of 'table' has no `top`"):
        convex_parts(pack, wrong)


def test_lists_of_points_are_used_again():
    first = shared_rows(np.zeros((8, 3)))
    rows = list(first)
    second = shared_rows(np.ones((8, 3)))
    assert second is first
    assert all(a is b for a, b in zip(second, rows, strict=True))
    assert second == [[1.0, 1.0, 1.0]] * 8
    assert len(shared_rows(np.zeros((5, 3)))) == 5
