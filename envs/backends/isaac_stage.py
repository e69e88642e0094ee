"""The scene's USD stage as Isaac's backend opens it: written by the USD export, prims by name."""

import importlib
from dataclasses import dataclass
from pathlib import Path

from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec
from refergym.assets.usd import names
from refergym.envs.errors import BackendError

WRITER = "refergym.assets.usd.stage"
"""has write_stage(scene, pack, folder, poses=kind)"""
ROBOT = "/World/robot"
CAMERAS = "/World/cameras"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage on disk, and what its prims are."""

    file: Path
    objects: tuple[str, ...]
    """path of each object's rigid body, in the order of the scene's"""
    supports: tuple[str, ...]
    fixtures: tuple[str, ...]


def write(scene: SceneSpec, pack: Pack, folder: Path, poses: str | None) -> Stage:
    """Write a scene as a stage.

    Args:
        scene: any scene.
        pack: where its assets are.
        folder: gets the stage and what it refers to.
        poses: kind of backend whose poses at rest the objects stand at; None takes the composed.

    Raises:
        BackendError: if the USD export, or USD itself, is missing.
    """
    try:
        writer = importlib.import_module(WRITER)
    except ImportError as e:
        raise BackendError(f"backend=isaac needs the USD export ({e}); see docs/isaac.md") from e
    file = Path(writer.write_stage(scene, pack, folder, poses=poses))
    return named(scene, file)


def named(scene: SceneSpec, file: Path) -> Stage:
    """Say where the prims of a scene's stage are."""
    return Stage(
        file=file,
        objects=names.object_paths(scene),
        supports=names.support_paths(scene),
        fixtures=names.fixture_paths(scene),
    )
