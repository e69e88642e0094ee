"""Policies: whatever looks at an observation and points."""

if not __name__.startswith("refergym"):
    raise ImportError("import refergym.agents, not the bare package 'agents'")
