"""Domain randomisation: pure, seeded functions from SceneSpec to SceneSpec, one for each axis."""

from refergym.assets.randomisation.base import Axis, Randomisation
from refergym.assets.randomisation.chain import AXES, Chain, Randomised

__all__ = ["AXES", "Axis", "Chain", "Randomisation", "Randomised"]
