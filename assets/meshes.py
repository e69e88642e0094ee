"""Read the mesh files of a pack: a GLB with one textured mesh, an OBJ of convex parts.

GLBs as our builder writes them are read here; others go through trimesh, at several times the cost.
Source: glTF 2.0, https://registry.khronos.org/glTF/specs/2.0/glTF-2.0.html.
"""

import io
import json
import logging
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from refergym.assets.errors import PackError

T = TypeVar("T", bound=np.generic)

_log = logging.getLogger(__name__)
_JSON, _BIN = 0x4E4F534A, 0x004E4942
_TRIANGLES = 4
_SCALARS = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_COLUMNS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}
_IDENTITY = {
    "matrix": [float(i % 5 == 0) for i in range(16)],
    "translation": [0.0, 0.0, 0.0],
    "rotation": [0.0, 0.0, 0.0, 1.0],
    "scale": [1.0, 1.0, 1.0],
}


@dataclass(frozen=True, kw_only=True)
class VisualMesh:
    """Triangles with a texture. Arrays are read-only and shared."""

    vertices: NDArray[np.float32]
    """[V, 3] m"""
    normals: NDArray[np.float32]
    """[V, 3] unit"""
    uv: NDArray[np.float32]
    """[V, 2] origin at the texture's top left"""
    faces: NDArray[np.int32]
    """[F, 3] counter-clockwise from outside"""
    texture: NDArray[np.uint8]
    """[h, w, 3] sRGB"""


def load_glb(data: bytes, path: Path) -> VisualMesh:
    """Read a GLB (y up) with one textured mesh, z up.

    Args:
        data: the file.
        path: of the file, for messages.

    Raises:
        PackError: naming the file and what is wrong with it.
    """
    try:
        try:
            mesh = _own(data)
        except (_OtherKindError, ValueError, LookupError, TypeError, struct.error) as e:
            mesh = _any(data)
            _log.info("%s: read by trimesh, which is slow, as %s", path, e)
        _check(mesh)
    except Exception as e:  # trimesh raises whatever the damage leads to
        why = f"{type(e).__name__}: {e}"
        raise PackError(f"{path}: not a readable GLB with one textured mesh ({why})") from e
    for array in (mesh.vertices, mesh.normals, mesh.uv, mesh.faces, mesh.texture):
        frozen(array)
    return mesh


def load_parts(data: bytes, path: Path) -> tuple[NDArray[np.float64], ...]:
    """Read the vertices [K, 3] of each object of an OBJ; `path` is for the PackError's message."""
    parts: list[list[list[float]]] = []
    try:
        for line in data.decode().splitlines():
            if line.startswith("v "):
                if not parts:
                    parts.append([])
                parts[-1].append([float(x) for x in line.split()[1:4]])
            elif line.startswith("o "):
                parts.append([])
        arrays = tuple(frozen(np.array(p)) for p in parts if p)
    except ValueError as e:
        raise PackError(f"{path}: not a readable OBJ ({e})") from e
    if not arrays or any(a.ndim != 2 or a.shape[0] < 4 or a.shape[1] != 3 for a in arrays):
        raise PackError(f"{path}: expected convex parts of at least 4 vertices each")
    if not all(np.isfinite(a).all() for a in arrays):
        raise PackError(f"{path}: expected finite vertices")
    return arrays


def frozen(array: NDArray[T]) -> NDArray[T]:
    """Make an array read-only and return it."""
    array.setflags(write=False)
    return array


class _OtherKindError(Exception):
    """A GLB that may be all right but is not as our builder writes it."""


def _own(data: bytes) -> VisualMesh:
    """Read a GLB as our builder writes it; raises _OtherKindError and what damage leads to."""
    tree, binary = _chunks(data)
    _expect("extensionsRequired" not in tree, "it requires extensions")
    (node,), (mesh,) = tree["nodes"], tree["meshes"]
    _expect(all(node.get(k, v) == v for k, v in _IDENTITY.items()), "its node has a transform")
    (primitive,) = mesh["primitives"]
    _expect(primitive.get("mode", _TRIANGLES) == _TRIANGLES, "it is not of triangles")
    names = primitive["attributes"]
    vertices, normals, uv = (
        _array(tree, binary, names[key]) for key in ("POSITION", "NORMAL", "TEXCOORD_0")
    )
    _expect(all(a.dtype == np.float32 for a in (vertices, normals, uv)), "it is quantised")
    faces = _array(tree, binary, primitive["indices"])
    _expect(faces.dtype != np.float32, "its indices are no integers")
    return VisualMesh(
        vertices=_z_up(vertices),
        normals=_z_up(normals),
        uv=np.ascontiguousarray(uv),
        faces=faces.reshape(-1, 3).astype(np.int32),
        texture=_texture(tree, binary, tree["materials"][primitive["material"]]),
    )


def _chunks(data: bytes) -> tuple[dict[str, Any], memoryview]:
    magic, version, _, length, kind = struct.unpack_from("<4sIIII", data)
    _expect(magic == b"glTF" and version == 2 and kind == _JSON, "it is no GLB of version 2")
    tree = json.loads(data[20 : 20 + length])
    size, kind = struct.unpack_from("<II", data, 20 + length)
    _expect(kind == _BIN and isinstance(tree, dict), "its chunks are out of order")
    begin = 28 + length
    _expect(begin + size <= len(data), "it is truncated")
    return tree, memoryview(data)[begin : begin + size]


def _array(tree: dict[str, Any], binary: memoryview, index: int) -> NDArray[Any]:
    accessor = tree["accessors"][index]
    view = tree["bufferViews"][accessor["bufferView"]]
    plain = not ({"sparse", "normalized"} & accessor.keys()) and "byteStride" not in view
    _expect(plain and view["buffer"] == 0, "its arrays are interleaved, sparse or elsewhere")
    columns = _COLUMNS[accessor["type"]]
    flat = np.frombuffer(
        binary,
        _SCALARS[accessor["componentType"]],
        accessor["count"] * columns,
        view.get("byteOffset", 0) + accessor.get("byteOffset", 0),
    )
    return flat.reshape(-1, columns) if columns > 1 else flat


def _texture(tree: dict[str, Any], binary: memoryview, material: dict[str, Any]) -> NDArray[Any]:
    colour = material["pbrMetallicRoughness"]["baseColorTexture"]
    plain = colour.get("texCoord", 0) == 0 and "extensions" not in colour
    _expect(plain, "its texture is moved or of other coordinates")
    image = tree["images"][tree["textures"][colour["index"]]["source"]]
    view = tree["bufferViews"][image["bufferView"]]
    begin = view.get("byteOffset", 0)
    file = io.BytesIO(binary[begin : begin + view["byteLength"]])
    # `Image.open` first imports readers of formats that are not asked for: 15 ms.
    is_png = image.get("mimeType") == "image/png"
    with PngImagePlugin.PngImageFile(file) if is_png else Image.open(file) as picture:
        return np.array(picture.convert("RGB"))


def _any(data: bytes) -> VisualMesh:
    """Read a GLB by trimesh."""
    import trimesh

    # Not `load_mesh`: that bakes the node's pose into a copy and forgets the file's normals.
    scene = trimesh.load_scene(io.BytesIO(data), file_type="glb", process=False)
    if len(scene.geometry) != 1 or len(scene.graph.nodes_geometry) != 1:
        raise ValueError(f"it has {len(scene.geometry)} meshes")
    pose, name = scene.graph[scene.graph.nodes_geometry[0]]
    if not np.allclose(pose, np.eye(4), atol=1e-6):
        raise ValueError("its node has a transform; bake it into the vertices")
    mesh: Any = scene.geometry[name]
    uv = np.asarray(mesh.visual.uv, np.float32)
    return VisualMesh(
        vertices=_z_up(np.asarray(mesh.vertices, np.float32)),
        normals=_z_up(np.asarray(mesh.vertex_normals, np.float32)),
        uv=np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1),
        faces=np.array(mesh.faces, np.int32),
        texture=np.array(mesh.visual.material.baseColorTexture.convert("RGB")),
    )


def _check(mesh: VisualMesh) -> None:
    count = len(mesh.vertices)
    if len(mesh.faces) == 0:
        raise ValueError("it has no triangles")
    if len(mesh.normals) != count or len(mesh.uv) != count:
        raise ValueError("positions, normals and texture coordinates differ in number")
    if mesh.faces.min() < 0 or mesh.faces.max() >= count:
        raise ValueError(f"a triangle names vertex {mesh.faces.max()} of {count}")
    if not all(np.isfinite(a).all() for a in (mesh.vertices, mesh.normals, mesh.uv)):
        raise ValueError("it has numbers that are not finite")


def _expect(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise _OtherKindError(otherwise)


def _z_up(v: NDArray[np.float32]) -> NDArray[np.float32]:
    """GLTF is y up: (x, y, z) -> (x, -z, y)."""
    return np.ascontiguousarray(np.stack([v[:, 0], -v[:, 2], v[:, 1]], axis=1))
