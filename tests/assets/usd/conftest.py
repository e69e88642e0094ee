"""Scenes as stages: one with everything in it that a stage can show."""

from collections.abc import Callable
from pathlib import Path

import furnished
import msgspec
import numpy as np
import pytest

from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.library import Pack, open_pack
from refergym.assets.poses import about_z, as_pose
from refergym.assets.randomisation import AXES, Chain
from refergym.assets.spec import SceneSpec


@pytest.fixture(scope="session")
def pack() -> Pack:
    return open_pack()


@pytest.fixture(scope="session")
def scene() -> SceneSpec:
    """Eight things, every axis of randomisation drawn; an uneven camera; the arm stands aside."""
    composed = Chain(dict.fromkeys(AXES, 1.0))(Tabletop(counts=(8, 8)).compose(3), 3)
    camera = composed.camera
    uneven = msgspec.structs.replace(
        camera, height=160, fy=1.3 * camera.fx, cx=camera.cx + 7.3, cy=camera.cy - 21.9
    )
    base = as_pose(np.array([0.05, -0.02, 0.03, *about_z(0.4)]))
    robot = msgspec.structs.replace(composed.robot, base=base)
    fixtures = furnished.fixtures()
    bare = tuple(msgspec.structs.replace(f, texture=None) for f in fixtures[:2]) + fixtures[12:13]
    return msgspec.structs.replace(composed, camera=uneven, robot=robot, fixtures=bare)


@pytest.fixture(scope="session")
def cached(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cached")


@pytest.fixture(scope="session")
def written(
    tmp_path_factory: pytest.TempPathFactory, cached: Path, pack: Pack
) -> Callable[..., Path]:
    """Write a scene into a folder of its own; returns the stage's file."""
    from refergym.assets.usd.stage import write_stage

    def write(scene: SceneSpec, assets: Pack = pack, **how: object) -> Path:
        return write_stage(scene, assets, tmp_path_factory.mktemp("stage"), cached=cached, **how)

    return write


@pytest.fixture(scope="session")
def stage_file(written: Callable[..., Path], scene: SceneSpec) -> Path:
    """The stage of `scene`; not to be changed."""
    return written(scene)


@pytest.fixture(scope="session")
def furniture(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return furnished.make_pack(tmp_path_factory.mktemp("furniture"))
