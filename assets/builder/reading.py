"""Read anybody's mesh file into surfaces with colours: GLB, GLTF, OBJ with MTL, PLY, STL.

Nodes' transforms are applied, and axes turned to z up. Transparency, normal maps and shininess are
left aside: the pack has one opaque picture for each asset.
"""

import io
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image

from refergym.assets.builder import colours
from refergym.assets.errors import PackError

Points = NDArray[np.float64]
Pixels = NDArray[np.uint8]

FORMATS = (".glb", ".gltf", ".obj", ".ply", ".stl")
LARGEST_SOURCE = 1024
"""px to which pictures are first shrunk; an asset's own has 256"""
PLAIN = (190, 190, 190)
"""sRGB of what has no colour"""


@dataclass(frozen=True, kw_only=True)
class Surface:
    """Triangles with one source of colour: a picture, or colours of their corners."""

    vertices: Points
    """[V, 3] in the file's unit, z up"""
    faces: NDArray[np.int64]
    """[F, 3]"""
    texture: Pixels
    """[h, w, 3] sRGB; one pixel where the colour is plain; repeats"""
    uv: Points | None = None
    """[V, 2] origin at the texture's top left; None where the colour is plain"""
    colours: Pixels | None = None
    """[V, 3] sRGB of the corners, instead of the texture"""

    def at(self, face: NDArray[np.int64], bary: Points) -> tuple[Points, Pixels]:
        """Return place [N, 3] and colour [N, 3] of points given by face [N] and shares [N, 3]."""
        corner = self.faces[face]
        place = np.einsum("nk,nkd->nd", bary, self.vertices[corner])
        if self.colours is not None:
            mixed = np.einsum("nk,nkd->nd", bary, self.colours[corner].astype(np.float64))
            return place, (mixed + 0.5).astype(np.uint8)
        if self.uv is None:
            return place, np.broadcast_to(self.texture[0, 0], (len(face), 3))
        h, w = self.texture.shape[:2]
        uv = np.einsum("nk,nkd->nd", bary, self.uv[corner]) % 1.0
        x, y = np.minimum((uv * [w, h]).astype(np.int64), [w - 1, h - 1]).T
        return place, self.texture[y, x]


def read_surfaces(path: Path, up: Literal["y", "z"] | None = None) -> list[Surface]:
    """Read a mesh file.

    Args:
        path: of the file.
        up: which of the file's axes points up; None takes y for GLB and GLTF, as that format has
            it, and z for the others.

    Raises:
        PackError: naming the file, what is wrong with it, and what to do.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no such file"
        raise PackError(f"{path}: {what}; give the path of a mesh file")
    if suffix not in FORMATS:
        raise PackError(f"{path}: expected one of {', '.join(FORMATS)}; convert the mesh to GLB")
    _check_pictures(path, suffix)
    try:
        named = _Unquoted(str(path)) if suffix == ".gltf" else None
        scene = trimesh.load_scene(path, resolver=named, process=False)
        found = list(_surfaces(scene))
    except Exception as e:  # trimesh raises whatever the damage leads to
        why = f"{type(e).__name__}: {e}".splitlines()[0]
        raise PackError(f"{path}: not a readable mesh ({why}); export it anew as GLB") from e
    if not found:
        raise PackError(f"{path}: there are no triangles in it; export the mesh with its faces")
    for surface in found:
        bad = np.flatnonzero(~np.isfinite(surface.vertices).all(1))
        if len(bad):
            raise PackError(
                f"{path}: vertex {bad[0]} is at {surface.vertices[bad[0]].tolist()}; mend or remove"
                f" vertices that are not finite ({len(bad)} in all)"
            )
        if surface.uv is not None and not np.isfinite(surface.uv).all():
            raise PackError(f"{path}: texture coordinates that are not finite; unwrap it anew")
    if suffix in (".glb", ".gltf"):
        _check_loaded(path, suffix, found)
    y_up = up == "y" or (up is None and suffix in (".glb", ".gltf"))
    return [_turned(s) for s in found] if y_up else found


class _Unquoted(trimesh.resolvers.FilePathResolver):
    """Finds files by their names in a GLTF, where a space is "%20"; trimesh looks for that."""

    def get(self, name: str) -> Any:
        return super().get(unquote(name))


def _surfaces(scene: trimesh.Scene) -> Iterator[Surface]:
    for node in scene.graph.nodes_geometry:
        pose, name = scene.graph[node]
        mesh: Any = scene.geometry[name]
        if not isinstance(mesh, trimesh.Trimesh) or len(mesh.faces) == 0:
            continue
        vertices = np.asarray(mesh.vertices, np.float64) @ pose[:3, :3].T + pose[:3, 3]
        faces = np.asarray(mesh.faces, np.int64)
        if np.linalg.det(pose[:3, :3]) < 0:
            faces = faces[:, ::-1]
        yield _coloured(vertices, faces, mesh.visual, is_linear=_is_gltf(scene))


def _is_gltf(scene: trimesh.Scene) -> bool:
    """GLTF's factors and corner colours are linear, those of other formats sRGB."""
    return str(scene.source.file_type) in ("glb", "gltf")


def _coloured(
    vertices: Points, faces: NDArray[np.int64], visual: Any, *, is_linear: bool
) -> Surface:
    if visual.kind == "texture":
        picture, factor = _material(visual.material, is_linear=is_linear)
        if picture is None or visual.uv is None:
            plain = colours.linear_to_srgb(factor.reshape(1, 1, 3))
            return Surface(vertices=vertices, faces=faces, texture=plain)
        texture = colours.linear_to_srgb(colours.srgb_to_linear(_pixels(picture)) * factor)
        uv = np.asarray(visual.uv, np.float64)
        uv = np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1)
        return Surface(vertices=vertices, faces=faces, texture=texture, uv=uv)
    plain = np.array(PLAIN, np.uint8).reshape(1, 1, 3)
    if visual.kind == "face":
        corners = np.repeat(np.asarray(visual.face_colors)[:, :3], 3, axis=0)
        vertices, faces = vertices[faces.reshape(-1)], np.arange(faces.size).reshape(-1, 3)
    elif visual.kind == "vertex":
        corners = np.asarray(visual.vertex_colors)[:, :3]
    else:
        return Surface(vertices=vertices, faces=faces, texture=plain)
    if is_linear:
        corners = colours.linear_to_srgb(corners / 255)
    return Surface(vertices=vertices, faces=faces, texture=plain, colours=corners.astype(np.uint8))


def _material(material: Any, *, is_linear: bool) -> tuple[Image.Image | None, Points]:
    """Picture of a material, and the linear RGB that multiplies it (or is the colour)."""
    picture = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    if is_linear:
        factor = getattr(material, "baseColorFactor", None)
        scale = np.ones(3) if factor is None else np.asarray(factor, np.float64)[:3] / 255
        return picture, scale
    if picture is not None:
        return picture, np.ones(3)
    return None, colours.srgb_to_linear(np.asarray(material.main_color[:3], np.uint8))


def _pixels(picture: Image.Image) -> Pixels:
    if picture.mode.startswith("I"):  # 16 bits, which convert() would cut off at 255
        deep = np.asarray(picture).astype(np.float64)
        picture = Image.fromarray(np.clip(deep / 257 + 0.5, 0, 255).astype(np.uint8))
    small = picture.convert("RGB")
    small.thumbnail((LARGEST_SOURCE, LARGEST_SOURCE), Image.Resampling.LANCZOS)
    return np.array(small)


def _turned(surface: Surface) -> Surface:
    """Y up to z up: (x, y, z) -> (x, -z, y)."""
    v = surface.vertices
    return Surface(
        vertices=np.stack([v[:, 0], -v[:, 2], v[:, 1]], axis=1),
        faces=surface.faces,
        texture=surface.texture,
        uv=surface.uv,
        colours=surface.colours,
    )


def _check_pictures(path: Path, suffix: str) -> None:
    """Raise PackError if a file that the mesh names is missing or no picture: trimesh goes on."""
    for name, is_picture in _named_files(path, suffix):
        file = path.parent / name
        if not file.is_file():
            what = "texture" if is_picture else "file"
            raise PackError(
                f"{path}: the {what} {name!r} is missing; put it beside the mesh, or export as GLB"
            )
        if is_picture:
            try:
                with Image.open(file) as picture:
                    picture.load()
            except (OSError, ValueError, SyntaxError) as e:
                raise PackError(f"{file}: not a readable picture ({e}); convert it to PNG") from e


def _named_files(path: Path, suffix: str) -> Iterator[tuple[str, bool]]:
    """Names of the files beside a mesh that it needs, and whether they are pictures."""
    if suffix == ".gltf":
        tree = _tree(path, suffix)
        for key in ("buffers", "images"):
            for entry in tree.get(key) or ():
                uri = str(entry.get("uri", "data:")) if isinstance(entry, dict) else "data:"
                if not uri.startswith("data:"):
                    yield unquote(uri), key == "images"
    elif suffix == ".obj":
        for library in _after("mtllib", path):
            yield library, False
            if (path.parent / library).is_file():
                for words in _after("map_Kd", path.parent / library):
                    is_whole = (path.parent / words).is_file()
                    yield (words if is_whole else words.split()[-1]), True
    elif suffix == ".ply":
        head = path.read_bytes()[:4096].partition(b"end_header")[0].decode("ascii", "replace")
        for line in head.splitlines():
            if line.startswith("comment TextureFile "):
                yield line.removeprefix("comment TextureFile ").strip(), True


def _after(keyword: str, path: Path) -> Iterator[str]:
    """Rest of each line of a text file that begins with a keyword."""
    for line in path.read_text("utf-8", "replace").splitlines():
        first, _, rest = line.strip().partition(" ")
        if first == keyword and rest.strip():
            yield rest.strip()


def _check_loaded(path: Path, suffix: str, surfaces: list[Surface]) -> None:
    """Raise PackError if the file has textures that trimesh could not read."""
    materials = _tree(path, suffix).get("materials", ())
    wanted = any("baseColorTexture" in m.get("pbrMetallicRoughness", {}) for m in materials)
    if wanted and all(s.uv is None for s in surfaces):
        raise PackError(f"{path}: its texture cannot be read; export it with PNG or JPEG pictures")


def _tree(path: Path, suffix: str) -> dict[str, Any]:
    """JSON of a GLB or GLTF; empty if it is damaged, which trimesh will say."""
    try:
        data = path.read_bytes()
        if suffix == ".glb":
            data = io.BytesIO(data[20:]).read(struct.unpack_from("<I", data, 12)[0])
        tree = json.loads(data)
    except (ValueError, struct.error):
        return {}
    return tree if isinstance(tree, dict) else {}
