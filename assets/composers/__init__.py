"""Composers: what makes scenes from a pack, a seed and a request."""

from refergym.assets.composers.base import Composer, Wants
from refergym.assets.composers.tabletop import Tabletop

__all__ = ["Composer", "Tabletop", "Wants"]
