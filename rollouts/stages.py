"""Scenes as files for other simulators: a USD stage, URDF files, an MJCF model.

Composes and settles a scene as an environment does, or reads one; then the writers of assets.
"""

from pathlib import Path
from typing import Any, Literal

from omegaconf import OmegaConf

from refergym.assets.composers.base import Composer
from refergym.assets.errors import SpecError
from refergym.assets.library import Pack, open_pack
from refergym.assets.mjcf import write_mjcf
from refergym.assets.randomisation.base import Randomisation
from refergym.assets.records import Record
from refergym.assets.spec import SceneSpec, load_scene
from refergym.assets.urdf import write_urdf
from refergym.envs.building import build_part
from refergym.envs.starts import settle
from refergym.envs.types import Backend
from refergym.rollouts.errors import ConfigError, DataError, OutputError

GROUPS = ("scene", "randomisation", "backend")


class Source(Record, frozen=True, kw_only=True):
    """Which scene."""

    scene: dict[str, Any]
    """config of the composer"""
    randomisation: dict[str, Any]
    backend: dict[str, Any]
    """config of the one in which the things come to rest"""
    seed: int
    index: int
    spec: str | None
    """file of a scene, which is taken instead"""
    pack: str | None
    """folder of the pack; None takes the one that ships"""


class Written(Record, frozen=True, kw_only=True):
    """In which form."""

    format: Literal["usd", "urdf", "mjcf"]
    robot: bool
    """usd: whether the arm is in it"""
    usdz: bool
    """usd: whether all goes into one file as well"""


class Report(Record, frozen=True, kw_only=True):
    """What an export of a scene came to."""

    format: str
    file: str
    """to open; of URDF the folder with a file for each object"""
    scene: str
    """digest of the SceneSpec"""
    poses: str
    """kind of backend whose poses at rest the objects stand at"""
    objects: int
    findings: tuple[str, ...] = ()
    """of a stage: what its checks complain of"""


def need_usd() -> None:
    """Check that stages can be written at all.

    Raises:
        ConfigError: if usd-core is not installed.
    """
    try:
        from refergym.assets.usd import pixar  # noqa: F401
    except ImportError as e:
        raise ConfigError(
            "format: usd needs the extra usd: pip install 'refergym[usd]' (EXTRAS=usd)"
        ) from e


def make_scene(source: Source) -> tuple[SceneSpec, Pack, str]:
    """Return a settled scene, its pack, and the kind of backend that settled it.

    Raises:
        EnvError: naming the key that is wrong.
        DataError: naming the file that is no scene, or is of another pack.
        ComposeError: if the composer finds no scene.
        PackError: if the pack is damaged.
    """
    pack = open_pack(source.pack)
    groups = OmegaConf.create({key: getattr(source, key) for key in GROUPS})
    backend: Backend = build_part(groups, "backend", pack)
    try:
        if source.spec is None:
            composer: Composer = build_part(groups, "scene", pack)
            change: Randomisation = build_part(groups, "randomisation", pack)
            scene = change(composer.compose(source.seed, source.index), source.seed, source.index)
        else:
            scene = _read(Path(source.spec), pack)
        return settle(scene, backend), pack, backend.kind
    finally:
        backend.close()


def export_scene(source: Source, written: Written, out: Path) -> Report:
    """Write a scene for another simulator.

    Args:
        source: which scene.
        written: in which form.
        out: a folder that is empty.

    Raises:
        ConfigError: if the extra is missing.
        OutputError: if the folder cannot be written.
        ValueError: as `make_scene`.
    """
    if written.format == "usd":
        need_usd()
    scene, pack, kind = make_scene(source)
    findings: tuple[str, ...] = ()
    try:
        if written.format == "usd":
            file, findings = _write_usd(scene, pack, out, kind, written)
        elif written.format == "mjcf":
            file = write_mjcf(scene, pack, out, kind)
        else:
            write_urdf(scene, pack, out)
            file = out / "objects"
    except OSError as e:
        raise OutputError(f"out: cannot write {e.filename or out}: {e.strerror or e}") from e
    return Report(
        format=written.format,
        file=file.relative_to(out).as_posix(),
        scene=scene.digest,
        poses=kind,
        objects=len(scene.objects),
        findings=findings,
    )


def _write_usd(
    scene: SceneSpec, pack: Pack, out: Path, kind: str, written: Written
) -> tuple[Path, tuple[str, ...]]:
    from refergym.assets.usd.checks import check_stage
    from refergym.assets.usd.stage import pack_stage, write_stage

    file = write_stage(scene, pack, out, poses=kind, robot=written.robot)
    findings = tuple(str(f) for f in check_stage(file))
    return (pack_stage(file, out / "scene.usdz") if written.usdz else file), findings


def _read(path: Path, pack: Pack) -> SceneSpec:
    try:
        scene = load_scene(path.read_bytes())
    except OSError as e:
        raise DataError(f"spec: {path}: cannot read ({e.strerror})") from e
    except SpecError as e:
        raise DataError(f"spec: {path}: {e}") from e
    if scene.pack != pack.digest:
        raise DataError(f"spec: {path}: made of another pack; name its folder by pack=")
    return scene
