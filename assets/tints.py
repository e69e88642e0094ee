"""What a tinted object's colour is called: named by the measure that names a plain one."""

import functools

import numpy as np
from numpy.typing import NDArray

from refergym.assets.builder import colours
from refergym.assets.library import Pack
from refergym.assets.spec import Vec3

PLAIN = (1.0, 1.0, 1.0)
STEP = 7
"""one of so many samples is kept; some thousands of an asset remain, evenly spread"""


@functools.lru_cache(maxsize=4096)
def colour_name(pack: Pack, asset: str, tint: Vec3 = PLAIN) -> str | None:
    """Return the colour that an object may be said to have, or None where none is sure.

    Args:
        pack: where the asset is.
        asset: its name.
        tint: [3] what multiplies its texture's linear RGB.

    Returns:
        The manifest's name for an object that is not tinted. For others the name of the tinted
        surface; None for an asset that has no name untinted, or whose name in the manifest does not
        come from this measure.
    """
    known = pack[asset].colour
    if known is None or tint == PLAIN:
        return known
    rgb = _seen(pack, asset)
    if colours.name_colour(rgb)[0] != known:
        return None
    light = colours.srgb_to_linear(rgb) * np.asarray(tint)
    return colours.name_colour(colours.linear_to_srgb(light))[0]


@functools.lru_cache(maxsize=512)
def _seen(pack: Pack, asset: str) -> NDArray[np.uint8]:
    """Samples [N, 3] of the texture as people see it."""
    from refergym.assets.builder import measure  # takes trimesh along, which few scenes need

    mesh = pack.mesh(asset)
    vertices, uv = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.uv, np.float64)
    seen = measure.seen_samples(vertices, uv, np.asarray(mesh.faces, np.int64), mesh.texture)
    return seen[::STEP]
