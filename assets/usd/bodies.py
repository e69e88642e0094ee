"""Rigid bodies: mass, centre of mass and inertia of prims."""

import numpy as np
from numpy.typing import NDArray

from refergym.assets import poses
from refergym.assets.inertia import Dynamics
from refergym.assets.usd.pixar import Gf, Usd, UsdPhysics

Array = NDArray[np.float64]


def rigid(prim: Usd.Prim, moves: Dynamics) -> None:
    """Make a prim a rigid body, or override how it moves."""
    UsdPhysics.RigidBodyAPI.Apply(prim)
    mass = UsdPhysics.MassAPI.Apply(prim)
    mass.CreateMassAttr(moves.mass)
    mass.CreateCenterOfMassAttr(Gf.Vec3f(*moves.com.tolist()))
    mass.CreateDiagonalInertiaAttr(Gf.Vec3f(*moves.moments.tolist()))
    w, *xyz = moves.axes.tolist()
    mass.CreatePrincipalAxesAttr(Gf.Quatf(w, *xyz))


def principal_dynamics(mass: float, com: Array, inertia: Array, friction: float) -> Dynamics:
    """Return dynamics from an inertia tensor [3, 3] kg m2 about the centre of mass [3] m."""
    moments, axes = np.linalg.eigh(inertia)
    if np.linalg.det(axes) < 0:
        axes[:, 0] = -axes[:, 0]
    return Dynamics(
        mass=mass, com=com, axes=poses.quaternion(axes), moments=moments, friction=friction
    )
