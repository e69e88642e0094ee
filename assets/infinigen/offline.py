"""Make an installed Infinigen usable without a network; shared by the scripts of this folder."""

import os

import infinigen
from infinigen.core import init


def import_examples() -> None:
    """Import what the gin files of the indoor examples configure; unknown names are skipped."""
    os.chdir(infinigen.repo_root())
    from infinigen_examples import generate_indoors  # noqa: F401


def prepare(*configs: str) -> None:
    """Apply gin configs of the indoor examples; stop Infinigen from downloading add-ons."""

    def no_addon(addon, fail="fatal", allow_online=False):  # type: ignore[no-untyped-def]
        if fail != "warn":
            raise ValueError(f"Blender add-on {addon} is not available")
        return False

    init.require_blender_addon = no_addon
    os.chdir(infinigen.repo_root())  # gin's includes are relative
    init.apply_gin_configs(
        ["infinigen_examples/configs_indoor", "infinigen_examples/configs_nature"],
        configs=["base_indoors", *configs],
        skip_unknown=True,
    )
