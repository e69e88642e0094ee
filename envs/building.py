"""Build a `ReferEnv` from a composed config."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from hydra.errors import InstantiationException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from refergym.assets import records
from refergym.assets.library import Pack, open_pack
from refergym.assets.records import Record
from refergym.envs.answers import AnswerReader
from refergym.envs.dialects.base import Several
from refergym.envs.errors import EnvError
from refergym.envs.refer_env import ReferEnv
from refergym.envs.render.remembering import LentRenderer, RememberingRenderer
from refergym.envs.text_env import TextEnv
from refergym.envs.types import Renderer


def build_env(
    config: DictConfig,
    *,
    render_mode: str | None = "rgb_array",
    remembered: int = 0,
    lent: Callable[[], Renderer] | None = None,
    seat: Any = None,
) -> ReferEnv:
    """Build an environment; its simulator and its renderer are made at the first reset.

    Args:
        config: scene, task, backend, renderer, sensor (each with `_target_`), max_steps, pictures;
            randomisation (with `_target_`) and pack (a folder) may be left out.
        render_mode: "rgb_array" or None.
        remembered: pictures that are kept, so that none of them is drawn twice.
        lent: gives the renderer in place of the config's, when a picture is first needed; the
            environment does not close it.
        seat: given to the backend, which shares a simulator with others by it (`envs.vector`).

    Raises:
        EnvError: naming the key that is wrong.
        PackError: if there is no such pack, or it is damaged.
    """
    for key in ("max_steps", "pictures", "pack"):
        _check_type(key, config.get(key))
    pack = None if config.get("pack") is None else open_pack(config.pack)
    if seat is not None and not _takes("seat", config.backend, "backend"):
        raise EnvError("backend: only newton has several worlds; take sync or async")
    make = functools.partial(_make, config, pack)
    renderer: Callable[[], Renderer] = functools.partial(make, "renderer")
    if remembered:
        renderer = functools.partial(RememberingRenderer, renderer, remembered)
    if lent is not None:
        given = lent
        renderer = lambda: LentRenderer(given())  # noqa: E731
    return ReferEnv(
        composer=make("scene"),
        task=make("task"),
        backend=functools.partial(make, "backend", seat=seat),
        renderer=renderer,
        sensor=make("sensor"),
        randomisation=None if "randomisation" not in config else make("randomisation"),
        max_steps=config.max_steps,
        pictures=config.pictures,
        render_mode=render_mode,
        pack=pack,
    )


def build_renderer(config: DictConfig, remembered: int) -> Renderer:
    """Make a renderer that several environments may share.

    Args:
        config: as in `build_env`.
        remembered: pictures that are kept, so that none of them is drawn twice.

    Raises:
        EnvError: naming the key that is wrong.
        PackError: if there is no such pack, or it is damaged.
    """
    pack = None if config.get("pack") is None else open_pack(config.pack)
    return RememberingRenderer(functools.partial(_make, config, pack, "renderer"), remembered)


def build_text_env(
    config: DictConfig, *, render_mode: str | None = "rgb_array", seat: Any = None
) -> TextEnv:
    """Build an environment that takes words.

    Args:
        config: as in `build_env`, and dialect, reward (each with `_target_`) and several.
        render_mode: "rgb_array" or None.
        seat: as in `build_env`.

    Raises:
        EnvError: naming the key that is wrong.
        PackError: if there is no such pack, or it is damaged.
    """
    several = config.several
    if several not in get_args(Several):
        expected = ", ".join(get_args(Several))
        raise EnvError(f"several: expected one of {expected}; got {several!r:.80}")
    reader = AnswerReader(dialect=build_part(config, "dialect"), several=several)
    rewards = build_part(config, "reward")
    env = build_env(config, render_mode=render_mode, seat=seat)
    return TextEnv(env, reader=reader, rewards=rewards)


def build_part(config: DictConfig, group: str, pack: Pack | None = None) -> Any:
    """Make what one group of a config describes.

    Args:
        config: has the group, with its `_target_`.
        group: its key.
        pack: given to a part that takes a `pack`; None lets it open its own.

    Raises:
        EnvError: naming the key that is wrong.
    """
    return _make(config, pack, group)


def _check_type(key: str, value: Any) -> None:
    if key == "pictures" and not isinstance(value, bool):
        raise EnvError(f"pictures: expected true or false, got {value!r}")
    if key == "max_steps" and value is not None and (type(value) is not int or value < 1):
        raise EnvError(f"max_steps: expected null or a whole number >= 1, got {value!r}")
    if key == "pack" and not isinstance(value, str | None):
        raise EnvError(f"pack: expected null or the folder of a pack, got {value!r}")


def _make(config: DictConfig, pack: Pack | None, group: str, *, seat: Any = None) -> Any:
    """Make the part that a group's config describes; what takes a `pack` gets this one."""
    plain = OmegaConf.to_container(config[group], resolve=True)
    _check_records(plain, group)
    try:
        given = {} if pack is None or not _takes("pack", plain, group) else {"pack": pack}
        if seat is not None:
            given["seat"] = seat
        made = instantiate(plain, _convert_="all", **given)
    except InstantiationException as e:
        cause = e.__cause__ or e
        text = " ".join(str(cause).split("full_key")[0].split())
        raise EnvError(f"{group}: {text}") from e
    if isinstance(made, Record):
        # configs have lists where records have tuples
        return records.convert(msgspec.to_builtins(made), type(made), error=EnvError)
    return made


def _takes(name: str, node: Any, group: str) -> bool:
    """Whether what a config makes has an argument of this name."""
    target = node.get("_target_") if isinstance(node, Mapping | DictConfig) else None
    kind = _find(target, group) if isinstance(target, str) else None
    return callable(kind) and name in inspect.signature(kind).parameters


def _check_records(node: Any, path: str) -> None:
    """Check the fields of every record in a config; Hydra would take any value."""
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        _check_records(value, f"{path}.{key}")
    target = node.get("_target_")
    kind = _find(target, path) if isinstance(target, str) else None
    if isinstance(kind, type) and issubclass(kind, Record):
        fields = {k: v for k, v in node.items() if k != "_target_"}
        try:
            records.convert(fields, kind, error=EnvError)
        except EnvError as e:
            raise EnvError(f"{path}.{e}{_allowed(kind, str(e))}") from e


def _find(target: str, path: str) -> Any:
    """Import what `_target_` names; Hydra raises errors of many lines."""
    try:
        return get_object(target)
    except (ImportError, ValueError) as e:
        reason = " ".join(str(e).split())
        raise EnvError(f"{path}._target_: cannot find {target!r} ({reason})") from e


def _allowed(kind: type[Record], message: str) -> str:
    """List the values that a field takes, where these are few."""
    hint = get_type_hints(kind).get(message.partition(":")[0])
    return f"; allowed: {', '.join(get_args(hint))}" if get_origin(hint) is Literal else ""
