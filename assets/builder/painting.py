"""Copies of an asset in another colour: the texture's hue is replaced, its light and dark kept."""

from dataclasses import replace

import numpy as np

from refergym.assets.builder import colours, finish
from refergym.assets.builder.finish import Body


def painted(body: Body, name: str, rgb: tuple[int, int, int]) -> Body:
    """Return a copy of a body in one colour.

    Args:
        body: what to copy; the copy has its shape.
        name: of the copy.
        rgb: sRGB of the paint.
    """
    linear = colours.srgb_to_linear(body.texture)
    seen, weights = finish.samples(body)
    level = linear @ [0.2126, 0.7152, 0.0722]
    mean = float((colours.srgb_to_linear(seen) @ [0.2126, 0.7152, 0.0722] * weights).sum())
    mean = max(mean / float(weights.sum()), 1e-4)
    paint = colours.srgb_to_linear(np.array(rgb, np.uint8))
    texture = colours.linear_to_srgb(np.clip(level / mean, 0.5, 1.6)[..., None] * paint)
    return replace(body, name=name, texture=texture)
