"""Axes of physics: friction and mass."""

import msgspec
import numpy as np

from refergym.assets.library import Pack
from refergym.assets.randomisation.base import axis, factor, unsettled
from refergym.assets.robots.kinematics import PAYLOAD
from refergym.assets.spec import ObjectSpec, SceneSpec, SupportSpec

FRICTION = 1.6
"""friction is multiplied by at most this, or divided by it"""
MASS = 2.0
"""mass is multiplied by at most this, or divided by it"""
LIFTABLE = 0.9 * PAYLOAD
"""kg: what the arm could lift it still can"""


@axis
def friction(
    scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float
) -> SceneSpec:
    """Change the friction of every support and object; each has a factor of its own."""

    def support(s: SupportSpec) -> SupportSpec:
        value = round(s.friction * factor(rng, FRICTION, strength), 4)
        return msgspec.structs.replace(s, friction=value)

    def thing(o: ObjectSpec) -> ObjectSpec:
        own = pack[o.asset].friction if o.friction is None else o.friction
        return msgspec.structs.replace(o, friction=round(own * factor(rng, FRICTION, strength), 4))

    supports = tuple(support(s) for s in scene.supports)
    return unsettled(scene, supports=supports, objects=tuple(thing(o) for o in scene.objects))


@axis
def mass(scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float) -> SceneSpec:
    """Change every object's mass, and its inertia with it."""

    def thing(o: ObjectSpec) -> ObjectSpec:
        now = pack[o.asset].mass * o.scale**3 * o.mass_scale
        most = max(1.0, LIFTABLE / now) if now <= LIFTABLE else 1.0
        value = min(factor(rng, MASS, strength), most)
        return msgspec.structs.replace(o, mass_scale=round(o.mass_scale * value, 4))

    return unsettled(scene, objects=tuple(thing(o) for o in scene.objects))
