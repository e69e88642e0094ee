"""Composers: what makes scenes from a pack, a seed and a request."""

from refergym.assets.composers.base import Composer, Wants
from refergym.assets.composers.infinigen import Infinigen
from refergym.assets.composers.tabletop import Tabletop

__all__ = ["Composer", "Infinigen", "Tabletop", "Wants"]
