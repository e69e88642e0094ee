"""Mend one raw asset: axes, origin, resting pose, convex parts, mass; recolour copies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from refergym.assets.builder import colours, hulls, measure, resting, turned
from refergym.assets.builder.curation import Category, Curation, Variant
from refergym.assets.errors import PackError
from refergym.assets.library import load_glb, load_parts

LARGEST_TEXTURE = 256
"""px"""
FINGER_DEPTH = 0.06
"""m below the rim that turned things stay hollow although nothing is put into them"""

Points = NDArray[np.float64]

_LAID = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""a quarter turn round x: +y comes up"""


@dataclass(frozen=True, kw_only=True)
class Body:
    """A mended asset before it is written: z up, bottom at z = 0, origin under the middle."""

    name: str
    source: dict[str, Any]
    """its entry in the raw manifest"""
    category: Category
    vertices: Points
    """[V, 3] m"""
    uv: Points
    """[V, 2] origin at the texture's top left"""
    faces: NDArray[np.int64]
    """[F, 3]"""
    texture: NDArray[np.uint8]
    """[h, w, 3] sRGB"""
    parts: tuple[Points, ...]
    """[K, 3] m, corners of each convex part"""


def mended(raw: Path, entry: dict[str, Any], category: Category, curation: Curation) -> Body:
    """Read and mend one asset.

    Args:
        raw: the raw folder.
        entry: the asset's entry in the raw manifest.
        category: what it is.
        curation: resizings and turns.

    Raises:
        PackError: naming the file that cannot be read.
    """
    name = entry["name"]
    visual = raw / entry["path"] / f"{name}.glb"
    collision = raw / entry["path"] / f"{name}_col.obj"
    mesh = load_glb(_bytes(visual), visual)
    factor = curation.rescaled.get(name, 1.0)
    vertices = np.asarray(mesh.vertices, np.float64) * factor
    parts = [p * factor for p in load_parts(_bytes(collision), collision)]
    if name in curation.laid:
        vertices = vertices @ _LAID.T
        parts = [p @ _LAID.T for p in parts]
    vertices = _centred(vertices)
    faces = _with_area(vertices, np.asarray(mesh.faces, np.int64))
    parts = _convex_parts(category, vertices, faces, parts)
    if category.settles:
        com = mass_properties(category, vertices, faces, parts).com
        turn = resting.resting_rotation(parts, com)
        # `_fitted` moves the parts after the mesh.
        vertices, parts = _centred(vertices @ turn.T), [p @ turn.T for p in parts]
    texture = mesh.texture
    if max(texture.shape[:2]) > LARGEST_TEXTURE:
        picture = Image.fromarray(texture)
        picture.thumbnail((LARGEST_TEXTURE, LARGEST_TEXTURE), Image.Resampling.LANCZOS)
        texture = np.asarray(picture)
    return Body(
        name=name,
        source=entry,
        category=category,
        vertices=vertices,
        uv=np.asarray(mesh.uv, np.float64),
        faces=faces,
        texture=texture,
        parts=_fitted(parts, vertices),
    )


def mass_properties(
    category: Category, vertices: Points, faces: NDArray[np.int64], parts: Sequence[Points]
) -> measure.MassProperties:
    """Mass by the category's wall thickness, or by its density where it is solid."""
    if category.wall is None:
        return measure.solid_mass(parts, category.density)
    # Walls are modelled with both their sides, so each bears half the thickness.
    return measure.shell_mass(vertices, faces, category.density * category.wall / 2)


def recoloured(body: Body, variant: Variant) -> Body:
    """Replace the texture's colour, keeping its light and dark."""
    linear = colours.srgb_to_linear(body.texture)
    rgb, weights = samples(body)
    level = linear @ [0.2126, 0.7152, 0.0722]
    mean = float((colours.srgb_to_linear(rgb) @ [0.2126, 0.7152, 0.0722] * weights).sum())
    mean /= float(weights.sum())
    paint = colours.srgb_to_linear(np.array(variant.rgb, np.uint8))
    texture = colours.linear_to_srgb(np.clip(level / mean, 0.5, 1.6)[..., None] * paint)
    return replace(body, name=variant.name, texture=texture)


def samples(body: Body) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Colours of the whole surface: [N, 3] sRGB and [N] m2 each."""
    return measure.surface_samples(body.vertices, body.uv, body.faces, body.texture)


def _with_area(vertices: Points, faces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Drop triangles that decimation has left without area: they have no normal."""
    t = vertices[faces]
    area = np.linalg.norm(np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]), axis=1)
    return np.asarray(faces[area > 1e-11])


def _centred(vertices: Points) -> Points:
    """Move the bottom to z = 0 and the origin under the middle of the bounding box."""
    low, high = vertices.min(0), vertices.max(0)
    return np.asarray(vertices - [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])


def _convex_parts(
    category: Category, vertices: Points, faces: NDArray[np.int64], raw: list[Points]
) -> list[Points]:
    if category.is_turned:
        hollow = np.inf if category.is_open else FINGER_DEPTH
        return turned.turned_parts(vertices, faces, category.handle_pieces, hollow)
    if category.is_open_box:
        return hulls.open_box(vertices, faces)
    if category.slabs:
        return hulls.slabs(vertices, faces, *category.slabs)
    if category.split:
        return _pieces(vertices, faces)
    return [hulls.reduced_hull(p) for p in raw]


def _fitted(parts: list[Points], vertices: Points) -> tuple[Points, ...]:
    """Stretch convex parts, all alike, until their bounds are those of the mesh.

    CoACD's voxels blow parts up by 1 to 5 mm; stretching takes that back without gaps between
    them, keeps them convex, and puts the bottom on z = 0.
    """
    joined = np.concatenate(parts)
    low, span = joined.min(0), np.ptp(joined, axis=0)
    target, size = vertices.min(0), np.ptp(vertices, axis=0)
    # Six decimals survive the OBJ file; rounding outwards would put a bottom below zero.
    return tuple(np.round(target + (p - low) * (size / span), 6) + 0.0 for p in parts)


def _pieces(vertices: Points, faces: NDArray[np.int64]) -> list[Points]:
    """Vertices of each connected piece of the mesh that has a body, largest first."""
    places, same = np.unique(np.round(vertices, 6), axis=0, return_inverse=True)
    corners = same.reshape(-1)[faces]
    pairs = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]]])
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (len(places),) * 2)
    count, label = connected_components(graph, directed=False)
    pieces = []
    for k in range(count):
        points = places[label == k]
        if hulls.has_body(points):
            pieces.append(hulls.reduced_hull(points))
    pieces.sort(key=lambda p: -float(trimesh.convex.convex_hull(p).volume))
    kept: list[Points] = []
    for points in pieces:
        inside = any(_contains(other, points) for other in kept)
        if not inside:
            kept.append(points)
    return kept


def _contains(outer: Points, inner: Points) -> bool:
    hull = trimesh.convex.convex_hull(outer)
    n, c = np.asarray(hull.face_normals), np.asarray(hull.triangles_center)
    return bool(((inner @ n.T - np.einsum("fd,fd->f", n, c)) < 4e-3).all())


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise PackError(f"{path}: cannot read the file ({e.strerror})") from e
