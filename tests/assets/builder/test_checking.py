"""`check_pack` finds every planted fault, names the asset, and finds nothing where nothing is."""

import hashlib
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refergym.assets import records
from refergym.assets.builder import checking, hulls, writing
from refergym.assets.builder.categories import Category
from refergym.assets.builder.checking import Report, check_pack
from refergym.assets.builder.finish import Body
from refergym.assets.builder.measure import MassProperties
from refergym.assets.library import AssetInfo, load_parts, open_pack

PACK = open_pack()
ITEMS = [a for a in PACK.manifest.assets if a.use == "item"]


def _twins() -> tuple[AssetInfo, AssetInfo]:
    """Two colour variants of one shape, of which the measured colours are clear."""
    for first in ITEMS:
        for second in ITEMS:
            both = first.name < second.name and first.shape == second.shape
            if both and first.colour and second.colour and first.colour != second.colour:
                return first, second
    raise AssertionError("the shipped pack has no two colours of one shape")


TWIN, OTHER = _twins()
LONG = max(
    (a for a in ITEMS if a.shape != TWIN.shape and a.colour), key=lambda a: a.size[0] / a.size[1]
)
"""something far from round"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack of one asset and one texture, free to be damaged."""
    return _copy(tmp_path / "pack", TWIN)


def _copy(folder: Path, *infos: AssetInfo) -> Path:
    texture = PACK.manifest.textures[0]
    (folder / texture.file).parent.mkdir(parents=True)
    shutil.copy(PACK.folder / texture.file, folder / texture.file)
    for info in infos:
        for file in (info.visual, info.collision):
            (folder / file).parent.mkdir(exist_ok=True)
            shutil.copy(PACK.folder / file, folder / file)
    manifest = {
        "version": 2,
        "name": "sample",
        "generator": "test",
        "assets": [_plain(info) for info in infos],
        "textures": [_plain(texture)],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def _plain(record: object) -> dict[str, Any]:
    plain = json.loads(records.canonical_json(record))
    assert isinstance(plain, dict)
    return plain


def _edit(folder: Path, change: Callable[[dict[str, Any]], object], asset: int | None = 0) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    change(manifest if asset is None else manifest["assets"][asset])
    path.write_text(json.dumps(manifest))


def _set(folder: Path, **values: Any) -> None:
    _edit(folder, lambda asset: asset.update(values))


def _reseal(folder: Path) -> None:
    """Make the first asset's sums those of its files again."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    asset = manifest["assets"][0]
    for key in ("visual", "collision"):
        asset[f"{key}_sha256"] = hashlib.sha256((folder / asset[key]).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _remesh(folder: Path, info: AssetInfo = TWIN, **changes: Any) -> None:
    """Write the first asset's mesh anew with changed vertices, faces, uv or texture."""
    mesh = PACK.mesh(info.name)
    body = Body(
        name=info.name,
        shape=info.shape,
        category=Category(noun="", plural="", mass=(0, 1), density=1, friction=1),
        parts=(),
        mass=MassProperties(mass=1, com=np.zeros(3), inertia=np.eye(3)),
        symmetry=1,
        stable_poses=(),
        **{
            "vertices": mesh.vertices.astype(np.float64),
            "uv": mesh.uv.astype(np.float64),
            "faces": mesh.faces.astype(np.int64),
            "texture": mesh.texture,
        }
        | changes,
    )
    (folder / info.visual).write_bytes(writing.glb_bytes(body))
    _reseal(folder)


def _reparts(folder: Path, change: Callable[[str], str], info: AssetInfo = TWIN) -> None:
    path = folder / info.collision
    path.write_text(change(path.read_text()))
    _reseal(folder)


def _moved_parts(folder: Path, move: Callable[[np.ndarray], np.ndarray]) -> None:
    parts = [move(p) for p in PACK.hulls(TWIN.name)]
    (folder / TWIN.collision).write_bytes(hulls.parts_obj(parts))
    _reseal(folder)


def _texts(report: Report) -> list[str]:
    return [str(f) for f in report.faults]


def _only(folder: Path, begins: str) -> None:
    """The check finds this and nothing else."""
    found = _texts(check_pack(folder))
    assert [f for f in found if f.startswith(begins)], found
    assert all(f.startswith(begins) for f in found), found


# Manifest and files


def test_a_pack_without_faults_has_none(tmp_path: Path) -> None:
    report = check_pack(_copy(tmp_path / "pack", TWIN, OTHER, LONG))
    assert _texts(report) == []
    assert report.summary.assets == 3
    assert report.summary.shapes == 2
    assert dict(report.summary.colours)[TWIN.colour] >= 1
    assert report.summary.size == sum(
        p.stat().st_size for p in (tmp_path / "pack").rglob("*") if p.is_file()
    )


def test_a_missing_pack_is_one_fault(tmp_path: Path) -> None:
    _only(tmp_path / "nowhere", "manifest.json: cannot read it (No such file")


def test_another_version_is_one_fault_that_says_what_to_do(pack: Path) -> None:
    _edit(pack, lambda m: m.update(version=7, assets=[{"of": "another time"}]), None)
    _only(
        pack, "manifest.json: version: expected 2 (this refergym's), got 7; rebuild the pack with"
    )


@pytest.mark.parametrize(
    ("text", "says"), [("{", "not valid JSON|truncated|EOF"), ("[]", "expected an object")]
)
def test_a_manifest_that_is_none_is_one_fault(pack: Path, text: str, says: str) -> None:
    (pack / "manifest.json").write_text(text)
    (found,) = _texts(check_pack(pack))
    assert found.startswith("manifest.json: ")
    assert any(word in found for word in says.split("|")), found


def test_every_fault_is_listed_and_not_only_the_first(tmp_path: Path) -> None:
    folder = _copy(tmp_path / "pack", TWIN, OTHER, LONG)
    _edit(folder, lambda a: a.update(mass=-1), 0)
    _edit(folder, lambda a: a.update(wieght=1), 1)
    (folder / LONG.visual).unlink()
    data = (folder / LONG.collision).read_bytes()
    (folder / LONG.collision).write_bytes(data + b"\n")
    (folder / "notes.txt").write_text("mine")
    found = _texts(check_pack(folder))
    assert f"{TWIN.name}: assets[0].mass: expected > 0, got -1" in found
    assert any(f.startswith(f"{OTHER.name}: assets[1].wieght") for f in found)
    assert f"{LONG.name}: {LONG.visual}: cannot read the file (No such file or directory)" in found
    assert any(f.startswith(f"{LONG.name}: {LONG.collision}: sha256 differs") for f in found)
    assert "notes.txt: stray file, not in the manifest; delete it" in found
    assert len(found) == 5


def test_two_assets_of_one_name_are_found(pack: Path) -> None:
    _edit(pack, lambda m: m["assets"].append(m["assets"][0]), None)
    _only(pack, f"{TWIN.name}: assets[1].name: is there twice")


def test_a_file_outside_the_pack_is_found(pack: Path) -> None:
    _set(pack, visual="../secret.glb")
    found = _texts(check_pack(pack))
    assert any("'../secret.glb' is no file name inside the pack" in f for f in found)


@pytest.mark.parametrize("which", ["visual", "collision"])
def test_a_damaged_file_with_a_right_sum_is_found(pack: Path, which: str) -> None:
    path = pack / getattr(TWIN, which)
    path.write_bytes(path.read_bytes()[:90])
    _reseal(pack)
    _only(pack, f"{TWIN.name}: {getattr(TWIN, which)}: ")


def test_a_texture_that_is_no_picture_is_found(pack: Path) -> None:
    texture = PACK.manifest.textures[0]
    (pack / texture.file).write_bytes(b"no picture")
    digest = hashlib.sha256(b"no picture").hexdigest()
    _edit(pack, lambda m: m["textures"][0].update(sha256=digest), None)
    _only(pack, f"{texture.name}: {texture.file}: not a readable picture")


# Mesh and parts


def test_a_mesh_with_numbers_that_are_not_finite_is_found(pack: Path) -> None:
    data = bytearray((pack / TWIN.visual).read_bytes())
    length = int.from_bytes(data[12:16], "little")
    tree = json.loads(data[20 : 20 + length])
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    view = tree["bufferViews"][accessor["bufferView"]]
    at = 28 + length + view.get("byteOffset", 0)
    data[at : at + 4] = np.float32(np.nan).tobytes()
    (pack / TWIN.visual).write_bytes(data)
    _reseal(pack)
    _only(pack, f"{TWIN.name}: {TWIN.visual}: not a readable GLB")


def test_a_mesh_that_lies_on_its_side_is_found_with_its_axes(pack: Path) -> None:
    _edit(pack, lambda m: m["assets"].clear(), None)
    shutil.rmtree(pack)
    _copy(pack, LONG)
    v = PACK.mesh(LONG.name).vertices.astype(np.float64)
    fallen = v[:, [0, 2, 1]] * [1, -1, 1]
    fallen -= [0, 0, fallen[:, 2].min()]
    fallen[:, :2] -= (fallen[:, :2].min(0) + fallen[:, :2].max(0)) / 2
    _remesh(pack, LONG, vertices=fallen)
    found = _texts(check_pack(pack))
    assert any(f.startswith(f"{LONG.name}: axes: the mesh measures") for f in found)
    assert any("parts: their bounds are" in f for f in found)
    assert sum("y and z are exchanged" in f for f in found) == 2


def test_parts_of_another_size_are_found(pack: Path) -> None:
    _moved_parts(pack, lambda p: p * [1, 1, 1 + 0.003 / TWIN.size[2]])
    _only(pack, f"{TWIN.name}: parts: their bounds are 3.0 mm off")


def test_a_thing_that_sinks_into_the_table_is_found(pack: Path) -> None:
    _remesh(pack, vertices=PACK.mesh(TWIN.name).vertices.astype(np.float64) - [0, 0, 0.002])
    _moved_parts(pack, lambda p: p - [0, 0, 0.002])
    _only(pack, f"{TWIN.name}: bottom: that of the ")
    assert len(check_pack(pack).faults) == 2


def test_an_origin_off_the_middle_is_found(pack: Path) -> None:
    aside = np.array([0.002, 0, 0])
    _remesh(pack, vertices=PACK.mesh(TWIN.name).vertices.astype(np.float64) + aside)
    _moved_parts(pack, lambda p: p + aside)
    _only(pack, f"{TWIN.name}: origin: the middle of the ")


def test_a_part_with_a_hole_is_found(pack: Path) -> None:
    def without_a_face(text: str) -> str:
        lines = text.splitlines()
        del lines[next(i for i, line in enumerate(lines) if line.startswith("f "))]
        return "\n".join(lines) + "\n"

    _reparts(pack, without_a_face)
    _only(pack, f"{TWIN.name}: parts: part0 is not watertight")


def test_a_dented_part_is_found(pack: Path) -> None:
    def dented(text: str) -> str:
        vertices = load_parts(text.encode(), Path())[0]
        middle = vertices.mean(0)
        lines = text.splitlines()
        at = [i for i, line in enumerate(lines) if line.startswith("v ")][: len(vertices)]
        inner = int(np.argmin(np.abs(vertices[:, 2] - middle[2])))
        dent = 0.4 * vertices[inner] + 0.6 * middle
        lines[at[inner]] = "v " + " ".join(f"{x:.6f}" for x in dent)
        return "\n".join(lines) + "\n"

    _reparts(pack, dented)
    found = _texts(check_pack(pack))
    assert any("parts: part0 is not convex: a corner stands out by" in f for f in found), found


def test_a_flat_part_is_found(pack: Path) -> None:
    flat = "o sheet\nv 0 0 0.01\nv .01 0 .01\nv 0 .01 .01\nv .01 .01 .01\nf 1 2 3\nf 2 4 3\n"
    count = sum(len(p) for p in PACK.hulls(TWIN.name))
    shifted = flat.replace("f 1 2 3", f"f {count + 1} {count + 2} {count + 3}")
    shifted = shifted.replace("f 2 4 3", f"f {count + 2} {count + 4} {count + 3}")
    _reparts(pack, lambda text: text + shifted)
    _only(pack, f"{TWIN.name}: parts: sheet has no volume")


def test_a_wrong_number_of_triangles_is_found(pack: Path) -> None:
    _set(pack, triangles=TWIN.triangles + 1)
    _only(pack, f"{TWIN.name}: triangles: the manifest says {TWIN.triangles + 1}")


def test_too_many_triangles_are_found(pack: Path) -> None:
    faces = PACK.mesh(TWIN.name).faces.astype(np.int64)
    many = np.tile(faces, (math.ceil(3001 / len(faces)), 1))
    _remesh(pack, faces=many)
    _set(pack, triangles=len(many))
    _only(pack, f"{TWIN.name}: triangles: {len(many)}, more than the 3000 of items")


def test_a_mesh_that_is_inside_out_is_found(pack: Path) -> None:
    path = pack / TWIN.visual
    data = bytearray(path.read_bytes())
    length = int.from_bytes(data[12:16], "little")
    tree = json.loads(data[20 : 20 + length])
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["indices"]]
    view = tree["bufferViews"][accessor["bufferView"]]
    begin = 28 + length + view.get("byteOffset", 0)
    index = np.frombuffer(bytes(data), np.uint32, accessor["count"], begin).reshape(-1, 3)
    data[begin : begin + index.nbytes] = np.ascontiguousarray(index[:, ::-1]).tobytes()
    path.write_bytes(data)
    _reseal(pack)
    _only(pack, f"{TWIN.name}: normals: on 100% of the surface")


# Picture


@pytest.mark.parametrize(
    ("rgb", "fault"),
    [
        ((16, 16, 16), "texture: mean lightness 4.7 of 100, below 14"),
        ((0, 0, 0), "texture: 100% of the surface is pure black"),
        ((255, 0, 255), "texture: 100% of the surface is magenta"),
    ],
)
def test_a_broken_bake_is_found(pack: Path, rgb: tuple[int, int, int], fault: str) -> None:
    _remesh(pack, texture=np.tile(np.array(rgb, np.uint8), (16, 16, 1)))
    assert any(f.startswith(f"{TWIN.name}: {fault}") for f in _texts(check_pack(pack)))


def test_black_holes_in_a_bright_bake_are_found(pack: Path) -> None:
    mesh = PACK.mesh(TWIN.name)
    texture = np.full((64, 64, 3), 200, np.uint8)
    u = mesh.uv[mesh.faces].mean(1)[:, 0]
    texture[:, : int(64 * np.quantile(u, 0.3))] = 0
    _remesh(pack, texture=texture)
    assert any("of the surface is pure black: holes" in f for f in _texts(check_pack(pack)))


def test_a_wrong_name_of_the_colour_is_found(pack: Path) -> None:
    _set(pack, colour="purple" if TWIN.colour != "purple" else "red")
    _only(pack, f"{TWIN.name}: colour: the manifest says ")


def test_a_wrong_share_of_the_colour_is_found(pack: Path) -> None:
    _set(pack, colour_share=max(TWIN.colour_share - 0.1, 0.0))
    _only(pack, f"{TWIN.name}: colour_share: the manifest says ")


# Numbers


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"inertia": [-1e-4, 1e-4, 1e-4, 0, 0, 0]}, "inertia: not positive definite"),
        ({"inertia": [1e-6, 1e-6, 1e-4, 0, 0, 0]}, "inertia: no body has moments"),
        ({"inertia": [1.0, 1.0, 1.0, 0, 0, 0]}, "inertia: 1 kg m2 is more than its mass and size"),
        ({"com": [0.0, 1.0, 0.01]}, "com: 0.0 x 1000.0 x 10.0 mm lies outside"),
        ({"directions": {"handle": [1.0, 1.0, 0.0]}}, "directions['handle']: expected a named"),
        (
            {"directions": {k: [1.0, 0.0, 0.0] for k in "abcd"}},
            "directions: expected at most 3, got 4",
        ),
        (
            {"stable_poses": [{"orientation": [1.0, 1.0, 0.0, 0.0], "probability": 0.5}]},
            "stable_poses[0]: expected a unit quaternion, got length 1.414",
        ),
        (
            {"stable_poses": [{"orientation": [1.0, 0.0, 0.0, 0.0], "probability": 0.7}] * 2},
            "stable_poses: their probabilities add up to 1.400",
        ),
        (
            {
                "stable_poses": [
                    {"orientation": [1.0, 0.0, 0.0, 0.0], "probability": p} for p in (0.2, 0.7)
                ]
            },
            "stable_poses: the likeliest does not come first",
        ),
        (
            {"grasps": [{"scale": 1.0, "tries": 3, "successes": 2, "placed": 3}]},
            "grasps[0]: 3 placed of 2 lifted of 3 tries",
        ),
        (
            {"grasps": [{"scale": 1.0, "tries": 3, "successes": 2, "yaws": [0.1]}]},
            "grasps[0].yaws: expected 2 values, got 1",
        ),
        ({"plural": " "}, "plural: empty"),
        ({"use": "furniture"}, "top: none, but its use is furniture"),
        (
            {
                "use": "furniture",
                "top": {"height": 9.0, "outline": [[0, 0], [0.01, 0], [0, 0.01]], "thickness": 0.1},
            },
            "top: 9 m high and 0.1 m thick on",
        ),
        (
            {
                "use": "furniture",
                "top": {
                    "height": 0.01,
                    "outline": [[0, 0], [0, 0.01], [0.01, 0]],
                    "thickness": 0.005,
                },
            },
            "top.outline: expected the counter-clockwise corners",
        ),
    ],
)
def test_a_wrong_number_is_found(pack: Path, values: dict[str, Any], fault: str) -> None:
    _set(pack, **values)
    _only(pack, f"{TWIN.name}: {fault}")


def test_a_mass_that_no_material_has_is_found(pack: Path) -> None:
    space = sum(
        float(np.prod(np.ptp(p, axis=0)))  # no smaller than the parts' volume
        for p in PACK.hulls(TWIN.name)
    )
    mass = 20_000 * space
    _set(pack, mass=mass, inertia=[x * mass / TWIN.mass for x in TWIN.inertia])
    found = _texts(check_pack(pack))
    assert any(f.startswith(f"{TWIN.name}: mass: ") and "kg/m3, not 50 to 9000" in f for f in found)


def test_a_thing_too_heavy_for_the_arm_is_found(pack: Path) -> None:
    _set(pack, mass=3.2, inertia=[x * 3.2 / TWIN.mass for x in TWIN.inertia])
    found = _texts(check_pack(pack))
    assert f"{TWIN.name}: mass: 3.2 kg, more than the 3 kg that the arm carries" in found


@pytest.mark.parametrize("order", [0, 4])
def test_a_symmetry_that_does_not_hold_is_found(tmp_path: Path, order: int) -> None:
    folder = _copy(tmp_path / "pack", LONG)
    _set(folder, symmetry=order)
    _only(folder, f"{LONG.name}: symmetry: {order} does not hold: turned by")


def test_grasps_that_were_never_measured_are_a_warning(pack: Path) -> None:
    _set(pack, grasps=[])
    report = check_pack(pack)
    assert report.faults == ()
    (warning,) = report.warnings
    assert str(warning).startswith(f"grasps: never measured on 1 items ({TWIN.name})")
    assert report.summary.graspable == 0


# Assets against one another


def test_a_turned_and_rescaled_copy_of_another_shape_is_found(tmp_path: Path) -> None:
    folder = _copy(tmp_path / "pack", LONG, TWIN)
    c, s = math.cos(0.7), math.sin(0.7)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    v = 0.8 * PACK.mesh(TWIN.name).vertices.astype(np.float64) @ turn.T
    v[:, :2] -= (v[:, :2].min(0) + v[:, :2].max(0)) / 2
    copy = {**_plain(TWIN), "name": "copy", "shape": "new", "visual": "copy.glb"}
    _remesh(folder, TWIN, vertices=v)
    (folder / TWIN.visual).rename(folder / "copy.glb")
    shutil.copy(PACK.folder / TWIN.visual, folder / TWIN.visual)
    _edit(folder, lambda m: m["assets"].append(copy), None)
    digest = hashlib.sha256((folder / "copy.glb").read_bytes()).hexdigest()
    _edit(folder, lambda a: a.update(visual_sha256=digest), 2)
    found = _texts(check_pack(folder))
    same = [f for f in found if f.startswith(f"copy: shape: the mesh is that of {TWIN.name}")]
    assert len(same) == 1, found


def test_two_meshes_under_one_shape_are_found(tmp_path: Path) -> None:
    folder = _copy(tmp_path / "pack", TWIN, LONG)
    _edit(folder, lambda a: a.update(shape=TWIN.shape, category=TWIN.category, split=TWIN.split), 1)
    _only(folder, f"{LONG.name}: shape: {TWIN.name} has the same shape")


def test_variants_of_different_splits_are_found(tmp_path: Path) -> None:
    folder = _copy(tmp_path / "pack", TWIN, OTHER)
    other = "unseen_instance" if TWIN.split == "seen" else "seen"
    _edit(folder, lambda a: a.update(split=TWIN.split), 0)
    _edit(folder, lambda a: a.update(split=other), 1)
    _only(folder, f"{OTHER.name}: split: {other}, but {TWIN.name} of the same shape")


def test_a_category_that_is_only_half_unseen_is_found(tmp_path: Path) -> None:
    folder = _copy(tmp_path / "pack", TWIN, LONG)
    _edit(folder, lambda a: a.update(split="unseen_category"), 0)
    _edit(folder, lambda a: a.update(split="seen", category=TWIN.category), 1)
    _only(folder, f"{LONG.name}: split: seen, but {TWIN.name} keeps the category")


def test_a_solved_scene_that_does_not_fit_the_pack_is_found(pack: Path) -> None:
    scene = {
        "name": "dinner",
        "kind": "dining table",
        "solver": "test",
        "seed": 0,
        "table": TWIN.name,
        "table_pose": {"position": [0, 0, 0]},
        "items": [],
        "room": {"kind": "room", "floor": [[0, 0], [1, 0], [1, 1]], "height": 2.5},
    }
    (pack / "scenes").mkdir()
    (pack / "scenes" / "dinner.json").write_text(json.dumps(scene))
    digest = hashlib.sha256(json.dumps(scene).encode()).hexdigest()
    entry = {"name": "dinner", "kind": "desk", "file": "scenes/dinner.json", "sha256": digest}
    _edit(pack, lambda m: m.update(scenes=[entry]), None)
    _only(pack, "dinner: scene: table: expected furniture with a top")
    (pack / "scenes" / "dinner.json").unlink()
    _only(pack, "dinner: scene: scenes/dinner.json: cannot read the file")


def test_one_asset_can_be_checked_alone(pack: Path) -> None:
    assert checking.check_asset(pack, TWIN) == []
    (pack / TWIN.visual).unlink()
    (fault,) = checking.check_asset(pack, TWIN)
    assert fault.subject == TWIN.name


@pytest.mark.slow
def test_the_shipped_pack_has_no_fault() -> None:
    assert _texts(check_pack(PACK.folder)) == []


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("scenes", "x", "scenes: expected an array, got str"),
        ("assets", {}, "assets: expected an array, got dict"),
        ("textures", None, "textures: expected an array, got nothing"),
    ],
)
def test_a_list_that_is_none_is_a_fault(field: str, value: Any, says: str, pack: Path) -> None:
    path = pack / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    assert any(says in str(f) for f in check_pack(pack).faults)


def test_brackets_without_end_are_a_fault(pack: Path) -> None:
    (pack / "manifest.json").write_text("[" * 100_000)
    assert len(check_pack(pack).faults) == 1
