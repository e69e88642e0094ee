"""What an axis of randomisation is, and what the axes share."""

import functools
import math
from typing import Protocol

import msgspec
import numpy as np

from refergym.assets.errors import SpecError
from refergym.assets.library import Pack
from refergym.assets.spec import SceneSpec

GEOMETRIC = "kinematic"
"""the kind of backend whose poses at rest follow from geometry alone"""


class Axis(Protocol):
    """One way in which scenes may differ. Pure: equal arguments give equal scenes."""

    def __call__(
        self, scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float
    ) -> SceneSpec:
        """Return the scene changed.

        Args:
            scene: any valid scene.
            pack: the assets that it is made of.
            rng: where all randomness comes from.
            strength: in [0, 1]: 0 leaves the scene as it is, 1 draws from the widest range.

        Raises:
            SpecError: if the strength is out of range.
        """
        ...


class Randomisation(Protocol):
    """Changes a scene as a seed says."""

    def __call__(self, scene: SceneSpec, seed: int, *index: int) -> SceneSpec:
        """Return the scene changed; equal arguments give equal digests in every process."""
        ...


def axis(change: Axis) -> Axis:
    """Make an axis of a function that is only called with strengths above 0."""

    @functools.wraps(change)
    def checked(
        scene: SceneSpec, pack: Pack, rng: np.random.Generator, *, strength: float
    ) -> SceneSpec:
        check_strength(strength, "strength")
        return change(scene, pack, rng, strength=strength) if strength > 0 else scene

    return checked


def check_strength(value: object, path: str) -> None:
    """Raise SpecError, naming the path, unless the value is a number in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise SpecError(f"{path}: expected a number in [0, 1], got {value!r}")


def factor(rng: np.random.Generator, widest: float, strength: float) -> float:
    """Draw a factor in [widest ** -strength, widest ** strength], its logarithm uniformly."""
    return round(math.exp(float(rng.uniform(-1, 1)) * strength * math.log(widest)), 4)


def unsettled(scene: SceneSpec, **fields: object) -> SceneSpec:
    """Return a scene with other fields, without the poses at rest that an engine found for it.

    A physics engine would find others now; making a start settles the scene again.
    """
    settled = {k: v for k, v in scene.settled.items() if k == GEOMETRIC}
    return msgspec.structs.replace(scene, **{"settled": settled, **fields})
