"""What a run consists of, as plain data: it crosses to workers and is rebuilt there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from omegaconf import DictConfig, OmegaConf

from refergym.agents.policy import Answer, Policy
from refergym.assets.records import Record
from refergym.assets.seeding import generator
from refergym.envs import building
from refergym.envs.answers import AnswerReader
from refergym.envs.refer_env import ReferEnv
from refergym.envs.rewards import RewardSet
from refergym.envs.types import Renderer
from refergym.rollouts import config
from refergym.rollouts.errors import ConfigError

ENV_GROUPS = ("scene", "task", "backend", "renderer", "sensor", "randomisation")
"""groups that make an environment"""


class SceneSettings(Record, frozen=True, kw_only=True):
    """Keys that every command has which makes scenes: the configs of groups."""

    scene: dict[str, Any]
    backend: dict[str, Any]
    renderer: dict[str, Any]
    sensor: dict[str, Any]
    randomisation: dict[str, Any]

    @property
    def env(self) -> dict[str, dict[str, Any]]:
        """The configs of ENV_GROUPS by group, as far as the command has them."""
        return {g: getattr(self, g) for g in ENV_GROUPS if g in self.__struct_fields__}


class EnvSettings(SceneSettings, frozen=True, kw_only=True):
    """Keys that every command has which plays one task."""

    task: dict[str, Any]


class Media(Record, frozen=True, kw_only=True):
    """Which pictures to make of each episode, and where."""

    folder: str
    pictures: bool
    video: bool
    video_size: int
    """px, width of the video's pictures"""


class Plan(Record, frozen=True, kw_only=True):
    """Everything that a worker needs to run any episode of a run."""

    env: dict[str, dict[str, Any]]
    """configs of the groups scene, task, backend, renderer, sensor and randomisation"""
    pack: str | None = None
    """folder of the asset pack; none takes the package's own"""
    policies: dict[str, dict[str, Any]]
    """configs of the policies by the name that stands in results"""
    reward: dict[str, Any] | None = None
    """config of the reward set; none pays 1 for success"""
    task: str
    """configured name of the task"""
    suite: str
    """name in the episode ids"""
    starts: str | None = None
    """file of tasks to play; none makes starts from the seed"""
    seed: int
    batch: int = 1
    """environments that one policy call answers together"""
    media: Media | None = None
    record: str | None = None
    """folder for what the policies see at each step; none keeps nothing"""
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    """of packages, recorded with each episode"""


class Turn(Record, frozen=True, kw_only=True):
    """One turn of an episode that was played, as far as playing it again needs it."""

    answer: Answer
    state: str
    """digest of the state that it led to"""


class Job(Record, frozen=True, kw_only=True):
    """One episode to run."""

    policy: str
    index: int
    member: int = 0
    attempt: int = 0
    replay: tuple[Turn, ...] = ()
    """turns that are played again before the policy goes on"""


def build_env(plan: Plan, lent: Callable[[], Renderer] | None = None) -> ReferEnv:
    """Make an environment from its configs; simulator and renderer start at the first reset.

    Args:
        plan: with the configs.
        lent: gives a renderer that several environments share.

    Raises:
        EnvError: naming the key that is wrong.
    """
    return building.build_env(_groups(plan), lent=lent)


def build_renderer(plan: Plan) -> Renderer:
    """Make a renderer for all environments that run side by side; it draws no picture twice.

    Raises:
        EnvError: naming the key that is wrong.
    """
    return building.build_renderer(_groups(plan), remembered=plan.batch)


def _groups(plan: Plan) -> DictConfig:
    groups = {**plan.env, "pack": plan.pack, "max_steps": None, "pictures": True}
    return OmegaConf.create(groups)


def build_rewards(plan: Plan) -> RewardSet | None:
    """Make the reward set from its config.

    Raises:
        ConfigError: naming the key that is wrong, or if the object is no RewardSet.
    """
    if plan.reward is None:
        return None
    made = config.instantiate(plan.reward, "reward")
    if not isinstance(made, RewardSet):
        raise ConfigError(f"reward._target_: {plan.reward['_target_']} is no RewardSet")
    return made


def with_dialect(policy: dict[str, Any], config_dir: str | Path | None = None) -> dict[str, Any]:
    """Put configs in place of the names in a policy's config: of its dialect, of what it wraps.

    Raises:
        ConfigError: if there is no such choice, or if it wraps itself without end.
    """
    return _with_parts(policy, config_dir, ())


def around(floor: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    """Let a floor that wraps another policy, and names none, wrap the one under test."""
    return {**floor, "policy": policy} if floor.get("policy", "") is None else floor


def _with_parts(
    policy: dict[str, Any], config_dir: str | Path | None, outer: tuple[str, ...]
) -> dict[str, Any]:
    made = dict(policy)
    for key in ("dialect", "policy"):
        name = made.get(key)
        if not isinstance(name, str):
            continue
        if key == "policy" and name in outer:
            raise ConfigError(f"policy.policy: {name} wraps itself")
        try:
            made[key] = config.choice(key, name, config_dir)
        except ConfigError as e:
            raise ConfigError(f"policy.{e}") from e
        outer = (*outer, name) if key == "policy" else outer
    if isinstance(made.get("policy"), dict):
        made["policy"] = _with_parts(made["policy"], config_dir, outer)
    return made


def reader_of(policy: Policy) -> AnswerReader | None:
    """Return what reads a policy's words: its `dialect` and `several`; None if it has no words."""
    dialect = getattr(policy, "dialect", None)
    if dialect is None:
        return None
    return AnswerReader(dialect=dialect, several=getattr(policy, "several", "first"))


def build_policy(plan: Plan, name: str) -> Policy:
    """Make a policy from its config.

    Raises:
        ConfigError: naming the key that is wrong, or if the object is no Policy.
    """
    return made_policy(plan.policies[name])


def made_policy(node: dict[str, Any]) -> Policy:
    """Make a policy from a config in which no name is left to be looked up.

    Raises:
        ConfigError: naming the key that is wrong, or if the object is no Policy.
    """
    policy = config.instantiate(node, "policy")
    if not isinstance(policy, Policy):
        target = node["_target_"]
        raise ConfigError(
            f"policy._target_: {target} is no Policy; it needs name, privileged and act()"
        )
    return policy


def answer_seed(plan: Plan, job: Job, step: int) -> int:
    """Seed of one answer; the same for every policy, worker, order and attempt."""
    return int(generator(plan.seed, "answer", job.index, job.member, step).integers(2**63))
