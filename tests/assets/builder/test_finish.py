"""From a raw mesh to a body, on a box and a beaker whose answers are known."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from refergym.assets.builder import finish, painting, writing
from refergym.assets.builder.categories import Category
from refergym.assets.builder.finish import Body, RawMesh
from refergym.assets.errors import PackError

BOX = Category(
    noun="box", plural="boxes", mass=(0.05, 1.0), density=400, friction=0.6, takes_load=True,
    is_one_hull=True,
)  # fmt: skip
CUP = Category(
    noun="cup", plural="cups", mass=(0.05, 0.6), wall=0.004, density=1500, friction=0.5,
    is_open=True, is_turned=True, directions=("opening", "handle"),
)  # fmt: skip
SIZE = (0.10, 0.06, 0.15)
BLUE = (30, 60, 190)


def raw(mesh: trimesh.Trimesh, side: int = 32) -> RawMesh:
    """A mesh in blue with darker lines, each triangle with the whole picture."""
    texture = np.full((side, side, 3), BLUE, np.uint8)
    texture[::8] = (np.array(BLUE) * 0.9).astype(np.uint8)
    faces = np.arange(3 * len(mesh.faces)).reshape(-1, 3)
    return RawMesh(
        vertices=np.asarray(mesh.vertices)[mesh.faces].reshape(-1, 3),
        uv=np.tile([[0.1, 0.1], [0.9, 0.1], [0.1, 0.9]], (len(mesh.faces), 1)),
        faces=faces,
        texture=texture,
    )


def box() -> trimesh.Trimesh:
    """Off the middle and above the ground."""
    mesh = trimesh.creation.box(SIZE)
    mesh.apply_translation([0.02, -0.01, 0.3])
    return mesh


def cup() -> trimesh.Trimesh:
    """A beaker, 80 mm across and 90 mm high, with walls of 4 mm and a floor of 6 mm."""
    profile = [[0, 0], [0.04, 0], [0.04, 0.09], [0.036, 0.09], [0.036, 0.006], [0, 0.006]]
    return trimesh.creation.revolve(np.array(profile), sections=48)


@pytest.fixture(scope="module")
def beaker() -> Body:
    return finish.finished(raw(cup()), CUP, "cup_000")


def test_mesh_and_parts_stand_on_zero_in_the_middle_and_agree(beaker: Body) -> None:
    for body in (beaker, finish.finished(raw(box()), BOX, "box_000")):
        low, high = body.vertices.min(0), body.vertices.max(0)
        np.testing.assert_allclose(low[2], 0, atol=1e-9)
        np.testing.assert_allclose((low + high)[:2], 0, atol=1e-9)
        joined = np.concatenate(body.parts)
        np.testing.assert_allclose(joined.min(0), low, atol=2e-6)
        np.testing.assert_allclose(joined.max(0), high, atol=2e-6)


def test_a_solid_box_has_the_mass_and_inertia_of_the_books() -> None:
    body = finish.finished(raw(box()), BOX, "box_000")
    x, y, z = SIZE
    mass = 400 * x * y * z
    assert body.mass.mass == pytest.approx(mass, rel=1e-6)
    np.testing.assert_allclose(body.mass.com, [0, 0, z / 2], atol=1e-9)
    expected = mass / 12 * np.diag([y * y + z * z, x * x + z * z, x * x + y * y])
    np.testing.assert_allclose(body.mass.inertia, expected, rtol=1e-6, atol=1e-12)
    assert body.symmetry == 2
    assert [round(p.probability, 2) for p in body.stable_poses] == sorted(
        (round(p.probability, 2) for p in body.stable_poses), reverse=True
    )


def test_a_hollow_cup_weighs_its_walls_and_not_its_hull(beaker: Body) -> None:
    outside = 2 * np.pi * 0.04 * 0.09 + np.pi * 0.04**2
    inside = 2 * np.pi * 0.036 * 0.084 + np.pi * 0.036**2
    rim = np.pi * (0.04**2 - 0.036**2)
    assert beaker.mass.mass == pytest.approx((outside + inside + rim) * 1500 * 0.002, rel=0.01)


def test_a_cup_is_hollow_round_open_and_has_no_handle(beaker: Body, tmp_path: Path) -> None:
    info = writing.write_asset(tmp_path, beaker, licence="x", attribution="y")
    assert info.cavity is not None
    assert info.cavity.radius == pytest.approx(0.036, abs=0.003)
    assert info.cavity.floor == pytest.approx(0.006, abs=0.002)
    assert info.symmetry == 0
    assert info.directions == {"opening": (0.0, 0.0, 1.0)}
    assert not info.flat_top


def test_only_level_tops_take_a_load(tmp_path: Path) -> None:
    level = finish.finished(raw(box()), BOX, "box_000")
    assert writing.write_asset(tmp_path, level, licence="x", attribution="y").flat_top
    roof = trimesh.creation.cone(radius=0.06, height=0.12)
    pointed = finish.finished(raw(roof), BOX, "roof_000")
    assert not writing.write_asset(tmp_path, pointed, licence="x", attribution="y").flat_top


def test_colours_are_measured_and_copies_painted(beaker: Body, tmp_path: Path) -> None:
    red = painting.painted(beaker, "cup_000_red", (190, 25, 25))
    infos = [writing.write_asset(tmp_path, b, licence="x", attribution="y") for b in (beaker, red)]
    assert [i.colour for i in infos] == ["blue", "red"]
    assert [i.shape for i in infos] == ["cup_000", "cup_000"]
    assert infos[0].collision_sha256 == infos[1].collision_sha256
    assert len(np.unique(red.texture.reshape(-1, 3), axis=0)) > 1, "its lines are still there"


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    sums = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        body = finish.finished(raw(cup()), CUP, "cup_000")
        info = writing.write_asset(folder, body, licence="x", attribution="y")
        sums.append((info.visual_sha256, info.collision_sha256))
    assert sums[0] == sums[1]


def test_large_pictures_are_made_smaller() -> None:
    assert finish.finished(raw(box(), 600), BOX, "b").texture.shape == (256, 256, 3)


def test_an_unbelievable_mass_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    heavy = trimesh.creation.box((0.3, 0.3, 0.3))
    body = finish.finished(raw(heavy), BOX, "box_007")
    with pytest.raises(PackError, match=r"box_007: 10\.800 kg is not what a box weighs"):
        writing.write_asset(tmp_path, body, licence="x", attribution="y")
    assert not list(tmp_path.iterdir())


def test_a_mesh_without_volume_is_refused() -> None:
    flat = trimesh.Trimesh([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], [[0, 1, 2]], process=False)
    with pytest.raises(PackError, match="flat_000: the mesh has no volume"):
        finish.finished(raw(flat), BOX, "flat_000")
