"""Turn a folder of raw Infinigen exports into a pack that `library` reads, mending known faults.

Mended: hulls that reach below or beyond the mesh, origins off the middle, masses of solid rock,
missing normals, axes. The same raw folder gives the same bytes. Source of the raw folder's
layout: manifest.json with `assets` [{name, category, factory, seed, path}], and NAME/NAME.glb
(y up) with NAME/NAME_col.obj (z up) at each path.
"""

import json
import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from refergym.assets import records
from refergym.assets.builder import finish, measure, mending, writing
from refergym.assets.builder.curation import Curation
from refergym.assets.builder.finish import Body
from refergym.assets.errors import PackError
from refergym.assets.library import VERSION, GraspRecord, Manifest, TextureInfo

log = logging.getLogger(__name__)

LICENCE = "Apache-2.0"
ATTRIBUTION = "generated with Infinigen (BSD-3-Clause), Princeton Vision & Learning Lab"


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
                info = writing.write_asset(staging, b, licence=LICENCE, attribution=ATTRIBUTION)
                grasps = kept.get((b.name, info.visual_sha256, info.collision_sha256), ())
                assets.append(msgspec.structs.replace(info, grasps=grasps))
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
    light = measure.lightness(*finish.samples(body))
    if light < curation.darkest:
        raise PackError(
            f"{body.name}: mean lightness {light:.1f} of 100, darker than {curation.darkest}: a "
            "failed bake? Leave it out in the curation"
        )


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
    writing.write_manifest(destination, manifest)
