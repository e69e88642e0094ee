"""Packages of other trainers: imported when first needed, and named when they are missing."""

import importlib
from types import ModuleType

from refergym.agents.errors import MissingExtra


def needed(module: str, package: str) -> ModuleType:
    """Import a module of another trainer.

    Args:
        module: dotted name, such as "openenv.core".
        package: what pip installs it by.

    Raises:
        MissingExtra: naming the package, if it is not installed; what is wrong with one that is
            comes out as it is.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as e:
        if e.name is None or module.partition(".")[0] != e.name.partition(".")[0]:
            raise
        raise missing(module, package) from e


def missing(module: str, package: str) -> MissingExtra:
    """Make the error for a package that is not installed."""
    name = module.partition(".")[0]
    return MissingExtra(f"this adapter needs {name}, which is not installed: pip install {package}")
