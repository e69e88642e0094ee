"""Users' meshes go into a pack whole or not at all, and pass the pack's own check."""

import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from refergym.assets.builder import adding, writing
from refergym.assets.builder.adding import Addition, add
from refergym.assets.builder.checking import check_pack
from refergym.assets.errors import PackError
from refergym.assets.library import AssetInfo, Pack, open_pack

SHIPPED = open_pack()
SIMPLE = min((a for a in SHIPPED.manifest.assets if a.use == "item"), key=lambda a: a.triangles)
"""an asset of few triangles, which is decomposed quickly"""


def wanted(category: str = "toy", **more: Any) -> Addition:
    plain = {"split": "seen", "triangles": 1500, "licence": "CC0", "attribution": "me"}
    return Addition(category=category, **(plain | more))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack with one toy."""
    folder = tmp_path_factory.mktemp("made")
    add(box(folder / "a.stl"), folder / "mine", wanted())
    return folder / "mine"


@pytest.fixture
def mine(made: Path, tmp_path: Path) -> Path:
    """A copy of that pack, free to be changed."""
    return Path(shutil.copytree(made, tmp_path / "mine"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def box(path: Path, size: tuple[float, float, float] = (0.06, 0.04, 0.1)) -> Path:
    trimesh.creation.box(size).export(path)
    return path


def faults(pack: Path) -> list[str]:
    return [str(f) for f in check_pack(pack).faults]


def test_a_glb_of_the_shipped_pack_comes_through_as_it_was(tmp_path: Path) -> None:
    pack = tmp_path / "mine"
    info = add(SHIPPED.folder / SIMPLE.visual, pack, wanted("gadget"))
    assert info.name == "gadget_000"
    assert info.plural == "gadgets"
    assert info.size == pytest.approx(SIMPLE.size, abs=0.002)
    assert info.colour == SIMPLE.colour
    assert (info.triangles, info.factory) == (SIMPLE.triangles, "")
    assert info.licence == "CC0"
    assert faults(pack) == []
    assert [a.name for a in Pack(pack).manifest.assets] == ["gadget_000"]
    assert sorted(p.name for p in pack.iterdir()) == ["gadget_000", "manifest.json"]
    assert list(tmp_path.iterdir()) == [pack]


def test_a_turned_and_rescaled_mesh_is_brought_upright_and_to_its_size(tmp_path: Path) -> None:
    mesh = trimesh.creation.box((60, 40, 100))
    mesh.export(tmp_path / "z.stl")
    mesh.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))
    mesh.export(tmp_path / "y.stl")
    a = add(tmp_path / "z.stl", tmp_path / "mine", wanted(longest=0.1))
    b = add(tmp_path / "y.stl", tmp_path / "mine", wanted(longest=0.1, up="y"))
    assert a.size == pytest.approx((0.06, 0.04, 0.1), abs=1e-4)
    assert b.size == pytest.approx(a.size, abs=1e-4)
    assert (a.name, b.name) == ("toy_000", "toy_001")
    found = faults(tmp_path / "mine")
    assert [f.split(" (")[0] for f in found] == ["toy_001: shape: the mesh is that of toy_000"]


def test_a_box_weighs_its_volume_and_has_the_inertia_of_the_books(tmp_path: Path) -> None:
    info = add(box(tmp_path / "box.ply"), tmp_path / "mine", wanted(density=800.0))
    x, y, z = 0.06, 0.04, 0.1
    mass = 800 * x * y * z
    assert info.mass == pytest.approx(mass, rel=1e-3)
    assert info.com == pytest.approx((0, 0, z / 2), abs=1e-4)
    expected = [mass / 12 * s for s in (y * y + z * z, x * x + z * z, x * x + y * y)]
    assert info.inertia[:3] == pytest.approx(expected, rel=2e-3)
    assert info.symmetry == 2
    assert info.flat_top is False  # 4 cm are too narrow for the disc that is measured
    assert info.stable_poses[0].probability > 0.2


def test_a_known_category_brings_its_density_friction_and_plural(tmp_path: Path) -> None:
    known = adding.RECIPES["book"].category
    info = add(box(tmp_path / "b.stl", (0.15, 0.2, 0.03)), tmp_path / "mine", wanted("book"))
    assert (info.category, info.plural, info.friction) == ("book", "books", known.friction)
    assert info.mass == pytest.approx(known.density * 0.15 * 0.2 * 0.03, rel=1e-3)


def test_what_the_user_says_comes_first(tmp_path: Path) -> None:
    more = wanted("book", plural="tomes", name="my.book-1", friction=0.9, split="unseen_instance")
    info = add(box(tmp_path / "b.stl", (0.15, 0.2, 0.03)), tmp_path / "mine", more)
    assert (info.name, info.plural, info.friction) == ("my.book-1", "tomes", 0.9)
    assert info.split == "unseen_instance"


def test_several_materials_come_into_one_picture(tmp_path: Path) -> None:
    bottom, top = trimesh.creation.box((0.08, 0.08, 0.05)), trimesh.creation.box((0.08, 0.08, 0.05))
    top.apply_translation([0, 0, 0.05])
    for mesh, rgb in ((bottom, [1.0, 0.0, 0.0, 1.0]), (top, [0.0, 0.0, 1.0, 1.0])):
        mesh.visual = TextureVisuals(material=PBRMaterial(baseColorFactor=rgb))
    path = tmp_path / "two.glb"
    path.write_bytes(trimesh.Scene([bottom, top]).export(file_type="glb"))
    add(path, tmp_path / "mine", wanted(up="z", wall=0.01))
    mesh = Pack(tmp_path / "mine").mesh("toy_000")
    corner = mesh.faces[np.abs(mesh.vertices[mesh.faces].mean(1)[:, 2] - 0.05) > 0.01]
    middle = mesh.uv[corner].mean(1)
    x, y = np.minimum((middle * 256).astype(int), 255).T
    is_red = mesh.texture[y, x, 0] > 250
    assert np.array_equal(is_red, mesh.vertices[corner].mean(1)[:, 2] < 0.05)
    assert faults(tmp_path / "mine") == []


def test_a_mesh_with_many_triangles_is_decimated(tmp_path: Path) -> None:
    ball = trimesh.creation.icosphere(5, 0.04)
    ball.visual.vertex_colors = np.tile([220, 120, 20, 255], (len(ball.vertices), 1))
    ball.export(tmp_path / "ball.ply")
    info = add(tmp_path / "ball.ply", tmp_path / "mine", wanted(triangles=600))
    assert 400 <= info.triangles <= 900
    assert info.colour == "orange"
    assert info.mass == pytest.approx(adding.DENSITY * 4 / 3 * np.pi * 0.04**3, rel=0.02)
    assert faults(tmp_path / "mine") == []


def test_a_mesh_that_is_inside_out_is_turned(tmp_path: Path) -> None:
    mesh = trimesh.creation.box((0.06, 0.04, 0.1))
    mesh.invert()
    mesh.export(tmp_path / "box.stl")
    add(tmp_path / "box.stl", tmp_path / "mine", wanted())
    assert faults(tmp_path / "mine") == []


def test_an_empty_folder_becomes_a_pack(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    info = add(box(tmp_path / "a.stl"), tmp_path / "mine", wanted())
    assert Pack(tmp_path / "mine").manifest.assets == (info,)


def test_a_pack_that_grows_keeps_what_it_had(mine: Path, tmp_path: Path) -> None:
    first, before = Pack(mine).manifest.assets[0], contents(mine)
    second = add(box(tmp_path / "b.stl", (0.05, 0.05, 0.05)), mine, wanted("cube"))
    after = contents(mine)
    assert Pack(mine).manifest.assets == (first, second)
    kept = {name: data for name, data in after.items() if name.startswith("toy_000")}
    assert kept == {name: data for name, data in before.items() if name != "manifest.json"}
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_what_a_killed_run_left_behind_is_replaced(mine: Path, tmp_path: Path) -> None:
    shutil.copytree(mine / "toy_000", mine / "toy_001")
    add(box(tmp_path / "b.stl", (0.05, 0.05, 0.05)), mine, wanted())
    assert faults(mine) == []
    assert sorted(p.name for p in (mine / "toy_001").iterdir()) == [
        "toy_001.glb",
        "toy_001_parts.obj",
    ]


def test_an_unusual_mass_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        add(box(tmp_path / "b.stl", (0.02, 0.01, 0.01)), tmp_path / "mine", wanted("book"))
    assert "is unusual for a book" in caplog.text


# What is refused, and leaves everything as it was


def refused(path: Path, pack: Path, addition: Addition) -> str:
    around = sorted(p.name for p in pack.parent.iterdir())
    before = contents(pack) if pack.exists() else None
    with pytest.raises(PackError) as caught:
        add(path, pack, addition)
    assert (contents(pack) if pack.exists() else None) == before
    assert sorted(p.name for p in pack.parent.iterdir()) == around
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_flat_mesh_and_a_single_triangle_have_no_volume(tmp_path: Path) -> None:
    square = [[0, 0, 0], [0.1, 0, 0], [0.1, 0.1, 0], [0, 0.1, 0]]
    for faces in ([[0, 1, 2]], [[0, 1, 2], [0, 2, 3]]):
        trimesh.Trimesh(square, faces).export(tmp_path / "flat.obj")
        said = refused(tmp_path / "flat.obj", tmp_path / "mine", wanted())
        assert "flat.obj: the mesh has no volume" in said


def test_a_mesh_whose_vertices_are_all_one_point_has_no_size(tmp_path: Path) -> None:
    (tmp_path / "dot.obj").write_text("v 1 1 1\n" * 4 + "f 1 2 3\nf 1 3 4\n")
    assert "give the real one" in refused(tmp_path / "dot.obj", tmp_path / "mine", wanted())
    said = refused(tmp_path / "dot.obj", tmp_path / "mine", wanted(longest=0.1))
    assert "the mesh has no volume" in said


def test_a_sheet_needs_its_wall(tmp_path: Path) -> None:
    """A napkin, bent a little: it encloses nothing."""
    sheet = trimesh.creation.box((0.1, 0.1, 0.0)).subdivide().subdivide()
    sheet.update_faces(sheet.face_normals[:, 2] > 0.5)
    sheet.vertices[:, 2] = 0.01 * np.sin(60 * sheet.vertices[:, 0])
    sheet.export(tmp_path / "sheet.ply")
    said = refused(tmp_path / "sheet.ply", tmp_path / "mine", wanted())
    assert "the surface is open" in said
    assert said.endswith("give the thickness of its wall, as in wall=0.002 (m)")
    info = add(tmp_path / "sheet.ply", tmp_path / "mine", wanted(wall=0.002, density=1000.0))
    surface = float(sheet.area)
    assert info.mass == pytest.approx(1000 * 0.001 * surface, rel=0.01)


@pytest.mark.parametrize("size", [2000.0, 0.001])
def test_a_size_in_another_unit_is_noticed(tmp_path: Path, size: float) -> None:
    path = box(tmp_path / "box.stl", (size, size, size))
    assert f"its longest side is {size:g} m" in refused(path, tmp_path / "mine", wanted())


def test_too_many_pieces_to_decimate_are_refused(tmp_path: Path) -> None:
    pieces = []
    for k in range(260):
        piece = trimesh.creation.box((0.004, 0.004, 0.004))
        piece.apply_translation([0.01 * (k % 10), 0.01 * (k // 10 % 10), 0.01 * (k // 100)])
        pieces.append(piece)
    trimesh.util.concatenate(pieces).export(tmp_path / "dust.stl")
    said = refused(tmp_path / "dust.stl", tmp_path / "mine", wanted())
    assert "still 3120 triangles after decimation" in said
    assert "bring it below 3000" in said


@pytest.mark.parametrize("category", ["", "  "])
def test_a_category_is_needed(tmp_path: Path, category: str) -> None:
    said = refused(box(tmp_path / "a.stl"), tmp_path / "mine", wanted(category))
    assert said.startswith("category: ")
    assert "say what it is in one English noun" in said


@pytest.mark.parametrize("name", ["../evil", "a b", "", ".hidden"])
def test_a_name_that_is_no_folders_is_refused(tmp_path: Path, name: str) -> None:
    said = refused(box(tmp_path / "a.stl"), tmp_path / "mine", wanted(name=name))
    assert said.startswith("name: ")


def test_a_name_that_is_taken_is_refused(mine: Path, tmp_path: Path) -> None:
    said = refused(box(tmp_path / "a.stl"), mine, wanted(name="toy_000"))
    assert "name: 'toy_000' is in the pack" in said
    assert "choose another name=" in said


def test_a_folder_that_is_no_pack_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    said = refused(box(tmp_path / "a.stl"), tmp_path / "mine", wanted())
    assert "not empty, and not a pack" in said


def test_a_pack_of_another_version_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "manifest.json").write_text(json.dumps({"version": 1, "assets": []}))
    said = refused(box(tmp_path / "a.stl"), tmp_path / "mine", wanted())
    assert "version: expected 2" in said


def test_a_file_that_is_no_mesh_leaves_the_pack_alone(mine: Path, tmp_path: Path) -> None:
    (tmp_path / "b.glb").write_bytes(b"glTF, or is it")
    assert "not a readable mesh" in refused(tmp_path / "b.glb", mine, wanted())


def test_a_manifest_that_cannot_be_written_takes_the_asset_back(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def full(folder: Path, manifest: object) -> None:
        raise OSError(28, "No space left on device", str(folder / "manifest.json.tmp"))

    monkeypatch.setattr(writing, "write_manifest", full)
    said = refused(box(tmp_path / "a.stl"), mine, wanted())
    assert "cannot write (No space left on device); the pack is as it was" in said


FULL_DISK = """
import resource
from pathlib import Path
from refergym.assets.builder.adding import Addition, add
from refergym.assets.errors import PackError
wanted = Addition(
    category="toy", split="seen", triangles=1500, licence="CC0", attribution="me", name="big"
)
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, resource.RLIM_INFINITY))
try:
    add(Path({mesh!r}), Path({pack!r}), wanted)
except PackError as e:
    print(e)
"""


def test_a_disk_that_takes_no_more_leaves_the_pack_as_it_was(mine: Path, tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: writes fail half-way."""
    before = contents(mine)
    code = FULL_DISK.format(mesh=str(box(tmp_path / "a.stl")), pack=str(mine))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "cannot write (File too large); the pack is as it was" in done.stdout, done.stderr
    assert contents(mine) == before
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


@pytest.mark.slow
def test_a_hollow_thing_keeps_its_cavity(tmp_path: Path) -> None:
    """A beaker whose walls and floor are 4 mm thick, as a closed mesh."""
    profile = [[0, 0], [0.04, 0], [0.04, 0.09], [0.036, 0.09], [0.036, 0.004], [0, 0.004]]
    mesh = trimesh.creation.revolve(np.array(profile), sections=32)
    mesh.export(tmp_path / "beaker.stl")
    info: AssetInfo = add(tmp_path / "beaker.stl", tmp_path / "mine", wanted(density=2400.0))
    solid = np.pi * (0.04**2 * 0.09 - 0.036**2 * 0.086)
    assert info.mass == pytest.approx(2400 * solid, rel=0.03)
    assert info.cavity is not None
    assert info.cavity.radius == pytest.approx(0.033, abs=0.004)
    assert faults(tmp_path / "mine") == []


@pytest.mark.parametrize("name", ["textures", "scenes", "manifest.json", "LICENSE"])
def test_a_name_that_the_pack_uses_itself_is_refused(name: str, tmp_path: Path, mine: Path) -> None:
    (mine / "textures").mkdir()
    (mine / "textures" / "oak.png").touch()
    before = contents(mine)
    with pytest.raises(PackError, match="what a pack calls a part of its own"):
        add(box(tmp_path / "a.stl"), mine, wanted(name=name))
    assert contents(mine) == before


def test_a_folder_that_is_no_asset_is_never_deleted(tmp_path: Path, mine: Path) -> None:
    (mine / "notes").mkdir()
    (mine / "notes" / "thesis.txt").touch()
    with pytest.raises(PackError, match="holds a 'notes' already"):
        add(box(tmp_path / "a.stl"), mine, wanted(name="notes"))
    assert (mine / "notes" / "thesis.txt").exists()


def test_what_is_too_light_for_a_record_is_refused(tmp_path: Path, mine: Path) -> None:
    before = contents(mine)
    needle = box(tmp_path / "needle.stl", (0.0006, 0.0006, 0.02))
    with pytest.raises(PackError, match="too small or too thin for a record: mass: expected > 0"):
        add(needle, mine, wanted("needle", density=1.0))
    assert contents(mine) == before


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"longest": float("inf")}, "longest: expected a finite number"),
        ({"longest": 1000.0}, "longest: expected 0.005 to 1 .m., got 1000"),
        ({"density": float("inf")}, "density: expected a finite number"),
        ({"category": ""}, "category: ''; say what it is"),
        ({"category": "a/../b"}, "category: 'a/../b'; say what it is"),
        ({"category": "_x"}, "category: '_x'"),
        ({"category": "wine  glass"}, "category: 'wine  glass'"),
        ({"category": "c" * 300}, "category: "),
    ],
)
def test_words_and_numbers_that_no_record_takes_are_named(
    more: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(PackError, match=says):
        add(box(tmp_path / "a.stl"), tmp_path / "mine", wanted(**{"category": "toy", **more}))
    assert not (tmp_path / "mine").exists()


def test_a_known_kind_is_known_in_capitals_too(tmp_path: Path) -> None:
    info = add(box(tmp_path / "a.stl"), tmp_path / "mine", wanted("Box"))
    assert (info.category, info.material) == ("box", "cardboard")


def test_vertices_that_no_face_uses_are_left_out(tmp_path: Path) -> None:
    ball = trimesh.creation.box((0.04, 0.05, 0.06))
    ball.unmerge_vertices()
    picture = Image.new("RGB", (8, 8), (200, 30, 30))
    uv = np.full((len(ball.vertices) + 1, 2), 0.5)
    spare = np.vstack([ball.vertices, [0.06, 0.0, 0.0]])
    material = PBRMaterial(baseColorTexture=picture)
    mesh = trimesh.Trimesh(
        spare, ball.faces, visual=TextureVisuals(uv=uv, material=material), process=False
    )
    mesh.export(tmp_path / "spare.glb")
    info = add(tmp_path / "spare.glb", tmp_path / "mine", wanted(up="z"))
    assert info.size == pytest.approx((0.04, 0.05, 0.06), abs=1e-4)
    assert faults(tmp_path / "mine") == []
