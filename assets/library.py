"""Load an asset pack: a manifest, one GLB and one file of convex parts per asset, textures.

Meshes are handed out z up, in metres at scale 1, origin under the middle of the bounding box.
"""

import hashlib
import io
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from refergym.assets import records
from refergym.assets.errors import PackError
from refergym.assets.meshes import VisualMesh as VisualMesh
from refergym.assets.meshes import frozen
from refergym.assets.meshes import load_glb as load_glb
from refergym.assets.meshes import load_parts as load_parts
from refergym.assets.records import Record
from refergym.assets.spec import NonNegative, Positive, Quat, Unit, Vec3

PACK_DIR = Path(__file__).resolve().parent / "pack"
VERSION = 2


class GraspRecord(Record, frozen=True, kw_only=True):
    """What the gripper did with the asset alone on a table, at one scale."""

    scale: Positive
    tries: int
    successes: int
    """lifted and carried to the parked posture"""
    placed: int = 0
    """of the successes, those that also stood at rest where they were put down"""
    yaws: tuple[float, ...] = ()
    """[successes] rad, closing axis of each successful grasp, in the asset's frame"""
    widths: tuple[float, ...] = ()
    """[successes] m between the fingers of each successful grasp"""


class Cavity(Record, frozen=True, kw_only=True):
    """The room inside an open container, at scale 1."""

    radius: Positive
    """m, of the largest vertical cylinder round the origin's axis that goes in from above"""
    floor: NonNegative
    """m, height of its floor above the asset's bottom"""
    depth: Positive
    """m, from the rim to the floor"""


class StablePose(Record, frozen=True, kw_only=True):
    """One way in which an asset comes to rest on a table."""

    orientation: Quat
    """[4] wxyz, of the asset's frame"""
    probability: Unit
    """share of random throws that end so, by geometry"""


class Top(Record, frozen=True, kw_only=True):
    """The level upper face of a piece of furniture, at scale 1."""

    height: Positive
    """m above the asset's bottom"""
    outline: tuple[tuple[float, float], ...]
    """[K, 2] m, corners of a convex outline inside the face, counter-clockwise, asset's frame"""
    thickness: Positive
    """m"""


class AssetInfo(Record, frozen=True, kw_only=True):
    """One asset, at scale 1."""

    name: str
    category: str
    """English noun, singular: "wine glass" """
    plural: str
    shape: str
    """assets of one shape (colour variants) share this"""
    use: Literal["item", "furniture"] = "item"
    """things that stand on tables, or what they stand on"""
    split: Literal["seen", "unseen_instance", "unseen_category"] = "seen"
    """by shape: what training may show, and what is kept for evaluation"""
    factory: str
    """the Infinigen factory that made it; empty for meshes of other origin"""
    factory_seed: int
    size: tuple[Positive, Positive, Positive]
    """[3] m, bounding box"""
    mass: Positive
    """kg"""
    com: Vec3
    """[3] m, centre of mass"""
    inertia: tuple[float, float, float, float, float, float]
    """kg m2 about the centre of mass: xx, yy, zz, xy, xz, yz"""
    colour: str | None
    """name measured on the texture; none where mixed"""
    colour_share: Unit
    """share of the surface that has that colour"""
    friction: NonNegative
    material: str | None = None
    """English word, where one material covers it: "ceramic" """
    directions: dict[str, Vec3] = msgspec.field(default_factory=dict)
    """up to three: what points where ("handle", "opening", "spine"), unit vectors, asset's frame"""
    symmetry: Annotated[int, msgspec.Meta(ge=0)] = 1
    """turns about z that leave the shape as it is: 1 none, 2, 4, ...; 0 any (round)"""
    stable_poses: tuple[StablePose, ...] = ()
    """likeliest first"""
    cavity: Cavity | None = None
    """of open containers"""
    flat_top: bool = False
    """things can stand on it (plates, books)"""
    top: Top | None = None
    """of furniture"""
    grasps: tuple[GraspRecord, ...] = ()
    triangles: int
    visual: str
    """GLB file, relative to the pack"""
    visual_sha256: str
    collision: str
    """OBJ file with one group for each convex part, z up"""
    collision_sha256: str
    licence: str
    attribution: str

    def grasp_rate(self, scale: float) -> float:
        """Measured share of successful grasps: the lesser of the recorded scales on either side.

        0 if it was never tried, or the scale lies more than 5 % outside what was tried.
        """
        return min((g.successes / g.tries for g in self._tried(scale)), default=0.0)

    def place_rate(self, scale: float) -> float:
        """Measured share of tries after which it also stood where it was put down; as above."""
        return min((g.placed / g.tries for g in self._tried(scale)), default=0.0)

    def _tried(self, scale: float) -> list[GraspRecord]:
        tried = sorted(self.grasps, key=lambda g: g.scale)
        if not tried or not 0.95 * tried[0].scale <= scale <= 1.05 * tried[-1].scale:
            return []
        below = [g for g in tried if g.scale <= scale + 1e-9][-1:] or tried[:1]
        above = [g for g in tried if g.scale >= scale - 1e-9][:1] or tried[-1:]
        return [*below, *above]


class TextureInfo(Record, frozen=True, kw_only=True):
    """One tileable picture for tables and floors."""

    name: str
    file: str
    sha256: str
    use: Literal["table", "floor", "wall"]
    licence: str


class SceneInfo(Record, frozen=True, kw_only=True):
    """One solved scene (`refergym.assets.solved.SolvedScene`)."""

    name: str
    kind: str
    """what the things stand on: "dining table", "desk", "kitchen counter", "coffee table" """
    file: str
    sha256: str


class Manifest(Record, frozen=True, kw_only=True):
    """What a pack holds."""

    version: int
    name: str
    generator: str
    assets: tuple[AssetInfo, ...]
    textures: tuple[TextureInfo, ...] = ()
    scenes: tuple[SceneInfo, ...] = ()


class Pack:
    """An opened pack. Files are checked against the manifest's sha256 when first read."""

    def __init__(self, folder: Path | str, manifest: Manifest | None = None) -> None:
        """Open a pack.

        Args:
            folder: of the pack.
            manifest: taken instead of the folder's own; for packs that are being made or checked.

        Raises:
            PackError: if the manifest is missing, broken or of another version; says what to do.
        """
        self.folder = folder = Path(folder)
        if manifest is None:
            manifest, self.digest = _read_manifest(folder / "manifest.json")
        else:
            self.digest = records.digest(manifest)
        self.manifest = manifest
        self._assets = {a.name: a for a in self.manifest.assets}
        self._textures = {t.name: t for t in self.manifest.textures}
        self._meshes: dict[str, VisualMesh] = {}
        self._hulls: dict[str, tuple[NDArray[np.float64], ...]] = {}
        self._images: dict[str, NDArray[np.uint8]] = {}

    def __getitem__(self, name: str) -> AssetInfo:
        """Return an asset's record; raises PackError naming the asset and the pack."""
        if name not in self._assets:
            pack = f"{self.manifest.name!r} at {self.folder}"
            raise PackError(f"asset {name!r} is not in pack {pack}")
        return self._assets[name]

    def __contains__(self, name: object) -> bool:
        """Tell whether the pack has an asset of that name."""
        return name in self._assets

    def mesh(self, name: str) -> VisualMesh:
        """Load an asset's visual mesh (cached)."""
        if name not in self._meshes:
            info = self[name]
            data = read_file(self.folder, info.visual, info.visual_sha256)
            self._meshes[name] = load_glb(data, self.folder / info.visual)
        return self._meshes[name]

    def hulls(self, name: str) -> tuple[NDArray[np.float64], ...]:
        """Load the vertices [K, 3] m of each convex part (cached)."""
        if name not in self._hulls:
            info = self[name]
            data = read_file(self.folder, info.collision, info.collision_sha256)
            self._hulls[name] = load_parts(data, self.folder / info.collision)
        return self._hulls[name]

    def hull_file(self, name: str) -> Path:
        """Return the path of an asset's convex parts, for simulators that read files."""
        self.hulls(name)
        return self.folder / self[name].collision

    def texture(self, name: str) -> NDArray[np.uint8]:
        """Load a texture [h, w, 3] sRGB (cached)."""
        if name not in self._textures:
            known = ", ".join(sorted(self._textures)) or "none"
            pack = self.manifest.name
            raise PackError(f"texture {name!r} is not in pack {pack!r} (has: {known})")
        if name not in self._images:
            info = self._textures[name]
            data = read_file(self.folder, info.file, info.sha256)
            try:
                image = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
            except OSError as e:
                raise PackError(f"{self.folder / info.file}: not a readable picture ({e})") from e
            self._images[name] = frozen(image)
        return self._images[name]

    def scene_data(self, name: str) -> bytes:
        """Return the JSON of a solved scene; raises PackError as the others do."""
        for info in self.manifest.scenes:
            if info.name == name:
                return read_file(self.folder, info.file, info.sha256)
        known = ", ".join(s.name for s in self.manifest.scenes) or "none"
        raise PackError(f"scene {name!r} is not in pack {self.manifest.name!r} (has: {known})")

    def textures(self, use: str) -> tuple[str, ...]:
        """Names of the textures for "table", "floor" or "wall", in the manifest's order."""
        return tuple(t.name for t in self.manifest.textures if t.use == use)


def read_file(folder: Path, name: str, sha256: str) -> bytes:
    """Read a file of a pack, checked against its sum.

    Args:
        folder: of the pack.
        name: of the file, relative to the folder.
        sha256: hex, as the manifest has it.

    Raises:
        PackError: naming the file that lies outside, cannot be read, or is damaged.
    """
    path = folder / name
    if Path(name).is_absolute() or ".." in Path(name).parts or "\0" in name:
        raise PackError(f"{folder}: {name!r} is no file name inside the pack")
    try:
        data = path.read_bytes()
    except OSError as e:
        raise PackError(f"{path}: cannot read the file ({e.strerror})") from e
    if hashlib.sha256(data).hexdigest() != sha256:
        raise PackError(f"{path}: sha256 differs from the manifest's; damaged or edited")
    return data


_opened: dict[Path, tuple[tuple[int, int, int], Pack]] = {}
_SHIPPED = PACK_DIR / "manifest.json"
_MOST_OPEN = 8


def open_pack(folder: Path | str | None = None) -> Pack:
    """Open a pack once per process, and again only when its manifest was written anew.

    Args:
        folder: of the pack; None opens the one that ships with the package.

    Raises:
        PackError: as `Pack`.
    """
    path = Path(folder).resolve() / "manifest.json" if folder else _SHIPPED
    try:
        stat = path.stat()
    except OSError:
        return Pack(path.parent)  # says what is wrong
    mark = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    if path not in _opened or _opened[path][0] != mark:
        pack = Pack(path.parent)
        _opened.pop(path, None)
        while len(_opened) >= _MOST_OPEN:
            del _opened[next(iter(_opened))]
        _opened[path] = mark, pack
    return _opened[path][1]


def _read_manifest(path: Path) -> tuple[Manifest, str]:
    """Read a manifest and the sha256 (hex) of its file."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise PackError(f"{path}: cannot read the pack's manifest ({e.strerror})") from e
    try:
        manifest = records.decode(data, Manifest)
    except ValueError as e:
        check_version(data, path)  # another version has other fields
        raise PackError(f"{path}: {e}") from e
    check_version(data, path)
    _check_names(manifest, path)
    _check_grasps(manifest, path)
    return manifest, hashlib.sha256(data).hexdigest()


class _Versioned(msgspec.Struct):
    version: int


def check_version(data: bytes, path: Path) -> None:
    """Raise PackError, saying what to do, if a manifest says that it is of another version."""
    try:
        found = msgspec.json.decode(data, type=_Versioned).version
    except (msgspec.DecodeError, ValueError):
        return
    if found != VERSION:
        raise PackError(
            f"{path}: version: expected {VERSION} (this refergym's), got {found}; rebuild the pack"
            " with `refergym assets build`, or install the refergym that wrote it"
        )


def _check_names(manifest: Manifest, path: Path) -> None:
    for field in ("assets", "textures", "scenes"):
        seen: set[str] = set()
        for i, entry in enumerate(getattr(manifest, field)):
            if entry.name in seen:
                raise PackError(f"{path}: {field}[{i}].name: {entry.name!r} is there twice")
            seen.add(entry.name)


def _check_grasps(manifest: Manifest, path: Path) -> None:
    for i, asset in enumerate(manifest.assets):
        for j, grasp in enumerate(asset.grasps):
            where = f"{path}: assets[{i}].grasps[{j}]"
            if grasp.tries < 1:
                raise PackError(f"{where}.tries: expected >= 1, got {grasp.tries}")
            if not 0 <= grasp.successes <= grasp.tries:
                got = f"{grasp.successes} of {grasp.tries}"
                raise PackError(f"{where}.successes: expected 0 to tries, got {got}")
