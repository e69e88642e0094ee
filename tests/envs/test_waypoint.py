"""Waypoints for a mobile base, in rooms with furniture."""

import furnished
import msgspec
import numpy as np
import pytest
from furnished import BLOCKS, KINDS, room

from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.refer_env import ReferEnv
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.tasks import PointAtWaypoint
from refergym.envs.types import ID_FIXTURE, ID_NOTHING, ID_ROBOT, ID_SUPPORT


@pytest.fixture(scope="module")
def furniture(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    return furnished.make_pack(tmp_path_factory.mktemp("furniture"))


class _Rooms:
    """A composer: always the same rooms, one after the other."""

    image_size = (224, 224)

    def __init__(self, pack: Pack) -> None:
        self.pack = pack

    def compose(self, seed: int, index: int = 0, wants: object = None) -> SceneSpec:
        spec = room(self.pack, KINDS[index // 64 % len(KINDS)], *BLOCKS)
        return msgspec.structs.replace(spec, seed=index)


def waypoints(pack: Pack, **parts: object) -> ReferEnv:
    task = PointAtWaypoint(
        sides=["left", "right", "front", "behind"],
        radius=0.25,
        beside=1.2,
        pixels=150,
        furniture_pixels=400,
        pack=pack,
    )
    made: dict[str, object] = {
        "composer": _Rooms(pack),
        "task": task,
        "backend": KinematicBackend(pack),
        "renderer": EmbreeRenderer(pack),
        "pack": pack,
    }
    return ReferEnv(**{**made, **parts})  # type: ignore[arg-type]


@pytest.mark.parametrize("pictures", [True, False])
def test_the_truth_solves_every_waypoint(furniture: Pack, pictures: bool) -> None:
    env = waypoints(furniture, pictures=pictures)
    told = set()
    for index in range(12):
        _, info = env.reset(seed=3, options={"index": index})
        told.add(info["start"].task.instruction)
        *_, info = env.step(np.array(info["truth"]["point_uv"]))
        assert info["verdict"].success
        assert info["hit"] == ID_SUPPORT - 1
    env.close()
    assert len(told) >= 6
    assert any("dining table" in t for t in told)


def test_a_point_at_a_wall_decides_a_pointing_task_as_a_miss(furniture: Pack) -> None:
    env = waypoints(furniture)
    _, info = env.reset(seed=3)
    ids = info["truth"]._look().frame.ids
    for wanted in (ids <= ID_FIXTURE, ids == ID_SUPPORT, ids == ID_NOTHING, ids == ID_ROBOT):
        y, x = np.argwhere(wanted)[len(np.argwhere(wanted)) // 2]
        env.reset(seed=3)
        _, reward, terminated, _, step = env.step((np.array([x, y]) + 0.5) / 224)
        assert (reward, terminated) == (0.0, True)
        assert step["verdict"].stage == "point"
    env.close()
