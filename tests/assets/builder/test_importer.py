"""The importer mends what is wrong with raw assets, and gives the same bytes each time."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from refergym.assets import records
from refergym.assets.builder.curation import Category, Curation, Variant
from refergym.assets.builder.importer import build_pack
from refergym.assets.builder.writing import write_manifest
from refergym.assets.errors import PackError
from refergym.assets.library import GraspRecord, Manifest, Pack

BOX = Category(
    noun="box", plural="boxes", mass=(0.05, 2.0), density=150, friction=0.6, takes_load=True
)
CUP = Category(
    noun="cup", plural="cups", mass=(0.05, 0.6), wall=0.004, density=1500, friction=0.5,
    is_open=True, is_turned=True,
)  # fmt: skip
CURATION = Curation(
    categories={"Box": BOX, "Cup": CUP},
    left_out={"Box_001": "the same as Box_000"},
    variants=(Variant(of="Cup_000", name="Cup_000_red", rgb=(190, 25, 25)),),
)
RED, BLUE = (200, 30, 30), (30, 60, 190)


def textured(mesh: trimesh.Trimesh, colour: tuple[int, int, int], side: int) -> bytes:
    """A GLB (y up) of a mesh (z up), its picture of one colour with a little pattern."""
    picture = np.full((side, side, 3), colour, np.uint8)
    picture[::8] = (np.array(colour) * 0.9).astype(np.uint8)
    flat = mesh.copy()
    flat.unmerge_vertices()
    v = np.asarray(flat.vertices)
    y_up = np.stack([v[:, 0], v[:, 2], -v[:, 1]], axis=1)
    uv = np.random.default_rng(0).uniform(0, 1, (len(v), 2))
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=Image.fromarray(picture))
    out = trimesh.Trimesh(
        y_up,
        flat.faces,
        visual=trimesh.visual.TextureVisuals(uv=uv, material=material),
        process=False,
    )
    return bytes(out.export(file_type="glb"))


def obj(mesh: trimesh.Trimesh, offset: tuple[float, float, float], grow: float) -> str:
    """One convex part, moved and blown up: the fault of real raw hulls."""
    v = np.asarray(mesh.vertices) * grow + offset
    lines = ["o h0"] + [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in v]
    return "\n".join(lines + [f"f {a} {b} {c}" for a, b, c in np.asarray(mesh.faces) + 1]) + "\n"


def box(size: tuple[float, float, float]) -> trimesh.Trimesh:
    mesh = trimesh.creation.box(size)
    mesh.apply_translation([0, 0, size[2] / 2])
    return mesh


def cup() -> trimesh.Trimesh:
    """A beaker, 80 mm across and 90 mm high, with walls of 4 mm and a floor of 6 mm."""
    profile = [[0, 0], [0.04, 0], [0.04, 0.09], [0.036, 0.09], [0.036, 0.006], [0, 0.006]]
    return trimesh.creation.revolve(np.array(profile), sections=48)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A raw folder: a box off the middle whose hull sinks, and a cup whose hull is one lump."""
    folder = tmp_path / "raw"
    shifted = box((0.10, 0.06, 0.15))
    shifted.apply_translation([0.02, -0.01, 0.004])
    things = {
        "Box_000": ("Box", textured(shifted, BLUE, 300), obj(shifted, (0, 0, -0.006), 1.02)),
        "Box_001": ("Box", textured(shifted, BLUE, 64), obj(shifted, (0, 0, 0), 1.0)),
        "Cup_000": ("Cup", textured(cup(), BLUE, 64), obj(cup().convex_hull, (0, 0, -0.003), 1.03)),
        "Table_000": ("Table", b"never read", "never read"),
    }
    entries = []
    for name, (category, glb, parts) in things.items():
        place = folder / "assets" / name
        place.mkdir(parents=True)
        (place / f"{name}.glb").write_bytes(glb)
        (place / f"{name}_col.obj").write_text(parts)
        entries.append(
            {
                "name": name,
                "category": category,
                "factory": f"raw.{category}Factory",
                "seed": 3,
                "path": f"assets/{name}",
                "mass_kg": 40.0,
            }
        )
    (folder / "manifest.json").write_text(json.dumps({"generator": "test", "assets": entries}))
    return folder


@pytest.fixture
def pack(raw: Path, tmp_path: Path) -> Pack:
    build_pack(raw, tmp_path / "pack", CURATION)
    return Pack(tmp_path / "pack")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_two_runs_give_the_same_bytes(raw: Path, tmp_path: Path) -> None:
    build_pack(raw, tmp_path / "a", CURATION)
    build_pack(raw, tmp_path / "b", CURATION)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert len(contents(tmp_path / "a")) == 1 + 2 * 3


def test_what_is_left_out_or_of_no_category_does_not_get_in(pack: Pack) -> None:
    assert [a.name for a in pack.manifest.assets] == ["Box_000", "Cup_000", "Cup_000_red"]


@pytest.mark.parametrize("name", ["Box_000", "Cup_000"])
def test_mesh_and_parts_stand_on_zero_in_the_middle_and_agree(pack: Pack, name: str) -> None:
    mesh, points = pack.mesh(name), np.concatenate(pack.hulls(name))
    assert points[:, 2].min() == 0
    assert abs(mesh.vertices[:, 2].min()) < 1e-6
    assert np.abs(points.min(0) - mesh.vertices.min(0)).max() < 1e-4
    assert np.abs(points.max(0) - mesh.vertices.max(0)).max() < 1e-4
    middle = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    assert np.abs(middle[:2]).max() < 1e-6


def test_a_solid_box_has_the_mass_and_inertia_of_the_books(pack: Pack) -> None:
    info = pack["Box_000"]
    x, y, z = 0.10, 0.06, 0.15
    mass = 150 * x * y * z
    assert info.mass == pytest.approx(mass, rel=1e-3)
    assert info.com == pytest.approx((0, 0, z / 2), abs=1e-4)
    expected = [mass / 12 * s for s in (y * y + z * z, x * x + z * z, x * x + y * y)]
    assert info.inertia[:3] == pytest.approx(expected, rel=2e-3)
    assert info.inertia[3:] == pytest.approx((0, 0, 0), abs=1e-7)


def test_a_hollow_cup_weighs_its_walls_and_not_its_hull(pack: Pack) -> None:
    info = pack["Cup_000"]
    walls = 2 * np.pi * 0.038 * 0.09 * 0.004 + np.pi * 0.036**2 * 0.004
    assert info.mass == pytest.approx(1500 * walls, rel=0.1)


def test_a_cup_gets_its_inside_back_from_a_hull_that_was_one_lump(pack: Pack) -> None:
    cavity = pack["Cup_000"].cavity
    assert cavity is not None
    assert 0.032 < cavity.radius <= 0.036
    assert cavity.floor == pytest.approx(0.006, abs=0.002)
    assert cavity.depth == pytest.approx(0.084, abs=0.003)
    assert pack["Box_000"].cavity is None


def test_only_level_tops_take_a_load(pack: Pack) -> None:
    assert pack["Box_000"].flat_top is True
    assert pack["Cup_000"].flat_top is False


def test_colours_are_measured_and_variants_recoloured(pack: Pack) -> None:
    assert pack["Box_000"].colour == "blue"
    assert pack["Cup_000_red"].colour == "red"
    assert pack["Cup_000_red"].shape == pack["Cup_000"].shape == "Cup_000"
    assert pack["Cup_000_red"].collision_sha256 == pack["Cup_000"].collision_sha256


def test_large_pictures_are_made_smaller(pack: Pack) -> None:
    assert max(pack.mesh("Box_000").texture.shape) == 256


def test_grasps_survive_a_rebuild_of_unchanged_assets_only(
    raw: Path, pack: Pack, tmp_path: Path
) -> None:
    grasp = GraspRecord(scale=1.0, tries=3, successes=1, yaws=(0.5,), widths=(0.06,))
    measured = [
        records.convert({**records_of(a), "grasps": [records_of(grasp)]}, type(a))
        for a in pack.manifest.assets
    ]
    old = {**records_of(pack.manifest), "assets": [records_of(a) for a in measured]}
    write_manifest(pack.folder, records.convert(old, Manifest))
    wider = box((0.11, 0.06, 0.15))
    place = raw / "assets" / "Box_000"
    (place / "Box_000.glb").write_bytes(textured(wider, BLUE, 64))
    build_pack(raw, pack.folder, CURATION)
    again = Pack(pack.folder)
    assert again["Cup_000"].grasps == (grasp,)
    assert again["Box_000"].grasps == ()


def records_of(record: object) -> dict[str, object]:
    plain = json.loads(records.canonical_json(record))
    assert isinstance(plain, dict)
    return plain


def test_an_unbelievable_mass_stops_the_build_and_changes_nothing(
    raw: Path, pack: Pack, tmp_path: Path
) -> None:
    before = contents(pack.folder)
    heavy = Category(noun="box", plural="boxes", mass=(0.05, 0.4), density=8000, friction=0.6)
    with pytest.raises(PackError, match=r"Box_000: 7\.\d+ kg is not what a box weighs"):
        build_pack(raw, pack.folder, Curation(categories={"Box": heavy}))
    assert contents(pack.folder) == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("tmp")] == []


def test_a_dark_bake_is_refused_by_name(raw: Path, tmp_path: Path) -> None:
    place = raw / "assets" / "Box_000"
    (place / "Box_000.glb").write_bytes(textured(box((0.1, 0.1, 0.1)), (8, 8, 8), 64))
    with pytest.raises(PackError, match=r"Box_000: mean lightness \d\.\d of 100"):
        build_pack(raw, tmp_path / "pack", CURATION)


def test_a_thing_too_wide_is_refused_by_name(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"Box_000: 0\.400 m wide, more than 0\.3 m"):
        build_pack(
            raw, tmp_path / "pack", Curation(categories={"Box": BOX}, rescaled={"Box_000": 4.0})
        )


def test_a_truncated_raw_file_is_named(raw: Path, tmp_path: Path) -> None:
    path = raw / "assets" / "Cup_000" / "Cup_000.glb"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(PackError, match=r"Cup_000\.glb: not a readable GLB"):
        build_pack(raw, tmp_path / "pack", CURATION)
    assert not (tmp_path / "pack" / "manifest.json").exists()


def test_a_folder_that_is_not_raw_is_named(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"manifest\.json: cannot read the raw manifest"):
        build_pack(tmp_path, tmp_path / "pack", CURATION)
