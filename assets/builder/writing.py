"""Write a finished body into a pack's folder: GLB, convex parts, record; write manifests."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image

from refergym.assets import records
from refergym.assets.builder import colours, finish, hulls, measure, normals
from refergym.assets.builder.finish import Body
from refergym.assets.library import AssetInfo, Manifest

Points = NDArray[np.float64]


def write_asset(pack: Path, body: Body, *, licence: str, attribution: str) -> AssetInfo:
    """Write a body's files to a folder of its own in `pack` and return its record.

    Args:
        pack: the pack's folder, or one to be moved there.
        body: what to write.
        licence: of the asset.
        attribution: whom to credit.

    Raises:
        PackError: if the body's mass is not believable; nothing was written then.
        OSError: if the folder exists or cannot be written.
    """
    finish.check_mass(body)
    folder = pack / body.name
    folder.mkdir()
    glb, obj = glb_bytes(body), hulls.parts_obj(body.parts)
    (folder / f"{body.name}.glb").write_bytes(glb)
    (folder / f"{body.name}_parts.obj").write_bytes(obj)
    colour, share = colours.name_colour(
        measure.seen_samples(body.vertices, body.uv, body.faces, body.texture)
    )
    recipe, mesh, i = body.category, (body.vertices, body.faces, body.parts), body.mass.inertia
    return AssetInfo(
        name=body.name,
        category=recipe.noun,
        plural=recipe.plural,
        shape=body.shape,
        factory=body.factory,
        factory_seed=body.factory_seed,
        size=_rounded(np.ptp(body.vertices, axis=0), 5),
        mass=round(body.mass.mass, 4),
        com=_rounded(body.mass.com, 5),
        inertia=_five_digits((i[0, 0], i[1, 1], i[2, 2], i[0, 1], i[0, 2], i[1, 2])),
        colour=colour,
        colour_share=share,
        friction=recipe.friction,
        material=recipe.material,
        directions=body.directions,
        symmetry=body.symmetry,
        stable_poses=body.stable_poses,
        cavity=measure.cavity(*mesh) if recipe.is_open else None,
        flat_top=recipe.takes_load and measure.is_flat_on_top(*mesh),
        top=body.top,
        use="item" if body.top is None else "furniture",
        triangles=len(body.faces),
        visual=f"{body.name}/{body.name}.glb",
        visual_sha256=hashlib.sha256(glb).hexdigest(),
        collision=f"{body.name}/{body.name}_parts.obj",
        collision_sha256=hashlib.sha256(obj).hexdigest(),
        licence=licence,
        attribution=attribution,
    )


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a pack's manifest as indented canonical JSON, in one step."""
    data = msgspec.json.format(records.canonical_json(manifest), indent=1) + b"\n"
    temporary = folder / "manifest.json.tmp"
    try:
        temporary.write_bytes(data)
        temporary.replace(folder / "manifest.json")
    finally:
        temporary.unlink(missing_ok=True)


def glb_bytes(body: Body) -> bytes:
    """Encode a body's mesh as a GLB (y up) with smooth normals and its texture."""
    corners, normal, faces = normals.smooth(body.vertices, body.uv, body.faces)
    v, uv = corners[:, :3], corners[:, 3:]
    material = trimesh.visual.material.PBRMaterial(  # type: ignore[no-untyped-call]
        name=body.name,
        baseColorTexture=_picture(body.texture),
        metallicFactor=0.0,
        roughnessFactor=0.8,
    )
    mesh = trimesh.Trimesh(
        _y_up(v),
        faces,
        vertex_normals=_y_up(normal),
        visual=trimesh.visual.TextureVisuals(  # type: ignore[no-untyped-call]
            uv=np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1), material=material
        ),
        process=False,
    )
    scene = trimesh.Scene()
    scene.add_geometry(mesh, node_name=body.name, geom_name=body.name)
    data = trimesh.exchange.gltf.export_glb(  # type: ignore[no-untyped-call]
        scene, include_normals=True
    )
    return bytes(data)


def _picture(texture: NDArray[np.uint8]) -> Image.Image:
    """Small pictures stay exact; large ones, of furniture, become JPEG."""
    picture = Image.fromarray(texture)
    if max(texture.shape[:2]) > finish.LARGEST_TEXTURE:
        picture.format = "JPEG"
    return picture


def _y_up(v: Points) -> Points:
    return np.asarray(np.stack([v[:, 0], v[:, 2], -v[:, 1]], axis=1))


def _rounded(v: Points, digits: int) -> tuple[float, float, float]:
    return (round(float(v[0]), digits), round(float(v[1]), digits), round(float(v[2]), digits))


def _five_digits(v: Sequence[float]) -> tuple[float, float, float, float, float, float]:
    a, b, c, d, e, f = (float(f"{x:.5g}") for x in v)
    return (a, b, c, d, e, f)
