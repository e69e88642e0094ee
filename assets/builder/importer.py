"""Turn a folder of raw Infinigen exports into a pack that `library` reads, mending known faults.

Mended: hulls that reach below or beyond the mesh, origins off the middle, masses of solid rock,
missing normals, axes. The same raw folder gives the same bytes. Source of the raw folder's
layout: manifest.json with `assets` [{name, category, factory, seed, path}], and NAME/NAME.glb
(y up) with NAME/NAME_col.obj (z up) at each path.
"""

import hashlib
import json
import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image

from refergym.assets import records
from refergym.assets.builder import colours, hulls, measure, mending, normals
from refergym.assets.builder.curation import Curation
from refergym.assets.builder.mending import Body
from refergym.assets.errors import PackError
from refergym.assets.library import (
    VERSION,
    AssetInfo,
    GraspRecord,
    Manifest,
    TextureInfo,
)

log = logging.getLogger(__name__)

LICENCE = "Apache-2.0"
ATTRIBUTION = "generated with Infinigen (BSD-3-Clause), Princeton Vision & Learning Lab"

Points = NDArray[np.float64]


def build_pack(
    raw: Path,
    destination: Path,
    curation: Curation,
    *,
    name: str = "first",
    textures: tuple[TextureInfo, ...] = (),
) -> Manifest:
    """Build a pack; grasps already measured on unchanged files are kept.

    Args:
        raw: folder of raw exports.
        destination: folder of the pack; its assets and manifest are replaced, the rest is kept.
        curation: what to take and how to name and weigh it.
        name: of the pack.
        textures: records of the pictures in `destination`, for the manifest.

    Returns:
        The manifest as written.

    Raises:
        PackError: naming the raw file or asset that cannot be read or believed. Nothing in
            `destination` has changed then.
    """
    entries = _raw_entries(raw)
    kept = _measured_grasps(destination)
    destination.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent) as folder:
        staging = Path(folder)
        assets = []
        for entry in entries:
            category = curation.categories.get(entry["category"])
            variants = [v for v in curation.variants if v.of == entry["name"]]
            is_taken = entry["name"] not in curation.left_out
            if category is None or not (is_taken or variants):
                continue
            body = mending.mended(raw, entry, category, curation)
            bodies = [body] if is_taken else []
            for b in bodies + [mending.recoloured(body, v) for v in variants]:
                _check(b, curation)
                assets.append(_written(staging, b, kept))
        manifest = Manifest(
            version=VERSION,
            name=name,
            generator=str(json.loads((raw / "manifest.json").read_bytes()).get("generator", "")),
            assets=tuple(sorted(assets, key=lambda a: a.name)),
            textures=textures,
        )
        _install(staging, destination, manifest)
    log.info("wrote %d assets to %s", len(assets), destination)
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a pack's manifest as indented canonical JSON, in one step."""
    data = msgspec.json.format(records.canonical_json(manifest), indent=1) + b"\n"
    temporary = folder / "manifest.json.tmp"
    temporary.write_bytes(data)
    temporary.replace(folder / "manifest.json")


def _raw_entries(raw: Path) -> list[dict[str, Any]]:
    path = raw / "manifest.json"
    try:
        entries = json.loads(path.read_bytes())["assets"]
        for entry in entries:
            _ = entry["name"], entry["category"], entry["factory"], entry["seed"], entry["path"]
    except OSError as e:
        raise PackError(f"{path}: cannot read the raw manifest ({e.strerror})") from e
    except (ValueError, KeyError, TypeError) as e:
        raise PackError(f"{path}: not a raw manifest ({type(e).__name__}: {e})") from e
    return sorted(entries, key=lambda entry: str(entry["name"]))


def _measured_grasps(folder: Path) -> dict[tuple[str, str, str], tuple[GraspRecord, ...]]:
    path = folder / "manifest.json"
    if not path.exists():
        return {}
    try:
        old = records.decode(path.read_bytes(), Manifest)
    except ValueError as e:
        raise PackError(f"{path}: {e}; mend or delete it, its measured grasps would be lost") from e
    return {(a.name, a.visual_sha256, a.collision_sha256): a.grasps for a in old.assets}


def _check(body: Body, curation: Curation) -> None:
    width = float(np.ptp(body.vertices, axis=0)[:2].max())
    if width > curation.widest:
        raise PackError(
            f"{body.name}: {width:.3f} m wide, more than {curation.widest} m; rescale it or "
            "leave it out in the curation"
        )
    light = measure.lightness(*mending.samples(body))
    if light < curation.darkest:
        raise PackError(
            f"{body.name}: mean lightness {light:.1f} of 100, darker than {curation.darkest}: a "
            "failed bake? Leave it out in the curation"
        )


def _written(
    staging: Path, body: Body, kept: dict[tuple[str, str, str], tuple[GraspRecord, ...]]
) -> AssetInfo:
    folder = staging / body.name
    folder.mkdir()
    glb, obj = _glb(body), hulls.parts_obj(body.parts)
    (folder / f"{body.name}.glb").write_bytes(glb)
    (folder / f"{body.name}_parts.obj").write_bytes(obj)
    visual, collision = hashlib.sha256(glb).hexdigest(), hashlib.sha256(obj).hexdigest()
    mass = _mass(body)
    colour, share = colours.name_colour(
        measure.seen_samples(body.vertices, body.uv, body.faces, body.texture)
    )
    category = body.category
    i = mass.inertia
    six = (i[0, 0], i[1, 1], i[2, 2], i[0, 1], i[0, 2], i[1, 2])
    return AssetInfo(
        name=body.name,
        category=category.noun,
        plural=category.plural,
        shape="_".join(str(body.source["name"]).split("_")[:2]),
        factory=str(body.source["factory"]),
        factory_seed=int(body.source["seed"]),
        size=_rounded(np.ptp(body.vertices, axis=0), 5),
        mass=round(mass.mass, 4),
        com=_rounded(mass.com, 5),
        inertia=tuple(float(f"{x:.5g}") for x in six),  # type: ignore[arg-type]
        colour=colour,
        colour_share=share,
        friction=category.friction,
        cavity=measure.cavity(body.vertices, body.faces, body.parts) if category.is_open else None,
        flat_top=category.takes_load
        and measure.is_flat_on_top(body.vertices, body.faces, body.parts),
        grasps=kept.get((body.name, visual, collision), ()),
        triangles=len(body.faces),
        visual=f"{body.name}/{body.name}.glb",
        visual_sha256=visual,
        collision=f"{body.name}/{body.name}_parts.obj",
        collision_sha256=collision,
        licence=LICENCE,
        attribution=ATTRIBUTION,
    )


def _mass(body: Body) -> measure.MassProperties:
    category = body.category
    mass = mending.mass_properties(category, body.vertices, body.faces, body.parts)
    low, high = category.mass
    if not low <= mass.mass <= high:
        raise PackError(
            f"{body.name}: {mass.mass:.3f} kg is not what a {category.noun} weighs ({low} to "
            f"{high} kg); change its size, or the category's density or wall, in the curation"
        )
    return mass


def _glb(body: Body) -> bytes:
    corners, normal, faces = normals.smooth(body.vertices, body.uv, body.faces)
    v, uv = corners[:, :3], corners[:, 3:]
    material = trimesh.visual.material.PBRMaterial(  # type: ignore[no-untyped-call]
        name=body.name,
        baseColorTexture=Image.fromarray(body.texture),
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


def _install(staging: Path, destination: Path, manifest: Manifest) -> None:
    """Move finished assets into place, manifest last."""
    names = {a.name for a in manifest.assets}
    for old in sorted(destination.iterdir()):
        if old.is_dir() and (old / f"{old.name}.glb").exists() and old.name not in names:
            shutil.rmtree(old)
    for name in sorted(names):
        if (destination / name).exists():
            shutil.rmtree(destination / name)
        (staging / name).replace(destination / name)
    write_manifest(destination, manifest)


def _y_up(v: Points) -> Points:
    return np.asarray(np.stack([v[:, 0], v[:, 2], -v[:, 1]], axis=1))


def _rounded(v: Points, digits: int) -> tuple[float, float, float]:
    return (round(float(v[0]), digits), round(float(v[1]), digits), round(float(v[2]), digits))
