"""Place: which environment an adapter plays in, as plain data; and the starts that it hands out."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec
from omegaconf import OmegaConf

from refergym.assets import records
from refergym.assets.records import Record
from refergym.envs.registration import make_text_env
from refergym.envs.starts import Start
from refergym.envs.text_env import TextEnv
from refergym.rollouts.errors import ConfigError

Pixels = Annotated[int, msgspec.Meta(ge=1)]


class Place(Record, frozen=True, kw_only=True):
    """One environment that takes words; an empty name takes what `configs/text_env.yaml` says."""

    task: str = ""
    """file in configs/task"""
    backend: str = ""
    """file in configs/backend"""
    scene: str = ""
    """file in configs/scene"""
    dialect: str = ""
    """file in configs/dialect: how the model writes points"""
    reward: str = ""
    """file in configs/reward: what is paid"""
    overrides: tuple[str, ...] = ()
    """further keys: "renderer=moderngl", "max_steps=6" and so on"""
    seen_size: tuple[Pixels, Pixels] | None = None
    """px (width, height) of a picture as the model sees it, for dialects that count pixels; None
    takes the observation's (verl's loop asks the processor)"""

    def open(self) -> TextEnv:
        """Make the environment; its simulator is made at the first reset.

        Raises:
            EnvError: naming the key that is wrong and what is allowed.
        """
        return make_text_env(
            self.task or None,
            self.backend or None,
            scene=self.scene or None,
            dialect=self.dialect or None,
            reward=self.reward or None,
            overrides=self.overrides,
        )


def place_of(given: Place | Mapping[str, Any]) -> Place:
    """Return a place, or read one from a mapping: plain, or of a yaml that Hydra read.

    Raises:
        ConfigError: naming the field that is wrong.
    """
    if isinstance(given, Place):
        return given
    plain = OmegaConf.to_container(given) if OmegaConf.is_config(given) else dict(given)
    return records.convert(plain, Place, error=ConfigError)


def starts(env: TextEnv, count: int, *, seed: int = 0) -> Iterator[tuple[dict[str, Any], Start]]:
    """Make starts, numbered from 0; each follows from the seed and its number alone.

    Args:
        env: the environment.
        count: how many.
        seed: of the run.

    Returns:
        The first observation of each, and the start; `written` is what a row of a data set holds.

    Raises:
        ConfigError: if there are to be none.
    """
    if count < 1:
        raise ConfigError(f"count: expected >= 1, got {count}")
    for index in range(count):
        observation, info = env.reset(seed=seed, options={"index": index})
        yield observation, info["start"]


def written(start: Start) -> str:
    """Write a start as JSON: all members of a group then begin in the very same state."""
    return records.canonical_json(start).decode("ascii", "strict")
