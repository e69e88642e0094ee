"""Put anybody's mesh into a pack, through the same steps as the builder's own, all or nothing."""

import logging
import math
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np

from refergym.assets import records
from refergym.assets.builder import asset_checks, checking, finish, hulls, simplify, writing
from refergym.assets.builder.categories import Category
from refergym.assets.builder.finish import RawMesh
from refergym.assets.builder.pack_checks import NAME
from refergym.assets.builder.reading import Surface, read_surfaces
from refergym.assets.builder.recipes import RECIPES
from refergym.assets.errors import AssetError, PackError
from refergym.assets.library import VERSION, AssetInfo, Manifest, Pack
from refergym.assets.records import Record
from refergym.assets.spec import NonNegative, Positive

_log = logging.getLogger(__name__)

GENERATOR = "refergym assets add"
SIZES = (0.005, 1.0)
"""m, longest sides of things on tables"""
MOST_OPEN = 0.1
"""share of a closed surface that may be missing of one whose inside is weighed"""
DENSITY = 500.0
"""kg/m3 of categories that are not known"""
FRICTION = 0.5
"""of such"""
LONGEST_NOUN = 40
NOUN = re.compile(rf"(?=.{{1,{LONGEST_NOUN}}}$)[A-Za-z]+([ '-][A-Za-z0-9]+)*")
"""what a category may be called"""
RESERVED = ("textures", "scenes", *checking.OWN_FILES)
"""names in a pack's folder that are no asset's"""


class Addition(Record, frozen=True, kw_only=True):
    """What a user says of a mesh. None takes what the category is known for, or the default."""

    category: str
    """English noun, singular"""
    plural: str | None = None
    name: str | None = None
    """of the asset; None numbers the category's"""
    longest: Positive | None = None
    """m, longest side; None takes the file's own size, in metres"""
    up: Literal["y", "z"] | None = None
    """the file's axis that points up; None takes y for GLB and GLTF, z for others"""
    density: Positive | None = None
    """kg/m3 of the wall, or of what the mesh encloses"""
    wall: NonNegative | None = None
    """m, thickness of walls modelled with two sides; 0 weighs what the mesh encloses"""
    friction: NonNegative | None = None
    split: Literal["seen", "unseen_instance", "unseen_category"]
    triangles: Annotated[int, msgspec.Meta(ge=100)]
    """about how many to keep"""
    licence: str
    attribution: str


def add(path: Path, pack: Path, wanted: Addition) -> AssetInfo:
    """Add a mesh to a pack, or begin a pack with it.

    Args:
        path: of the mesh: GLB, GLTF, OBJ, PLY, STL.
        pack: folder of the pack; one that is absent or empty becomes a pack.
        wanted: what the mesh is.

    Returns:
        The record that was added.

    Raises:
        PackError: naming the file or value that is wrong, and what to do; the pack is as it was.
        BuildError: if a library of the extra `pack` is missing.
    """
    _check(wanted)
    recipe = _recipe(wanted)
    name = _name(pack, wanted)
    surfaces = read_surfaces(path, wanted.up)
    surfaces = _scaled(path, surfaces, wanted.longest)
    raw = _outward(simplify.simplified(surfaces, wanted.triangles))
    most = asset_checks.TRIANGLES["item"]
    if len(raw.faces) > most:
        raise PackError(
            f"{path}: still {len(raw.faces)} triangles after decimation, as its pieces would lose"
            f" their form; bring it below {most} in a modeller"
        )
    if recipe.wall is None:
        _check_closed(path, raw)
    _log.info("%s: %d triangles; cutting it into convex parts takes a while", path, len(raw.faces))
    try:
        body = finish.finished(raw, recipe, name)
    except AssetError as e:
        hint = " (wall=0.002, in m)" if "thickness of its wall" in str(e) else ""
        raise PackError(f"{path}: {e}{hint}") from e
    with _staging(pack) as staging:
        info = writing.write_asset(
            staging, body, licence=wanted.licence, attribution=wanted.attribution
        )
        info = msgspec.structs.replace(info, split=wanted.split)
        try:
            records.convert(msgspec.to_builtins(info), AssetInfo, error=PackError)
        except PackError as e:
            raise PackError(f"{path}: too small or too thin for a record: {e}") from e
        _install(staging, pack, info)
    _believe(pack, info)
    return info


def _check(wanted: Addition) -> None:
    """Refuse what no type can: words that are no words, numbers without an end."""
    if not NOUN.fullmatch(wanted.category):
        raise PackError(
            f"category: {wanted.category[:40]!r}; say what it is in one English noun of at most"
            f" {LONGEST_NOUN} letters, as in category=mug or category='wine glass'"
        )
    for key in ("longest", "density", "wall", "friction"):
        value = getattr(wanted, key)
        if value is not None and not math.isfinite(value):
            raise PackError(f"{key}: expected a finite number, got {value}")
    least, most = SIZES
    if wanted.longest is not None and not least <= wanted.longest <= most:
        raise PackError(f"longest: expected {least:g} to {most:g} (m), got {wanted.longest:g}")


def _recipe(wanted: Addition) -> Category:
    kinds = {r.category.noun: r.category for r in RECIPES.values()}
    noun = wanted.category
    noun = noun.lower() if noun.lower() in kinds else noun
    known = kinds.get(noun)
    wall = known.wall if known and wanted.wall is None else wanted.wall
    return Category(
        noun=noun,
        plural=wanted.plural or (known.plural if known else _plural(noun)),
        mass=(0.0, float("inf")),
        wall=wall or None,
        density=wanted.density or (known.density if known else DENSITY),
        friction=(known.friction if known else FRICTION)
        if wanted.friction is None
        else wanted.friction,
        # Both are measured, so there is no need to know.
        is_open=True,
        takes_load=True,
        settles=True,
        directions=known.directions if known else (),
        material=known.material if known else None,
    )


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def _name(folder: Path, wanted: Addition) -> str:
    """Find the asset's name; raises PackError if the pack cannot take it."""
    taken: set[str] = set()
    if (folder / "manifest.json").exists():
        taken = {a.name for a in Pack(folder).manifest.assets}
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PackError(f"{folder}: not empty, and not a pack; name another folder as out=")
    if wanted.name is None:
        stem = "".join(c if NAME.fullmatch(c) else "_" for c in wanted.category)
        name = next(n for k in range(len(taken) + 1) if (n := f"{stem}_{k:03d}") not in taken)
    else:
        name = wanted.name
    if not NAME.fullmatch(name):
        raise PackError(f"name: {name!r} has other signs than letters, digits, '_', '-' and '.'")
    if name in RESERVED:
        raise PackError(f"name: {name!r} is what a pack calls a part of its own; choose another")
    if name in taken:
        raise PackError(f"name: {name!r} is in the pack {folder} already; choose another name=")
    return name


def _scaled(path: Path, surfaces: list[Surface], longest: float | None) -> list[Surface]:
    """Bring surfaces to their size in m; raises PackError if there is no size to speak of."""
    corners = np.concatenate([s.vertices[np.unique(s.faces)] for s in surfaces])
    side = float(np.ptp(corners, axis=0).max())
    least, most = SIZES
    if longest is None and not least <= side <= most:
        raise PackError(
            f"{path}: its longest side is {side:g} m, not {least:g} to {most:g}; give the real one,"
            " as in longest=0.1 (m)"
        )
    factor = 1.0 if longest is None else longest / max(side, 1e-300)
    if not hulls.has_body(corners * factor):
        raise PackError(
            f"{path}: the mesh has no volume (it is flat, or a single triangle); give it a"
            " thickness in a modeller"
        )
    return [replace(s, vertices=s.vertices * factor) for s in surfaces]


def _outward(raw: RawMesh) -> RawMesh:
    """Turn a mesh that is inside out."""
    t = raw.vertices[raw.faces] - raw.vertices[raw.faces].reshape(-1, 3).mean(0)
    signed = float(np.einsum("fd,fd->", t[:, 0], np.cross(t[:, 1], t[:, 2])))
    return raw if signed >= 0 else replace(raw, faces=raw.faces[:, ::-1])


def _check_closed(path: Path, raw: RawMesh) -> None:
    """Raise PackError if so much of a surface is missing that it encloses nothing to weigh."""
    t = raw.vertices[raw.faces]
    area = np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])
    # The areas of a closed surface, as vectors, add up to nothing.
    missing = float(np.linalg.norm(area.sum(0)) / np.linalg.norm(area, axis=1).sum())
    if missing > MOST_OPEN:
        raise PackError(
            f"{path}: the surface is open, so it has no volume to weigh; close it, or give the"
            " thickness of its wall, as in wall=0.002 (m)"
        )


@contextmanager
def _staging(pack: Path) -> Iterator[Path]:
    """Make a folder on the pack's disk for what is being written; it is gone afterwards."""
    try:
        pack.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=pack.parent, prefix=f".{pack.name}.") as folder:
            staging = Path(folder) / "pack"
            staging.mkdir()
            yield staging
    except OSError as e:
        raise PackError(
            f"{e.filename or pack}: cannot write ({e.strerror}); the pack is as it was. Free some"
            " space or choose another out="
        ) from e


def _install(staging: Path, pack: Path, info: AssetInfo) -> None:
    """Move a written asset into its pack, manifest last; what is moved goes if that fails."""
    if not (pack / "manifest.json").exists():
        name = pack.resolve().name
        manifest = Manifest(version=VERSION, name=name, generator=GENERATOR, assets=(info,))
        writing.write_manifest(staging, manifest)
        staging.replace(pack)
        return
    manifest = Pack(pack).manifest
    if any(a.name == info.name for a in manifest.assets):
        raise PackError(f"{pack}: somebody else has added {info.name!r} meanwhile; run it again")
    target = pack / info.name
    if target.exists():
        ends = {Path(info.visual).suffix, Path(info.collision).suffix}
        if not target.is_dir() or any(f.suffix not in ends for f in target.iterdir()):
            raise PackError(f"name: {pack} holds a {info.name!r} already; choose another name=")
        shutil.rmtree(target)  # left by a run that was killed: the manifest does not name it
    (staging / info.name).replace(target)
    try:
        writing.write_manifest(
            pack, msgspec.structs.replace(manifest, assets=(*manifest.assets, info))
        )
    except OSError:
        shutil.rmtree(target)
        raise


def _believe(pack: Path, info: AssetInfo) -> None:
    """Warn of what `refergym assets check` will find, and of a mass that nobody would believe."""
    for fault in checking.check_asset(pack, info):
        _log.warning("%s", fault)
    for recipe in RECIPES.values():
        low, high = recipe.category.mass
        if recipe.category.noun == info.category and not low <= info.mass <= high:
            what = f"{info.mass:.3g} kg is unusual for a {info.category} ({low:g} to {high:g} kg)"
            _log.warning("%s: %s; set density=, wall= or longest=", info.name, what)
            return
