"""A policy that is shown something else than what there is: what the blind floors are made of."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from refergym.agents.policy import Answer, Policy
from refergym.envs.types import Observation

Change = Callable[[Observation], Observation]


class AlteredPolicy:
    """Another policy behind a change of each observation; dialect and words are that policy's.

    Attributes:
        name: of the floor.
        privileged: False; from a policy that sees the truth nothing could be hidden.
        dialect: the policy's; None where it has no words.
        several: the policy's.
        version: the policy's.
        weights: the policy's.
    """

    privileged = False

    def __init__(self, name: str, policy: Policy | None, change: Change) -> None:
        """Put the change in front of a policy.

        Args:
            name: of the floor.
            policy: answers; never changed.
            change: of one observation, whatever else is in the batch.

        Raises:
            ValueError: if there is no policy, or if it sees the truth.
        """
        if not isinstance(policy, Policy):
            raise ValueError(
                f"{name} wraps another policy, got {policy!r:.40}; say policy.policy=NAME,"
                f" or floors=[{name}] next to the policy that it is to wrap"
            )
        if policy.privileged:
            raise ValueError(f"{name} hides things from a policy, but {policy.name} sees the truth")
        self.name = name
        self.dialect = getattr(policy, "dialect", None)
        self.several = getattr(policy, "several", "first")
        self.version = str(getattr(policy, "version", ""))
        self.weights = str(getattr(policy, "weights", ""))
        self._policy, self._change = policy, change

    def act(
        self,
        observations: Sequence[Observation],
        *,
        seeds: Sequence[int],
        truths: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Answer]:
        """Answer each observation as the policy answers the changed one; see Policy.act."""
        return self._policy.act([self._change(seen) for seen in observations], seeds=seeds)

    def check(self) -> None:
        """Check the policy, if it can be checked; raises AgentError as that does."""
        check = getattr(self._policy, "check", None)
        if check is not None:
            check()
