"""Packs load strictly, and the one that ships holds what its manifest says."""

import hashlib
import json
import shutil
import zlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import trimesh

from refergym.assets.builder import building, measure
from refergym.assets.builder.recipes import RECIPES
from refergym.assets.errors import PackError
from refergym.assets.library import PACK_DIR, Manifest, Pack, open_pack
from refergym.assets.meshes import load_parts
from refergym.assets.solved import load_solved

PACK = open_pack()
ITEMS = tuple(a for a in PACK.manifest.assets if a.use == "item")
NAMES = tuple(a.name for a in ITEMS)
SAMPLE = ("mug_004_red", "apple_000")


@pytest.fixture
def small_pack(tmp_path: Path) -> Path:
    """A copy of the shipped pack with two assets and one texture, free to be damaged."""
    folder = tmp_path / "pack"
    folder.mkdir()
    manifest = json.loads((PACK_DIR / "manifest.json").read_bytes())
    manifest["assets"] = [a for a in manifest["assets"] if a["name"] in SAMPLE]
    manifest["textures"] = manifest["textures"][:1]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for name in SAMPLE:
        shutil.copytree(PACK_DIR / name, folder / name)
    (folder / "textures").mkdir()
    shutil.copy(PACK_DIR / manifest["textures"][0]["file"], folder / "textures")
    return folder


def edit(folder: Path, change: dict[str, Any], asset: int | None = None) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    target = manifest if asset is None else manifest["assets"][asset]
    target.update(change)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_an_unknown_field_in_the_manifest_is_refused_by_path(small_pack: Path) -> None:
    edit(small_pack, {"wieght": 1.0}, asset=1)
    with pytest.raises(PackError, match=r"manifest\.json: assets\[1\].*wieght"):
        Pack(small_pack)


def test_a_negative_mass_is_refused_by_path_and_value(small_pack: Path) -> None:
    edit(small_pack, {"mass": -1.0}, asset=0)
    with pytest.raises(PackError, match=r"assets\[0\]\.mass: expected > 0, got -1"):
        Pack(small_pack)


def test_a_missing_field_is_named(small_pack: Path) -> None:
    manifest = json.loads((small_pack / "manifest.json").read_bytes())
    del manifest["assets"][0]["friction"]
    (small_pack / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(PackError, match=r"assets\[0\].*friction"):
        Pack(small_pack)


def test_broken_json_names_the_manifest(small_pack: Path) -> None:
    path = small_pack / "manifest.json"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(PackError, match=r"manifest\.json: not valid JSON"):
        Pack(small_pack)


def test_an_unknown_version_is_refused(small_pack: Path) -> None:
    edit(small_pack, {"version": 99})
    with pytest.raises(PackError, match=r"manifest\.json: version: expected 2 .*got 99"):
        Pack(small_pack)


def test_another_version_with_other_fields_says_what_to_do_in_one_line(small_pack: Path) -> None:
    edit(small_pack, {"version": 3, "things": []})
    with pytest.raises(PackError) as refused:
        Pack(small_pack)
    text = str(refused.value)
    assert "got 3; rebuild the pack with `refergym assets build`, or install" in text
    assert "\n" not in text
    assert "things" not in text


def test_two_assets_of_one_name_are_refused(small_pack: Path) -> None:
    edit(small_pack, {"name": SAMPLE[1]}, asset=1)
    with pytest.raises(PackError, match=r"assets\[1\]\.name: 'apple_000' is there twice"):
        Pack(small_pack)


def test_a_folder_without_a_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"manifest\.json: cannot read"):
        Pack(tmp_path)


def test_a_missing_asset_names_the_asset_and_the_pack(small_pack: Path) -> None:
    with pytest.raises(PackError, match=r"asset 'Teapot_7' is not in pack '\w+' at .*pack"):
        Pack(small_pack)["Teapot_7"]


def test_a_missing_texture_names_those_there_are(small_pack: Path) -> None:
    with pytest.raises(PackError, match=r"texture 'velvet' is not in pack '\w+' \(has: oak\)"):
        Pack(small_pack).texture("velvet")


@pytest.mark.parametrize("suffix", [".glb", "_parts.obj"])
def test_a_damaged_file_is_named_and_nothing_is_half_loaded(small_pack: Path, suffix: str) -> None:
    path = small_pack / "apple_000" / f"apple_000{suffix}"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    pack = Pack(small_pack)
    load = pack.mesh if suffix == ".glb" else pack.hulls
    with pytest.raises(PackError, match=rf"apple_000{suffix}: sha256 differs"):
        load("apple_000")
    path.write_bytes(whole)
    assert len(load("apple_000").faces if suffix == ".glb" else load("apple_000")) > 0  # type: ignore[union-attr]


def test_a_truncated_glb_with_a_matching_sum_is_still_named(small_pack: Path) -> None:
    path = small_pack / "apple_000" / "apple_000.glb"
    data = path.read_bytes()[:3000]
    path.write_bytes(data)
    edit(small_pack, {"visual_sha256": hashlib.sha256(data).hexdigest()}, asset=0)
    with pytest.raises(PackError, match=r"apple_000\.glb: not a readable GLB"):
        Pack(small_pack).mesh("apple_000")


def test_a_deleted_file_is_named(small_pack: Path) -> None:
    (small_pack / "apple_000" / "apple_000.glb").unlink()
    with pytest.raises(PackError, match=r"apple_000\.glb: cannot read the file"):
        Pack(small_pack).mesh("apple_000")


def test_arrays_that_are_handed_out_cannot_be_changed() -> None:
    mesh = PACK.mesh("apple_000")
    for array in (mesh.vertices, mesh.uv, mesh.texture, PACK.hulls("apple_000")[0]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_every_file_of_the_pack_has_its_sum_and_no_other_file_lies_about() -> None:
    known = {"manifest.json", "LICENSE"}
    for asset in PACK.manifest.assets:
        for file, expected in (
            (asset.visual, asset.visual_sha256),
            (asset.collision, asset.collision_sha256),
        ):
            assert hashlib.sha256((PACK_DIR / file).read_bytes()).hexdigest() == expected, file
            known.add(file)
    for texture in PACK.manifest.textures:
        data = (PACK_DIR / texture.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == texture.sha256, texture.file
        known.add(texture.file)
    known |= {scene.file for scene in PACK.manifest.scenes}
    there = {p.relative_to(PACK_DIR).as_posix() for p in PACK_DIR.rglob("*") if p.is_file()}
    assert there == known


@pytest.mark.parametrize("name", NAMES)
def test_an_asset_stands_on_the_table_where_its_picture_does(name: str) -> None:
    info, mesh = PACK[name], PACK.mesh(name)
    points = np.concatenate(PACK.hulls(name))
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    assert abs(low[2]) < 0.0005
    assert abs(points[:, 2].min()) < 0.0005
    assert np.abs((low + high)[:2]).max() / 2 < 0.0005
    assert np.abs(points.min(0) - low).max() < 0.005
    assert np.abs(points.max(0) - high).max() < 0.005
    assert np.abs(high - low - info.size).max() < 0.0005


@pytest.mark.parametrize("name", NAMES)
def test_an_asset_weighs_what_such_a_thing_weighs(name: str) -> None:
    info = PACK[name]
    by_noun = {r.category.noun: r.category for r in RECIPES.values()}
    least, most = by_noun[info.category].mass
    assert least <= info.mass <= most
    xx, yy, zz, xy, xz, yz = info.inertia
    tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    a, b, c = np.linalg.eigvalsh(tensor)
    assert 0 < a <= b <= c <= (a + b) * (1 + 1e-4)
    # No body reaches further than its bounding box: I_zz <= m (x^2 + y^2) / 4 round its middle.
    x, y, z = info.size
    assert c <= info.mass * (x * x + y * y + z * z) / 4
    assert (np.abs(info.com[:2]) <= np.array([x, y]) / 2).all()
    assert 0 < info.com[2] < z


@pytest.mark.parametrize("name", NAMES)
def test_an_asset_is_light_enough_to_see_and_small_enough_to_draw(name: str) -> None:
    info, mesh = PACK[name], PACK.mesh(name)
    rgb, area = measure.surface_samples(
        mesh.vertices.astype(np.float64),
        mesh.uv.astype(np.float64),
        mesh.faces.astype(np.int64),
        mesh.texture,
    )
    assert measure.lightness(rgb, area) >= building.DARKEST
    assert len(mesh.faces) == info.triangles <= 2000
    assert max(mesh.texture.shape[:2]) <= 256
    assert max(info.size[:2]) <= building.WIDEST
    assert np.abs(np.linalg.norm(mesh.normals, axis=1) - 1).max() < 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_normals_point_away_from_the_surface(name: str) -> None:
    mesh = PACK.mesh(name)
    t = mesh.vertices[mesh.faces]
    face = np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])
    agree = np.einsum("fd,fkd->fk", face, mesh.normals[mesh.faces]) >= -1e-12
    assert agree.mean() > 0.99


def joined(name: str) -> trimesh.Trimesh:
    """All convex parts of an asset as one mesh."""
    vertices: list[np.ndarray] = []
    faces: list[np.ndarray] = []
    for hull in (trimesh.convex.convex_hull(p) for p in PACK.hulls(name)):
        faces.append(hull.faces + sum(len(v) for v in vertices))
        vertices.append(hull.vertices)
    return trimesh.Trimesh(np.concatenate(vertices), np.concatenate(faces), process=False)


@pytest.mark.parametrize("name", [a.name for a in PACK.manifest.assets if a.cavity])
def test_a_ball_falls_to_the_floor_of_a_cavity(name: str) -> None:
    cavity = PACK[name].cavity
    assert cavity is not None
    mesh = PACK.mesh(name)
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    rings = [0.0, 0.5 * cavity.radius, 0.98 * cavity.radius]
    origins = np.array([[r * np.cos(a), r * np.sin(a), 1.0] for r in rings for a in angle])
    down = np.tile([0.0, 0.0, -1.0], (len(origins), 1))
    for body in (trimesh.Trimesh(mesh.vertices, mesh.faces, process=False), joined(name)):
        hits, _, _ = body.ray.intersects_location(origins, down, multiple_hits=False)
        assert (hits[:, 2] <= cavity.floor + 0.002).all()
    assert cavity.floor + cavity.depth <= PACK[name].size[2] + 0.001


def test_the_pack_offers_what_the_tasks_need() -> None:
    shapes: dict[str, set[str]] = {}
    for a in ITEMS:
        shapes.setdefault(a.category, set()).add(a.shape)
    assert len(ITEMS) >= 100
    assert len(shapes) >= 26
    assert sum(len(s) >= 3 for s in shapes.values()) > len(shapes) / 2
    colours = [a.colour for a in ITEMS]
    spread = {c for c in colours if c is not None and colours.count(c) >= 2}
    assert len(spread) >= 8
    assert any(a.cavity for a in ITEMS if a.category == "bowl")
    assert all(a.flat_top for a in ITEMS if a.category == "plate")
    assert len(PACK.textures("table")) >= 8
    assert len(PACK.textures("floor")) >= 4
    assert len(PACK.textures("wall")) >= 4


def test_half_of_the_kinds_can_be_grasped_at_their_own_size() -> None:
    kinds = {a.category for a in ITEMS}
    graspable = {a.category for a in ITEMS if a.grasp_rate(1.0) >= 0.8}
    assert all(a.grasps for a in ITEMS)
    assert len(graspable) >= len(kinds) / 2


def test_splits_go_by_shape_and_by_kind() -> None:
    by_shape: dict[str, set[str]] = {}
    by_kind: dict[str, set[str]] = {}
    for a in ITEMS:
        by_shape.setdefault(a.shape, set()).add(a.split)
        by_kind.setdefault(a.category, set()).add(a.split)
    assert all(len(s) == 1 for s in by_shape.values())
    held_back = [k for k, s in by_kind.items() if "unseen_category" in s]
    assert held_back
    assert all(by_kind[k] == {"unseen_category"} for k in held_back)
    most = [k for k, s in by_kind.items() if s == {"seen", "unseen_instance"}]
    assert len(most) > len(by_kind) / 2


def test_solved_scenes_ship_with_their_tables_and_things() -> None:
    scenes = [load_solved(PACK, s.name) for s in PACK.manifest.scenes]
    assert len(scenes) >= 12
    assert {s.kind for s in scenes} == {"dining table", "desk", "kitchen counter", "coffee table"}
    for scene in scenes:
        assert PACK[scene.table].top is not None
        assert len(scene.items) >= 8, scene.name
        assert all(i.asset in PACK for i in scene.items)


def test_every_asset_credits_infinigen_and_has_a_licence() -> None:
    for asset in PACK.manifest.assets:
        assert "Infinigen" in asset.attribution
        assert asset.licence == "Apache-2.0"
    assert "Infinigen" in (PACK_DIR / "LICENSE").read_text()


def test_the_pack_stays_small_in_a_wheel() -> None:
    files = [p for p in PACK_DIR.rglob("*") if p.is_file()]
    assert sum(len(zlib.compress(p.read_bytes(), 6)) for p in files) <= 18e6


def test_letters_on_a_book_read_from_left_to_right() -> None:
    """The title of book_001 stands on a light strip near the spine: see docs/images/pack.png."""
    mesh = PACK.mesh("book_001")
    top = mesh.vertices[mesh.faces][:, :, 2].min(1) > PACK["book_001"].size[2] - 0.002
    corners = mesh.faces[top].reshape(-1)
    a = np.column_stack([mesh.vertices[corners][:, :2], np.ones(len(corners))])
    jacobian = np.linalg.lstsq(a.astype(np.float64), mesh.uv[corners], rcond=None)[0][:2]
    # v runs down the picture, so a picture that is not mirrored turns the plane over.
    assert np.linalg.det(jacobian) < 0


def test_seams_of_the_texture_do_not_show_in_the_normals() -> None:
    """Corners at one place share a normal unless the surface bends there, whatever their uv."""
    mesh = PACK.mesh("apple_002_red")
    _, place = np.unique(np.round(mesh.vertices, 5), axis=0, return_inverse=True)
    order = np.argsort(place.reshape(-1), kind="stable")
    together = np.diff(place.reshape(-1)[order]) == 0
    apart = np.linalg.norm(np.diff(mesh.normals[order], axis=0), axis=1)[together]
    assert together.sum() > 50
    assert (apart < 0.02).mean() > 0.15  # 0.23; without the file's own normals 0.002


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tries": 0}, r"grasps\[0\]\.tries: expected >= 1, got 0"),
        ({"tries": 2, "successes": 5}, r"grasps\[0\]\.successes: expected 0 to tries, got 5 of 2"),
        ({"successes": -1}, r"grasps\[0\]\.successes: expected 0 to tries, got -1"),
    ],
)
def test_impossible_grasp_counts_are_refused(
    small_pack: Path, change: dict[str, int], message: str
) -> None:
    edit(small_pack, {"grasps": [{"scale": 1.0, "tries": 5, "successes": 5, **change}]}, asset=0)
    with pytest.raises(PackError, match=rf"manifest\.json: assets\[0\]\.{message}"):
        Pack(small_pack)


@pytest.mark.parametrize("name", ["/etc/hostname", "../other.glb", "a\0b"])
def test_a_file_outside_the_pack_is_refused(small_pack: Path, name: str) -> None:
    edit(small_pack, {"visual": name}, asset=0)
    pack = Pack(small_pack)
    with pytest.raises(PackError, match="no file name inside the pack"):
        pack.mesh(pack.manifest.assets[0].name)


@pytest.mark.parametrize(
    "text", ["v 1 2\nv 1 2 3\nv 1 2 4\nv 1 3 3\n", "v nan 2 3\nv 1 2 3\nv 1 3 4\nv 2 2 3\n"]
)
def test_broken_convex_parts_are_named(text: str) -> None:
    with pytest.raises(PackError, match=r"some\.obj"):
        load_parts(text.encode(), Path("some.obj"))


@pytest.mark.parametrize("kind", ["textures", "scenes"])
def test_two_entries_of_one_name_are_refused(small_pack: Path, kind: str) -> None:
    entry = {"name": "twice", "file": "x", "sha256": "0"}
    rest = {"textures": {"use": "table", "licence": "x"}, "scenes": {"kind": "desk"}}[kind]
    edit(small_pack, {kind: [entry | rest, entry | rest]})
    with pytest.raises(PackError, match=rf"{kind}\[1\]\.name: 'twice' is there twice"):
        Pack(small_pack)


def test_a_pack_is_opened_once_whatever_its_path_is_called(
    small_pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_pack(small_pack)
    assert open_pack(str(small_pack)) is first
    monkeypatch.chdir(small_pack.parent)
    assert open_pack("pack") is first
    assert open_pack(PACK_DIR) is open_pack() is open_pack(None)


def test_a_relative_path_is_not_mistaken_after_a_change_of_folder(
    small_pack: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "elsewhere" / "pack"
    shutil.copytree(small_pack, other)
    monkeypatch.chdir(small_pack.parent)
    first = open_pack("pack")
    monkeypatch.chdir(other.parent)
    assert open_pack("pack").folder != first.folder


def test_a_pack_whose_manifest_was_written_anew_is_opened_anew(small_pack: Path) -> None:
    first = open_pack(small_pack)
    edit(small_pack, {"name": "written anew"})
    assert open_pack(small_pack).manifest.name == "written anew"
    assert first.manifest.name != "written anew"


def test_a_pack_can_be_opened_with_a_manifest_that_is_not_written_yet(small_pack: Path) -> None:
    manifest = Pack(small_pack).manifest
    kept = msgspec.structs.replace(manifest, assets=manifest.assets[:1])
    (small_pack / "manifest.json").unlink()
    pack = Pack(small_pack, kept)
    assert isinstance(pack.manifest, Manifest)
    assert len(pack.mesh(kept.assets[0].name).faces) == kept.assets[0].triangles
    assert len(pack.digest) == 64


def test_a_pack_opens_from_a_path_as_text(small_pack: Path) -> None:
    assert Pack(str(small_pack)).folder == small_pack
