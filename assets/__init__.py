"""Scenes and the things in them: the asset pack, SceneSpec, composers."""

if not __name__.startswith("refergym"):
    raise ImportError("import refergym.assets, not the bare package 'assets'")
