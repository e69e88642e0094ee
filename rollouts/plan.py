"""What a run consists of, as plain data: it crosses to workers and is rebuilt there."""

from pathlib import Path
from typing import Any

import msgspec
from omegaconf import OmegaConf

from refergym.agents.policy import Policy
from refergym.assets.records import Record
from refergym.assets.seeding import generator
from refergym.envs import building
from refergym.envs.answers import AnswerReader
from refergym.envs.refer_env import ReferEnv
from refergym.envs.rewards import RewardSet
from refergym.rollouts import config
from refergym.rollouts.errors import ConfigError


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
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    """of packages, recorded with each episode"""


class Job(Record, frozen=True, kw_only=True):
    """One episode to run."""

    policy: str
    index: int
    member: int = 0
    attempt: int = 0


def build_env(plan: Plan) -> ReferEnv:
    """Make an environment from its configs; simulator and renderer start at the first reset.

    Raises:
        EnvError: naming the key that is wrong.
    """
    groups = {**plan.env, "pack": plan.pack, "max_steps": None, "pictures": True}
    return building.build_env(OmegaConf.create(groups))


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
    """Put the dialect that a policy's config names in place of its name.

    Raises:
        ConfigError: if there is no such dialect.
    """
    name = policy.get("dialect")
    if not isinstance(name, str):
        return policy
    try:
        return {**policy, "dialect": config.choice("dialect", name, config_dir)}
    except ConfigError as e:
        raise ConfigError(f"policy.{e}") from e


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
    policy = config.instantiate(plan.policies[name], "policy")
    if not isinstance(policy, Policy):
        target = plan.policies[name]["_target_"]
        raise ConfigError(
            f"policy._target_: {target} is no Policy; it needs name, privileged and act()"
        )
    return policy


def answer_seed(plan: Plan, job: Job, step: int) -> int:
    """Seed of one answer; the same for every policy, worker, order and attempt."""
    return int(generator(plan.seed, "answer", job.index, job.member, step).integers(2**63))
