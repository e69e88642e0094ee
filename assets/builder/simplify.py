"""Few triangles and one small picture for any mesh: decimate, unwrap, carry the colours over.

A mesh that is small already and has one picture stays as it is.
"""

from collections.abc import Sequence

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from refergym.assets import seeding
from refergym.assets.builder import sampling, volume
from refergym.assets.builder.finish import LARGEST_TEXTURE, RawMesh
from refergym.assets.builder.reading import Surface
from refergym.assets.errors import BuildError

Points = NDArray[np.float64]
Faces = NDArray[np.int64]

TRIANGLES = 1500
AREA_GUARD = (0.93, 1.07)
"""allowed change of a piece's surface; collapsing edges eats thin sheets"""
LEAST_TRIANGLES = 60
"""of a piece that is decimated at all"""
OVERSHOOT = 1.5
"""times the triangles asked for at which a mesh still counts as decimated"""
MERGED = 1e-6
"""of the longest side: vertices nearer than this are one"""
REACH = 0.01
"""of the longest side: how far the surface may have moved by decimation"""
FINENESS = 2
"""points looked at per texel and axis"""
SAMPLES = 200_000
"""of the surfaces, where nothing lies within reach"""
PADDING = 2
"""px between the islands of the picture"""


def simplified(
    surfaces: Sequence[Surface], triangles: int = TRIANGLES, size: int = LARGEST_TEXTURE
) -> RawMesh:
    """Make one mesh with one picture of surfaces.

    Args:
        surfaces: of one thing, in any unit.
        triangles: about how many to keep of meshes that have more.
        size: px, side of the picture where one has to be painted.

    Returns:
        The mesh, in the same unit.

    Raises:
        BuildError: if a library of the extra `pack` is needed and missing.
    """
    count = sum(len(s.faces) for s in surfaces)
    if len(surfaces) == 1 and count <= triangles and _has_own_picture(surfaces[0]):
        only = surfaces[0]
        assert only.uv is not None
        used, faces = np.unique(only.faces, return_inverse=True)
        return RawMesh(
            vertices=only.vertices[used],
            uv=only.uv[used],
            faces=faces.reshape(-1, 3),
            texture=only.texture,
        )
    first = np.cumsum([0, *(len(s.vertices) for s in surfaces)])
    vertices = np.concatenate([s.vertices for s in surfaces])
    faces = np.concatenate([s.faces + n for s, n in zip(surfaces, first, strict=False)])
    vertices, faces = decimated(*_merged(vertices, faces), triangles)
    plain = _plain(surfaces)
    if plain is not None:
        uv = np.full((len(vertices), 2), 0.5)
        texture = np.tile(plain, (4, 4, 1))
        return RawMesh(vertices=vertices, uv=uv, faces=faces, texture=texture)
    vertices, uv, faces = unwrapped(vertices, faces, size)
    texture = _painted(surfaces, vertices, uv, faces, size)
    return RawMesh(vertices=vertices, uv=uv, faces=faces, texture=texture)


def decimated(vertices: Points, faces: Faces, target: int) -> tuple[Points, Faces]:
    """Collapse edges down to about `target` triangles, but leave pieces that would lose their form.

    Args:
        vertices: [V, 3], those at one place merged.
        faces: [F, 3].
        target: triangles of the whole.

    Returns:
        [V', 3] and [F', 3]; more than `target` where pieces were left as they are.

    Raises:
        BuildError: if fast-simplification is not installed.
    """
    total = len(faces)
    if total <= target:
        return vertices, faces
    whole = _collapsed(vertices, faces, target)
    if _keeps_area((vertices, faces), whole) and len(whole[1]) <= OVERSHOOT * target:
        return whole
    kept, first = [], 0
    for piece in volume.pieces(vertices, faces):
        before = _compact(vertices, piece)
        after = before
        if len(piece) > LEAST_TRIANGLES:
            goal = max(LEAST_TRIANGLES, target * len(piece) // total)
            after = _collapsed(*before, goal)
        v, f = after if _keeps_area(before, after) else before
        kept.append((v, f + first))
        first += len(v)
    return np.concatenate([v for v, _ in kept]), np.concatenate([f for _, f in kept])


def unwrapped(vertices: Points, faces: Faces, size: int) -> tuple[Points, Points, Faces]:
    """Lay a mesh's surface out in a square.

    Args:
        vertices: [V, 3].
        faces: [F, 3].
        size: px, side of the picture that is to be painted on it.

    Returns:
        [V', 3], [V', 2] in [0, 1], [F, 3]; vertices on seams are doubled.

    Raises:
        BuildError: if xatlas is not installed.
    """
    try:
        import xatlas
    except ModuleNotFoundError as e:
        raise _missing("xatlas") from e
    # xatlas welds by absolute distances; the unit of length must not matter.
    even = (vertices - vertices.min(0)) / np.ptp(vertices, axis=0).max()
    options = xatlas.PackOptions()
    options.resolution, options.padding = size, PADDING
    for _ in range(20):
        atlas = xatlas.Atlas()
        atlas.add_mesh(even.astype(np.float32), faces.astype(np.uint32))
        atlas.generate(pack_options=options)
        if atlas.atlas_count <= 1 and max(atlas.width, atlas.height) <= size:
            break
        options.texels_per_unit = 0.93 * atlas.texels_per_unit
    place, corners, uv = atlas[0]
    return (
        vertices[np.asarray(place, np.int64)],
        np.asarray(uv, np.float64) * [atlas.width / size, atlas.height / size],
        np.asarray(corners, np.int64),
    )


def _painted(
    surfaces: Sequence[Surface], vertices: Points, uv: Points, faces: Faces, size: int
) -> NDArray[np.uint8]:
    """Colour every texel by what of the surfaces lies there, looked at from outside."""
    fine = FINENESS * size
    spot, face, bary = _texels(uv, faces, fine)
    place = np.einsum("nk,nkd->nd", bary, vertices[faces[face]])
    facing = _normals(vertices, faces)[face]
    reach = REACH * float(np.ptp(vertices, axis=0).max())
    rgb = _seen(surfaces, place, facing, reach)
    texel = spot // fine // FINENESS * size + spot % fine // FINENESS
    count = np.bincount(texel, minlength=size * size)
    total = np.stack([np.bincount(texel, rgb[:, k], size * size) for k in range(3)], axis=1)
    picture = (total / np.maximum(count, 1)[:, None] + 0.5).astype(np.uint8)
    # Between the islands, the nearest island's colour: filters and small pictures read it.
    nearest = distance_transform_edt(
        (count == 0).reshape(size, size), return_distances=False, return_indices=True
    )
    rows, columns = np.asarray(nearest)
    return np.asarray(picture.reshape(size, size, 3)[rows, columns])


def _seen(
    surfaces: Sequence[Surface], place: Points, facing: Points, reach: float
) -> NDArray[np.uint8]:
    """Colour [N, 3] of the outermost surface within reach of points, else of the nearest."""
    first = np.cumsum([0, *(len(s.vertices) for s in surfaces)])
    vertices = np.concatenate([s.vertices for s in surfaces])
    faces = np.concatenate([s.faces + n for s, n in zip(surfaces, first, strict=False)])
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    points, ray, face = mesh.ray.intersects_location(
        place + reach * facing, -facing, multiple_hits=False
    )
    ray, face = np.asarray(ray, np.int64), np.asarray(face, np.int64)
    is_near = np.linalg.norm(points - place[ray], axis=1) <= 1.001 * reach
    fits = is_near & ((_normals(vertices, faces)[face] * facing[ray]).sum(1) > 0)
    points, ray, face = np.asarray(points)[fits], ray[fits], face[fits]
    shares = _shares(vertices[faces[face]], points)
    rgb = np.zeros((len(place), 3), np.uint8)
    owner = np.searchsorted(np.cumsum([len(s.faces) for s in surfaces]), face, side="right")
    begin = np.cumsum([0, *(len(s.faces) for s in surfaces)])
    for k, surface in enumerate(surfaces):
        own = owner == k
        rgb[ray[own]] = surface.at(face[own] - begin[k], shares[own])[1]
    lost = np.ones(len(place), bool)
    lost[ray] = False
    if lost.any():
        rgb[lost] = _nearest(surfaces, place[lost], facing[lost], 2 * reach)
    return rgb


def _nearest(
    surfaces: Sequence[Surface], place: Points, facing: Points, apart: float
) -> NDArray[np.uint8]:
    """Colour [N, 3] of the nearest samples; such as face the other way seem 2 `apart` further."""
    sample, normal, rgb = _samples(surfaces, SAMPLES)
    tree = cKDTree(np.concatenate([sample, apart * normal], axis=1))
    _, near = tree.query(np.concatenate([place, apart * facing], axis=1))
    return np.asarray(rgb[near])


def _texels(uv: Points, faces: Faces, size: int) -> tuple[Faces, Faces, Points]:
    """Texels whose middle is covered: index [N] (row by row), face [N], shares [N, 3]."""
    flat = np.concatenate([uv, np.zeros((len(uv), 1))], axis=1)
    middle = (np.arange(size) + 0.5) / size
    x, y = (g.reshape(-1) for g in np.meshgrid(middle, middle))
    rays = np.stack([x, y, np.ones_like(x)], axis=1)
    down = np.tile([0.0, 0.0, -1.0], (len(rays), 1))
    mesh = trimesh.Trimesh(flat, faces, process=False)
    points, ray, face = mesh.ray.intersects_location(rays, down, multiple_hits=False)
    return np.asarray(ray), np.asarray(face), _shares(flat[faces[face]], np.asarray(points))


def _shares(triangles: Points, points: Points) -> Points:
    """Barycentric coordinates [N, 3] of points [N, 3] on triangles [N, 3, 3]."""
    a, b, c = np.moveaxis(triangles, 1, 0)
    whole = np.cross(b - a, c - a)
    area = np.maximum((whole * whole).sum(1), 1e-300)
    u = (np.cross(b - points, c - points) * whole).sum(1) / area
    v = (np.cross(c - points, a - points) * whole).sum(1) / area
    bary = np.clip(np.stack([u, v, 1 - u - v], axis=1), 0, 1)
    return np.asarray(bary / np.maximum(bary.sum(1, keepdims=True), 1e-300))


def _samples(surfaces: Sequence[Surface], count: int) -> tuple[Points, Points, NDArray[np.uint8]]:
    """Points spread evenly over surfaces: place [N, 3], normal [N, 3], sRGB [N, 3]."""
    rng = seeding.generator(0, "transfer of colours")
    area = [float(sampling.areas(s.vertices, s.faces).sum()) for s in surfaces]
    places, normals, colours = [], [], []
    for surface, own in zip(surfaces, area, strict=True):
        n = max(LEAST_TRIANGLES, round(count * own / sum(area)))
        face, bary = sampling.spread(surface.vertices, surface.faces, n, rng)
        place, rgb = surface.at(face, bary)
        places.append(place)
        normals.append(_normals(surface.vertices, surface.faces)[face])
        colours.append(rgb)
    return np.concatenate(places), np.concatenate(normals), np.concatenate(colours)


def _has_own_picture(surface: Surface) -> bool:
    if surface.uv is None or surface.colours is not None:
        return False
    return bool(surface.uv.min() >= -1e-4 and surface.uv.max() <= 1 + 1e-4)


def _plain(surfaces: Sequence[Surface]) -> NDArray[np.uint8] | None:
    """Colour [3] that all surfaces have, if they have no more than one."""
    if any(s.uv is not None or s.colours is not None for s in surfaces):
        return None
    found = {tuple(s.texture[0, 0].tolist()) for s in surfaces}
    return np.array(found.pop(), np.uint8) if len(found) == 1 else None


def _collapsed(vertices: Points, faces: Faces, target: int) -> tuple[Points, Faces]:
    try:
        import fast_simplification
    except ModuleNotFoundError as e:
        raise _missing("fast-simplification") from e
    # It collapses edges by absolute errors; the unit of length must not matter.
    start, side = vertices.min(0), float(np.ptp(vertices, axis=0).max())
    v, f = fast_simplification.simplify(
        (vertices - start) / side, np.ascontiguousarray(faces), target_count=target
    )[:2]
    return np.asarray(v, np.float64) * side + start, np.asarray(f, np.int64)


def _keeps_area(before: tuple[Points, Faces], after: tuple[Points, Faces]) -> bool:
    low, high = AREA_GUARD
    was = float(sampling.areas(*before).sum())
    return bool(len(after[1]) and low * was <= float(sampling.areas(*after).sum()) <= high * was)


def _merged(vertices: Points, faces: Faces) -> tuple[Points, Faces]:
    """Make vertices at one place one, and drop triangles without area."""
    step = MERGED * float(np.ptp(vertices, axis=0).max())
    key = np.round((vertices - vertices.min(0)) / max(step, 1e-300)).astype(np.int64)
    _, first, place = np.unique(key, axis=0, return_index=True, return_inverse=True)
    corner = place.reshape(-1)[faces]
    whole = (corner != np.roll(corner, 1, axis=1)).all(1)
    return _compact(vertices[first], corner[whole])


def _compact(vertices: Points, faces: Faces) -> tuple[Points, Faces]:
    """Drop vertices that no triangle uses."""
    used, corner = np.unique(faces, return_inverse=True)
    return vertices[used], corner.reshape(-1, 3).astype(np.int64)


def _normals(vertices: Points, faces: Faces) -> Points:
    t = vertices[faces]
    normal = np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])
    return np.asarray(normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300))


def _missing(package: str) -> BuildError:
    return BuildError(f"{package} is not installed, but needed: pip install 'refergym[pack]'")
