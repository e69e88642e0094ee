"""Check a whole pack: every fault, not only the first, each in one line that names the asset."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from refergym.assets import records
from refergym.assets.builder import asset_checks, likeness, pack_checks
from refergym.assets.builder.pack_checks import Fault
from refergym.assets.errors import PackError
from refergym.assets.library import (
    VERSION,
    AssetInfo,
    Manifest,
    Pack,
    SceneInfo,
    TextureInfo,
    check_version,
    read_file,
)
from refergym.assets.meshes import load_glb, load_parts

T = TypeVar("T")
Track = Callable[[Sequence[Any]], Iterable[Any]]

GRASPABLE = 0.8
"""share of tries that make a thing graspable"""
OWN_FILES = ("manifest.json", "LICENSE", "NOTICE", "README.md")
"""of a pack, beside what its manifest names"""
_KINDS: dict[str, type[AssetInfo | TextureInfo | SceneInfo]] = {
    "assets": AssetInfo,
    "textures": TextureInfo,
    "scenes": SceneInfo,
}


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a pack holds, as far as it can be read."""

    assets: int
    furniture: int
    """of these"""
    categories: int
    """of items"""
    shapes: int
    colours: tuple[tuple[str, int], ...]
    """names and how often, most frequent first; without what has none"""
    splits: tuple[tuple[str, int], ...]
    graspable: float
    """share of the items that were lifted in at least 80 % of the tries at scale 1"""
    graspable_categories: int
    """categories with such an item"""
    textures: int
    scenes: int
    size: int
    """bytes of all files"""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a check found."""

    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]
    summary: Summary


def check_pack(folder: Path, track: Track = iter) -> Report:
    """Check a pack: manifest, files, every asset, and the assets against one another.

    Args:
        folder: of the pack.
        track: wraps the list of assets that is worked through, as a progress bar does.

    Returns:
        All faults; those of the manifest first.
    """
    path = folder / "manifest.json"
    try:
        data = path.read_bytes()
        check_version(data, path)
        raw = msgspec.json.decode(data)
        if not isinstance(raw, dict):
            raise PackError(f"{path}: expected an object, got {type(raw).__name__}")
    except (OSError, msgspec.DecodeError, RecursionError, PackError) as e:
        why = f"cannot read it ({e.strerror})" if isinstance(e, OSError) else str(e)
        return _hopeless(folder, why.removeprefix(f"{path}: "))
    manifest, faults = _decoded(raw)
    faults += [*_strays(folder, raw), *pack_checks.manifest_faults(manifest)]
    shapes = []
    for info in track(manifest.assets):
        found, mesh = _asset(folder, info)
        faults += found
        if mesh is not None:
            shapes.append((info, mesh))
    faults += pack_checks.duplicates(shapes)
    pack = Pack(folder, manifest)
    faults += pack_checks.texture_faults(pack)
    faults += pack_checks.scene_faults(pack)
    return Report(
        faults=tuple(f for f in faults if not f.is_warning),
        warnings=tuple(f for f in faults if f.is_warning),
        summary=_summary(folder, manifest),
    )


def check_asset(pack: Path, info: AssetInfo) -> list[Fault]:
    """Check one asset's files and record.

    Args:
        pack: the pack's folder.
        info: the asset's record.
    """
    return _asset(pack, info)[0]


def _asset(folder: Path, info: AssetInfo) -> tuple[list[Fault], np.ndarray[Any, Any] | None]:
    """Faults of one asset, and its shape's descriptor where it has a mesh."""
    faults, mesh, parts = [], None, None
    try:
        data = read_file(folder, info.visual, info.visual_sha256)
        mesh = load_glb(data, Path(info.visual))
    except PackError as e:
        faults.append(Fault(subject=info.name, text=str(e).removeprefix(f"{folder}/")))
    try:
        data = read_file(folder, info.collision, info.collision_sha256)
        load_parts(data, Path(info.collision))
        parts = asset_checks.read_parts(data)
    except PackError as e:
        faults.append(Fault(subject=info.name, text=str(e).removeprefix(f"{folder}/")))
    except (ValueError, IndexError) as e:
        faults.append(Fault(subject=info.name, text=f"{info.collision}: not a readable OBJ ({e})"))
    if mesh is None or parts is None:
        return faults, None
    faults += [
        Fault(subject=info.name, text=text) for text in asset_checks.asset_faults(info, mesh, parts)
    ]
    shape = likeness.descriptor(mesh.vertices.astype(np.float64), mesh.faces.astype(np.int64))
    return faults, shape


def _decoded(raw: dict[str, Any]) -> tuple[Manifest, list[Fault]]:
    """What of a manifest can be read, entry by entry, and what is wrong with the rest."""
    faults: list[Fault] = []
    lists: dict[str, list[Any]] = {}
    for field, kind in _KINDS.items():
        lists[field], seen = [], set()
        given = raw.get(field, None if field == "assets" else [])
        if not isinstance(given, list):
            found = "nothing" if given is None else type(given).__name__
            text = f"{field}: expected an array, got {found}"
            faults.append(Fault(subject="manifest.json", text=text))
        for i, entry in enumerate(_entries(raw, field)):
            try:
                record = records.convert(entry, kind, error=PackError)
            except PackError as e:
                given = entry.get("name") if isinstance(entry, dict) else None
                faults.append(
                    Fault(subject=str(given or "manifest.json"), text=f"{field}[{i}].{e}")
                )
                continue
            if record.name in seen:
                faults.append(Fault(subject=record.name, text=f"{field}[{i}].name: is there twice"))
                continue
            seen.add(record.name)
            lists[field].append(record)
    rest = {**raw, **{field: [] for field in _KINDS}}
    try:
        head = records.convert(rest, Manifest, error=PackError)
    except PackError as e:
        faults.append(Fault(subject="manifest.json", text=str(e)))
        head = Manifest(version=VERSION, name="", generator="", assets=())
    return msgspec.structs.replace(head, **{f: tuple(v) for f, v in lists.items()}), faults


def _entries(raw: dict[str, Any], field: str) -> list[Any]:
    value = raw.get(field, [])
    return value if isinstance(value, list) else []


def _strays(folder: Path, raw: dict[str, Any]) -> Iterator[Fault]:
    """Files that the manifest does not name."""
    known = set(OWN_FILES)
    for field in _KINDS:
        for entry in _entries(raw, field):
            if isinstance(entry, dict):
                known |= {str(entry.get(key)) for key in ("visual", "collision", "file")}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and name not in known:
            yield Fault(subject=name, text="stray file, not in the manifest; delete it")


def _summary(folder: Path, manifest: Manifest) -> Summary:
    items = [a for a in manifest.assets if a.use == "item"]
    good = [a for a in items if a.grasp_rate(1.0) >= GRASPABLE]
    return Summary(
        assets=len(manifest.assets),
        furniture=len(manifest.assets) - len(items),
        categories=len({a.category for a in items}),
        shapes=len({a.shape for a in manifest.assets}),
        colours=tuple(Counter(a.colour for a in items if a.colour).most_common()),
        splits=tuple(Counter(a.split for a in items).most_common()),
        graspable=len(good) / max(len(items), 1),
        graspable_categories=len({a.category for a in good}),
        textures=len(manifest.textures),
        scenes=len(manifest.scenes),
        size=sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()),
    )


def _hopeless(folder: Path, why: str) -> Report:
    nothing = Manifest(version=VERSION, name="", generator="", assets=())
    fault = Fault(subject="manifest.json", text=why)
    return Report(faults=(fault,), warnings=(), summary=_summary(folder, nothing))
