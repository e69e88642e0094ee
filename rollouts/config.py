"""Compose Hydra configs and explain what is wrong with them: the key, and what is allowed."""

import contextlib
import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, InstantiationException
from hydra.utils import instantiate as hydra_instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from refergym.assets import records
from refergym.assets.records import Record
from refergym.rollouts.errors import ConfigError

MODULE = "refergym.configs"


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A composed configuration as plain data."""

    config: dict[str, Any]
    """resolved; groups by name, each with its `_target_`"""
    choices: dict[str, str]
    """the chosen option of each group"""


def compose(
    name: str, overrides: Sequence[str] = (), config_dir: str | Path | None = None
) -> Composed:
    """Compose a primary config with overrides.

    Args:
        name: of the yaml in refergym.configs, without its ending.
        overrides: "key=value", "group=choice", "+group.key=value" for a further argument.
        config_dir: a folder of yaml files (in group folders) beside ours.

    Raises:
        ConfigError: naming the key and the allowed values.
    """
    with _hydra():
        search = _search_path(config_dir)
        parsed = [_parse(o) for o in overrides]
        default = _compose(name, search)
        groups = _groups(default, search)
        chosen = []
        for o in parsed:
            if o.key_or_group in groups:
                _check_choice(o, groups[o.key_or_group])
                chosen.append(str(o.input_line))
        base = _plain(_compose(name, [*search, *chosen]) if chosen else default)
        for o in parsed:
            if o.key_or_group not in groups:
                _check_key(o, base)
        full = _compose(name, [*search, *map(_text, parsed)]) if overrides else default
        choices = full.hydra.runtime.choices
        config = _plain(full)
        for o in parsed:
            if "." in o.key_or_group and not o.is_add():
                _check_type(o.key_or_group, base, config)
        return Composed(config=config, choices={g: str(choices[g]) for g in groups})


def options(name: str, config_dir: str | Path | None = None) -> dict[str, list[str]]:
    """List the groups of a primary config and the choices of each."""
    with _hydra():
        search = _search_path(config_dir)
        return _groups(_compose(name, search), search)


def choice(group: str, option: str, config_dir: str | Path | None = None) -> dict[str, Any]:
    """Compose one option of a group alone.

    Raises:
        ConfigError: listing the options if it is none of them.
    """
    with _hydra():
        known = _group_options(group, _search_path(config_dir))
        if option not in known:
            raise ConfigError(_no_choice(group, option, known))
        config = _plain(_compose(f"{group}/{option}", _search_path(config_dir)))
        return dict(config[group])


def instantiate(node: Mapping[str, Any], path: str) -> Any:
    """Make the object that a config names by `_target_`; records are checked against their schema.

    Args:
        node: the config.
        path: its key, for messages.

    Raises:
        ConfigError: if an argument is wrong, or the target or a package it needs is missing.
    """
    if "_target_" not in node:
        raise ConfigError(f"{path}._target_: missing; name the class, as in 'package.module.Class'")
    try:
        made = hydra_instantiate(dict(node), _convert_="all")
    except InstantiationException as e:
        cause = e.__cause__
        if cause is None or isinstance(cause, ValueError | TypeError | ImportError):
            text = str(cause if cause else e).split("\nfull_key")[0].replace("\n", " ")
            raise ConfigError(f"{path}: {text}") from e
        raise cause from e
    if isinstance(made, Record):
        try:
            records.convert(msgspec.to_builtins(made), type(made), error=ConfigError)
        except ConfigError as e:
            raise ConfigError(f"{path}.{e}") from e
    return made


@contextlib.contextmanager
def _hydra() -> Iterator[None]:
    """Point Hydra at our configs; a Hydra application that runs in this process stays as it is."""
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().hydra = None
    try:
        with initialize_config_module(MODULE, version_base="1.3", job_name="refergym"):
            yield
    finally:
        GlobalHydra.instance().hydra = before


def _search_path(config_dir: str | Path | None) -> list[str]:
    if config_dir is None:
        return []
    folder = Path(config_dir).resolve()
    if not folder.is_dir():
        raise ConfigError(f"--config-dir: {config_dir} is not a folder")
    return [f"hydra.searchpath=['file://{folder}']"]


def _parse(text: str) -> Override:
    if "=" not in text and not text.startswith("~"):
        raise ConfigError(f"{text}: expected key=value (see --help for the keys)")
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException as e:
        reason = str(e).splitlines()[0]
        raise ConfigError(
            f"{text}: not a readable key=value ({reason}); quote values with special characters,"
            " as in 'key=\"a, b\"'"
        ) from e
    if override.is_sweep_override():
        raise ConfigError(f"{override.key_or_group}: expected one value, got a sweep in {text!r}")
    return override


def _text(override: Override) -> str:
    """Return an override for Hydra; a mapping may have keys that the default lacks."""
    is_plain = not (override.is_add() or override.is_force_add() or override.is_delete())
    prefix = "++" if is_plain and isinstance(override.value(), dict) else ""
    return f"{prefix}{override.input_line}"


def _groups(full: DictConfig, search: list[str]) -> dict[str, list[str]]:
    names = [g for g in full.hydra.runtime.choices if not str(g).startswith("hydra/")]
    return {g: _group_options(g, search) for g in sorted(names)}


def _group_options(group: str, search: list[str]) -> list[str]:
    loader = GlobalHydra.instance().config_loader()
    found = loader.get_group_options(group, ObjectType.CONFIG, overrides=search)
    return sorted(name for name in found if not name.startswith("_"))


def _check_choice(override: Override, known: list[str]) -> None:
    if override.value() not in known:
        raise ConfigError(_no_choice(override.key_or_group, override.value(), known))


def _no_choice(group: str, value: object, known: list[str]) -> str:
    close = difflib.get_close_matches(str(value), known, 1)
    hint = f" did you mean {close[0]}?" if close else ""
    return f"{group}: no choice {value!r};{hint} available: {', '.join(known) or 'none'}"


def _check_key(override: Override, base: dict[str, Any]) -> None:
    key = override.key_or_group
    if override.is_add() or override.is_force_add():
        return
    at: Any = base
    parts = key.split(".")
    for depth, part in enumerate(parts):
        if not isinstance(at, dict) or part not in at:
            known = list(at) if isinstance(at, dict) else []
            prefix = "".join(p + "." for p in parts[:depth])
            raise ConfigError(_no_key(key, prefix, known, list(_flatten(base))))
        at = at[part]


def _no_key(key: str, prefix: str, known: list[str], everything: list[str]) -> str:
    pool = [k for k in everything if k.startswith(prefix)]
    near = difflib.get_close_matches(key, pool, 3) or difflib.get_close_matches(key, everything, 3)
    hint = f" did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
    shown = ", ".join(prefix + k for k in known if k != "_target_") or "none"
    return f"{key}: unknown key;{hint} allowed: {shown}"


def _flatten(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in config.items():
        if key != "_target_":
            yield prefix + key
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")


def _check_type(key: str, base: dict[str, Any], config: dict[str, Any]) -> None:
    default: Any = base
    value: Any = config
    for part in key.split("."):
        if not isinstance(default, dict) or part not in default:
            return
        default, value = default[part], value[part]
    if default is None or value is None:
        return
    kind = type(default)
    fits = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    if not fits and not (kind is float and type(value) is int):
        raise ConfigError(f"{key}: expected {kind.__name__}, got {value!r}")


def _compose(name: str, overrides: list[str]) -> DictConfig:
    try:
        return hydra_compose(name, overrides=overrides, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as e:
        raise ConfigError(" ".join(str(e).split())) from e


def _plain(full: DictConfig) -> dict[str, Any]:
    try:
        config = OmegaConf.to_container(
            OmegaConf.masked_copy(full, [str(k) for k in full if k != "hydra"]),
            resolve=True,
            throw_on_missing=True,
        )
    except OmegaConfBaseException as e:
        raise ConfigError(" ".join(str(e).split())) from e
    if not isinstance(config, dict):
        raise ConfigError("expected a mapping at the top level")
    return {str(k): v for k, v in config.items()}
