"""An asset's meshes as OBJ and PNG files, for formats that name such files: URDF, MJCF."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from refergym.assets.hull_meshes import hull_mesh
from refergym.assets.identifiers import identifiers
from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class MeshFiles:
    """Files of an asset at scale 1, z up, m; relative to the folder of the export."""

    name: str
    """of its folder"""
    visual: str
    """OBJ with texture coordinates and a material"""
    texture: str
    """PNG"""
    parts: tuple[str, ...]
    """an OBJ for each convex part"""


def write_meshes(pack: Pack, name: str, folder: Path, stem: str) -> MeshFiles:
    """Write an asset's meshes to `folder/meshes/STEM`.

    Raises:
        PackError: if the asset is not in the pack, or damaged.
        OSError: if the folder cannot be written.
    """
    mesh, parts = pack.mesh(name), pack.hulls(name)
    place = folder / "meshes" / stem
    place.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(mesh.texture)).save(place / "texture.png", compress_level=4)
    (place / "visual.mtl").write_text("newmtl surface\nKd 1 1 1\nmap_Kd texture.png\n")
    info = pack[name]
    lines = [f"# {info.licence}. {info.attribution}", "mtllib visual.mtl", "o visual"]
    lines += _rows("v", mesh.vertices)
    lines += _rows("vt", np.column_stack([mesh.uv[:, 0], 1 - mesh.uv[:, 1]]))
    lines += _rows("vn", mesh.normals)
    lines.append("usemtl surface")
    lines += [f"f {a}/{a}/{a} {b}/{b}/{b} {c}/{c}/{c}" for a, b, c in (mesh.faces + 1).tolist()]
    (place / "visual.obj").write_text("\n".join(lines) + "\n")
    for k, points in enumerate(parts):
        (place / f"part_{k}.obj").write_text(_hull_obj(points))
    return MeshFiles(
        name=stem,
        visual=f"meshes/{stem}/visual.obj",
        texture=f"meshes/{stem}/texture.png",
        parts=tuple(f"meshes/{stem}/part_{k}.obj" for k in range(len(parts))),
    )


def scene_meshes(scene: SceneSpec, pack: Pack, folder: Path) -> dict[str, MeshFiles]:
    """Write the meshes of every asset among a scene's objects; by name; raises as above."""
    used = dict.fromkeys(thing.asset for thing in scene.objects)
    stems = zip(used, identifiers(used), strict=True)
    return {name: write_meshes(pack, name, folder, stem) for name, stem in stems}


def _hull_obj(points: Array) -> str:
    corners, faces = hull_mesh(points)
    lines = [*_rows("v", corners), *(f"f {a} {b} {c}" for a, b, c in (faces + 1).tolist())]
    return "\n".join(lines) + "\n"


def _rows(word: str, values: NDArray[np.floating]) -> Sequence[str]:
    return [" ".join([word, *(f"{v:.6f}" for v in row)]) for row in (values + 0.0).tolist()]
