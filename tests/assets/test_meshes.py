"""GLBs are read alike by our own reader and by trimesh; what neither can read is named."""

import json
import logging
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from refergym.assets import meshes
from refergym.assets.errors import PackError
from refergym.assets.library import open_pack

PACK = open_pack()
SOME = PACK.manifest.assets[:: max(1, len(PACK.manifest.assets) // 6)]
PATH = Path("some.glb")


def read_tree(data: bytes) -> dict[str, Any]:
    length = struct.unpack_from("<I", data, 12)[0]
    tree = json.loads(data[20 : 20 + length])
    assert isinstance(tree, dict)
    return tree


def with_tree(data: bytes, tree: dict[str, Any]) -> bytes:
    """The same GLB with another JSON chunk."""
    old = struct.unpack_from("<I", data, 12)[0]
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    rest = data[20 + old :]
    head = struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A)
    return head + text + rest


def shipped() -> bytes:
    info = PACK.manifest.assets[0]
    return (PACK.folder / info.visual).read_bytes()


@pytest.mark.parametrize("info", SOME, ids=lambda i: i.name)
def test_our_reader_and_trimesh_agree(info: Any) -> None:
    data = (PACK.folder / info.visual).read_bytes()
    own, other = meshes._own(data), meshes._any(data)
    assert np.array_equal(own.vertices, other.vertices)
    assert np.array_equal(own.faces, other.faces)
    assert np.array_equal(own.texture, other.texture)
    assert np.abs(own.uv - other.uv).max() < 1e-6
    assert np.abs(own.normals - other.normals).max() < 1e-6


def test_a_packs_own_files_need_no_trimesh(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(data: bytes) -> Any:
        raise AssertionError("fell back")

    monkeypatch.setattr(meshes, "_any", never)
    assert len(meshes.load_glb(shipped(), PATH).faces) > 0


def test_a_node_with_the_identity_written_out_is_read_directly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(meshes, "_any")
    tree = read_tree(shipped())
    tree["nodes"][0]["matrix"] = np.eye(4).reshape(-1).tolist()
    tree["nodes"][0]["scale"] = [1.0, 1.0, 1.0]
    assert len(meshes.load_glb(with_tree(shipped(), tree), PATH).faces) > 0


def test_another_writers_glb_is_read_by_trimesh_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tree = read_tree(shipped())
    tree["nodes"] = [{"children": [1]}, {"mesh": 0}]
    with caplog.at_level(logging.INFO):
        mesh = meshes.load_glb(with_tree(shipped(), tree), PATH)
    assert np.array_equal(mesh.vertices, meshes.load_glb(shipped(), PATH).vertices)
    assert "some.glb: read by trimesh" in caplog.text


def test_a_transform_is_refused_and_not_forgotten() -> None:
    tree = read_tree(shipped())
    tree["nodes"][0]["translation"] = [0.0, 0.1, 0.0]
    with pytest.raises(PackError, match=r"some\.glb: .*transform; bake it into the vertices"):
        meshes.load_glb(with_tree(shipped(), tree), PATH)


def test_two_meshes_are_refused() -> None:
    scene = trimesh.Scene([trimesh.creation.box(), trimesh.creation.icosphere()])
    with pytest.raises(PackError, match=r"some\.glb: .*it has 2 meshes"):
        meshes.load_glb(bytes(scene.export(file_type="glb")), PATH)


def test_an_untextured_mesh_is_refused() -> None:
    data = bytes(trimesh.creation.box().export(file_type="glb"))
    with pytest.raises(PackError, match=r"some\.glb: not a readable GLB with one textured mesh"):
        meshes.load_glb(data, PATH)


def test_a_picture_that_is_jpeg_is_read() -> None:
    box = trimesh.creation.box()
    box.unmerge_vertices()
    uv = np.zeros((len(box.vertices), 2))
    picture = Image.new("RGB", (16, 16), (10, 200, 30))
    picture.format = "JPEG"
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=picture)
    box.visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
    data = trimesh.exchange.gltf.export_glb(trimesh.Scene(box), include_normals=True)
    mesh = meshes.load_glb(bytes(data), PATH)
    assert np.abs(mesh.texture.astype(int) - [10, 200, 30]).max() <= 3


@pytest.mark.parametrize("keep", [0, 11, 19, 200, 3000, -4])
def test_a_truncated_glb_is_refused(keep: int) -> None:
    with pytest.raises(PackError, match=r"some\.glb: not a readable GLB"):
        meshes.load_glb(shipped()[:keep], PATH)


@pytest.mark.parametrize("key", ["POSITION", "NORMAL", "TEXCOORD_0"])
def test_numbers_that_are_not_finite_are_refused(key: str) -> None:
    data = bytearray(shipped())
    tree = read_tree(bytes(data))
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"][key]]
    begin = tree["bufferViews"][accessor["bufferView"]].get("byteOffset", 0)
    begin += 28 + struct.unpack_from("<I", data, 12)[0]
    data[begin : begin + 4] = np.float32(np.inf).tobytes()
    with pytest.raises(PackError, match="not finite"):
        meshes.load_glb(bytes(data), PATH)


def test_a_triangle_of_a_vertex_that_is_not_there_is_refused() -> None:
    data = bytearray(shipped())
    tree = read_tree(bytes(data))
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["indices"]]
    begin = tree["bufferViews"][accessor["bufferView"]].get("byteOffset", 0)
    begin += 28 + struct.unpack_from("<I", data, 12)[0]
    data[begin : begin + 4] = np.uint32(10**6).tobytes()
    with pytest.raises(PackError, match=r"a triangle names vertex 1000000 of \d+"):
        meshes.load_glb(bytes(data), PATH)


def test_parts_come_back_object_by_object() -> None:
    text = "o a\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\no b\n" + "v 0 0 2.5\n" * 5
    first, second = meshes.load_parts(text.encode(), PATH)
    assert first.shape == (4, 3)
    assert second.tolist() == [[0.0, 0.0, 2.5]] * 5
    assert not first.flags.writeable


def test_parts_without_a_name_are_one_object() -> None:
    (only,) = meshes.load_parts(b"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\n", PATH)
    assert len(only) == 4
