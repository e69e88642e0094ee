"""The MJCF model of a scene, loaded and stepped by MuJoCo."""

import furnished
import msgspec
import mujoco
import numpy as np
import pytest

from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.errors import SpecError
from refergym.assets.inertia import dynamics
from refergym.assets.library import open_pack
from refergym.assets.mjcf import write_mjcf
from refergym.assets.slabs import convex_parts


@pytest.fixture(scope="module")
def pack():
    return open_pack()


@pytest.fixture(scope="module")
def scene():
    composed = Tabletop(counts=(6, 6)).compose(2)
    heavy = msgspec.structs.replace(composed.objects[0], mass_scale=2.5, friction=0.33)
    return msgspec.structs.replace(composed, objects=(heavy, *composed.objects[1:]))


@pytest.fixture(scope="module")
def model(scene, pack, tmp_path_factory):
    path = write_mjcf(scene, pack, tmp_path_factory.mktemp("mjcf"), "kinematic")
    return mujoco.MjModel.from_xml_path(str(path))


def test_bodies_weigh_and_turn_as_the_scenes_things(model, scene, pack):
    for thing in scene.objects:
        body, moves = model.body(thing.id), dynamics(pack[thing.asset], thing)
        assert body.mass == pytest.approx(moves.mass)
        assert sorted(body.inertia) == pytest.approx(sorted(moves.moments), rel=1e-5)
        assert body.ipos == pytest.approx(moves.com, abs=1e-7)


def test_things_start_where_they_rest(model, scene):
    for thing, pose in zip(scene.objects, scene.poses("kinematic"), strict=True):
        start = model.joint(thing.id).qpos0
        assert start == pytest.approx((*pose.position, *pose.orientation), abs=1e-7)


def test_parts_collide_and_what_is_seen_does_not(model, scene, pack):
    for thing in scene.objects:
        body = model.body(thing.id)
        geoms = range(body.geomadr[0], body.geomadr[0] + body.geomnum[0])
        solid = [g for g in geoms if model.geom_contype[g]]
        assert len(solid) == len(pack.hulls(thing.asset))
        assert len(list(geoms)) == len(solid) + 1
        friction = dynamics(pack[thing.asset], thing).friction
        assert model.geom_friction[solid, 0] == pytest.approx(friction)


def test_what_stands_keeps_standing(model, scene):
    data = mujoco.MjData(model)
    start = data.qpos.copy()
    mujoco.mj_step(model, data, nstep=500)  # a second
    moved = np.abs(data.qpos - start).reshape(-1, 7)[:, :3]
    assert moved.max() < 0.01
    assert np.abs(data.qvel).max() < 0.5
    assert data.ncon >= len(scene.objects)


@pytest.mark.parametrize("kind", furnished.KINDS)
def test_furniture_carries_things(kind, tmp_path):
    pack = furnished.make_pack(tmp_path)
    room = furnished.room(pack, kind, *furnished.BLOCKS)
    model = mujoco.MjModel.from_xml_path(str(write_mjcf(room, pack, tmp_path / "out")))
    table = model.body("table")
    box = room.supports[0].outline is None
    assert table.geomnum[0] == len(convex_parts(pack, room.supports[0])) + box
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, nstep=300)
    heights = data.qpos.reshape(-1, 7)[:, 2]
    assert heights == pytest.approx(np.zeros(len(furnished.BLOCKS)), abs=0.002)


def test_poses_of_a_backend_that_never_settled_it_are_refused(scene, pack, tmp_path):
    with pytest.raises(SpecError, match="no poses for backend kind 'isaac'"):
        write_mjcf(scene, pack, tmp_path, "isaac")
