"""Compose Hydra configs and explain what is wrong with them: the key, and what is allowed."""

import contextlib
import copy
import difflib
import functools
import json
import re
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
    search = _search_path(config_dir)
    parsed = [_parse(o) for o in overrides]
    make = functools.cache(functools.partial(_compose, name, search))
    groups = _groups(make(), search)
    chosen = []
    for o in parsed:
        if o.key_or_group in groups:
            _check_choice(o, groups[o.key_or_group])
            chosen.append(str(o.input_line))
    base = make(*chosen).config
    for o in parsed:
        if o.key_or_group not in groups:
            _check_key(o, base)
    full = make(*map(_text, parsed))
    for o in parsed:
        if "." in o.key_or_group and not o.is_add():
            _check_type(o.key_or_group, base, full.config)
    choices = {g: full.choices[g] for g in groups}
    return Composed(config=copy.deepcopy(full.config), choices=choices)


def swept(word: str) -> list[str]:
    """Return the words that one with commas stands for: "seed=1,2" for "seed=1" and "seed=2".

    Raises:
        ConfigError: if it cannot be read.
    """
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException:
        override = None
    if override is None or not override.is_sweep_override():
        _parse(word)
        return [word]
    try:
        return [f"{override.get_key_element()}={v}" for v in override.sweep_string_iterator()]
    except HydraException as e:
        raise ConfigError(f"{override.key_or_group}: write its values with commas: {e}") from e


def path_word(key: str, path: str | Path) -> str:
    """Return the word that sets a key to a path, whatever characters it has."""
    text = str(path)
    if re.fullmatch(r"[\w./:-]+", text):
        return f"{key}={text}"
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"{key}='{quoted}'"


def words_between(have: Mapping[str, Any], want: Mapping[str, Any], prefix: str) -> list[str]:
    """Return the words that make of one group's config another's, key by key.

    Args:
        have: the config without them.
        want: the config with them; keys that only `have` has stay.
        prefix: key of both.
    """
    words = []
    for name, value in want.items():
        key = f"{prefix}.{name}"
        if name not in have:
            words.append(f"+{key}={json.dumps(value)}")
        elif isinstance(value, Mapping) and isinstance(have[name], Mapping):
            words += words_between(have[name], value, key)
        elif value != have[name]:
            words.append(f"{key}={json.dumps(value)}")
    return words


def options(name: str, config_dir: str | Path | None = None) -> dict[str, list[str]]:
    """List the groups of a primary config and the choices of each."""
    search = _search_path(config_dir)
    return _groups(_compose(name, search), search)


def choice(group: str, option: str, config_dir: str | Path | None = None) -> dict[str, Any]:
    """Compose one option of a group alone.

    Raises:
        ConfigError: listing the options if it is none of them.
    """
    search = _search_path(config_dir)
    known = _group_options(group, search)
    if option not in known:
        raise ConfigError(_no_choice(group, option, known))
    # as an addition to nothing: a primary config is only looked for among ours
    found = copy.deepcopy(_compose(None, search, f"+{group}={option}").config[group])
    if not isinstance(found, dict):
        raise ConfigError(f"{group}={option}: expected a mapping, got {type(found).__name__}")
    return found


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


def _groups(whole: "_Whole", search: list[str]) -> dict[str, list[str]]:
    return {g: _group_options(g, search) for g in sorted(whole.choices)}


def _group_options(group: str, search: list[str]) -> list[str]:
    return _list_options(group, search) if search else list(_remembered_options(group))


def _list_options(group: str, search: list[str]) -> list[str]:
    with _hydra():
        loader = GlobalHydra.instance().config_loader()
        found = loader.get_group_options(group, ObjectType.CONFIG, overrides=search)
    return sorted(name for name in found if not name.startswith("_"))


@functools.cache
def _remembered_options(group: str) -> tuple[str, ...]:
    return tuple(_list_options(group, []))


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


@dataclass(frozen=True, kw_only=True)
class _Whole:
    """What Hydra makes of a primary config; shared, so not to be changed."""

    config: dict[str, Any]
    choices: dict[str, str]


def _compose(name: str | None, search: list[str], *overrides: str) -> _Whole:
    # our own files stay as they are, so each answer is made once; a user's folder is read anew,
    # and so is what Hydra looks up elsewhere: ${oc.env:HOME}
    if search or any("${" in o for o in overrides):
        return _make(name, (*search, *overrides))
    return _remembered(name, overrides)


def _make(name: str | None, overrides: tuple[str, ...]) -> _Whole:
    with _hydra():
        try:
            full = hydra_compose(name, overrides=list(overrides), return_hydra_config=True)
        except (HydraException, OmegaConfBaseException, yaml.YAMLError) as e:
            raise ConfigError(" ".join(str(e).split())) from e
        choices = {
            str(group): str(choice)
            for group, choice in full.hydra.runtime.choices.items()
            if not str(group).startswith("hydra/")
        }
    return _Whole(config=_plain(full), choices=choices)


_remembered = functools.lru_cache(maxsize=512)(_make)


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
