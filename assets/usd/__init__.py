"""USD stages of scenes: `stage.write_stage`, `reading.read_stage`, `checks.check_stage`.

Needs the extra `usd`. Names of prims: `names`, and docs/usd.md.
"""
