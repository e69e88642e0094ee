"""Evaluations while a policy is being trained: few episodes, the same ones every time."""

from collections.abc import Mapping
from typing import Any

from refergym.assets.records import Record
from refergym.rollouts.plan import Job, Plan
from refergym.rollouts.pool import play

SEED = 7_777
"""of the starts; no training has it"""
TIMEOUT_S = 600.0


class Score(Record, frozen=True, kw_only=True):
    """How a policy did."""

    n: int
    successes: int
    parsed: float
    """share of the answers that could be read"""

    @property
    def rate(self) -> float:
        """Share of the episodes that were solved; 0 for none."""
        return self.successes / max(1, self.n)


def validate(
    env: Mapping[str, dict[str, Any]],
    tasks: Mapping[str, dict[str, Any]],
    policy: dict[str, Any],
    *,
    pack: str | None,
    episodes: int,
    batch: int = 8,
) -> dict[str, Score]:
    """Play episodes of each task.

    Args:
        env: configs of the groups, without the task.
        tasks: configs of tasks, by name.
        policy: config of the policy.
        pack: folder of an asset pack; None takes the package's own.
        episodes: of each task.
        batch: that are answered together.
    """
    scores = {}
    for name, task in tasks.items():
        plan = Plan(
            env={**env, "task": task}, pack=pack, policies={"trained": policy}, task=name,
            suite=f"validation-{name}", seed=SEED, batch=batch,
        )  # fmt: skip
        jobs = [Job(policy="trained", index=k) for k in range(episodes)]
        done = [e for e in play(plan, jobs, 0, TIMEOUT_S) if not e.error]
        turns = [turn for e in done for turn in e.steps]
        parsed = sum(not turn.problem for turn in turns)
        scores[name] = Score(
            n=len(done), successes=sum(e.success for e in done), parsed=parsed / max(1, len(turns))
        )
    return scores
