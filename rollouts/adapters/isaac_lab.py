"""refergym for users of Isaac Lab 3: an id of Gymnasium's registry, its cfg, batched tensors.

What Isaac Lab's own direct environments look like from outside: `gymnasium.make(id, cfg=...)`, with
the cfg that `parse_env_cfg(id, device=..., num_envs=...)` returns; `reset` and `step` take and give
torch tensors of `num_envs` rows, and what ended begins anew within the step. Inside, every row is
one of our environments with a simulator in a process of its own; Isaac Lab's scene is not used.
Source: isaac-sim/IsaacLab, DirectRLEnv, parse_env_cfg and configclass.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium as gym
import msgspec
import numpy as np
from gymnasium.vector.utils import batch_space

from refergym.envs.registration import make_env
from refergym.rollouts.adapters.needed import needed
from refergym.rollouts.adapters.place import Place, place_of
from refergym.rollouts.errors import ConfigError

ARRAYS = ("rgb", "depth", "intrinsics", "holding", "event")
"""of an observation; its words come in `extras`"""
_HERE = "refergym.rollouts.adapters.isaac_lab"


class _Cfg:
    """What Isaac Lab's `configclass` adds to a dataclass."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, nested."""
        return dataclasses.asdict(self)  # type: ignore[call-overload, no-any-return]

    def from_dict(self, data: Mapping[str, Any]) -> None:
        """Set fields from nested plain data.

        Raises:
            KeyError: for a key that there is not.
        """
        for key, value in data.items():
            now = getattr(self, key, dataclasses.MISSING)
            if now is dataclasses.MISSING:
                raise KeyError(f"{type(self).__name__} has no field {key!r}")
            if isinstance(now, _Cfg) and isinstance(value, Mapping):
                now.from_dict(value)
            else:
                setattr(self, key, value)

    def replace(self, **fields: Any) -> Any:
        """Return a copy with other values."""
        return dataclasses.replace(self, **fields)  # type: ignore[type-var]

    def copy(self) -> Any:
        """Return a copy."""
        return self.replace()

    def validate(self, prefix: str = "") -> list[str]:
        """Return the fields without a value: none."""
        return []


@dataclasses.dataclass
class LabSimCfg(_Cfg):
    """Where tensors are."""

    device: str = "cpu"
    use_fabric: bool = True
    """of Isaac Lab's simulation; not used"""


@dataclasses.dataclass
class LabSceneCfg(_Cfg):
    """How many environments there are."""

    num_envs: int = 1


@dataclasses.dataclass
class LabEnvCfg(_Cfg):
    """What Isaac Lab's tools set and read; the place says which environment it is."""

    place: dict[str, Any] = dataclasses.field(default_factory=dict)
    """fields of a Place; dialect, reward and seen_size are of no use here"""
    seed: int | None = 0
    sim: LabSimCfg = dataclasses.field(default_factory=LabSimCfg)
    scene: LabSceneCfg = dataclasses.field(default_factory=LabSceneCfg)
    observation_space: Any = None
    """filled in by the environment, as the next two"""
    action_space: Any = None
    state_space: Any = None


def register(name: str, place: Place | Mapping[str, Any]) -> None:
    """Register an environment as Isaac Lab's users expect it; idempotent.

    Args:
        name: the id, such as "Refergym-PickPlace-Direct-v0".
        place: which environment it is; an empty backend is "isaac".

    Raises:
        ConfigError: naming the field of the place that is wrong.
    """
    given = place_of(place)
    fields = msgspec.structs.asdict(given) | {"backend": given.backend or "isaac"}

    def make_cfg() -> LabEnvCfg:
        return LabEnvCfg(place=dict(fields))

    if name not in gym.registry:
        gym.register(
            id=name,
            entry_point=f"{_HERE}:LabEnv",
            disable_env_checker=True,
            kwargs={"env_cfg_entry_point": make_cfg},
        )


class LabEnv(gym.Env[Any, Any]):
    """Several of our environments, as one of Isaac Lab's direct environments looks.

    A row's action is a point (u, v); its observation is what ours has but for the words, under
    "policy". `extras` has "instruction" (a list of str, for what is seen now) and "is_success"
    ([num_envs] bool, of the episodes that ended in the last step).
    """

    is_vector_env: ClassVar[bool] = True
    metadata: dict[str, Any] = {"render_modes": [None, "rgb_array"]}  # noqa: RUF012 - as in Env

    def __init__(self, cfg: LabEnvCfg, render_mode: str | None = None, **kwargs: Any) -> None:
        """Make the environments; their simulators start at the first reset.

        Args:
            cfg: as `parse_env_cfg` returns it.
            render_mode: None or "rgb_array".
            kwargs: what the registry holds besides; not used.

        Raises:
            ConfigError: if there are to be no environments, or the place is wrong.
            MissingExtra: if torch is not installed.
        """
        self._torch: Any = needed("torch", "torch")
        if cfg.scene.num_envs < 1:
            raise ConfigError(f"scene.num_envs: expected >= 1, got {cfg.scene.num_envs}")
        place = place_of(cfg.place)
        self.cfg, self.render_mode = cfg, render_mode
        self._envs = [
            make_env(
                place.task or None,
                place.backend or None,
                scene=place.scene or None,
                overrides=place.overrides,
            )
            for _ in range(cfg.scene.num_envs)
        ]
        one: Any = self._envs[0].observation_space
        seen = gym.spaces.Dict({k: one[k] for k in ARRAYS if k in one.spaces})
        self.single_observation_space = gym.spaces.Dict({"policy": seen})
        self.single_action_space = self._envs[0].action_space
        self.observation_space = batch_space(seen, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        cfg.observation_space, cfg.action_space = seen, self.single_action_space
        self.extras: dict[str, Any] = {}
        self.episode_length_buf = self._torch.zeros(
            self.num_envs, dtype=self._torch.long, device=self.device
        )
        self._counts = [0] * self.num_envs
        self._seen: list[dict[str, Any]] = []
        self._is_closed = False

    @property
    def num_envs(self) -> int:
        """How many environments there are."""
        return len(self._envs)

    @property
    def device(self) -> str:
        """Where tensors are."""
        return self.cfg.sim.device

    @property
    def max_episode_length(self) -> int:
        """Steps after which an episode is cut off."""
        return self._envs[0].max_steps

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode in each environment.

        Args:
            seed: of the run; None keeps the cfg's.
            options: not used.

        Returns:
            Observations, as tensors; extras.
        """
        if seed is not None:
            self.cfg.seed = seed
            self._counts = [0] * self.num_envs
        self._seen = [self._begin(row) for row in range(self.num_envs)]
        self.extras = {"instruction": self._words(), "is_success": self._flags()}
        return self._observations(), self.extras

    def step(self, action: Any) -> tuple[dict[str, Any], Any, Any, Any, dict[str, Any]]:
        """Act in each environment; what ends begins anew, and its new observation is returned.

        Args:
            action: [num_envs, 2] points (u, v), a tensor on any device.

        Returns:
            Observations, rewards [num_envs], terminated and truncated [num_envs] bool, extras.

        Raises:
            ConfigError: before reset, or if the actions are of another number.
        """
        points = np.asarray(self._torch.as_tensor(action).detach().cpu(), np.float64)
        if not self._seen or points.shape != (self.num_envs, 2):
            raise ConfigError(
                f"step: expected a reset, and actions of shape ({self.num_envs}, 2); got "
                f"{points.shape}"
            )
        rewards, over, cut, won = (np.zeros(self.num_envs) for _ in range(4))
        for row, env in enumerate(self._envs):
            point = np.clip(points[row], 0.0, 1.0)
            seen, rewards[row], over[row], cut[row], info = env.step(point)
            self.episode_length_buf[row] += 1
            if over[row] or cut[row]:
                won[row] = info["verdict"].success
                seen = self._begin(row)
            self._seen[row] = seen
        self.extras = {"instruction": self._words(), "is_success": self._flags(won)}
        reward = self._torch.as_tensor(rewards, dtype=self._torch.float32, device=self.device)
        return self._observations(), reward, self._flags(over), self._flags(cut), self.extras

    @staticmethod
    def seed(seed: int = -1) -> int:
        """Seed torch, as Isaac Lab's environments do; ours follow from `reset(seed=...)`."""
        if seed >= 0:
            needed("torch", "torch").manual_seed(seed)
        return seed

    def render(self, recompute: bool = False) -> Any:
        """Return the first environment's picture [H, W, 3], or None without a render mode."""
        return None if self.render_mode is None else self._envs[0].render()

    def close(self) -> None:
        """Close all; idempotent."""
        if not self._is_closed:
            for env in self._envs:
                env.close()
        self._is_closed = True

    def _begin(self, row: int) -> dict[str, Any]:
        """Begin the next episode of a row: its number is the row's, then that plus num_envs..."""
        index = row + self.num_envs * self._counts[row]
        self._counts[row] += 1
        self.episode_length_buf[row] = 0
        seen, _ = self._envs[row].reset(seed=self.cfg.seed or 0, options={"index": index})
        return seen

    def _words(self) -> list[str]:
        return [seen["instruction"] for seen in self._seen]

    def _flags(self, values: Any = None) -> Any:
        given = np.zeros(self.num_envs) if values is None else values
        return self._torch.as_tensor(given, dtype=self._torch.bool, device=self.device)

    def _observations(self) -> dict[str, Any]:
        keys = self.single_observation_space["policy"].spaces  # type: ignore[attr-defined]
        stacked = {
            key: self._torch.as_tensor(
                np.stack([np.asarray(seen[key]) for seen in self._seen]), device=self.device
            )
            for key in keys
        }
        return {"policy": stacked}
