"""A stage read back is the scene that was written; what was changed in it is read as changed."""

import furnished
import msgspec
import numpy as np
import pytest
from pxr import Gf, Usd, UsdGeom

from refergym.assets.composers.infinigen import Infinigen
from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.errors import SpecError
from refergym.assets.usd import names
from refergym.assets.usd.reading import read_stage
from refergym.assets.usd.stage import pack_stage, write_stage


def edited(path, change):
    stage = Usd.Stage.Open(str(path))
    change(stage)
    stage.GetRootLayer().Save()
    return path


def test_the_scene_comes_back(stage_file, scene):
    assert read_stage(stage_file) == scene
    assert read_stage(stage_file).digest == scene.digest


@pytest.mark.parametrize("seed", range(4))
def test_composed_scenes_come_back(seed, written, pack):
    composer = Tabletop() if seed % 2 else Infinigen(pack=pack)
    scene = composer.compose(seed)
    kind = next(iter(scene.settled), None)
    assert read_stage(written(scene, poses=kind)).digest == scene.digest


@pytest.mark.parametrize("kind", furnished.KINDS)
def test_rooms_with_furniture_come_back(kind, written, furniture):
    room = furnished.room(furniture, kind, *furnished.BLOCKS)
    path = written(room, furniture)
    assert read_stage(path).digest == room.digest
    assert read_stage(pack_stage(path, path.with_suffix(".usdz"))).digest == room.digest


def test_a_folder_is_written_anew_while_its_stage_is_open(scene, pack, cached, tmp_path):
    path = write_stage(scene, pack, tmp_path / "out", cached=cached)
    before = Usd.Stage.Open(str(path))
    fewer = msgspec.structs.replace(scene, objects=scene.objects[:3], fixtures=(), settled={})
    assert write_stage(fewer, pack, tmp_path / "out", cached=cached) == path
    assert read_stage(path).digest == fewer.digest
    assert len(before.GetPrimAtPath(names.OBJECTS).GetChildren()) == 3
    del before
    assert read_stage(path).digest == fewer.digest, "and so it stands on disk"


def test_a_scene_without_its_robot_comes_back(written, scene):
    assert read_stage(written(scene, robot=False)).digest == scene.digest


def test_a_thing_that_was_moved_is_read_where_it_is(written, scene):
    path, moved = names.object_paths(scene)[2], (0.51, -0.12, 0.3)

    def move(stage):
        stage.GetPrimAtPath(path).GetAttribute("xformOp:translate").Set(Gf.Vec3d(*moved))

    read = read_stage(edited(written(scene), move))
    assert read.objects[2].pose.position == moved
    assert read.objects[2].pose.orientation == scene.objects[2].pose.orientation
    assert read.objects[:2] == scene.objects[:2]
    assert read.settled == {}, "poses at rest of things that stand elsewhere now"


def test_a_thing_that_was_posed_by_a_matrix_is_read_where_it_is(written, scene):
    def move(stage):
        prim = UsdGeom.Xformable(stage.GetPrimAtPath(names.object_paths(scene)[0]))
        turned = Gf.Matrix4d(Gf.Rotation(Gf.Vec3d(0, 0, 1), 90), Gf.Vec3d(0.4, 0.1, 0.02))
        prim.ClearXformOpOrder()
        prim.AddTransformOp().Set(turned)

    pose = read_stage(edited(written(scene), move)).objects[0].pose
    assert pose.position == pytest.approx((0.4, 0.1, 0.02))
    assert pose.orientation == pytest.approx((np.sqrt(0.5), 0, 0, np.sqrt(0.5)))


def test_a_thing_that_was_taken_away_is_gone(written, scene):
    def remove(stage):
        stage.RemovePrim(names.object_paths(scene)[1])

    read = read_stage(edited(written(scene), remove))
    assert [o.id for o in read.objects] == [o.id for o in scene.objects if o != scene.objects[1]]


def test_a_thing_that_was_scaled_is_read_so_if_evenly(written, scene):
    path = f"{names.object_paths(scene)[0]}/geometry"

    def scale(stage, *factors):
        stage.GetPrimAtPath(path).GetAttribute("xformOp:scale").Set(Gf.Vec3d(*factors))

    file = edited(written(scene), lambda stage: scale(stage, 1.5, 1.5, 1.5))
    assert read_stage(file).objects[0].scale == 1.5
    edited(file, lambda stage: scale(stage, 1.0, 1.5, 1.0))
    with pytest.raises(SpecError, match=f"{path}: expected a uniform scale"):
        read_stage(file)


def test_a_camera_with_another_lens_is_read_so(written, scene):
    def zoom(stage):
        camera = UsdGeom.Camera(stage.GetPrimAtPath(names.camera_path(scene)))
        camera.GetFocalLengthAttr().Set(2 * camera.GetFocalLengthAttr().Get())

    camera = read_stage(edited(written(scene), zoom)).camera
    assert (camera.fx, camera.fy) == pytest.approx((2 * scene.camera.fx, 2 * scene.camera.fy))
    assert (camera.cx, camera.cy) == pytest.approx((scene.camera.cx, scene.camera.cy))
    assert camera.pose == scene.camera.pose


def test_a_robot_that_was_moved_is_read_where_it_is(written, scene):
    def move(stage):
        prim = stage.GetPrimAtPath(names.ROBOT)
        prim.GetAttribute("xformOp:translate").Set(Gf.Vec3d(0.2, 0, 0))

    read = read_stage(edited(written(scene), move))
    assert read.robot.base.position == (0.2, 0, 0)
    assert read.robot.parked == scene.robot.parked
    assert read.objects == scene.objects


def test_what_is_no_stage_of_ours_is_named(tmp_path, written, scene):
    (tmp_path / "broken.usda").write_text("#usda 1.0\ndef {")
    with pytest.raises(SpecError, match=r"broken\.usda: not a readable USD stage"):
        read_stage(tmp_path / "broken.usda")
    with pytest.raises(SpecError, match=r"none\.usda: not a readable USD stage"):
        read_stage(tmp_path / "none.usda")
    other = Usd.Stage.CreateNew(str(tmp_path / "other.usda"))
    UsdGeom.Xform.Define(other, "/World")
    other.Save()
    with pytest.raises(SpecError, match=r"other\.usda: no prim /World/objects: not a stage that"):
        read_stage(tmp_path / "other.usda")
    path = edited(written(scene), lambda s: UsdGeom.Xform.Define(s, "/World/objects/guest"))
    with pytest.raises(SpecError, match="/World/objects/guest: no attribute refergym:record"):
        read_stage(path)


def test_a_record_that_was_broken_is_named(written, scene):
    path = names.object_paths(scene)[0]
    bad = msgspec.to_builtins(scene.objects[0]) | {"scale": -1}

    def spoil(stage):
        stage.GetPrimAtPath(path).GetAttribute("refergym:record").Set(
            msgspec.json.encode(bad).decode()
        )

    with pytest.raises(SpecError, match=f"{path}: scale: expected > 0"):
        read_stage(edited(written(scene), spoil))
