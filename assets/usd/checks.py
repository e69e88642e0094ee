"""Check a stage: OpenUSD's own validators, and what they leave out.

They leave out rigid bodies inside rigid bodies, bodies without mass or colliders, what USD calls a
tensor but no body can have, and files that lie outside the stage's folder.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refergym.assets.errors import SpecError
from refergym.assets.usd.pixar import Tf, Usd, UsdGeom, UsdPhysics, UsdUtils, UsdValidation

SLACK = 1e-4
"""share by which the largest moment of inertia may exceed the sum of the others (float32)"""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that is wrong with a stage."""

    rule: str
    """name of the check"""
    prim: str
    """path; empty for the stage as a whole"""
    message: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.prim or 'stage'}: {self.rule}: {self.message}"


def check_stage(path: Path) -> list[Finding]:
    """Return what is wrong with a stage, nothing if it is right.

    Raises:
        SpecError: naming the file, if it is no stage.
    """
    try:
        stage = Usd.Stage.Open(str(path))
    except Tf.ErrorException as e:
        raise SpecError(f"{path}: not a readable USD stage") from e
    return [*check_files(path), *check_prims(stage)]


def check_prims(stage: Usd.Stage) -> list[Finding]:
    """Return what is wrong with the prims of an open stage."""
    found = list(_validated(stage))
    found += _units(stage)
    for prim in Usd.PrimRange(stage.GetPseudoRoot()):
        if prim.HasAPI(UsdPhysics.RigidBodyAPI):
            found += _body(prim)
        if prim.HasAPI(UsdPhysics.CollisionAPI) and prim.IsA(UsdGeom.Mesh):
            found += _collider(prim)
    return found


def check_files(path: Path) -> list[Finding]:
    """Return the files that a stage refers to and that are missing, or outside its folder."""
    layers, assets, missing = UsdUtils.ComputeAllDependencies(str(path))
    folder = path.resolve().parent
    named = [Path(str(layer.realPath)) for layer in layers] + [Path(str(a)) for a in assets]
    found = [
        Finding(rule="file_outside", prim="", message=os.path.relpath(file, folder))
        for file in named
        if ".usdz[" not in str(file) and not file.resolve().is_relative_to(folder)
    ]
    absolute = [
        Finding(rule="absolute_path", prim="", message=f"{written} in {layer.realPath}")
        for layer in layers
        for written in layer.GetExternalReferences()
        if written and os.path.isabs(written)
    ]
    return [
        *found,
        *absolute,
        *(Finding(rule="file_missing", prim="", message=str(m)) for m in missing),
    ]


def _validated(stage: Usd.Stage) -> Iterator[Finding]:
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    for error in UsdValidation.ValidationContext(validators).Validate(stage):
        sites = [s.GetPrim() for s in error.GetSites() if s.IsPrim() or s.IsProperty()]
        where = sites[0].GetPath().pathString if sites and sites[0] else ""
        yield Finding(rule=error.GetName(), prim=where, message=error.GetMessage())


def _units(stage: Usd.Stage) -> Iterator[Finding]:
    if UsdGeom.GetStageMetersPerUnit(stage) != 1.0:
        yield Finding(rule="units", prim="", message="expected metersPerUnit = 1")
    if UsdGeom.GetStageUpAxis(stage) != UsdGeom.Tokens.z:
        yield Finding(rule="units", prim="", message="expected upAxis = Z")


def _body(prim: Usd.Prim) -> Iterator[Finding]:
    path = prim.GetPath().pathString
    above = prim.GetParent()
    while above and not above.IsPseudoRoot():
        if above.HasAPI(UsdPhysics.RigidBodyAPI):
            message = f"inside the rigid body {above.GetPath()}"
            yield Finding(rule="nested_rigid_body", prim=path, message=message)
        above = above.GetParent()
    below = Usd.PrimRange(prim)
    if not any(p.HasAPI(UsdPhysics.CollisionAPI) for p in below):
        yield Finding(rule="no_collider", prim=path, message="a rigid body that nothing can hit")
    mass = UsdPhysics.MassAPI(prim)
    if not prim.HasAPI(UsdPhysics.MassAPI) or not mass.GetMassAttr().Get() > 0:
        yield Finding(rule="no_mass", prim=path, message="expected a mass above 0")
        return
    moments = np.sort(np.array(mass.GetDiagonalInertiaAttr().Get(), np.float64))
    if not moments[0] > 0 or moments[2] > (moments[0] + moments[1]) * (1 + SLACK):
        message = f"no body has the moments of inertia {moments.tolist()}"
        yield Finding(rule="inertia", prim=path, message=message)


def _collider(prim: Usd.Prim) -> Iterator[Finding]:
    path = prim.GetPath().pathString
    approximation = UsdPhysics.MeshCollisionAPI(prim).GetApproximationAttr().Get()
    if not prim.HasAPI(UsdPhysics.MeshCollisionAPI) or approximation != "convexHull":
        message = "expected a mesh that is its own convex hull"
        yield Finding(rule="not_baked", prim=path, message=message)
        return
    mesh = UsdGeom.Mesh(prim)
    points = np.array(mesh.GetPointsAttr().Get(), np.float64)
    faces = np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3)
    a, b, c = (points[faces[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    beyond = (points @ normals.T - (a * normals).sum(axis=1)).max()
    if beyond > 1e-3 * np.ptp(points, axis=0).max():
        message = f"a corner lies {beyond:.2g} m outside a face"
        yield Finding(rule="not_convex", prim=path, message=message)
