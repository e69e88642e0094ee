"""What a stage shows is the scene: places, shapes, masses, materials, labels, robot."""

import shutil

import furnished
import msgspec
import numpy as np
import pytest
from pxr import Gf, Sdf, Usd, UsdGeom, UsdLux, UsdPhysics, UsdSemantics, UsdShade, UsdUtils
from scipy.spatial import ConvexHull

from refergym.assets.camera import pose_matrix
from refergym.assets.errors import PackError, SpecError
from refergym.assets.inertia import dynamics
from refergym.assets.lighting import SUN
from refergym.assets.poses import rotation
from refergym.assets.robots.kinematics import LINKS, link_poses
from refergym.assets.slabs import convex_parts
from refergym.assets.usd import names
from refergym.assets.usd.stage import pack_stage, write_stage


@pytest.fixture(scope="module")
def stage(stage_file):
    return Usd.Stage.Open(str(stage_file))


def world(stage, path):
    """Pose [4, 4] of a prim in the world, with its scale."""
    matrix = UsdGeom.XformCache().GetLocalToWorldTransform(stage.GetPrimAtPath(path))
    return np.array(matrix).T


def points_w(stage, path):
    """Vertices [V, 3] m of a mesh in the world."""
    points = np.array(UsdGeom.Mesh(stage.GetPrimAtPath(path)).GetPointsAttr().Get(), np.float64)
    matrix = world(stage, path)
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def placed(points, pose, scale=1.0):
    matrix = pose_matrix(pose)
    return np.asarray(points, np.float64) * scale @ matrix[:3, :3].T + matrix[:3, 3]


def test_units_axis_and_gravity_are_said(stage):
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1.0
    assert UsdPhysics.GetStageKilogramsPerUnit(stage) == 1.0
    assert UsdGeom.GetStageUpAxis(stage) == UsdGeom.Tokens.z
    assert stage.GetDefaultPrim().GetPath() == names.WORLD
    gravity = UsdPhysics.Scene(stage.GetPrimAtPath(names.PHYSICS_SCENE))
    assert gravity.GetGravityDirectionAttr().Get() == (0, 0, -1)
    assert gravity.GetGravityMagnitudeAttr().Get() == pytest.approx(9.81)


def test_objects_are_drawn_where_the_scene_has_them(stage, scene, pack):
    for path, thing in zip(names.object_paths(scene), scene.objects, strict=True):
        expected = placed(pack.mesh(thing.asset).vertices, thing.pose, thing.scale)
        assert points_w(stage, f"{path}/geometry/visual") == pytest.approx(expected, abs=1e-6)


def test_objects_collide_as_the_hulls_of_their_parts(stage, scene, pack):
    for path, thing in zip(names.object_paths(scene), scene.objects, strict=True):
        parts = pack.hulls(thing.asset)
        group = stage.GetPrimAtPath(f"{path}/geometry/collision")
        assert len(group.GetChildren()) == len(parts)
        for k, points in enumerate(parts):
            found = points_w(stage, f"{path}/geometry/collision/part_{k}")
            expected = ConvexHull(placed(points, thing.pose, thing.scale))
            assert ConvexHull(found).volume == pytest.approx(expected.volume, rel=1e-4)
            assert len(found) == len(expected.vertices)
            assert found.min(axis=0) == pytest.approx(expected.min_bound, abs=1e-6)


def test_objects_have_the_mass_and_inertia_of_their_scale(stage, scene, pack):
    for path, thing in zip(names.object_paths(scene), scene.objects, strict=True):
        info, prim = pack[thing.asset], stage.GetPrimAtPath(path)
        assert prim.HasAPI(UsdPhysics.RigidBodyAPI)
        mass = UsdPhysics.MassAPI(prim)
        expected = info.mass * thing.scale**3 * thing.mass_scale
        assert mass.GetMassAttr().Get() == pytest.approx(expected)
        com = np.array(mass.GetCenterOfMassAttr().Get())
        assert com == pytest.approx(np.array(info.com) * thing.scale, abs=1e-7)
        axes = mass.GetPrincipalAxesAttr().Get()
        turn = rotation([axes.GetReal(), *axes.GetImaginary()])
        moments = np.array(mass.GetDiagonalInertiaAttr().Get(), np.float64)
        xx, yy, zz, xy, xz, yz = info.inertia
        tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        found = turn @ np.diag(moments) @ turn.T
        grown = tensor * thing.scale**5 * thing.mass_scale
        assert found == pytest.approx(grown, abs=1e-5 * grown.max())


def test_every_collider_has_the_friction_of_its_thing(stage, scene, pack):
    expected = {
        p: s.friction for p, s in zip(names.support_paths(scene), scene.supports, strict=True)
    }
    for path, thing in zip(names.object_paths(scene), scene.objects, strict=True):
        expected[path] = dynamics(pack[thing.asset], thing).friction
    expected[names.link_path("leftfinger")] = 2.0
    assert any(thing.friction is not None for thing in scene.objects), "nothing was overridden"
    for path, friction in expected.items():
        below = Usd.PrimRange(stage.GetPrimAtPath(path))
        colliders = [p for p in below if p.HasAPI(UsdPhysics.CollisionAPI)]
        assert colliders
        for prim in colliders:
            binding = UsdShade.MaterialBindingAPI(prim).GetDirectBinding("physics")
            material = UsdPhysics.MaterialAPI(binding.GetMaterial().GetPrim())
            assert material.GetDynamicFrictionAttr().Get() == pytest.approx(friction)
            assert material.GetStaticFrictionAttr().Get() == pytest.approx(friction)


def test_tints_multiply_the_texture(stage, scene):
    assert any(thing.tint != (1, 1, 1) for thing in scene.objects), "nothing was tinted"
    for path, thing in zip(names.object_paths(scene), scene.objects, strict=True):
        visual = stage.GetPrimAtPath(f"{path}/geometry/visual")
        material = UsdShade.MaterialBindingAPI(visual).ComputeBoundMaterial()[0]
        node = UsdShade.Shader(stage.GetPrimAtPath(f"{material.GetPath()}/texture"))
        assert np.array(node.GetInput("scale").Get()) == pytest.approx((*thing.tint, 1))
        assert node.GetInput("file").Get().resolvedPath.endswith(".png")


def test_a_texture_lies_on_a_thing_as_our_own_renderers_have_it(stage, scene, pack):
    path, thing = names.object_paths(scene)[0], scene.objects[0]
    visual = stage.GetPrimAtPath(f"{path}/geometry/visual")
    st = np.array(UsdGeom.PrimvarsAPI(visual).GetPrimvar("st").Get())
    uv = pack.mesh(thing.asset).uv  # from the top left
    assert st[:, 0] == pytest.approx(uv[:, 0], abs=1e-6)
    assert st[:, 1] == pytest.approx(1 - uv[:, 1], abs=1e-6)


def test_things_have_semantic_labels(stage, scene, pack):
    def labels(path, taxonomy):
        return list(
            UsdSemantics.LabelsAPI(stage.GetPrimAtPath(path), taxonomy).GetLabelsAttr().Get()
        )

    for path, thing in zip(names.object_paths(scene), scene.objects, strict=True):
        assert labels(path, "class") == [pack[thing.asset].category]
        assert labels(path, "instance") == [thing.id]
    for path, support in zip(names.support_paths(scene), scene.supports, strict=True):
        assert labels(path, "class") == [support.id]
    assert labels(names.ROBOT, "class") == ["robot"]


def test_a_box_stays_a_primitive(stage, scene):
    for path, support in zip(names.support_paths(scene), scene.supports, strict=True):
        cube = UsdGeom.Cube(stage.GetPrimAtPath(f"{path}/slab"))
        matrix = world(stage, f"{path}/slab")
        sides = np.linalg.norm(matrix[:3, :3], axis=0) * cube.GetSizeAttr().Get()
        assert sides == pytest.approx(support.size)
        assert matrix[:3, 3] == pytest.approx(support.pose.position)
        assert not stage.GetPrimAtPath(path).HasAPI(UsdPhysics.RigidBodyAPI)
        drawn = points_w(stage, f"{path}/visual")
        assert drawn.max(axis=0)[2] == pytest.approx(support.top, abs=1e-6)
        assert np.ptp(drawn, axis=0) == pytest.approx(support.size, abs=1e-5)


def test_a_table_tops_texture_repeats_as_our_own_renderers_have_it(stage, scene):
    support = scene.supports[0]
    assert support.texture is not None
    prim = stage.GetPrimAtPath(f"{names.support_paths(scene)[0]}/visual")
    mesh = UsdGeom.Mesh(prim)
    points = np.array(mesh.GetPointsAttr().Get())
    corners = np.array(mesh.GetFaceVertexIndicesAttr().Get())
    st = np.array(UsdGeom.PrimvarsAPI(prim).GetPrimvar("st").Get())
    normals = np.array(mesh.GetNormalsAttr().Get())
    top = normals[:, 2] > 0.5
    assert top.sum() == 4
    # u goes along x, v, which is down in a picture, along y
    expected = points[corners[top], :2] * (1, -1) / support.texture_scale
    assert st[top] == pytest.approx(expected, rel=1e-5)
    side = np.abs(normals[:, 2]) < 0.5
    spans = np.ptp(st[side].reshape(4, 4, 2), axis=1) * support.texture_scale
    x, y, z = support.size
    assert sorted(spans[:, 0]) == pytest.approx(sorted([x, x, y, y]), rel=1e-5)
    assert spans[:, 1] == pytest.approx(z, rel=1e-5)
    assert ((points[corners] * normals).sum(axis=1) > 0).all()


def test_fixtures_are_only_seen(stage, scene):
    for path, fixture in zip(names.fixture_paths(scene), scene.fixtures, strict=True):
        below = list(Usd.PrimRange(stage.GetPrimAtPath(path)))
        assert not any(p.HasAPI(UsdPhysics.CollisionAPI) for p in below)
        surface = UsdShade.Shader(stage.GetPrimAtPath(f"{path}/looks/surface/surface"))
        glows = surface.GetInput("emissiveColor")
        assert bool(glows) == (fixture.glow > 0)
        if glows:
            assert max(glows.Get()) == pytest.approx(fixture.glow * max(fixture.colour))


def test_the_sun_shines_from_where_the_scene_has_it(stage, scene):
    direction = np.array(scene.light.direction)
    towards = world(stage, f"{names.LIGHTS}/sun")[:3, 2]  # a distant light shines along -z
    assert towards == pytest.approx(direction / np.linalg.norm(direction), abs=1e-6)
    sun = UsdLux.DistantLight(stage.GetPrimAtPath(f"{names.LIGHTS}/sun"))
    nominal = 1000 * np.pi * max(SUN)
    assert sun.GetIntensityAttr().Get() == pytest.approx(nominal * scene.light.intensity, rel=1e-5)


def test_the_robots_links_stand_as_its_joints_say(stage, scene):
    joints = np.array([*scene.robot.parked, 0.04, 0.04])
    expected = pose_matrix(scene.robot.base) @ link_poses(joints)
    for link, matrix in zip(LINKS, expected, strict=True):
        assert world(stage, names.link_path(link)) == pytest.approx(matrix, abs=1e-6)
    assert world(stage, names.ROBOT) == pytest.approx(pose_matrix(scene.robot.base), abs=1e-6)
    for path, value in zip(names.joint_paths(), joints, strict=True):
        prim = stage.GetPrimAtPath(path)
        turns = prim.IsA(UsdPhysics.RevoluteJoint)
        kind, unit, stiffness = ("angular", np.degrees(1), 4000) if turns else ("linear", 1, 1e4)
        position = prim.GetAttribute(f"state:{kind}:physics:position").Get()
        assert position == pytest.approx(value * unit)
        drive = UsdPhysics.DriveAPI(prim, kind)
        assert drive.GetTargetPositionAttr().Get() == pytest.approx(value * unit)
        assert drive.GetStiffnessAttr().Get() * unit == pytest.approx(stiffness)
        assert drive.GetMaxForceAttr().Get() > 0


def test_the_two_sides_of_every_joint_meet(stage, scene):
    joints = dict(zip(names.joint_paths(), (*scene.robot.parked, 0.04, 0.04), strict=True))
    found = [p for p in stage.Traverse() if p.IsA(UsdPhysics.Joint)]
    assert len(found) == 11  # seven, two fingers, the hand, the base
    for prim in found:
        joint = UsdPhysics.Joint(prim)
        sides = []
        for body, position, turn in (
            (joint.GetBody0Rel(), joint.GetLocalPos0Attr(), joint.GetLocalRot0Attr()),
            (joint.GetBody1Rel(), joint.GetLocalPos1Attr(), joint.GetLocalRot1Attr()),
        ):
            local = np.eye(4)
            local[:3, 3] = position.Get()
            local[:3, :3] = rotation([turn.Get().GetReal(), *turn.Get().GetImaginary()])
            targets = body.GetTargets()
            sides.append((world(stage, targets[0]) if targets else np.eye(4)) @ local)
        moved = np.eye(4)
        value = joints.get(prim.GetPath().pathString, 0.0)
        axis = np.zeros(3)
        if prim.GetAttribute("physics:axis").Get():
            axis["XYZ".index(prim.GetAttribute("physics:axis").Get())] = 1
        if prim.IsA(UsdPhysics.RevoluteJoint):
            turned = Gf.Rotation(Gf.Vec3d(*axis), float(np.degrees(value))).GetQuat()
            moved[:3, :3] = rotation([turned.GetReal(), *turned.GetImaginary()])
        elif prim.IsA(UsdPhysics.PrismaticJoint):
            moved[:3, 3] = axis * value
        assert sides[0] @ moved == pytest.approx(sides[1], abs=2e-6), prim.GetPath()


def test_there_is_one_articulation_and_a_body_for_every_thing_and_link(stage, scene):
    bodies = [p for p in stage.Traverse() if p.HasAPI(UsdPhysics.RigidBodyAPI)]
    assert len(bodies) == len(scene.objects) + len(LINKS)
    roots = [p.GetPath() for p in stage.Traverse() if p.HasAPI(UsdPhysics.ArticulationRootAPI)]
    assert roots == [names.ROBOT]


def test_without_the_robot_there_is_neither_arm_nor_pedestal(written, scene):
    stage = Usd.Stage.Open(str(written(scene, robot=False)))
    assert not stage.GetPrimAtPath(names.ROBOT)
    assert not stage.GetPrimAtPath(names.PEDESTAL)
    assert stage.GetPrimAtPath(names.object_paths(scene)[0])


def test_things_stand_at_rest_as_a_backend_left_them(written, scene):
    poses = tuple(msgspec.structs.replace(t.pose, position=(0.5, 0.1 * k, 0.2))
                  for k, t in enumerate(scene.objects))  # fmt: skip
    moved = msgspec.structs.replace(scene, settled={"some": poses})
    stage = Usd.Stage.Open(str(written(moved, poses="some")))
    for path, pose in zip(names.object_paths(scene), poses, strict=True):
        assert world(stage, path)[:3, 3] == pytest.approx(pose.position)
    with pytest.raises(SpecError, match="no poses for backend kind 'other'"):
        written(moved, poses="other")


@pytest.mark.parametrize("kind", furnished.KINDS)
def test_furniture_is_seen_and_its_slab_is_hit(kind, written, furniture):
    room = furnished.room(furniture, kind, *furnished.BLOCKS)
    stage = Usd.Stage.Open(str(written(room, furniture)))
    path, table = names.support_paths(room)[0], room.supports[0]
    below = Usd.PrimRange(stage.GetPrimAtPath(path))
    solid = [p for p in below if p.HasAPI(UsdPhysics.CollisionAPI)]
    parts = convex_parts(furniture, table)
    assert len(solid) == len(parts) + (table.outline is None)
    assert bool(stage.GetPrimAtPath(f"{path}/slab")) == (table.outline is None)
    tops = [UsdGeom.Boundable(p).ComputeWorldBound(0, "guide").ComputeAlignedBox() for p in solid]
    assert max(b.GetMax()[2] for b in tops) == pytest.approx(table.top, abs=1e-6)
    drawn = f"{path}/visual" if table.asset is None else f"{path}/furniture/geometry/visual"
    assert points_w(stage, drawn).max(axis=0)[2] == pytest.approx(table.top, abs=1e-5)
    assert not any(
        p.HasAPI(UsdPhysics.RigidBodyAPI) for p in Usd.PrimRange(stage.GetPrimAtPath(path))
    )


def test_ids_that_are_no_names_get_prims_of_their_own(written, scene):
    ids = ("red mug", "red-mug", "2nd", *(t.id for t in scene.objects[3:]))
    things = tuple(
        msgspec.structs.replace(t, id=i) for t, i in zip(scene.objects, ids, strict=True)
    )
    odd = msgspec.structs.replace(scene, objects=things)
    assert names.object_paths(odd)[:3] == (
        "/World/objects/red_mug", "/World/objects/red_mug_2", "/World/objects/_2nd",
    )  # fmt: skip
    stage = Usd.Stage.Open(str(written(odd)))
    shown = UsdSemantics.LabelsAPI(stage.GetPrimAtPath("/World/objects/red_mug_2"), "instance")
    assert list(shown.GetLabelsAttr().Get()) == ["red-mug"]


def test_a_stage_opens_wherever_its_folder_lies(stage_file, tmp_path):
    shutil.copytree(stage_file.parent, tmp_path / "elsewhere")
    moved = tmp_path / "elsewhere" / stage_file.name
    layers, files, missing = UsdUtils.ComputeAllDependencies(str(moved))
    assert not missing
    assert len(layers) > 9
    assert all(f.startswith(str(tmp_path)) for f in [layer.realPath for layer in layers] + files)
    assert str(stage_file.parent) not in moved.read_text()


def test_assets_and_robot_come_with_their_licence(stage_file, scene, pack):
    info = pack[scene.objects[0].asset]
    file = stage_file.parent / "assets" / info.name / f"{info.name}.usdc"
    assert Sdf.Layer.FindOrOpen(str(file)).comment == f"{info.licence}. {info.attribution}"
    assert "Apache License" in (stage_file.parent / "robots/panda/LICENSE.txt").read_text()
    assert "Franka" in (stage_file.parent / "robots/panda/NOTICE").read_text()


def test_a_package_holds_all_of_a_stage(stage_file, scene, tmp_path):
    file = pack_stage(stage_file, tmp_path / "scene.usdz")
    stage = Usd.Stage.Open(str(file))
    visual = stage.GetPrimAtPath(f"{names.object_paths(scene)[0]}/geometry/visual")
    assert len(UsdGeom.Mesh(visual).GetPointsAttr().Get()) > 100
    assert not UsdUtils.ComputeAllDependencies(str(file))[2]


def test_equal_scenes_give_equal_files(scene, pack, tmp_path):
    stages = [
        write_stage(scene, pack, tmp_path / name, cached=tmp_path / f"{name}_cache")
        for name in ("a", "b")
    ]
    files = [sorted(p for p in s.parent.rglob("*") if p.is_file()) for s in stages]
    assert [f.relative_to(tmp_path / "a") for f in files[0]] == [
        f.relative_to(tmp_path / "b") for f in files[1]
    ]
    assert [f.read_bytes() for f in files[0]] == [f.read_bytes() for f in files[1]]


def test_an_asset_that_the_pack_lacks_is_named(scene, pack, tmp_path):
    unknown = msgspec.structs.replace(scene.objects[0], asset="unicorn")
    bad = msgspec.structs.replace(scene, objects=(unknown, *scene.objects[1:]))
    with pytest.raises(PackError, match="asset 'unicorn' is not in pack"):
        write_stage(bad, pack, tmp_path / "out", cached=tmp_path / "cached")
