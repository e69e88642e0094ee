"""What has to hold of one asset of a pack, each rule a function that yields the faults it finds.

Lengths in metres at scale 1, z up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from refergym.assets import seeding
from refergym.assets.builder import colours, hulls, measure, record_checks, sampling, volume
from refergym.assets.builder.record_checks import mm
from refergym.assets.library import AssetInfo
from refergym.assets.meshes import VisualMesh

Points = NDArray[np.float64]
Faces = NDArray[np.int64]

TRIANGLES = {"item": 3000, "furniture": 8000}
BOUNDS = 0.0015
"""m between the bounds of mesh, convex parts and manifest"""
ORIGIN = 0.001
"""m from the origin to the middle of the foot of the bounding box"""
INSIDE = 0.05
"""m that the convex parts of furniture, a slab and its legs, may be short of the mesh"""
FLAT = 2e-5
"""m that a convex part's corner may stand out of its faces"""
UNIT = 0.01
"""off unit length"""
BACKS = 0.05
"""share of the surface on which normals may point into the back"""
DARKEST = 14.0
"""mean CIE L* below which a texture counts as a failed bake"""
BLACK = 0.25
"""share of the surface that may be pure black: a lamp's foot, letters; more is a failed bake"""
MAGENTA = 0.01
"""share that may be pure magenta, the colour of a missing picture"""
NEAR_BORDER = 0.02
"""share on either side of the least share of a colour's name where name and no name both fit"""
SHARE = 0.05
"""between the share of the colour in the manifest and on the mesh"""
SAMPLES = 20_000
TURNED = 0.075
"""of the radius: distance of a turned surface from itself that still counts as symmetric"""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One convex part as it stands in the file."""

    name: str
    vertices: Points
    """[K, 3] m"""
    faces: Faces
    """[F, 3]"""


def read_parts(data: bytes) -> list[Part]:
    """Read an OBJ's objects with their faces; raises ValueError or IndexError if it is broken."""
    parts: list[tuple[str, list[list[float]], list[list[int]]]] = []
    first = 0
    for line in data.decode().splitlines():
        words = line.split()
        if words[:1] == ["o"] or (not parts and words[:1] == ["v"]):
            first += len(parts[-1][1]) if parts else 0
            parts.append((" ".join(words[1:]) if words[0] == "o" else "part0", [], []))
        if words[:1] == ["v"]:
            parts[-1][1].append([float(x) for x in words[1:4]])
        elif words[:1] == ["f"]:
            parts[-1][2].append([int(w.split("/")[0]) - 1 - first for w in words[1:4]])
    return [
        Part(
            name=name,
            vertices=np.array(vertices).reshape(-1, 3),
            faces=np.array(faces, np.int64).reshape(-1, 3),
        )
        for name, vertices, faces in parts
    ]


def asset_faults(info: AssetInfo, mesh: VisualMesh, parts: Sequence[Part]) -> Iterator[str]:
    """Find what is wrong with an asset.

    Args:
        info: its record.
        mesh: its visual mesh.
        parts: its convex parts.

    Returns:
        One line for each fault.
    """
    yield from _normals(mesh)
    yield from _triangles(info, mesh)
    yield from _bounds(info, mesh, parts)
    yield from _origin(info, mesh, parts)
    broken = [fault for part in parts for fault in _convex(part)]
    yield from broken
    yield from _picture(mesh)
    yield from _colour(info, mesh)
    yield from record_checks.record_faults(info, None if broken else sum(map(_volume, parts)))
    yield from _symmetry(info, mesh)


def _normals(mesh: VisualMesh) -> Iterator[str]:
    length = np.linalg.norm(mesh.normals, axis=1)
    off = int((np.abs(length - 1) > UNIT).sum())
    if off:
        yield f"normals: {off} of {len(length)} are not of unit length"
    t = mesh.vertices[mesh.faces]
    face = np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])
    area = np.linalg.norm(face, axis=1)
    against = np.einsum("fd,fkd->fk", face, mesh.normals[mesh.faces]).sum(1) < 0
    share = float(area[against].sum() / max(float(area.sum()), 1e-12))
    if share > BACKS:
        yield f"normals: on {share:.0%} of the surface they point into the triangles' backs"


def _triangles(info: AssetInfo, mesh: VisualMesh) -> Iterator[str]:
    count, most = len(mesh.faces), TRIANGLES[info.use]
    if count != info.triangles:
        yield f"triangles: the manifest says {info.triangles}, the mesh has {count}"
    if count > most:
        yield f"triangles: {count}, more than the {most} of {info.use}s; decimate"


def _bounds(info: AssetInfo, mesh: VisualMesh, parts: Sequence[Part]) -> Iterator[str]:
    seen = np.ptp(mesh.vertices, axis=0)
    size = np.array(info.size)
    if np.abs(seen - size).max() > BOUNDS:
        hint = ""
        if np.abs(seen[[0, 2, 1]] - size).max() <= BOUNDS:
            hint = "; y and z are exchanged"
        yield f"axes: the mesh measures {mm(seen)}, the manifest says {mm(size)}{hint}"
    points = np.concatenate([p.vertices for p in parts])
    low, high = points.min(0) - mesh.vertices.min(0), points.max(0) - mesh.vertices.max(0)
    off = max(float(np.abs(low).max()), float(np.abs(high).max()))
    if off > (BOUNDS if info.use == "item" else INSIDE):
        felt = np.ptp(points, axis=0)
        hint = "; y and z are exchanged" if np.abs(felt[[0, 2, 1]] - seen).max() <= BOUNDS else ""
        yield (
            f"parts: their bounds are {1000 * off:.1f} mm off the mesh's ({mm(felt)} and"
            f" {mm(seen)}){hint}"
        )


def _origin(info: AssetInfo, mesh: VisualMesh, parts: Sequence[Part]) -> Iterator[str]:
    points = np.concatenate([p.vertices for p in parts])
    near = ORIGIN if info.use == "item" else INSIDE
    for what, v, most in (("mesh", mesh.vertices, ORIGIN), ("parts", points, near)):
        low, high = v.min(0).astype(np.float64), v.max(0).astype(np.float64)
        if abs(low[2]) > most:
            yield f"bottom: that of the {what} is at z = {1000 * low[2]:.1f} mm, not 0"
        middle = (low + high)[:2] / 2
        if np.abs(middle).max() > most:
            yield (
                f"origin: the middle of the {what} is at ({1000 * middle[0]:.1f},"
                f" {1000 * middle[1]:.1f}) mm, not (0, 0)"
            )


def _convex(part: Part) -> Iterator[str]:
    if len(part.faces) == 0:
        yield f"parts: {part.name} has no faces"
        return
    if part.faces.min() < 0 or part.faces.max() >= len(part.vertices):
        yield f"parts: {part.name} has a face with a vertex of another part, or of none"
        return
    if not hulls.has_body(part.vertices):
        yield f"parts: {part.name} has no volume"
        return
    if not volume.is_closed(part.vertices, part.faces):
        yield f"parts: {part.name} is not watertight"
        return
    corners = part.vertices[part.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normal, axis=1)
    normal = normal[length > 1e-12] / length[length > 1e-12, None]
    start = corners[length > 1e-12, 0]
    out = (part.vertices @ normal.T - np.einsum("fd,fd->f", normal, start)).max()
    if out > FLAT:
        yield f"parts: {part.name} is not convex: a corner stands out by {1000 * out:.2f} mm"


def _picture(mesh: VisualMesh) -> Iterator[str]:
    rgb, area = _surface(mesh)
    light = measure.lightness(rgb, area)
    weight = area / area.sum()
    if light < DARKEST:
        yield f"texture: mean lightness {light:.1f} of 100, below {DARKEST:g}: a failed bake?"
    black = float((rgb.max(1) <= 2) @ weight)
    if black > BLACK:
        yield f"texture: {black:.0%} of the surface is pure black: holes in the bake?"
    magenta = (rgb[:, 0] >= 250) & (rgb[:, 1] <= 5) & (rgb[:, 2] >= 250)
    if float(magenta @ weight) > MAGENTA:
        yield (
            f"texture: {float(magenta @ weight):.0%} of the surface is magenta, the colour of a"
            " missing picture"
        )


def _colour(info: AssetInfo, mesh: VisualMesh) -> Iterator[str]:
    v, uv, f, texture = _plain(mesh)
    name, share = colours.name_colour(measure.seen_samples(v, uv, f, texture))
    near = max(abs(s - colours.LEAST_SHARE) for s in (share, info.colour_share)) <= NEAR_BORDER
    if name != info.colour and not (near and None in (name, info.colour)):
        yield f"colour: the manifest says {info.colour}, the texture shows {name} ({share:.0%})"
    elif info.use == "item" and abs(share - info.colour_share) > SHARE:  # furniture is in JPEG
        yield (
            f"colour_share: the manifest says {info.colour_share:.0%}, the texture shows"
            f" {share:.0%}"
        )


def _volume(part: Part) -> float:
    """Volume inside a part's faces, m3."""
    a, b, c = np.moveaxis(part.vertices[part.faces] - part.vertices.mean(0), 1, 0)
    return abs(float(np.einsum("fd,fd->", a, np.cross(b, c)))) / 6


def _symmetry(info: AssetInfo, mesh: VisualMesh) -> Iterator[str]:
    if info.symmetry == 1:
        return
    order = info.symmetry
    turns = (0.1618, 0.7853, 1.7725) if order == 0 else (2 * np.pi / order,)
    v, _, f, _ = _plain(mesh)
    points = sampling.points(v, f, SAMPLES, seeding.generator(0, "check symmetry"))
    radius = float(np.linalg.norm(points[:, :2], axis=1).max())
    tree = cKDTree(points)
    for angle in turns:
        c, s = np.cos(angle), np.sin(angle)
        turned = points[::10] @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        off = float(np.quantile(tree.query(turned)[0], 0.95))
        if off > TURNED * radius:
            yield (
                f"symmetry: {order} does not hold: turned by {np.degrees(angle):.0f} degrees it is"
                f" {1000 * off:.1f} mm off itself"
            )
            return


def _surface(mesh: VisualMesh) -> tuple[NDArray[np.uint8], Points]:
    return measure.surface_samples(*_plain(mesh))


def _plain(mesh: VisualMesh) -> tuple[Points, Points, Faces, NDArray[np.uint8]]:
    return (
        mesh.vertices.astype(np.float64),
        mesh.uv.astype(np.float64),
        mesh.faces.astype(np.int64),
        mesh.texture,
    )
