"""Anybody's mesh files become surfaces with colours, z up; what cannot is said in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from refergym.assets.builder.reading import PLAIN, Surface, read_surfaces
from refergym.assets.errors import PackError

RED, GREEN = (200, 30, 30), (30, 200, 60)


def tall_box() -> trimesh.Trimesh:
    """0.1 x 0.2 x 0.3, which tells the axes apart."""
    return trimesh.creation.box((0.1, 0.2, 0.3))


def textured(colour: tuple[int, int, int] = GREEN, **material: object) -> trimesh.Trimesh:
    box = tall_box()
    box.unmerge_vertices()
    uv = np.random.default_rng(0).random((len(box.vertices), 2))
    picture = Image.new("RGB", (16, 16), colour)
    box.visual = TextureVisuals(uv=uv, material=PBRMaterial(baseColorTexture=picture, **material))
    return box


def export(mesh: trimesh.Trimesh, path: Path) -> None:
    """Write a mesh; trimesh leaves the files of a GLTF open when it writes them itself."""
    if path.suffix == ".gltf":
        files = trimesh.exchange.gltf.export_gltf(trimesh.Scene(mesh))
        for name, data in files.items():
            (path if name == "model.gltf" else path.with_name(name)).write_bytes(data)
    else:
        mesh.export(path)


def size(surfaces: list[Surface]) -> list[float]:
    points = np.concatenate([s.vertices for s in surfaces])
    return [round(float(x), 4) for x in np.ptp(points, axis=0)]


def colour(surface: Surface) -> list[int]:
    """Colour in the middle of the first triangle."""
    _, rgb = surface.at(np.array([0]), np.full((1, 3), 1 / 3))
    return [int(x) for x in rgb[0]]


@pytest.mark.parametrize(
    ("suffix", "up", "expected"),
    [
        ("glb", None, [0.1, 0.3, 0.2]),
        ("gltf", None, [0.1, 0.3, 0.2]),
        ("glb", "z", [0.1, 0.2, 0.3]),
        ("stl", None, [0.1, 0.2, 0.3]),
        ("ply", None, [0.1, 0.2, 0.3]),
        ("obj", None, [0.1, 0.2, 0.3]),
        ("stl", "y", [0.1, 0.3, 0.2]),
    ],
)
def test_every_format_comes_z_up(
    tmp_path: Path, suffix: str, up: str | None, expected: list[float]
) -> None:
    path = tmp_path / f"box.{suffix}"
    export(tall_box(), path)
    assert size(read_surfaces(path, up)) == expected  # type: ignore[arg-type]


def test_turning_y_up_keeps_the_outside_outside(tmp_path: Path) -> None:
    path = tmp_path / "box.glb"
    tall_box().export(path)
    (surface,) = read_surfaces(path)
    mesh = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    assert mesh.volume == pytest.approx(0.006)


def test_poses_of_nodes_are_applied_and_mirrors_turned_back(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    mirror = np.diag([-2.0, 1.0, 1.0, 1.0])
    mirror[:3, 3] = [1.0, 0.0, 0.0]
    scene.add_geometry(tall_box(), node_name="a", geom_name="box")
    scene.graph.update(frame_to="b", frame_from="world", matrix=mirror, geometry="box")
    path = tmp_path / "two.glb"
    path.write_bytes(scene.export(file_type="glb"))
    surfaces = read_surfaces(path, "z")
    assert len(surfaces) == 2
    assert size(surfaces) == [1.15, 0.2, 0.3]
    volumes = [trimesh.Trimesh(s.vertices, s.faces, process=False).volume for s in surfaces]
    assert sorted(volumes) == pytest.approx([0.006, 0.012])


@pytest.mark.parametrize("suffix", ["glb", "gltf", "obj"])
def test_a_texture_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"box.{suffix}"
    export(textured(), path)
    (surface,) = read_surfaces(path)
    assert surface.uv is not None
    assert np.abs(np.subtract(colour(surface), GREEN)).max() <= 1


def test_the_texture_lies_as_trimesh_and_the_format_have_it(tmp_path: Path) -> None:
    """The picture's upper half is red; v = 1 is up in trimesh and OBJ, down in glTF."""
    square = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]])
    picture = Image.new("RGB", (8, 8), GREEN)
    picture.paste(RED, (0, 0, 8, 4))
    uv = [[0, 0], [1, 0], [1, 1], [0, 1]]
    square.visual = TextureVisuals(uv=uv, material=PBRMaterial(baseColorTexture=picture))
    for name in ("flat.glb", "flat.obj"):
        square.export(tmp_path / name)
        (surface,) = read_surfaces(tmp_path / name, "z")
        places, rgb = surface.at(np.array([0, 1]), np.array([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]))
        assert places[:, 1].round(1).tolist() == [0.1, 0.9]
        assert rgb.tolist() == [list(GREEN), list(RED)], name


def test_a_factor_multiplies_the_texture_in_linear_light(tmp_path: Path) -> None:
    path = tmp_path / "box.glb"
    textured((255, 255, 255), baseColorFactor=[0.5, 1.0, 0.0, 1.0]).export(path)
    (surface,) = read_surfaces(path)
    assert colour(surface) == [188, 255, 0]


def test_a_texture_that_repeats_is_read_beyond_its_edge() -> None:
    texture = np.zeros((2, 2, 3), np.uint8)
    texture[0, 0] = RED
    surface = Surface(
        vertices=np.eye(3),
        faces=np.array([[0, 1, 2]]),
        texture=texture,
        uv=np.array([[2.25, -0.75]] * 3),
    )
    assert colour(surface) == list(RED)


@pytest.mark.parametrize("suffix", ["ply", "obj"])
def test_colours_of_corners_are_read(tmp_path: Path, suffix: str) -> None:
    box = tall_box()
    box.visual.vertex_colors = np.tile([*RED, 255], (8, 1))
    box.export(tmp_path / f"box.{suffix}")
    (surface,) = read_surfaces(tmp_path / f"box.{suffix}")
    assert colour(surface) == list(RED)


def test_colours_of_corners_are_linear_in_gltf(tmp_path: Path) -> None:
    box = tall_box()
    box.visual.vertex_colors = np.tile([128, 0, 255, 255], (8, 1))
    box.export(tmp_path / "box.glb")
    (surface,) = read_surfaces(tmp_path / "box.glb")
    assert colour(surface) == [188, 0, 255]


def test_colours_of_faces_are_read(tmp_path: Path) -> None:
    box = tall_box()
    box.visual.face_colors = [[*RED, 255]] * 6 + [[*GREEN, 255]] * 6
    box.export(tmp_path / "box.ply")
    (surface,) = read_surfaces(tmp_path / "box.ply")
    _, rgb = surface.at(np.array([0, 11]), np.full((2, 3), 1 / 3))
    assert rgb.tolist() == [list(RED), list(GREEN)]


def test_what_has_no_colour_is_light_grey(tmp_path: Path) -> None:
    tall_box().export(tmp_path / "box.stl")
    (surface,) = read_surfaces(tmp_path / "box.stl")
    assert colour(surface) == list(PLAIN)


def test_several_materials_become_several_surfaces(tmp_path: Path) -> None:
    plain = tall_box()
    plain.visual = TextureVisuals(material=PBRMaterial(baseColorFactor=[0.0, 0.0, 1.0, 1.0]))
    scene = trimesh.Scene([textured(), plain])
    (tmp_path / "two.glb").write_bytes(scene.export(file_type="glb"))
    found = read_surfaces(tmp_path / "two.glb")
    assert sorted(colour(s) for s in found) == [[0, 0, 255], list(GREEN)]


def refused(path: Path) -> str:
    with pytest.raises(PackError) as caught:
        read_surfaces(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text or str(path.parent) in text
    return text


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.glb").endswith("no such file; give the path of a mesh file")
    assert refused(tmp_path).endswith("a folder; give the path of a mesh file")


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "mesh.blend").write_bytes(b"BLENDER")
    assert "expected one of .glb, .gltf, .obj, .ply, .stl" in refused(tmp_path / "mesh.blend")


@pytest.mark.parametrize("suffix", ["glb", "gltf", "obj", "ply", "stl"])
def test_a_file_that_is_no_mesh(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mesh.{suffix}"
    path.write_bytes(b"this is a letter to my aunt")
    said = refused(path)
    assert "not a readable mesh" in said or "no triangles in it" in said


def test_points_without_faces_are_no_mesh(tmp_path: Path) -> None:
    cloud = trimesh.PointCloud(np.random.default_rng(0).random((9, 3)))
    cloud.export(tmp_path / "cloud.ply")
    assert "there are no triangles in it" in refused(tmp_path / "cloud.ply")


def test_a_vertex_that_is_not_finite_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 nan 0\nv 0 0 1\nf 1 2 3\nf 1 2 4\n")
    assert "vertices that are not finite (1 in all)" in refused(path)


@pytest.mark.parametrize("gone", ["material.mtl", "material_0.png"])
def test_an_obj_without_its_material_or_texture(tmp_path: Path, gone: str) -> None:
    textured().export(tmp_path / "box.obj")
    (tmp_path / gone).unlink()
    said = refused(tmp_path / "box.obj")
    assert f"{gone!r} is missing; put it beside the mesh" in said


def test_a_gltf_without_its_texture(tmp_path: Path) -> None:
    path = tmp_path / "box.gltf"
    export(textured(), path)
    tree = json.loads(path.read_text())
    tree["images"][0] = {"uri": "wood.png"}
    path.write_text(json.dumps(tree))
    assert "the texture 'wood.png' is missing" in refused(path)


def test_a_texture_that_is_no_picture(tmp_path: Path) -> None:
    textured().export(tmp_path / "box.obj")
    (tmp_path / "material_0.png").write_bytes(b"not a picture")
    assert "not a readable picture" in refused(tmp_path / "box.obj")


def test_a_glb_whose_texture_cannot_be_decoded(tmp_path: Path) -> None:
    path = tmp_path / "box.glb"
    textured().export(path)
    path.write_bytes(path.read_bytes().replace(b"\x89PNG", b"\x89XXX"))
    assert "its texture cannot be read; export it with PNG or JPEG" in refused(path)


@pytest.mark.parametrize("value", [10000, 32768, 60000])
def test_pictures_of_16_bits_keep_their_greys(value: int, tmp_path: Path) -> None:
    picture = Image.fromarray(np.full((8, 8), value, np.uint16))
    picture.save(tmp_path / "deep.png")
    textured().export(tmp_path / "box.obj")
    library = next(tmp_path.glob("*.mtl"))
    named = next(line for line in library.read_text().splitlines() if line.startswith("map_Kd"))
    library.write_text(library.read_text().replace(named, "map_Kd deep.png"))
    (surface,) = read_surfaces(tmp_path / "box.obj")
    assert colour(surface) == pytest.approx([value / 257] * 3, abs=2)


def test_files_may_have_percent_signs_for_spaces(tmp_path: Path) -> None:
    export(textured(), tmp_path / "box.gltf")
    tree = json.loads((tmp_path / "box.gltf").read_text())
    for entry in tree["buffers"]:
        (tmp_path / entry["uri"]).rename(tmp_path / f"my {entry['uri']}")
        entry["uri"] = f"my%20{entry['uri']}"
    (tmp_path / "box.gltf").write_text(json.dumps(tree))
    assert size(read_surfaces(tmp_path / "box.gltf")) == [0.1, 0.3, 0.2]


@pytest.mark.parametrize("wrong", [{"images": None}, {"buffers": [1, 2]}, {"images": "x"}])
def test_a_tree_of_other_things_than_it_should_hold_is_no_mesh(
    wrong: dict[str, object], tmp_path: Path
) -> None:
    export(textured(), tmp_path / "box.gltf")
    tree = json.loads((tmp_path / "box.gltf").read_text())
    (tmp_path / "box.gltf").write_text(json.dumps(tree | wrong))
    with pytest.raises(PackError, match=r"box\.gltf: "):
        read_surfaces(tmp_path / "box.gltf")


def test_texture_coordinates_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    textured().export(tmp_path / "box.obj")
    text = (tmp_path / "box.obj").read_text().splitlines()
    k = next(k for k, line in enumerate(text) if line.startswith("vt "))
    text[k] = "vt nan 0.5"
    (tmp_path / "box.obj").write_text("\n".join(text))
    with pytest.raises(PackError, match="texture coordinates that are not finite"):
        read_surfaces(tmp_path / "box.obj")
