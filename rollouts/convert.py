"""`refergym convert`: a published checkpoint of RoboRefer or NVILA made into one of ours."""

import importlib.util
from collections.abc import Sequence
from typing import Annotated

import msgspec
from rich.console import Console

from refergym.assets import records
from refergym.assets.records import Record
from refergym.rollouts import arguments, config
from refergym.rollouts.errors import ConfigError


class Settings(Record, frozen=True, kw_only=True):
    """The keys of configs/convert.yaml; their meaning stands there."""

    out: Annotated[str, msgspec.Meta(min_length=1)]
    shard: Annotated[float, msgspec.Meta(gt=0)]


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Args:
        argv: what follows "convert" on the command line.

    Returns:
        Exit status 0.

    Raises:
        ConfigError: if a key or a value is wrong, or a package is missing.
        ConversionError: if the checkpoint does not fit.
    """
    words = arguments.parse("convert", "convert", argv, subject="DIR")
    composed = config.compose("convert", words.overrides, words.config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    for package in ("torch", "transformers"):
        if importlib.util.find_spec(package) is None:
            raise ConfigError(
                "convert needs the extra vlm: pip install 'refergym[vlm]' (EXTRAS=vlm)"
            )
    from refergym.agents.refervlm.converting import convert

    made = convert(words.subject, settings.out, settings.shard)
    Console().print(f"{made.folder}: {made.parameters:,} parameters in {made.files} files")
    return 0
