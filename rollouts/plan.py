"""What a run consists of, as plain data: it crosses to workers and is rebuilt there."""

from typing import Any

import msgspec
from omegaconf import OmegaConf

from refergym.agents.policy import Policy
from refergym.assets.records import Record
from refergym.assets.seeding import generator
from refergym.envs import building
from refergym.envs.refer_env import ReferEnv
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
