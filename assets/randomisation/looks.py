"""Axes of looks: the light, the surfaces of table, floor and walls, the objects' colours."""

import math
from typing import TypeVar

import msgspec
import numpy as np

from refergym.assets.library import Pack
from refergym.assets.randomisation.base import axis, factor
from refergym.assets.spec import FixtureSpec, LightSpec, ObjectSpec, SceneSpec, SupportSpec, Vec3

S = TypeVar("S", SupportSpec, FixtureSpec)

AZIMUTH = 180.0
"""degrees that the light turns about the vertical, at most"""
ELEVATION = 30.0
"""degrees that it rises or sinks, at most"""
ELEVATIONS = (25.0, 88.0)
"""degrees: a light within these stays within them"""
LIGHT = 1.6
"""intensity and ambient are each multiplied by at most this, or divided by it"""
TEXTURE_SCALE = 2.0
"""the size of a texture's repetition is multiplied by at most this, or divided by it"""
PAINT = 0.4
"""how much darker a channel of a support's or wall's colour may get (sRGB)"""
TINT = 0.6
"""how much darker a channel of an object's texture may get (linear)"""


@axis
def lights(scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float) -> SceneSpec:
    """Move the light and change its intensity and the ambient light's."""
    x, y, z = scene.light.direction
    round_z = math.atan2(y, x) + math.radians(AZIMUTH) * strength * float(rng.uniform(-1, 1))
    before = math.degrees(math.atan2(z, math.hypot(x, y)))
    low, high = min(ELEVATIONS[0], before), max(ELEVATIONS[1], before)
    wish = before + ELEVATION * strength * float(rng.uniform(-1, 1))
    up = math.radians(min(high, max(low, wish)))
    light = LightSpec(
        direction=(
            round(math.cos(up) * math.cos(round_z), 6),
            round(math.cos(up) * math.sin(round_z), 6),
            round(math.sin(up), 6),
        ),
        intensity=round(scene.light.intensity * factor(rng, LIGHT, strength), 4),
        ambient=round(scene.light.ambient * factor(rng, LIGHT, strength), 4),
    )
    return msgspec.structs.replace(scene, light=light)


@axis
def textures(
    scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float
) -> SceneSpec:
    """Give table, floor and walls other textures, sizes of texture, and colours.

    With a probability of `strength` each has another texture of the pack for the same use.
    Furniture that is seen instead of a slab keeps its own, and windows stay as they are.
    """

    def support(k: int, s: SupportSpec) -> SupportSpec:
        new = _surface(s, pack.textures("floor" if k else "table"), rng, strength)
        return s if s.asset is not None else new

    def fixture(f: FixtureSpec) -> FixtureSpec:
        new = _surface(f, pack.textures("wall"), rng, strength)
        return f if f.glow > 0 else new

    return msgspec.structs.replace(
        scene,
        supports=tuple(support(k, s) for k, s in enumerate(scene.supports)),
        fixtures=tuple(fixture(f) for f in scene.fixtures),
    )


@axis
def colours(
    scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float
) -> SceneSpec:
    """Tint every object. What an object's colour is called follows from its tint.

    `refergym.assets.tints` names the tinted surface as the builder names a plain one; where no
    name is sure, the colour is not spoken of.
    """

    def thing(o: ObjectSpec) -> ObjectSpec:
        r, g, b = o.tint
        x, y, z = _darker(rng, TINT * strength)
        return msgspec.structs.replace(o, tint=(round(r * x, 4), round(g * y, 4), round(b * z, 4)))

    return msgspec.structs.replace(scene, objects=tuple(thing(o) for o in scene.objects))


def _surface(surface: S, names: tuple[str, ...], rng: np.random.Generator, strength: float) -> S:
    """Draw a surface; as many numbers as ever, so that what comes after stays as it was."""
    is_new, which = float(rng.random()) < strength, float(rng.random())
    scale = factor(rng, TEXTURE_SCALE, strength)
    r, g, b = surface.colour
    x, y, z = _darker(rng, PAINT * strength)
    texture = names[int(which * len(names))] if is_new and names else surface.texture
    return msgspec.structs.replace(
        surface,
        texture=texture,
        texture_scale=round(surface.texture_scale * scale, 4),
        colour=(round(r * x, 4), round(g * y, 4), round(b * z, 4)),
    )


def _darker(rng: np.random.Generator, most: float) -> Vec3:
    x, y, z = (1 - most * rng.random(3)).tolist()
    return x, y, z
