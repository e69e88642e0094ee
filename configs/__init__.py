"""Hydra configuration: one yaml per choice."""

if not __name__.startswith("refergym"):
    raise ImportError("import refergym.configs, not the bare package 'configs'")
