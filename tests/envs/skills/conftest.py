"""Small scenes with single things at known places."""

from collections.abc import Callable

import numpy as np
import pytest

from refergym.assets import poses
from refergym.assets.camera import camera_from_fov, look_at
from refergym.assets.footprints import outline
from refergym.assets.library import AssetInfo, Pack, open_pack
from refergym.assets.spec import ObjectSpec, Pose, SceneSpec, SupportSpec
from refergym.envs.geometry.caster import Caster
from refergym.envs.types import State

Thing = tuple[str, float, float, float, float]
"""asset, x, y, z (m), yaw (rad)"""


ROLES = ("box", "wide box", "bottle", "bowl", "ball", "book", "cup")


@pytest.fixture(scope="session")
def role() -> Callable[[str], str]:
    """Names of things of the shipped pack by what they are like; role("box") is one to grip."""
    pack = open_pack()

    def find(like: str) -> str:
        found = [a for a in pack.manifest.assets if a.use == "item" and _is_like(like, a, pack)]
        assert found, f"the pack has nothing like a {like}"
        # bowls differ in size alone: the largest holds most
        return max(found, key=lambda a: a.size[0]).name if like == "bowl" else found[0].name

    return find


def _is_like(like: str, a: AssetInfo, pack: Pack) -> bool:
    assert like in ROLES
    x, y, z = a.size
    narrow, wide = min(x, y), max(x, y)
    square = outline(pack, a.name).area / (x * y) > 0.93
    if like == "wide box":
        return square and z > 0.08 and narrow > 0.07
    if like == "book":
        return square and a.flat_top and z < 0.04 and narrow > 0.1
    if a.grasp_rate(1.0) < 0.8:
        return False
    if like == "box":
        return square and 0.03 < narrow < 0.066 and wide > 1.3 * narrow and 0.08 < z < 0.2
    if like == "bottle":
        return not square and a.cavity is None and z > 0.15 and 0.05 < wide < 0.1
    if like == "ball":
        return not square and a.cavity is None and 0.05 < z < 1.2 * wide < 0.1 and wide < 1.1 * z
    return a.category == like and a.cavity is not None


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
