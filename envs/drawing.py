"""Draw points on a picture."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from refergym.assets.camera import pixel_of_point

COLOURS = ((255, 40, 40), (40, 120, 255), (40, 200, 60), (250, 160, 20))
"""sRGB of the first, second... point; then from the start again"""


def draw_points(
    rgb: NDArray[np.uint8], points_uv: Sequence[tuple[float, float]]
) -> NDArray[np.uint8]:
    """Return a copy of a picture [H, W, 3] with a ring and a dot at each point (u, v)."""
    out = rgb.copy()
    height, width = out.shape[:2]
    ys, xs = np.mgrid[0:height, 0:width]
    radius = max(3.0, width / 45)
    for k, point in enumerate(points_uv):
        x, y = pixel_of_point((width, height), *point)
        away = np.hypot(xs - x, ys - y)
        out[np.abs(away - radius) <= 1.6] = 255
        out[(np.abs(away - radius) <= 0.8) | (away <= 1)] = COLOURS[k % len(COLOURS)]
    return out
