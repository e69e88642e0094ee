"""A stage of ours passes every check, and a stage that is spoilt in one way fails the right one."""

import furnished
import numpy as np
import pytest
from pxr import Sdf, Usd, UsdGeom, UsdPhysics, UsdShade, Vt

from refergym.assets.composers.infinigen import Infinigen
from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.errors import SpecError
from refergym.assets.usd import names
from refergym.assets.usd.checks import check_prims, check_stage


def test_a_stage_passes(stage_file):
    assert check_stage(stage_file) == []


@pytest.mark.parametrize("seed", range(3))
def test_stages_of_composed_scenes_pass(seed, written, pack):
    composer = Tabletop() if seed else Infinigen(pack=pack)
    assert check_stage(written(composer.compose(seed))) == []


@pytest.mark.parametrize("kind", furnished.KINDS)
def test_stages_with_furniture_pass(kind, written, furniture):
    room = furnished.room(furniture, kind, *furnished.BLOCKS)
    assert check_stage(written(room, furniture)) == []


def nest(stage, thing):
    UsdPhysics.RigidBodyAPI.Apply(stage.GetPrimAtPath(f"{thing}/geometry"))


def articulate_twice(stage, thing):
    UsdPhysics.ArticulationRootAPI.Apply(stage.GetPrimAtPath(names.link_path("link3")))


def hang_on_nothing(stage, thing):
    UsdPhysics.FixedJoint.Define(stage, "/World/joint").CreateBody0Rel().SetTargets(["/World/none"])


def refer_to_nothing(stage, thing):
    stage.GetPrimAtPath(thing).GetReferences().AddReference("./none.usd")


def unbind(stage, thing):
    stage.GetPrimAtPath(f"{thing}/geometry/visual").RemoveAPI(UsdShade.MaterialBindingAPI)


def make_lighter_than_nothing(stage, thing):
    UsdPhysics.MassAPI(stage.GetPrimAtPath(thing)).GetMassAttr().Set(-1.0)


def forget_the_mass(stage, thing):
    stage.GetPrimAtPath(thing).RemoveAPI(UsdPhysics.MassAPI)


def turn_too_easily(stage, thing):
    UsdPhysics.MassAPI(stage.GetPrimAtPath(thing)).GetDiagonalInertiaAttr().Set((1.0, 1.0, 5.0))


def make_hollow(stage, thing):
    stage.GetPrimAtPath(f"{thing}/geometry/collision").SetActive(False)


def dent(stage, thing):
    points = UsdGeom.Mesh(stage.GetPrimAtPath(f"{thing}/geometry/collision/part_0")).GetPointsAttr()
    moved = np.array(points.Get())
    moved[0] = moved.mean(axis=0)
    points.Set(Vt.Vec3fArray.FromNumpy(moved))


def turn_inside_out(stage, thing):
    part = UsdGeom.Mesh(stage.GetPrimAtPath(f"{thing}/geometry/collision/part_0"))
    corners = np.array(part.GetFaceVertexIndicesAttr().Get())
    part.GetFaceVertexIndicesAttr().Set(Vt.IntArray.FromNumpy(corners[::-1].copy()))


def leave_the_hull_to_the_engine(stage, thing):
    part = stage.GetPrimAtPath(f"{thing}/geometry/collision/part_0")
    UsdPhysics.MeshCollisionAPI(part).GetApproximationAttr().Set("convexDecomposition")


def let_a_scope_fall(stage, thing):
    UsdPhysics.RigidBodyAPI.Apply(UsdGeom.Scope.Define(stage, "/World/scope").GetPrim())


def measure_in_centimetres(stage, thing):
    UsdGeom.SetStageMetersPerUnit(stage, 0.01)


def turn_y_up(stage, thing):
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (nest, "nested_rigid_body"),
        (articulate_twice, "NestedArticulation"),
        (hang_on_nothing, "JointInvalidPrimRel"),
        (refer_to_nothing, "CompositionError"),
        (unbind, "MissingMaterialBindingAPI"),
        (make_lighter_than_nothing, "MassInvalidValues"),
        (make_lighter_than_nothing, "no_mass"),
        (forget_the_mass, "no_mass"),
        (turn_too_easily, "inertia"),
        (make_hollow, "no_collider"),
        (dent, "not_convex"),
        (turn_inside_out, "not_convex"),
        (leave_the_hull_to_the_engine, "not_baked"),
        (let_a_scope_fall, "RigidBodyNonXformable"),
        (measure_in_centimetres, "units"),
        (turn_y_up, "units"),
    ],
)
def test_a_spoilt_stage_fails(spoil, rule, stage_file, scene, capfd):
    stage = Usd.Stage.Open(str(stage_file))
    if spoil not in (measure_in_centimetres, turn_y_up):
        stage.SetEditTarget(stage.GetSessionLayer())
        spoil(stage, names.object_paths(scene)[0])
        assert rule in {finding.rule for finding in check_prims(stage)}
        return
    copy = Usd.Stage.Open(Usd.Stage.Open(str(stage_file)).Flatten())
    spoil(copy, "")
    assert rule in {finding.rule for finding in check_prims(copy)}


def test_files_that_are_missing_or_elsewhere_are_found(written, scene, tmp_path, capfd):
    path = written(scene)
    picture = next(path.parent.glob("assets/*/*.png"))
    shown = picture.relative_to(path.parent).as_posix()
    picture.rename(tmp_path / "taken.png")
    found = check_stage(path)
    assert [f.rule for f in found if "file" in f.rule] == ["file_missing"]
    assert shown in str(found[0])
    other = Usd.Stage.CreateNew(str(tmp_path / "outside.usda"))
    other.SetDefaultPrim(UsdGeom.Xform.Define(other, "/outside").GetPrim())
    other.Save()
    stage = Usd.Stage.Open(str(path))
    prim = stage.DefinePrim("/World/stranger", "Xform")
    prim.GetReferences().AddReference(Sdf.Reference(str(tmp_path / "outside.usda")))
    stage.Save()
    rules = {f.rule for f in check_stage(path)}
    assert {"file_outside", "absolute_path"} <= rules


def test_what_is_no_stage_is_named(tmp_path):
    with pytest.raises(SpecError, match=r"none\.usda: not a readable USD stage"):
        check_stage(tmp_path / "none.usda")
