"""From a raw mesh to an asset's body: origin, resting pose, convex parts, mass.

The one way that every mesh takes into a pack, whatever made it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image

from refergym.assets import poses
from refergym.assets.builder import (
    directions,
    hulls,
    measure,
    resting,
    stable,
    symmetry,
    turned,
    volume,
)
from refergym.assets.builder.categories import Category
from refergym.assets.builder.measure import MassProperties
from refergym.assets.errors import PackError
from refergym.assets.library import StablePose, Top
from refergym.assets.spec import Vec3

LARGEST_TEXTURE = 256
"""px"""
FINGER_DEPTH = 0.06
"""m below the rim that turned things stay hollow although nothing is put into them"""

Points = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class RawMesh:
    """Triangles with one texture, z up, in metres, anywhere."""

    vertices: Points
    """[V, 3] m"""
    uv: Points
    """[V, 2] origin at the texture's top left"""
    faces: NDArray[np.int64]
    """[F, 3] counter-clockwise from outside"""
    texture: NDArray[np.uint8]
    """[h, w, 3] sRGB"""


@dataclass(frozen=True, kw_only=True)
class Body:
    """A finished asset before it is written: z up, bottom at z = 0, origin under the middle."""

    name: str
    shape: str
    """colour variants of one shape share this"""
    category: Category
    vertices: Points
    """[V, 3] m"""
    uv: Points
    """[V, 2] origin at the texture's top left"""
    faces: NDArray[np.int64]
    """[F, 3]"""
    texture: NDArray[np.uint8]
    """[h, w, 3] sRGB, at most LARGEST_TEXTURE px"""
    parts: tuple[Points, ...]
    """[K, 3] m, corners of each convex part"""
    mass: MassProperties
    symmetry: int
    """as in AssetInfo"""
    stable_poses: tuple[StablePose, ...]
    directions: dict[str, Vec3] = field(default_factory=dict)
    """as in AssetInfo"""
    top: Top | None = None
    """of furniture"""
    factory: str = ""
    """the Infinigen factory that made it; empty for meshes of other origin"""
    factory_seed: int = 0


def finished(
    raw: RawMesh,
    recipe: Category,
    name: str,
    *,
    factory: str = "",
    factory_seed: int = 0,
) -> Body:
    """Turn a raw mesh into a body.

    Args:
        raw: the mesh, upright and at its final size.
        recipe: what it is: how to weigh it and to cut it into convex parts.
        name: of the asset.
        factory: the Infinigen factory that made it.
        factory_seed: its seed.

    Raises:
        PackError: naming the asset, if it has no volume, or encloses none and has no wall.
    """
    vertices = centred(raw.vertices)
    faces = with_area(vertices, raw.faces)
    if not hulls.has_body(vertices[np.unique(faces)]):
        raise PackError(
            f"{name}: the mesh has no volume (it is flat, or smaller than 0.3 mm); give it a"
            " thickness"
        )
    parts = _convex_parts(recipe, vertices, faces)
    if not parts:
        raise PackError(f"{name}: no convex part has a volume; close or thicken the mesh")
    mass = _mass(recipe, vertices, faces, name)
    if recipe.settles or recipe.lies:
        if recipe.lies:
            likeliest = max(_stable_poses(parts, mass.com, name), key=lambda p: p.probability)
            turn = poses.rotation(likeliest.orientation)
        else:
            turn = resting.resting_rotation(parts, mass.com)
        lain = centred(vertices @ turn.T)
        mass = MassProperties(
            mass=mass.mass,
            com=turn @ mass.com + lain[0] - turn @ vertices[0],
            inertia=turn @ mass.inertia @ turn.T,
        )
        # `_fitted` moves the parts after the mesh.
        vertices, parts = lain, [p @ turn.T for p in parts]
    fitted = _fitted(parts, vertices)
    texture = _shrunk(raw.texture)
    return Body(
        name=name,
        shape=name,
        category=recipe,
        vertices=vertices,
        uv=raw.uv,
        faces=faces,
        texture=texture,
        parts=fitted,
        mass=mass,
        symmetry=symmetry.order(vertices, faces),
        stable_poses=_stable_poses(fitted, mass.com, name),
        directions={
            word: vector
            for word in recipe.directions
            if (vector := directions.measured(word, vertices, faces, raw.uv, texture))
        },
        factory=factory,
        factory_seed=factory_seed,
    )


def check_mass(body: Body) -> None:
    """Raise PackError if nobody would believe the body's mass."""
    low, high = body.category.mass
    if not low <= body.mass.mass <= high:
        raise PackError(
            f"{body.name}: {body.mass.mass:.3f} kg is not what a {body.category.noun} weighs ({low}"
            f" to {high} kg); change its size, or the category's density or wall"
        )


def samples(body: Body) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Colours of the whole surface: [N, 3] sRGB and [N] m2 each."""
    return measure.surface_samples(body.vertices, body.uv, body.faces, body.texture)


def centred(vertices: Points) -> Points:
    """Move the bottom to z = 0 and the origin under the middle of the bounding box."""
    low, high = vertices.min(0), vertices.max(0)
    return np.asarray(vertices - [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])


def _mass(
    recipe: Category, vertices: Points, faces: NDArray[np.int64], name: str
) -> MassProperties:
    if recipe.wall is not None:
        # Walls are modelled with both their sides, so each bears half the thickness.
        return measure.shell_mass(vertices, faces, recipe.density * recipe.wall / 2)
    try:
        return volume.solid(vertices, faces).filled(recipe.density)
    except ValueError as e:
        raise PackError(f"{name}: {e}") from e


def _stable_poses(parts: Sequence[Points], com: Points, name: str) -> tuple[StablePose, ...]:
    try:
        return stable.stable_poses(parts, com)
    except ValueError as e:
        raise PackError(f"{name}: {e}; its mesh is open, or turned inside out in places") from e


def _shrunk(texture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if max(texture.shape[:2]) <= LARGEST_TEXTURE:
        return texture
    picture = Image.fromarray(texture)
    picture.thumbnail((LARGEST_TEXTURE, LARGEST_TEXTURE), Image.Resampling.LANCZOS)
    return np.array(picture)


def with_area(vertices: Points, faces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Drop triangles that decimation has left without area: they have no normal."""
    t = vertices[faces]
    area = np.linalg.norm(np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]), axis=1)
    return np.asarray(faces[area > 1e-11])


def _convex_parts(recipe: Category, vertices: Points, faces: NDArray[np.int64]) -> list[Points]:
    if recipe.is_turned:
        hollow = np.inf if recipe.is_open else FINGER_DEPTH
        return turned.turned_parts(vertices, faces, recipe.handle_pieces, hollow)
    if recipe.is_open_box:
        return hulls.open_box(vertices, faces)
    if recipe.slabs:
        return hulls.slabs(vertices, faces, *recipe.slabs)
    if recipe.split:
        return _pieces(vertices, faces)
    if recipe.is_one_hull:
        return [hulls.reduced_hull(vertices)]
    from refergym.assets.builder import coacd_parts

    return coacd_parts.convex_parts(vertices, faces)


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
    corners = [
        np.unique(vertices[f].reshape(-1, 3), axis=0) for f in volume.pieces(vertices, faces)
    ]
    pieces = [hulls.reduced_hull(points) for points in corners if hulls.has_body(points)]
    pieces.sort(key=lambda p: -float(trimesh.convex.convex_hull(p).volume))
    kept: list[Points] = []
    for points in pieces:
        if not any(_contains(other, points) for other in kept):
            kept.append(points)
    return kept


def _contains(outer: Points, inner: Points) -> bool:
    hull = trimesh.convex.convex_hull(outer)
    n, c = np.asarray(hull.face_normals), np.asarray(hull.triangles_center)
    return bool(((inner @ n.T - np.einsum("fd,fd->f", n, c)) < 4e-3).all())
