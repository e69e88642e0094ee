"""How an object moves under forces: mass, centre of mass, principal axes and friction.

Mass goes with the cube of the scale, moments of inertia with its fifth power.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.library import AssetInfo
from refergym.assets.spec import ObjectSpec

Array = NDArray[np.float64]

ROLLING_FRICTION, SPINNING_FRICTION = 0.002, 0.002
"""of all objects: without it, apples roll off the table"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Dynamics:
    """What a physics engine asks of an object, in the asset's own frame."""

    mass: float
    """kg"""
    com: Array
    """[3] m, centre of mass"""
    axes: Array
    """[4] wxyz, from the principal frame to the asset's"""
    moments: Array
    """[3] kg m2 about the principal axes"""
    friction: float
    """lateral"""

    @property
    def inertia(self) -> Array:
        """[3, 3] kg m2 about the centre of mass, along the asset's axes."""
        turn = poses.rotation(self.axes)
        out: Array = turn @ np.diag(self.moments) @ turn.T
        return out


def dynamics(info: AssetInfo, thing: ObjectSpec | None = None) -> Dynamics:
    """Return an object's dynamics; without one, those of the asset at scale 1.

    Args:
        info: its asset.
        thing: gives scale, mass_scale and friction.
    """
    scale, mass_scale = (1.0, 1.0) if thing is None else (thing.scale, thing.mass_scale)
    friction = info.friction if thing is None or thing.friction is None else thing.friction
    com, axes, moments = principal(info.com, info.inertia)
    return Dynamics(
        mass=info.mass * scale**3 * mass_scale,
        com=com * scale,
        axes=poses.quaternion(axes),
        moments=moments * scale**5 * mass_scale,
        friction=friction,
    )


@lru_cache(maxsize=4096)
def principal(com: tuple[float, ...], inertia: tuple[float, ...]) -> tuple[Array, Array, Array]:
    """Return centre of mass [3], principal axes as columns [3, 3], and moments [3], at scale 1."""
    xx, yy, zz, xy, xz, yz = inertia
    moments, axes = np.linalg.eigh(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))
    if np.linalg.det(axes) < 0:
        axes[:, 0] = -axes[:, 0]
    return np.array(com), axes, moments
