"""From a raw mesh to a piece of furniture: its upper face, what is below it, its mass."""

import numpy as np
from numpy.typing import NDArray

from refergym.assets.builder import finish, furniture, hulls, measure, symmetry
from refergym.assets.builder.categories import Category
from refergym.assets.builder.finish import Body, RawMesh
from refergym.assets.errors import PackError
from refergym.assets.library import Top

Points = NDArray[np.float64]


def furnished(
    raw: RawMesh, recipe: Category, name: str, *, factory: str = "", factory_seed: int = 0
) -> Body:
    """Turn a raw mesh into a body with an upper face that things can stand on.

    Its convex parts are the slab under that face, first, and what carries it.

    Args:
        raw: the mesh, upright and at its final size.
        recipe: what it is.
        name: of the asset.
        factory: the Infinigen factory that made it.
        factory_seed: its seed.

    Raises:
        PackError: naming the asset, if it has no level upper face.
    """
    vertices = finish.centred(raw.vertices)
    faces = finish.with_area(vertices, raw.faces)
    try:
        top = furniture.top_of(vertices, faces)
        below = furniture.legs(vertices, faces, top)
    except ValueError as e:
        raise PackError(f"{name}: {e}") from e
    outline = np.array(top.outline)
    slab = np.concatenate(
        [np.column_stack([outline, np.full(len(outline), z)]) for z in _ends(top)]
    )
    parts = tuple(np.round(p, 6) + 0.0 for p in (slab, *map(hulls.reduced_hull, below)))
    return Body(
        name=name,
        shape=name,
        category=recipe,
        vertices=vertices,
        uv=raw.uv,
        faces=faces,
        texture=raw.texture,
        parts=parts,
        mass=measure.solid_mass(parts, recipe.density),
        symmetry=symmetry.order(vertices, faces),
        stable_poses=(),
        top=top,
        factory=factory,
        factory_seed=factory_seed,
    )


def _ends(top: Top) -> tuple[float, float]:
    return top.height - top.thickness, top.height
