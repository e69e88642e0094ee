"""Gymnasium ids, and `make_env`: an environment from Hydra's configs.

Importing this is cheap; simulators, renderers and Hydra are imported when an environment is made.
"""

import contextlib
import copy
import difflib
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gymnasium as gym

from refergym.envs.errors import EnvError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from refergym.envs.refer_env import ReferEnv
    from refergym.envs.text_env import TextEnv

IDS = {
    "refergym/PointAtObject-v0": "point_at_object",
    "refergym/PointAtFreeSpace-v0": "point_at_free_space",
    "refergym/PointAtWaypoint-v0": "point_at_waypoint",
    "refergym/Pick-v0": "pick",
    "refergym/PickPlace-v0": "pick_place",
    "refergym/PlaceTurned-v0": "place_turned",
    "refergym/Sequence-v0": "sequence",
    "refergym/PutAll-v0": "put_all",
    "refergym/ArrangeRow-v0": "arrange_row",
    "refergym/Mixed-v0": "mixed",
    "refergym/Referring-v0": None,
}
"""Gymnasium ids and the task of each; the last takes any"""
TEXT_IDS = {name.replace("-v0", "Text-v0"): task for name, task in IDS.items()}
"""the same with words as actions"""
CONFIGS = "refergym.configs"
GROUPS = ("scene", "task", "backend", "renderer", "sensor", "randomisation")
TEXT_CONFIG = "text_env"
TEXT_GROUPS = ("dialect", "reward")


def register_envs() -> None:
    """Register the ids; idempotent. Gymnasium calls it for its plugins too."""
    for ids, maker in ((IDS, "make_env"), (TEXT_IDS, "make_text_env")):
        for name, task in ids.items():
            if name not in gym.registry:
                gym.register(
                    id=name,
                    entry_point=f"refergym.envs.registration:{maker}",
                    kwargs={} if task is None else {"task": task},
                )


def make_env(
    task: str | None = None,
    backend: str | None = None,
    *,
    scene: str | None = None,
    renderer: str | None = None,
    sensor: str | None = None,
    randomisation: str | None = None,
    overrides: Sequence[str] = (),
    render_mode: str | None = "rgb_array",
    seat: Any = None,
) -> "ReferEnv":
    """Make an environment from `configs/env.yaml`.

    Args:
        task: file in configs/task, such as "pick_place".
        backend: file in configs/backend: "auto", "bullet", "kinematic", "newton", "isaac",
            "remote".
        scene: file in configs/scene.
        renderer: file in configs/renderer.
        sensor: file in configs/sensor.
        randomisation: file in configs/randomisation.
        overrides: Hydra overrides, such as "task.max_steps=6" or "pictures=false".
        render_mode: "rgb_array" or None.
        seat: given to the backend, which shares a simulator with others by it (`envs.vector`).

    Raises:
        EnvError: naming the key that is wrong and what is allowed.
    """
    from refergym.envs.building import build_env

    chosen = {
        "scene": scene, "task": task, "backend": backend, "renderer": renderer,
        "sensor": sensor, "randomisation": randomisation,
    }  # fmt: skip
    config = compose_env(_choices(chosen, overrides))
    return build_env(config, render_mode=render_mode, seat=seat)


def make_text_env(
    task: str | None = None,
    backend: str | None = None,
    *,
    dialect: str | None = None,
    reward: str | None = None,
    scene: str | None = None,
    renderer: str | None = None,
    sensor: str | None = None,
    randomisation: str | None = None,
    overrides: Sequence[str] = (),
    render_mode: str | None = "rgb_array",
    seat: Any = None,
) -> "TextEnv":
    """Make an environment that takes words, from `configs/text_env.yaml`.

    Args:
        task: as in `make_env`.
        backend: likewise.
        dialect: file in configs/dialect: how the policy writes points.
        reward: file in configs/reward: what is paid.
        scene: as in `make_env`.
        renderer: likewise.
        sensor: likewise.
        randomisation: likewise.
        overrides: Hydra overrides, such as "several=reject" or "reward.weights.point=2".
        render_mode: "rgb_array" or None.
        seat: given to the backend, which shares a simulator with others by it (`envs.vector`).

    Raises:
        EnvError: naming the key that is wrong and what is allowed.
    """
    from refergym.envs.building import build_text_env

    chosen = {
        "scene": scene, "task": task, "backend": backend, "renderer": renderer,
        "sensor": sensor, "randomisation": randomisation, "dialect": dialect, "reward": reward,
    }  # fmt: skip
    config = compose_env(_choices(chosen, overrides), TEXT_CONFIG)
    return build_text_env(config, render_mode=render_mode, seat=seat)


def _choices(chosen: Mapping[str, str | None], overrides: Sequence[str]) -> list[str]:
    _check_list(overrides)
    return [*(f"{group}={name}" for group, name in chosen.items() if name is not None), *overrides]


def compose_env(overrides: Sequence[str], name: str = "env") -> "DictConfig":
    """Compose `configs/env.yaml`, or another of that kind.

    Another Hydra configuration in this process stays as it is.

    Raises:
        EnvError: naming the key that is wrong and what is allowed.
    """
    _check_list(overrides)
    # our own files stay as they are; what Hydra looks up elsewhere, as ${oc.env:HOME}, does not
    changes = any("${" in o for o in overrides)
    make = _compose if changes else _remembered
    config = copy.deepcopy(make(name, tuple(overrides)))
    asked = GROUPS if name == "env" else (*GROUPS, *TEXT_GROUPS)
    for key in (*asked, "max_steps", "pictures"):
        if key not in config:
            raise EnvError(f"{key}: required, but an override takes it away")
    return config


def _compose(name: str, overrides: tuple[str, ...]) -> "DictConfig":
    from hydra import compose
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    with _own_hydra():
        try:
            return compose(name, overrides=list(overrides))
        except (HydraException, OmegaConfBaseException, ValueError) as e:
            raise EnvError(_explain(e, overrides, name)) from e


_remembered = functools.lru_cache(maxsize=512)(_compose)


def _check_list(overrides: Sequence[str]) -> None:
    # a text is a sequence of texts too: each letter would be taken for an override
    texts = () if isinstance(overrides, str) else overrides
    if texts is not overrides or not all(isinstance(o, str) for o in texts):
        raise EnvError(f"overrides: expected a list as ['task.max_steps=6'], got {overrides!r}")


@contextlib.contextmanager
def _own_hydra() -> Iterator[None]:
    """Set Hydra to our configs; afterwards it is what it was."""
    from hydra import initialize_config_module
    from hydra.core.global_hydra import GlobalHydra

    instance = GlobalHydra.instance()
    kept, instance.hydra = instance.hydra, None
    try:
        with initialize_config_module(CONFIGS, version_base="1.3"):
            yield
    finally:
        instance.hydra = kept
        GlobalHydra.set_instance(instance)


def _explain(error: Exception, overrides: Sequence[str], name: str) -> str:
    """Say which override is wrong: alone, or after those that choose files."""
    from hydra import compose
    from hydra.errors import HydraException, MissingConfigException
    from omegaconf.errors import OmegaConfBaseException

    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, wanted = str(error.missing_cfg_file).rpartition("/")
        known = sorted(str(o) for o in error.options if not str(o).startswith("_"))
        return f"{group}: expected one of {', '.join(known)}; got {wanted!r}"
    choices = [o for o in overrides if o.partition("=")[0] in (*GROUPS, *TEXT_GROUPS)]
    for override in overrides:
        try:
            compose(name, overrides=[*choices, override])
        except (HydraException, OmegaConfBaseException, ValueError) as e:
            if override in choices:
                return f"{override!r}: {' '.join(str(e).split())}"
            key = override.partition("=")[0].lstrip("+~")
            known = _known_keys(key, compose(name, overrides=choices))
            if key.rpartition(".")[2] in known or not known:
                return f"{override}: {' '.join(str(e).split())}"
            near = difflib.get_close_matches(key.rpartition(".")[2], known, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            return f"{key}: unknown key{hint}; allowed here: {', '.join(known)}"
    return " ".join(str(error).split())


def _known_keys(key: str, config: "DictConfig") -> list[str]:
    """Keys of the deepest mapping that a dotted key leads to."""
    from omegaconf import DictConfig

    at: Any = config
    for part in key.split(".")[:-1]:
        if not isinstance(at, DictConfig) or part not in at:
            break
        at = at[part]
    return [str(k) for k in at if k != "_target_"] if isinstance(at, DictConfig) else []
