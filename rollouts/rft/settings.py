"""The keys of configs/train.yaml as records; their defaults and their meaning stand there."""

from typing import Annotated, Any, Literal

import msgspec

from refergym.agents.rft.advantages import Credit
from refergym.assets.records import Record
from refergym.rollouts.plan import EnvSettings

BEST, LAST = "best", "last"
"""folders of checkpoints"""
Whole = Annotated[int, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Seed = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class Learner(Record, frozen=True, kw_only=True):
    """The keys of configs/learner/dapo.yaml and of those that build on it."""

    groups: Count
    members: Annotated[int, msgspec.Meta(ge=2)]
    refills: Annotated[float, msgspec.Meta(ge=0)]
    credit: Credit
    loss: dict[str, Any]
    """a `losses.LossSettings`, which needs torch"""
    learning: dict[str, Any]
    """a `learner.Learning`, the same"""
    branches: Whole
    branched: Share
    processes: Count
    patience_s: Positive

    def __post_init__(self) -> None:
        """Refuse a branch that nothing is compared with."""
        if self.branches == 1:
            raise ValueError("branches: expected 0 or at least 2, got 1")


class Evaluate(Record, frozen=True, kw_only=True):
    """When and on what a policy is evaluated during training."""

    every: Whole
    episodes: Whole
    seed: Whole
    suite: str | None


class Rollout(Record, frozen=True, kw_only=True):
    """The keys of configs/rollout: how groups are played."""

    engine: Literal["local", "ray"]
    workers: Count
    batch: Count
    staleness: Whole
    step_timeout_s: Positive
    answer_timeout_s: Positive
    start_timeout_s: Positive
    pulse_timeout_s: Positive
    retries: Whole
    max_lost: Share
    address: str | None
    cpus: Annotated[float, msgspec.Meta(ge=0)]
    server_cpus: Annotated[float, msgspec.Meta(ge=0)]
    server_gpus: Annotated[float, msgspec.Meta(ge=0)]
    placement: Literal["pack", "spread"]
    wait_ms: Annotated[float, msgspec.Meta(ge=0)]
    faults: dict[str, Any] | None


class Settings(EnvSettings, frozen=True, kw_only=True):
    """The keys of configs/train.yaml."""

    reward: dict[str, Any]
    policy: dict[str, Any]
    learner: Learner
    rollout: Rollout
    evaluate: Evaluate
    pack: str | None
    seed: Seed
    steps: Whole
    minutes: Positive | None
    pool: Count | None
    keep: Annotated[float, msgspec.Meta(gt=0, le=1)]
    save_every: Count
    threads: Annotated[int, msgspec.Meta(ge=1, le=1024)]
    out: Annotated[str, msgspec.Meta(min_length=1)]
    resume: bool
    tensorboard: bool
