"""Name the colour of a surface with one of eleven basic English words, as a person would.

Names are regions of CIE LCh (D65); pixels near a border between two names have none, so that a
named colour is one that people agree on. Source of the regions: Berlin and Kay's basic terms,
placed by hand on swatches and on this pack's pictures.
"""

import numpy as np
from numpy.typing import NDArray

NAMES = (
    "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "white", "grey", "black",
)  # fmt: skip
LEAST_SHARE = 0.6
"""a surface has a colour if at least this share of its area bears one name"""
MARGIN_HUE = 4.0
"""degrees on either side of a border between hues that belong to no name"""

_WHITE = np.array([0.95047, 1.0, 1.08883])
_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_NONE = -1


def srgb_to_linear(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Undo the sRGB curve: [..., 3] uint8 -> [..., 3] in [0, 1]. Source: IEC 61966-2-1."""
    c = np.asarray(rgb, np.float64) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Apply the sRGB curve: [..., 3] clipped to [0, 1] -> [..., 3] uint8."""
    c = np.clip(linear, 0, 1)
    c = np.where(c <= 0.0031308, 12.92 * c, 1.055 * c ** (1 / 2.4) - 0.055)
    return (c * 255 + 0.5).astype(np.uint8)


def lab(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Convert sRGB [..., 3] uint8 to CIE L*a*b* [..., 3] under D65."""
    t = srgb_to_linear(rgb) @ _TO_XYZ.T / _WHITE
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def name_indices(rgb: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Name each colour of [N, 3] sRGB: [N] index into NAMES, or -1 where two names are near."""
    values = lab(rgb)
    lightness = values[:, 0]
    chroma = np.hypot(values[:, 1], values[:, 2])
    hue = np.degrees(np.arctan2(values[:, 2], values[:, 1])) % 360
    low = _names(lightness, chroma, (hue - MARGIN_HUE) % 360)
    high = _names(lightness, chroma, (hue + MARGIN_HUE) % 360)
    return np.where(low == high, low, _NONE)


def name_colour(
    rgb: NDArray[np.uint8], weights: NDArray[np.float64] | None = None
) -> tuple[str | None, float]:
    """Name the colour of a surface from samples of it.

    Args:
        rgb: [N, 3] sRGB samples.
        weights: [N] area of each; None counts all alike.

    Returns:
        The name, or None where none covers LEAST_SHARE of the area, and the share of the most
        frequent name, in [0, 1].
    """
    if len(rgb) == 0:
        raise ValueError("rgb: expected at least one sample, got none")
    w = np.ones(len(rgb)) if weights is None else np.asarray(weights, np.float64)
    index = name_indices(rgb)
    area = np.bincount(index[index >= 0], w[index >= 0], minlength=len(NAMES))
    best = int(area.argmax())
    share = round(float(area[best] / w.sum()), 3)
    return (NAMES[best] if share >= LEAST_SHARE else None), share


def _names(
    lightness: NDArray[np.float64], chroma: NDArray[np.float64], hue: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Regions of LCh. The order matters: the first that fits names the colour."""
    i = {name: k for k, name in enumerate(NAMES)}
    # People call steel grey in spite of its blue, but a trace of warmth makes brown or beige:
    # between "surely neutral" and "surely coloured" there is no name.
    bluish = (hue >= 215) & (hue < 290)
    neutral = chroma < np.where(bluish, 12, 5.5)
    coloured = chroma > np.where(bluish, 17, np.where(lightness < 30, 13, 16))
    # Equal steps of hue are not: saturated blues lie where pale ones already look purple.
    purple_from = 299 + 12 * np.clip((chroma - 50) / 15, 0, 1)
    warm = (hue >= 20) & (hue < 90)
    conditions = [
        (lightness < 9) | ((chroma < 6) & (lightness < 24)),
        neutral & (lightness >= 86),
        neutral & ((lightness < 26) | (lightness > 82)),
        neutral,
        ~coloured,
        (hue >= 352) & (lightness >= 60) & (chroma < 75),
        (hue < 42) & (lightness >= 68) & (chroma < 60),
        (hue >= 315) & (hue < 352),
        (hue < 20) | (hue >= 352),
        warm & (lightness < 60) & (chroma < np.where(hue < 42, 30, 50)),
        warm & (hue >= 45) & (lightness < 48),
        (hue >= 30) & (hue < 45) & (lightness > 53.5) & (chroma < 75),
        hue < 45,
        hue < 52,
        (hue < 106) & (chroma < np.where(hue < 75, 45, 38)),
        hue < 75,
        hue < 106,
        hue < 190,
        hue < 215,
        hue < purple_from,
    ]
    magenta = np.where(lightness >= 50, i["pink"], i["purple"])
    names: list[int | NDArray[np.int64]] = [
        i["black"], i["white"], _NONE, i["grey"], _NONE, i["pink"], i["pink"], magenta, i["red"],
        i["brown"], i["brown"], _NONE, i["red"], _NONE, _NONE, i["orange"], i["yellow"],
        i["green"], _NONE, i["blue"],
    ]  # fmt: skip
    choices = [np.broadcast_to(np.asarray(name, np.int64), hue.shape) for name in names]
    return np.asarray(np.select(conditions, choices, default=i["purple"]), np.int64)
