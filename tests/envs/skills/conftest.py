"""Small scenes with single things at known places."""

from collections.abc import Callable

import numpy as np
import pytest

from refergym.assets import poses
from refergym.assets.camera import camera_from_fov, look_at
from refergym.assets.library import open_pack
from refergym.assets.spec import ObjectSpec, Pose, SceneSpec, SupportSpec
from refergym.envs.geometry.caster import Caster
from refergym.envs.types import State

Thing = tuple[str, float, float, float, float]
"""asset, x, y, z (m), yaw (rad)"""


@pytest.fixture(scope="session")
def caster() -> Caster:
    return Caster()


@pytest.fixture(scope="session")
def scene() -> Callable[..., tuple[SceneSpec, State]]:
    def make(*things: Thing, scale: float = 1.0) -> tuple[SceneSpec, State]:
        table = SupportSpec(
            id="table", pose=Pose(position=(0.625, 0.0, -0.02)), size=(0.85, 1.3, 0.04)
        )
        floor = SupportSpec(id="floor", pose=Pose(position=(0.5, 0.0, -0.8)), size=(4, 4, 0.1))
        rows = [np.array([x, y, z, *poses.about_z(yaw)]) for _, x, y, z, yaw in things]
        objects = tuple(
            ObjectSpec(id=f"{name}_{i}", asset=name, scale=scale, pose=poses.as_pose(row))
            for i, ((name, *_), row) in enumerate(zip(things, rows, strict=True))
        )
        spec = SceneSpec(
            pack=open_pack().digest,
            supports=(table, floor),
            objects=objects,
            camera=camera_from_fov(64, 64, 60, look_at((1.2, 0.0, 0.6), (0.5, 0.0, 0.0))),
            settled={"kinematic": tuple(o.pose for o in objects)},
        )
        joints = np.array([*spec.robot.parked, 0.04, 0.04])
        return spec, State(objects=np.array(rows).reshape(-1, 7), joints=joints)

    return make
