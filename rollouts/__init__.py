"""Running policies in environments: evaluation, episodes on disk, the command line."""

if not __name__.startswith("refergym"):
    raise ImportError("import refergym.rollouts, not the bare package 'rollouts'")
