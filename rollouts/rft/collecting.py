"""Collectors play groups with a policy that changes between them. Here: in this process.

`ray_collector` has the one that spreads over workers. Both give the same episodes for the same
seeds and weights.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

from refergym.agents.policy import Policy
from refergym.rollouts.plan import Job, Plan
from refergym.rollouts.rft.clock import IDLE, Clock
from refergym.rollouts.rft.groups import POLICY, Group, Lost, Request, judged
from refergym.rollouts.runner import Runner
from refergym.rollouts.tape import MemoryTape, Recording


class Changing(Policy, Protocol):
    """A policy whose weights change."""

    version: str
    """of its weights; stands in the records of episodes"""


class Collector(Protocol):
    """Plays groups.

    Attributes:
        spent: s by whose turn it was (`clock.Clock`), of all that plays together; whoever reads it
            clears it.
    """

    spent: dict[str, float]

    def submit(self, request: Request) -> None:
        """Ask for a group; it is played by the weights of then, or newer ones."""
        ...

    def take(self, kind: str) -> Group | Lost:
        """Wait for the group of a kind that was asked for first, of those not taken yet."""
        ...

    def update(self, weights: Mapping[str, Any], version: int) -> None:
        """Let the policy answer by other weights from now on."""
        ...

    def close(self) -> None:
        """End all that runs; idempotent."""
        ...


class LocalCollector:
    """Plays groups in this process, when they are taken."""

    def __init__(
        self, plans: Mapping[str, Plan], policies: Mapping[str, Changing], model: Any = None
    ) -> None:
        """Take what to play.

        Args:
            plans: by the kind of request.
            policies: the same.
            model: of the policies, where it is not the learner's, which needs no update.
        """
        self.spent: dict[str, float] = {}
        self._clock = Clock()
        self._model = model
        self._tapes = {kind: MemoryTape() for kind in plans}
        self._runners = {
            kind: Runner(
                plan,
                tape=self._tapes[kind],
                policies={POLICY: policies[kind]},
                on_turn=self._clock.turn,
            )
            for kind, plan in plans.items()
        }
        self._asked: dict[str, deque[tuple[Request, int]]] = {kind: deque() for kind in plans}
        self._jobs: dict[str, deque[Job]] = {kind: deque() for kind in plans}
        self._done: dict[tuple[str, int, int], list[Recording]] = {}
        self._policies = list(policies.values())
        self._number(0)

    def submit(self, request: Request) -> None:
        """Ask for a group; see Collector."""
        self._asked[request.kind].append((request, self._version))
        self._jobs[request.kind] += request.jobs()

    def take(self, kind: str) -> Group | Lost:
        """Play until the first group that was asked for is there; see Collector."""
        request, version = self._asked[kind].popleft()
        runner, tape, jobs = self._runners[kind], self._tapes[kind], self._jobs[kind]
        members = range(request.first, request.first + request.members)
        keys = [(kind, request.index, member) for member in members]
        while not all(self._done.get(key) for key in keys):
            while jobs and runner.has_room:
                runner.start(jobs.popleft())
            for episode in runner.advance():
                key = (kind, episode.id.index, episode.id.member)
                self._done.setdefault(key, []).append(tape.take(episode))
        self._clock.turn(IDLE)
        for whose, seconds in self._clock.spent().items():
            self.spent[whose] = self.spent.get(whose, 0.0) + seconds
        recordings = [self._done[key].pop(0) for key in keys]
        self._done = {key: found for key, found in self._done.items() if found}
        return judged(request, recordings, version=version)

    def update(self, weights: Mapping[str, Any], version: int) -> None:
        """Take other weights, where the learner has not changed them already."""
        if self._model is not None:
            self._model.load_state_dict(dict(weights))
        self._number(version)

    def _number(self, version: int) -> None:
        self._version = version
        for policy in self._policies:
            policy.version = str(version)

    def close(self) -> None:
        """Close the environments; see Collector."""
        for runner in self._runners.values():
            runner.close()
