"""Builds asset packs: from Infinigen, or from a user's own meshes. Nothing at run time needs it."""
