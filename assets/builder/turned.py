"""Convex parts of turned things (bowls, cups, plates, glasses): wall segments, discs, handles.

A general convex decomposition fills the inside corners of thin-walled vessels. Turned things have
a profile instead: at each height, material from an inner to an outer radius. Bands of the profile
in sectors round the axis are convex and leave the inside free.
"""

from dataclasses import dataclass

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from refergym.assets.builder import hulls

Points = NDArray[np.float64]
Faces = NDArray[np.int64]

SECTORS = (12, 16)
"""round the axis, of things below and above WIDE"""
WIDE = 0.16
"""m across"""
LEVELS = 96
ANGLES = 48
TOLERANCE = 0.0015
"""m, of the bands' straight sides from the profile"""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Radii over height round a vertical axis."""

    axis: Points
    """[2] m, x and y"""
    z: Points
    """[n] m, rising"""
    inner: Points
    """[n] m; 0 where the cross-section is a full disc"""
    outer: Points
    """[n] m"""


def turned_parts(
    vertices: Points, faces: Faces, handle_pieces: int = 0, hollow: float = np.inf
) -> list[Points]:
    """Cut a turned thing into convex parts.

    Args:
        vertices: [V, 3] m, z up, bottom at z = 0.
        faces: [F, 3].
        handle_pieces: convex parts for each handle; 0 for things without.
        hollow: m below the rim that stay open; deeper, the thing is filled.

    Returns:
        Vertices [K, 3] m of each part.
    """
    profile = measured_profile(vertices, faces)
    profile.inner[profile.z < profile.z[-1] - hollow] = 0.0
    sectors = SECTORS[bool(2 * profile.outer.max() > WIDE)]
    parts = []
    for a, b in _bands(profile):
        if profile.inner[a] == 0 and profile.inner[b] == 0:
            parts.append(np.concatenate([_ring(profile, k, sectors, outer=True) for k in (a, b)]))
            continue
        rings = [_ring(profile, k, sectors, outer=o) for k in (a, b) for o in (False, True)]
        for s in range(sectors):
            corners = np.concatenate([r[[s, (s + 1) % sectors]] for r in rings])
            corners = np.unique(np.round(corners, 6), axis=0)
            if hulls.has_body(corners):
                parts.append(corners)
    if handle_pieces:
        parts += _handles(vertices, faces, profile, handle_pieces)
    return parts


def measured_profile(vertices: Points, faces: Faces) -> Profile:
    """Measure a turned thing's radii by rays; medians over angles, so that handles do not count."""
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    height = float(vertices[:, 2].max())
    axis = _axis(vertices)
    z = np.linspace(0.0005, height - 0.0005, LEVELS)
    angle = (np.arange(ANGLES) + 0.5) * (2 * np.pi / ANGLES)
    out = np.stack([np.cos(angle), np.sin(angle), np.zeros(ANGLES)], axis=1)
    far = float(np.linalg.norm(vertices[:, :2] - axis, axis=1).max()) + 0.05
    middle = np.array([*axis, 0.0]) + z[:, None, None] * [0.0, 0.0, 1.0] + np.zeros((1, ANGLES, 1))
    outer = far - _median_hit(mesh, middle + far * out, np.broadcast_to(-out, middle.shape))
    floor = _floor(mesh, axis, height)
    inner = _median_hit(mesh, middle, np.broadcast_to(out, middle.shape))
    ok = np.isfinite(outer)
    if not ok.any():
        raise ValueError("not a turned thing: rays towards its axis meet nothing")
    # Handles may rise above the body: there, most rays find nothing.
    top = int(np.flatnonzero(ok).max()) + 1
    z, inner, outer = z[:top], inner[:top], np.interp(z[:top], z[ok], outer[ok])
    is_hollow = (z > floor) & np.isfinite(inner) & (inner < outer)
    inner = np.where(is_hollow, np.minimum(inner, outer - hulls.LEAST_WALL), 0.0)
    z[0] = 0.0
    if top == LEVELS:
        z[-1] = height
    return Profile(axis=axis, z=z, inner=np.maximum(inner, 0.0), outer=outer)


def _axis(vertices: Points) -> Points:
    """Centre of the circle through the foot's outermost corners (algebraic fit), [2] m."""
    foot = vertices[vertices[:, 2] < 0.004][:, :2]
    corners = hulls.reduced_outline(foot)
    if len(corners) < 6:
        return np.zeros(2)
    a = np.column_stack([2 * corners, np.ones(len(corners))])
    solution = np.linalg.lstsq(a, (corners**2).sum(1), rcond=None)[0]
    return np.asarray(solution[:2], np.float64)


def _floor(mesh: trimesh.Trimesh, axis: Points, height: float) -> float:
    """Height of the inside floor at the axis, m."""
    r = 0.003
    start = np.array([[*axis, height + 0.1]]) + r * np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0]])
    points, _, _ = mesh.ray.intersects_location(
        start, np.tile([0.0, 0.0, -1.0], (3, 1)), multiple_hits=False
    )
    return float(np.median(points[:, 2])) if len(points) else 0.0


def _median_hit(mesh: trimesh.Trimesh, origins: Points, directions: Points) -> Points:
    """Distance to the first hit, median over the second axis; NaN where most rays miss."""
    shape = origins.shape[:2]
    flat = origins.reshape(-1, 3)
    points, ray, _ = mesh.ray.intersects_location(
        flat, directions.reshape(-1, 3), multiple_hits=False
    )
    distance = np.full(len(flat), np.nan)
    distance[ray] = np.linalg.norm(points - flat[ray], axis=1)
    grid = distance.reshape(shape)
    hit = np.isfinite(grid).sum(1) >= shape[1] // 2
    result = np.full(shape[0], np.nan)
    result[hit] = np.nanmedian(grid[hit], axis=1)
    return result


def _bands(profile: Profile) -> list[tuple[int, int]]:
    """Split the profile into bands whose straight sides stay within TOLERANCE."""
    is_disc = profile.inner == 0
    # Below the last full disc nothing is cut into sectors: there, the thing stands on one part.
    change = max(int(np.flatnonzero(~is_disc)[0]) - 1, 1) if (~is_disc).any() else len(is_disc) - 1
    bands = []
    for start, end in ((0, change), (change, len(is_disc) - 1)):
        a = start
        while a < end:
            b = end
            while b > a + 1 and not _is_straight(profile, a, b, inner=a >= change):
                b -= 1
            bands.append((a, b))
            a = b
    return bands


def _is_straight(profile: Profile, a: int, b: int, *, inner: bool) -> bool:
    t = (profile.z[a : b + 1] - profile.z[a]) / (profile.z[b] - profile.z[a])
    curves = [profile.outer, profile.inner] if inner else [profile.outer]
    return all(np.abs(r[a] + t * (r[b] - r[a]) - r[a : b + 1]).max() <= TOLERANCE for r in curves)


def _ring(profile: Profile, level: int, sectors: int, *, outer: bool) -> Points:
    r = (profile.outer if outer else profile.inner)[level]
    angle = np.arange(sectors) * (2 * np.pi / sectors)
    x, y = profile.axis[0] + r * np.cos(angle), profile.axis[1] + r * np.sin(angle)
    return np.stack([x, y, np.full(sectors, profile.z[level])], axis=1)


def _handles(vertices: Points, faces: Faces, profile: Profile, pieces: int) -> list[Points]:
    """Convex parts of what sticks out of the turned body."""
    radius = np.linalg.norm(vertices[:, :2] - profile.axis, axis=1)
    body = np.interp(vertices[:, 2], profile.z, profile.outer)
    is_out = radius > body + 0.004
    chosen = faces[is_out[faces].any(1)]
    if len(chosen) == 0:
        return []
    _, place = np.unique(np.round(vertices, 5), axis=0, return_inverse=True)
    corner = place.reshape(-1)[chosen]
    pairs = np.concatenate([corner[:, [0, 1]], corner[:, [1, 2]]])
    n = int(place.max()) + 1
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (n, n))
    label = connected_components(graph, directed=False)[1][corner[:, 0]]
    parts = []
    for k in np.unique(label):
        group = vertices[chosen[label == k]]
        if np.ptp(group.reshape(-1, 3), axis=0).max() < 0.012:
            continue
        parts += _ring_of_hulls(group, pieces)
    return parts


def _ring_of_hulls(triangles: Points, pieces: int) -> list[Points]:
    """Hulls of a loop's triangles by angle in its main plane, [N, 3, 3] m."""
    points = triangles.reshape(-1, 3)
    middle = (points.min(0) + points.max(0)) / 2
    _, _, axes = np.linalg.svd(points - points.mean(0), full_matrices=False)
    flat = (triangles.mean(1) - middle) @ axes[:2].T
    sector = ((np.arctan2(flat[:, 1], flat[:, 0]) / (2 * np.pi) % 1) * pieces).astype(int)
    parts = []
    for s in range(pieces):
        group = triangles[sector == s].reshape(-1, 3)
        if hulls.has_body(group):
            parts.append(hulls.reduced_hull(group, directions=20, rim=0))
    return parts
