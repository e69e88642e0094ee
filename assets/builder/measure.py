"""Measure an asset's mesh: mass properties, room inside, flat top, colour, brightness.

Arrays in metres, z up, bottom at z = 0, origin under the middle of the bounding box.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import trimesh
from numpy.typing import NDArray

from refergym.assets.builder import colours
from refergym.assets.library import Cavity

Points = NDArray[np.float64]

VIEWS = 8
"""directions round a thing from which its colour is looked at"""
VIEW_PITCHES = (0.52, 0.96)
"""rad, how far those views look down"""
VIEW_SIZE = 64
"""px"""
ANGLES = 32
RING = 0.0004
"""m between the rings of rays that look for a cavity; thinner walls may be missed"""
LEAST_RADIUS = 0.02
"""m, of a cavity worth the name"""
LEAST_DEPTH = 0.02
"""m"""
AGREEMENT = 0.006
"""m, allowed median difference between mesh and convex parts inside a cavity"""
TOP_RADIUS = 0.03
"""m, of the disc that has to be flat for things to stand on it"""
TOP_RANGE = 0.003
"""m, allowed height differences on that disc"""


@dataclass(frozen=True, kw_only=True)
class MassProperties:
    """Mass and its distribution."""

    mass: float
    """kg"""
    com: Points
    """[3] m"""
    inertia: Points
    """[3, 3] kg m2 about the centre of mass"""


def shell_mass(vertices: Points, faces: NDArray[np.int64], area_density: float) -> MassProperties:
    """Mass of thin walls of even thickness.

    Args:
        vertices: [V, 3] m.
        faces: [F, 3].
        area_density: kg per m2 of the mesh's triangles (both sides of a wall that has two).

    Source: the second moment of a triangle is A / 12 (sum v v^T + 9 c c^T).
    """
    t = vertices[faces]
    area = np.linalg.norm(np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]), axis=1) / 2
    mass = float(area.sum() * area_density)
    centre = t.mean(1)
    com = (area[:, None] * centre).sum(0) / area.sum()
    t, centre = t - com, centre - com
    second = np.einsum("f,fki,fkj->ij", area / 12, t, t)
    second += np.einsum("f,fi,fj->ij", area * 9 / 12, centre, centre)
    return MassProperties(mass=mass, com=com, inertia=_inertia(second * area_density))


def solid_mass(parts: Sequence[Points], density: float) -> MassProperties:
    """Mass of convex parts filled evenly; parts must hardly overlap.

    Args:
        parts: vertices [K, 3] m of each.
        density: kg/m3, of the thing as a whole (contents and air).
    """
    mass, first, about_origin = 0.0, np.zeros(3), np.zeros((3, 3))
    for points in parts:
        hull = trimesh.convex.convex_hull(points)
        m = float(hull.volume * density)
        c = np.asarray(hull.center_mass)
        about_origin += np.asarray(hull.moment_inertia) * density + m * _point_inertia(c)
        mass += m
        first += m * c
    com = first / mass
    inertia = about_origin - mass * _point_inertia(com)
    return MassProperties(mass=mass, com=com, inertia=inertia)


def surface_samples(
    vertices: Points, uv: Points, faces: NDArray[np.int64], texture: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Read the texture at 15 points of each triangle.

    Returns:
        [15 F, 3] sRGB and [15 F] m2 of surface that each stands for.
    """
    k = 5
    grid = [(i + 1 / 3, j + 1 / 3) for i in range(k) for j in range(k - i)]
    ab = np.array(grid) / k
    bary = np.concatenate([ab, 1 - ab.sum(1, keepdims=True)], axis=1)
    t = vertices[faces]
    area = np.linalg.norm(np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]), axis=1) / 2
    points = np.einsum("sk,fkd->fsd", bary, uv[faces]).reshape(-1, 2)
    h, w = texture.shape[:2]
    px = np.clip((points * [w, h]).astype(int), 0, [w - 1, h - 1])
    return texture[px[:, 1], px[:, 0]], np.repeat(area / len(bary), len(bary))


def seen_samples(
    vertices: Points, uv: Points, faces: NDArray[np.int64], texture: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Read the texture where people see it: from all sides and above, [N, 3] sRGB.

    One sample for each ray of evenly spaced orthographic views; what lies inside or faces the
    table counts little or not at all.
    """
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    middle = (vertices.min(0) + vertices.max(0)) / 2
    half = float(np.linalg.norm(vertices - middle, axis=1).max())
    s = (np.arange(VIEW_SIZE) + 0.5) / VIEW_SIZE * 2 - 1
    across, down = (half * g.reshape(-1, 1) for g in np.meshgrid(s, s))
    origins, directions = [], []
    for pitch in VIEW_PITCHES:
        for azimuth in np.arange(VIEWS) * (2 * np.pi / VIEWS) + 0.2:
            c, d = np.cos(azimuth), np.sin(azimuth)
            forward = np.array([np.cos(pitch) * c, np.cos(pitch) * d, -np.sin(pitch)])
            right = np.array([d, -c, 0.0])
            plane = across * right + down * np.cross(forward, right)
            origins.append(middle - 4 * half * forward + plane)
            directions.append(np.broadcast_to(forward, plane.shape))
    points, _, triangle = mesh.ray.intersects_location(
        np.concatenate(origins), np.concatenate(directions), multiple_hits=False
    )
    a, b, c = np.moveaxis(vertices[faces[triangle]], 1, 0)
    whole = np.cross(b - a, c - a)
    area = np.maximum((whole * whole).sum(1), 1e-20)
    u = (np.cross(b - points, c - points) * whole).sum(1) / area
    v = (np.cross(c - points, a - points) * whole).sum(1) / area
    at = np.einsum("nk,nkd->nd", np.stack([u, v, 1 - u - v], axis=1), uv[faces[triangle]])
    h, w = texture.shape[:2]
    px = np.clip((at * [w, h]).astype(int), 0, [w - 1, h - 1])
    return np.asarray(texture[px[:, 1], px[:, 0]])


def lightness(rgb: NDArray[np.uint8], weights: NDArray[np.float64]) -> float:
    """Mean CIE L* of surface samples, 0 black to 100 white."""
    return float((colours.lab(rgb)[:, 0] * weights).sum() / weights.sum())


def cavity(vertices: Points, faces: NDArray[np.int64], parts: Sequence[Points]) -> Cavity | None:
    """Find the room inside an open container, where mesh and convex parts agree on it.

    Args:
        vertices: [V, 3] m, the visual mesh.
        faces: [F, 3].
        parts: vertices [K, 3] m of each convex part.

    Returns:
        The largest vertical cylinder by volume round the origin's axis that leaves at least half
        of the depth at the middle, or None where there is no such room in both.
    """
    radii = np.arange(0.0, np.linalg.norm(vertices[:, :2], axis=1).max(), RING)
    seen = _heights(trimesh.Trimesh(vertices, faces, process=False), radii)
    felt = _heights(_joined(parts), radii)
    is_closed = np.logical_and.accumulate((np.isfinite(seen) & np.isfinite(felt)).all(1))
    if not is_closed[0]:
        return None
    rim = min(float(np.nanmax(h, axis=0).min()) for h in (seen, felt))
    within = np.maximum.accumulate(
        np.fmax(seen, felt).max(1, initial=0.0, where=is_closed[:, None])
    )
    bottom = float(within[radii <= 0.01].max())
    room = np.where(is_closed, radii**2 * np.clip(rim - within, 0, None), 0.0)
    room[rim - within < max(0.5 * (rim - bottom), LEAST_DEPTH)] = 0.0
    best = int(room.argmax())
    radius, floor = float(radii[best]), float(within[best])
    apart = float(np.median(np.abs(seen[: best + 1] - felt[: best + 1])))
    if radius < LEAST_RADIUS or room[best] <= 0 or apart > AGREEMENT:
        return None
    return Cavity(radius=round(radius, 4), floor=round(floor, 4), depth=round(rim - floor, 4))


def is_flat_on_top(vertices: Points, faces: NDArray[np.int64], parts: Sequence[Points]) -> bool:
    """Tell whether a level disc round the origin's axis lies open from above, in mesh and parts."""
    radii = np.arange(0.0, TOP_RADIUS + 1e-9, 0.005)
    for mesh in (trimesh.Trimesh(vertices, faces, process=False), _joined(parts)):
        heights = _heights(mesh, radii)
        if not np.isfinite(heights).all() or np.ptp(heights) > TOP_RANGE:
            return False
    return True


def _heights(mesh: trimesh.Trimesh, radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height of the first surface from above on rings, [R, ANGLES] m; NaN where there is none."""
    angle = np.arange(ANGLES) * (2 * np.pi / ANGLES) + 0.01
    x = (radii[:, None] * np.cos(angle)).ravel()
    y = (radii[:, None] * np.sin(angle)).ravel()
    origins = np.stack([x, y, np.full_like(x, mesh.bounds[1, 2] + 0.1)], axis=1)
    points, ray, _ = mesh.ray.intersects_location(
        origins, np.tile([0.0, 0.0, -1.0], (len(x), 1)), multiple_hits=False
    )
    heights = np.full(len(x), np.nan)
    heights[ray] = points[:, 2]
    return heights.reshape(len(radii), ANGLES)


def _joined(parts: Sequence[Points]) -> trimesh.Trimesh:
    whole = [trimesh.convex.convex_hull(p) for p in parts]
    vertices = np.concatenate([np.asarray(h.vertices) for h in whole])
    first = np.cumsum([0] + [len(h.vertices) for h in whole[:-1]])
    faces = np.concatenate([np.asarray(h.faces) + k for h, k in zip(whole, first, strict=True)])
    return trimesh.Trimesh(vertices, faces, process=False)


def _point_inertia(c: Points) -> Points:
    return np.asarray(np.eye(3) * (c @ c) - np.outer(c, c))


def _inertia(second: Points) -> Points:
    return np.asarray(np.eye(3) * np.trace(second) - second)
