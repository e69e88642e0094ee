"""How every renderer makes things look: light, backdrop and tone curve.

Shading is in linear light: albedo * (hemispheric ambient + sun * visibility) + highlight. The tone
curve is the identity up to KNEE and rolls off above, then sRGB; so plain colours keep their value
and bright textures keep their detail.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refergym.assets.lighting import GROUND, SKY, SUN
from refergym.assets.spec import LightSpec
from refergym.envs.errors import RenderError

F32 = NDArray[np.float32]

HIGHLIGHT = 0.10
"""strength of the specular highlight of objects and robot"""
GLOSS_SQUARINGS = 5
"""the highlight's exponent is 2 to this power"""
KNEE = 0.75
"""linear value above which the tone curve rolls off"""
BACKDROP = ((0.50, 0.50, 0.49), (0.66, 0.70, 0.75))
"""[2, 3] linear, colour at the horizon and below, and straight up"""

_STEPS = 4096
_TOP = 2


@dataclass(frozen=True, kw_only=True)
class Light:
    """A LightSpec with its numbers worked out."""

    direction: F32
    """[3] unit, from the scene towards the light"""
    sun: F32
    """[3] linear"""
    ambient: F32
    """[3] linear, the mean of sky and ground"""
    ambient_slope: F32
    """[3] linear, added times the normal's z"""

    @classmethod
    def of(cls, spec: LightSpec) -> "Light":
        """Work out a light; raises RenderError if it has no direction."""
        length = math.sqrt(sum(d * d for d in spec.direction))
        if not length > 0:
            raise RenderError(f"light.direction: expected a non-zero vector, got {spec.direction}")
        sky, ground = np.array(SKY) * spec.ambient, np.array(GROUND) * spec.ambient
        return cls(
            direction=np.array([d / length for d in spec.direction], np.float32),
            sun=(np.array(SUN) * spec.intensity).astype(np.float32),
            ambient=((sky + ground) / 2).astype(np.float32),
            ambient_slope=((sky - ground) / 2).astype(np.float32),
        )


def backdrop(up: F32) -> F32:
    """Return the colour behind everything.

    Args:
        up: [N] z of the rays' unit directions, world.

    Returns:
        [N, 3] linear.
    """
    low, high = np.array(BACKDROP, np.float32)
    share: F32 = np.clip(up, 0, 1)[:, None]
    out: F32 = low + (high - low) * share
    return out


@functools.cache
def linear_of_srgb() -> F32:
    """[256] linear value of each sRGB byte."""
    s = np.arange(256) / 255
    out: F32 = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4).astype(np.float32)
    return out


def linear(colour: tuple[float, float, float]) -> F32:
    """Return an sRGB colour [3] in [0, 1] in linear light."""
    s = np.asarray(colour, np.float64)
    out: F32 = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4).astype(np.float32)
    return out


def encode(radiance: F32) -> NDArray[np.uint8]:
    """Apply the tone curve and sRGB to linear values >= 0, any shape."""
    table = _tone_table()
    index = (radiance * _STEPS).astype(np.int32)
    return table.take(index, mode="clip")


@functools.cache
def _tone_table() -> NDArray[np.uint8]:
    x = (np.arange(_STEPS * _TOP) + 0.5) / _STEPS
    room = 1 - KNEE
    x = np.where(x < KNEE, x, KNEE + room * (1 - np.exp(-(x - KNEE) / room)))
    s = np.where(x <= 0.0031308, x * 12.92, 1.055 * x ** (1 / 2.4) - 0.055)
    out: NDArray[np.uint8] = np.floor(s * 255 + 0.5).astype(np.uint8)
    return out
