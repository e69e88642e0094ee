"""Geometry and poses of prims."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from refergym.assets.hull_meshes import hull_mesh
from refergym.assets.spec import Pose
from refergym.assets.usd import looks
from refergym.assets.usd.pixar import (
    Gf,
    Sdf,
    Usd,
    UsdGeom,
    UsdPhysics,
    UsdSemantics,
    UsdShade,
    Vt,
)

Array = NDArray[np.float64]


def place(prim: Usd.Prim, pose: Pose, scale: float | None = None) -> None:
    """Give a prim a pose in its parent, and a uniform scale, all in double precision."""
    frame = UsdGeom.Xformable(prim)
    frame.ClearXformOpOrder()
    double = UsdGeom.XformOp.PrecisionDouble
    w, *xyz = pose.orientation
    frame.AddTranslateOp(double).Set(Gf.Vec3d(*pose.position))
    frame.AddOrientOp(double).Set(Gf.Quatd(w, *xyz))
    if scale is not None:
        frame.AddScaleOp(double).Set(Gf.Vec3d(scale, scale, scale))


def placed(prim: Usd.Prim) -> Pose:
    """Return the pose in its parent that `place` gave, or whoever moved the prim since."""
    found = {op.GetOpName(): op.Get() for op in UsdGeom.Xformable(prim).GetOrderedXformOps()}
    position, turn = found.get("xformOp:translate"), found.get("xformOp:orient")
    if position is None or turn is None:
        matrix = UsdGeom.Xformable(prim).GetLocalTransformation().RemoveScaleShear()
        position, turn = matrix.ExtractTranslation(), matrix.ExtractRotationQuat()
    x, y, z = (float(v) for v in position)
    i, j, k = (float(v) for v in turn.GetImaginary())
    return Pose(position=(x, y, z), orientation=(float(turn.GetReal()), i, j, k))


def set_scale(prim: Usd.Prim, scale: float) -> None:
    """Override the scale that `place` gave."""
    double3 = Sdf.ValueTypeNames.Double3
    prim.CreateAttribute("xformOp:scale", double3, custom=False).Set(Gf.Vec3d(scale, scale, scale))


def mesh(
    stage: Usd.Stage,
    path: str,
    points: NDArray[np.floating],
    faces: NDArray[np.integer] | Sequence[Sequence[int]],
    *,
    normals: NDArray[np.floating] | None = None,
    st: NDArray[np.floating] | None = None,
) -> UsdGeom.Mesh:
    """Write a polygon mesh.

    Args:
        stage: where to.
        path: of the mesh.
        points: [V, 3] m.
        faces: [F, 3], or F polygons, counter-clockwise from outside.
        normals: [V, 3], or one for each corner of each face.
        st: [V, 2], or one for each corner of each face; origin at the picture's bottom left.
    """
    made = UsdGeom.Mesh.Define(stage, path)
    vertices = np.ascontiguousarray(points, np.float32)
    if isinstance(faces, np.ndarray):
        counts, corners = np.full(len(faces), faces.shape[1]), faces.reshape(-1)
    else:
        counts, corners = np.array([len(f) for f in faces]), np.concatenate([*faces])
    made.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(vertices))
    made.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(counts.astype(np.int32)))
    made.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(corners.astype(np.int32)))
    made.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    made.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack([low, high])))
    if normals is not None:
        made.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(normals, np.float32)))
        made.SetNormalsInterpolation(_by(normals, vertices))
    if st is not None:
        primvar = UsdGeom.PrimvarsAPI(made).CreatePrimvar(
            "st", Sdf.ValueTypeNames.TexCoord2fArray, _by(st, vertices)
        )
        primvar.Set(Vt.Vec2fArray.FromNumpy(np.ascontiguousarray(st, np.float32)))
    return made


def hull(stage: Usd.Stage, path: str, points: Array, contact: UsdShade.Material) -> UsdGeom.Mesh:
    """Write the convex hull of points [K, 3] m as a collider that is not drawn.

    Args:
        stage: where to.
        path: of the mesh.
        points: [K, 3] m.
        contact: one of `looks.touch`.
    """
    corners, faces = hull_mesh(points)
    a, b, c = (corners[faces[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    made = mesh(stage, path, corners, faces, normals=normals.repeat(3, axis=0))
    _collides(made.GetPrim(), contact)
    UsdPhysics.MeshCollisionAPI.Apply(made.GetPrim()).CreateApproximationAttr("convexHull")
    return made


def box(
    stage: Usd.Stage, path: str, size: Sequence[float], contact: UsdShade.Material
) -> UsdGeom.Cube:
    """Write a box of full extents [3] m as a collider that is not drawn; see `hull`."""
    made = UsdGeom.Cube.Define(stage, path)
    made.CreateSizeAttr(1.0)
    made.CreateExtentAttr([(-0.5, -0.5, -0.5), (0.5, 0.5, 0.5)])
    made.AddScaleOp(UsdGeom.XformOp.PrecisionDouble).Set(Gf.Vec3d(*size))
    _collides(made.GetPrim(), contact)
    return made


def prism(
    stage: Usd.Stage, path: str, corners: Array, height: float, texture_scale: float
) -> UsdGeom.Mesh:
    """Write an upright prism round the origin, drawn with a texture that repeats.

    Args:
        stage: where to.
        path: of the mesh.
        corners: [K, 2] m, of its convex outline, counter-clockwise.
        height: m.
        texture_scale: m covered by one repetition.
    """
    count, half = len(corners), height / 2
    points = np.vstack([np.c_[corners, np.full(count, z)] for z in (-half, half)])
    ring = np.arange(count)
    after = np.roll(ring, -1)
    walls = np.stack([ring, after, after + count, ring + count], axis=1)
    faces = [ring[::-1].tolist(), (ring + count).tolist(), *walls.tolist()]
    along = corners[after] - corners
    walked = np.concatenate([[0.0], np.cumsum(np.hypot(*along.T))])
    ends = np.stack([walked[:-1], walked[1:], walked[1:], walked[:-1]], axis=1)
    rises = np.tile([-half, -half, half, half], (count, 1))
    uv = np.vstack([corners[::-1], corners, np.stack([ends, rises], axis=2).reshape(-1, 2)])
    outward = np.column_stack([along[:, 1], -along[:, 0], np.zeros(count)])
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    up = np.tile((0.0, 0.0, 1.0), (count, 1))
    normals = np.vstack([-up, up, outward.repeat(4, axis=0)])
    st = uv * (1.0, -1.0) / texture_scale
    return mesh(stage, path, points, faces, normals=normals, st=st)


def label(prim: Usd.Prim, **labels: str) -> None:
    """Add semantic labels, by taxonomy: class="mug"."""
    for taxonomy, word in labels.items():
        api = UsdSemantics.LabelsAPI.Apply(prim, taxonomy)
        api.CreateLabelsAttr(Vt.TokenArray([word]))


def _by(values: NDArray[np.floating], points: NDArray[np.floating]) -> str:
    tokens = UsdGeom.Tokens
    return str(tokens.vertex if len(values) == len(points) else tokens.faceVarying)


def _collides(prim: Usd.Prim, contact: UsdShade.Material) -> None:
    UsdPhysics.CollisionAPI.Apply(prim)
    UsdGeom.Imageable(prim).CreatePurposeAttr(UsdGeom.Tokens.guide)
    # On each collider: not every engine looks for a physics material above it.
    looks.bind(prim, contact, "physics")
