"""The Panda as a USD file, from its URDF: links, joints with drives and states, hulls.

/panda                 articulation root, semantic label `class`
/panda_link0, ...    rigid bodies side by side, none below another
/visual            drawn
/collision         the convex hull, not drawn
/joints              panda_joint1 to 7, panda_finger_joint1 and 2, what is fixed
/looks               materials
"""

import functools
import math
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refergym.assets.camera import matrix_pose
from refergym.assets.library import load_parts
from refergym.assets.robots.description import Joint, Link, read_urdf
from refergym.assets.robots.kinematics import FINGER_MAX, LINKS, link_poses
from refergym.assets.robots.panda_model import (
    FOLDER,
    GRIP_FORCE,
    PAD_FRICTION,
    LinkVisual,
    panda_urdf,
    panda_visuals,
)
from refergym.assets.spec import Pose, RobotSpec
from refergym.assets.usd import bodies, cache, looks, shapes
from refergym.assets.usd.asset_files import new_stage
from refergym.assets.usd.names import ROBOT_LINK
from refergym.assets.usd.pixar import Gf, Kind, Sdf, Usd, UsdGeom, UsdPhysics, UsdShade

Array = NDArray[np.float64]

VERSION = 1
"""of the file's form; another one makes it anew"""
STIFFNESS, DAMPING = 4000.0, 200.0
"""N m/rad, N m s/rad, of the drives of the arm's joints"""
FINGER_STIFFNESS, FINGER_DAMPING = 10_000.0, 200.0
"""N/m, N s/m"""
FRICTION = 0.5
"""lateral, of all links but the fingers"""

_TYPES = Sdf.ValueTypeNames
_ROOT = "/panda"
_JOINTS = f"{_ROOT}/joints"


def add_robot(folder: Path, cached: Path) -> str:
    """Put the robot's file into a folder of a stage; returns its path, relative to the folder."""
    files = [panda_urdf(), FOLDER / "visuals.npz", *sorted(FOLDER.glob("meshes/collision/*"))]
    sums = (cache.file_sum(file) for file in files)
    made = cache.entry(cached, cache.key(["panda", VERSION, *sums]), write_robot)
    cache.copy(made, folder / "robots" / "panda")
    return "./robots/panda/panda.usdc"


def write_robot(folder: Path) -> Path:
    """Write panda.usdc, at the default posture, and its licence; returns the path."""
    described = read_urdf(panda_urdf())
    path = folder / "panda.usdc"
    stage = new_stage(path)
    root = UsdGeom.Xform.Define(stage, _ROOT).GetPrim()
    stage.SetDefaultPrim(root)
    Usd.ModelAPI(root).SetKind(Kind.Tokens.component)
    shapes.label(root, **{"class": "robot"})
    _articulate(stage, root)
    UsdGeom.Scope.Define(stage, f"{_ROOT}/looks")
    plain = looks.touch(stage, f"{_ROOT}/looks/link_contact", FRICTION)
    lateral, spinning, rolling = PAD_FRICTION
    pads = looks.touch(
        stage, f"{_ROOT}/looks/pad_contact", lateral, spinning=spinning, rolling=rolling
    )
    paint = functools.cache(functools.partial(_paint, stage))
    visuals = {f"{ROBOT_LINK}{v.link}": v for v in panda_visuals()}
    for link in described.links:
        prim = UsdGeom.Xform.Define(stage, f"{_ROOT}/{link.name}").GetPrim()
        bodies.rigid(prim, bodies.principal_dynamics(link.mass, link.com, link.inertia, FRICTION))
        _weightless(prim)
        _draw(stage, f"{_ROOT}/{link.name}/visual", visuals[link.name], paint)
        contact = pads if "finger" in link.name else plain
        shapes.hull(stage, f"{_ROOT}/{link.name}/collision", _corners(link), contact)
    for frame in described.frames:
        mark = UsdGeom.Xform.Define(stage, f"{_ROOT}/{frame.link}/{frame.name}").GetPrim()
        shapes.place(mark, matrix_pose(frame.origin))
    UsdGeom.Scope.Define(stage, _JOINTS)
    base = UsdPhysics.FixedJoint.Define(stage, f"{_JOINTS}/base")
    base.CreateBody1Rel().SetTargets([f"{_ROOT}/{described.links[0].name}"])
    for joint in described.joints:
        _join(stage, joint)
    pose_robot(stage, _ROOT, RobotSpec())
    stage.GetRootLayer().Save()
    for file in ("LICENSE.txt", "NOTICE"):
        shutil.copyfile(FOLDER / file, folder / file)
    return path


def pose_robot(stage: Usd.Stage, path: str, robot: RobotSpec) -> None:
    """Let a robot stand at its base in its parked posture, the fingers open.

    Links, states and targets of the joints agree, and the base is fixed to the world there.

    Args:
        stage: where the robot is, or is referenced.
        path: of the robot.
        robot: base and posture.
    """
    shapes.place(stage.OverridePrim(path), robot.base)
    joints = np.array([*robot.parked, FINGER_MAX, FINGER_MAX])
    for link, matrix in zip(LINKS, link_poses(joints), strict=True):
        shapes.place(stage.OverridePrim(f"{path}/{ROBOT_LINK}{link}"), matrix_pose(matrix))
    base = stage.OverridePrim(f"{path}/joints/base")
    position, turn = _frame(robot.base)
    base.CreateAttribute("physics:localPos0", _TYPES.Point3f, custom=False).Set(position)
    base.CreateAttribute("physics:localRot0", _TYPES.Quatf, custom=False).Set(turn)
    for k, value in enumerate(joints.tolist()):
        name, kind = (f"joint{k + 1}", "angular") if k < 7 else (f"finger_joint{k - 6}", "linear")
        prim = stage.OverridePrim(f"{path}/joints/panda_{name}")
        shown = math.degrees(value) if kind == "angular" else value
        for key in (f"drive:{kind}:physics:targetPosition", f"state:{kind}:physics:position"):
            prim.CreateAttribute(key, _TYPES.Float, custom=False).Set(shown)


def _articulate(stage: Usd.Stage, root: Usd.Prim) -> None:
    """Make one articulation of the links, which do not touch each other."""
    UsdPhysics.ArticulationRootAPI.Apply(root)
    root.AddAppliedSchema("PhysxArticulationAPI")
    for name in ("physxArticulation:enabledSelfCollisions", "newton:selfCollisionEnabled"):
        root.CreateAttribute(name, _TYPES.Bool, custom=False).Set(False)
    links = UsdPhysics.CollisionGroup.Define(stage, f"{_ROOT}/links")
    links.GetCollidersCollectionAPI().CreateIncludesRel().SetTargets([_ROOT])
    links.CreateFilteredGroupsRel().SetTargets([links.GetPath()])


def _weightless(prim: Usd.Prim) -> None:
    """Let a link carry its own weight, as the arm's controller does: PhysX, MuJoCo in Newton."""
    prim.AddAppliedSchema("PhysxRigidBodyAPI")
    prim.CreateAttribute("physxRigidBody:disableGravity", _TYPES.Bool, custom=False).Set(True)
    prim.CreateAttribute("mjc:gravcomp", _TYPES.Float, custom=False).Set(1.0)


def _join(stage: Usd.Stage, joint: Joint) -> None:
    kinds = {
        "fixed": UsdPhysics.FixedJoint,
        "revolute": UsdPhysics.RevoluteJoint,
        "prismatic": UsdPhysics.PrismaticJoint,
    }
    made = kinds[joint.kind].Define(stage, f"{_JOINTS}/{joint.name}")
    made.CreateBody0Rel().SetTargets([f"{_ROOT}/{joint.parent}"])
    made.CreateBody1Rel().SetTargets([f"{_ROOT}/{joint.child}"])
    turn = np.eye(4)
    if joint.kind != "fixed":
        axis, turn = _axis(joint.axis)
        made.CreateAxisAttr(axis)
    for (position, rotation), matrix in (
        ((made.CreateLocalPos0Attr, made.CreateLocalRot0Attr), joint.origin @ turn),
        ((made.CreateLocalPos1Attr, made.CreateLocalRot1Attr), turn),
    ):
        point, quat = _frame(matrix_pose(matrix))
        position(point)
        rotation(quat)
    if joint.kind == "fixed":
        return
    per_unit = math.degrees(1) if joint.kind == "revolute" else 1.0
    made.CreateLowerLimitAttr(joint.lower * per_unit)
    made.CreateUpperLimitAttr(joint.upper * per_unit)
    _drive(made.GetPrim(), joint, per_unit)
    if joint.mimics:
        prim = made.GetPrim()
        prim.AddAppliedSchema("NewtonMimicAPI")
        leader = prim.CreateRelationship("newton:mimicJoint", custom=False)
        leader.SetTargets([f"{_JOINTS}/{joint.mimics}"])


def _drive(prim: Usd.Prim, joint: Joint, per_unit: float) -> None:
    kind = "angular" if joint.kind == "revolute" else "linear"
    gains = {"angular": (STIFFNESS, DAMPING), "linear": (FINGER_STIFFNESS, FINGER_DAMPING)}
    stiffness, damping = gains[kind]
    drive = UsdPhysics.DriveAPI.Apply(prim, kind)
    drive.CreateTypeAttr("force")
    drive.CreateStiffnessAttr(stiffness / per_unit)
    drive.CreateDampingAttr(damping / per_unit)
    drive.CreateMaxForceAttr(joint.effort if kind == "angular" else GRIP_FORCE)
    prim.AddAppliedSchema(f"PhysicsJointStateAPI:{kind}")
    velocity = prim.CreateAttribute(f"state:{kind}:physics:velocity", _TYPES.Float, custom=False)
    velocity.Set(0.0)


def _axis(axis: Array) -> tuple[str, Array]:
    """Return USD's name of an axis, and the turn [4, 4] that brings it there where it is minus."""
    k = int(np.abs(axis).argmax())
    turn = np.eye(4)
    if axis[k] < 0:
        flipped = [k, (k + 1) % 3]
        turn[flipped, flipped] = -1
    return "XYZ"[k], turn


def _frame(pose: Pose) -> tuple[Gf.Vec3f, Gf.Quatf]:
    w, *xyz = pose.orientation
    return Gf.Vec3f(*pose.position), Gf.Quatf(w, *xyz)


def _corners(link: Link) -> Array:
    """Return the corners [K, 3] m of a link's collision mesh, in the link's frame."""
    parts = load_parts(link.collision.read_bytes(), link.collision)
    turned: Array = np.concatenate(parts) @ link.collision_origin[:3, :3].T
    return turned + link.collision_origin[:3, 3]


def _paint(stage: Usd.Stage, colour: tuple[int, int, int]) -> UsdShade.Material:
    name = "colour_{:02x}{:02x}{:02x}".format(*colour)
    light = looks.linear([c / 255 for c in colour])
    return looks.preview(stage, f"{_ROOT}/looks/{name}", light)


def _draw(
    stage: Usd.Stage,
    path: str,
    visual: LinkVisual,
    paint: "functools._lru_cache_wrapper[UsdShade.Material]",
) -> None:
    """Write a link's mesh, a subset of its faces for each colour."""
    drawn = shapes.mesh(stage, path, visual.vertices, visual.faces, normals=visual.normals)
    drawn.CreateDoubleSidedAttr(True)
    palette, which = np.unique(visual.colours, axis=0, return_inverse=True)
    materials = [paint(tuple(int(c) for c in colour)) for colour in palette]
    common = int(np.bincount(which.reshape(-1)).argmax())
    looks.bind(drawn.GetPrim(), materials[common])
    if len(palette) == 1:
        return
    for k, material in enumerate(materials):
        faces = np.flatnonzero(which.reshape(-1) == k).astype(np.int32)
        subset = UsdGeom.Subset.CreateGeomSubset(
            drawn, f"colour_{k}", UsdGeom.Tokens.face, faces.tolist(), "materialBind"
        )
        looks.bind(subset.GetPrim(), material)
    UsdGeom.Subset.SetFamilyType(drawn, "materialBind", UsdGeom.Tokens.partition)
