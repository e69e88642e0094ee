"""Build a pack with Infinigen, stage by stage: spawn, finish, assemble.

Each stage keeps what it made in the work folder (`workshop`), so a build that was stopped goes on,
and a change of one recipe rebuilds what it concerns. Grasps are measured, and scenes checked, by
`refergym assets build`, as that needs a simulator.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image

from refergym.assets import records
from refergym.assets.builder import finish, furnishing, measure, painting, textures, writing
from refergym.assets.builder.environment import INFINIGEN
from refergym.assets.builder.finish import RawMesh
from refergym.assets.builder.recipes import PAINTS
from refergym.assets.builder.spawning import Raw
from refergym.assets.builder.workshop import Shelf, key_of
from refergym.assets.errors import AssetError, PackError
from refergym.assets.library import VERSION, AssetInfo, Manifest, SceneInfo
from refergym.assets.solved import SolvedScene

FINISH_VERSION = 1
"""of this stage; raised when what it makes of a raw mesh changes"""
LICENCE = "Apache-2.0"
ATTRIBUTION = "generated with Infinigen (BSD-3-Clause), Princeton Vision & Learning Lab"
DARKEST = 14.0
"""mean CIE L* below which a texture counts as a failed bake"""
WIDEST = 0.32
"""m, the longest horizontal side of a thing on a table"""

Note = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a stage came to."""

    assets: tuple[AssetInfo, ...]
    failed: dict[str, str]
    """cause by name"""


def finish_all(
    todo: Sequence[Raw], raw: Shelf, done: Shelf, *, processes: int, on_done: Note
) -> Made:
    """Make assets of raw meshes: each, and its copies in other colours.

    Args:
        todo: the shapes that were spawned.
        raw: where their meshes are.
        done: where assets are kept.
        processes: how many work at once.
        on_done: called with the name of each shape when it is there or has failed.
    """
    failed: dict[str, str] = {}
    tasks = {}
    for shape in todo:
        key = key_of(
            shape.digest(), repr(shape.recipe.category), shape.recipe.paints, FINISH_VERSION
        )
        if done.find(shape.name, key) is None:
            tasks[shape.name] = (shape, raw[shape.name], done.begin(shape.name), key)
        else:
            on_done(shape.name)
    for name, error in _each(tasks, processes):
        if error is None:
            infos = records.decode((tasks[name][2] / "assets.json").read_bytes(), _Infos)
            done.end(name, tasks[name][3], {"assets": [a.name for a in infos.assets]})
        else:
            done.drop(name)
            failed[name] = error
        on_done(name)
    assets: list[AssetInfo] = []
    for shape in todo:
        path = done[shape.name] / "assets.json"
        if shape.name not in failed:
            assets += records.decode(path.read_bytes(), _Infos).assets
    return Made(assets=tuple(sorted(assets, key=lambda a: a.name)), failed=failed)


def assemble(
    folder: Path,
    name: str,
    assets: Iterable[AssetInfo],
    done: Shelf,
    scenes: Iterable[SolvedScene] = (),
) -> Manifest:
    """Put a pack together in a folder that is new or holds an earlier pack; manifest last.

    Args:
        folder: of the pack.
        name: of the pack.
        assets: records; their files are on `done`, in the folder of their shape.
        done: where finished assets are kept.
        scenes: solved scenes to go with them.

    Raises:
        PackError: if the folder holds something that is no pack.
    """
    assets = tuple(assets)
    check_target(folder)
    part, old = (folder.with_name(f".{folder.name}.{end}") for end in ("part", "old"))
    if old.exists() and not folder.exists():
        old.rename(folder)  # a run was killed between the two renames below
    for left in (part, old):
        if left.exists():
            shutil.rmtree(left)
    part.mkdir(parents=True)
    for info in assets:
        shutil.copytree(done[info.shape] / info.name, part / info.name)
    (part / "LICENSE").write_text(LICENSE_TEXT)
    manifest = Manifest(
        version=VERSION,
        name=name,
        generator=f"infinigen {INFINIGEN} / bpy 4.2.0",
        assets=assets,
        textures=textures.write_textures(part / "textures", part),
        scenes=tuple(_write_scenes(part, scenes)),
    )
    writing.write_manifest(part, manifest)
    if folder.exists():
        folder.rename(old)
        part.rename(folder)
        shutil.rmtree(old)
    else:
        part.rename(folder)
    return manifest


def check_target(folder: Path) -> None:
    """Raise PackError unless a folder is absent, empty, or a pack that may be replaced."""
    if folder.exists() and not folder.is_dir():
        raise PackError(f"{folder}: a file, not a folder; name another one as out=")
    if folder.exists() and any(folder.iterdir()) and not (folder / "manifest.json").exists():
        raise PackError(f"{folder}: not empty, and not a pack; name another folder")


LICENSE_TEXT = """\
The meshes and pictures in this folder were generated with Infinigen (BSD-3-Clause,
https://infinigen.org, Princeton Vision & Learning Lab) and are released with refergym under the
Apache License 2.0. The textures of tables, floors and walls were drawn by refergym's own code.
"""


class _Infos(records.Record, frozen=True, kw_only=True):
    assets: tuple[AssetInfo, ...]


def _write_scenes(pack: Path, scenes: Iterable[SolvedScene]) -> Iterator[SceneInfo]:
    for scene in scenes:
        path = pack / "scenes" / f"{scene.name}.json"
        path.parent.mkdir(exist_ok=True)
        data = msgspec.json.format(records.canonical_json(scene), indent=1) + b"\n"
        path.write_bytes(data)
        yield SceneInfo(
            name=scene.name,
            kind=scene.kind,
            file=path.relative_to(pack).as_posix(),
            sha256=hashlib.sha256(data).hexdigest(),
        )


_Task = tuple[Raw, Path, Path, str]


def _each(tasks: dict[str, _Task], processes: int) -> Iterator[tuple[str, str | None]]:
    """Finish shapes, in any order: name, and the cause where one failed."""
    if not tasks:
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(_finish, *task[:3]): name for name, task in tasks.items()}
        for future in as_completed(futures):
            try:
                future.result()
                yield futures[future], None
            except AssetError as e:
                yield futures[future], str(e)
            except Exception as e:  # noqa: BLE001 - a strange mesh must not stop the others
                yield futures[future], f"{type(e).__name__}: {e}"


def _finish(shape: Raw, source: Path, folder: Path) -> None:
    """Write the assets of one shape, with their records in assets.json."""
    recipe = shape.recipe
    make = furnishing.furnished if recipe.is_furniture else finish.finished
    body = make(
        _read(source),
        recipe.category,
        shape.name,
        factory=shape.job()["factory"],
        factory_seed=shape.seed,
    )
    bodies = [body]
    for seed, paint in recipe.paints:
        if seed == shape.seed:
            bodies.append(painting.painted(body, f"{shape.name}_{paint}", PAINTS[paint]))
    if not recipe.is_furniture:
        width = float(np.ptp(body.vertices, axis=0)[:2].max())
        if width > WIDEST:
            raise PackError(f"{shape.name}: {width:.3f} m wide, more than {WIDEST} m")
    split = "seen"
    if recipe.is_unseen:
        split = "unseen_category"
    elif shape.seed in recipe.unseen:
        split = "unseen_instance"
    bodies = [b for b in bodies if measure.lightness(*finish.samples(b)) >= DARKEST]
    if not bodies:
        raise PackError(f"{shape.name}: its texture is darker than L* {DARKEST:g}: a failed bake")
    infos = []
    for each in bodies:
        info = writing.write_asset(folder, each, licence=LICENCE, attribution=ATTRIBUTION)
        infos.append(msgspec.structs.replace(info, split=split))
    (folder / "assets.json").write_bytes(records.canonical_json(_Infos(assets=tuple(infos))))


def _read(folder: Path) -> RawMesh:
    try:
        with np.load(folder / "mesh.npz") as mesh:
            arrays = {key: mesh[key] for key in ("vertices", "uv", "faces")}
    except (OSError, ValueError, KeyError) as e:
        raise PackError(f"{folder / 'mesh.npz'}: not a readable raw mesh ({e})") from e
    path = folder / "texture.png"
    try:
        texture = np.asarray(Image.open(path).convert("RGB"))
    except OSError as e:
        raise PackError(f"{path}: the texture is missing or not readable ({e})") from e
    return RawMesh(
        vertices=arrays["vertices"].astype(np.float64),
        uv=arrays["uv"].astype(np.float64),
        faces=arrays["faces"].astype(np.int64),
        texture=texture,
    )
