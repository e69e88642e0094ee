"""Whether a free phrase names what a node of a program names: "the 2nd-biggest mug" is one.

A phrase is verified against the node, not parsed: every word must be one of the node's own (its
noun, colour, material, place in an order, relations and what they are to), a synonym of these, or
mean nothing; and nothing of the node may be left unsaid. So another description never matches,
even of the same thing.
"""

from refergym.envs.language.naming.names import LONGEST, Nameable, names, names_side, normalised

__all__ = ["LONGEST", "Nameable", "names", "names_side", "normalised"]
