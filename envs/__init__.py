"""Tasks, backends, renderers and skills behind one Gymnasium environment."""

if not __name__.startswith("refergym"):
    raise ImportError("import refergym.envs, not the bare package 'envs'")
