"""The server of a policy, as a Ray actor: answers requests of all workers together.

Weights come by the object store, each set with its number; whoever asks after `update` has returned
is answered by those or newer ones. What is asked already may be answered by either.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from refergym.agents.policy import Answer
from refergym.agents.vlm import TransformersPolicy
from refergym.envs.types import Observation
from refergym.rollouts.plan import made_policy
from refergym.rollouts.rft.clock import IDLE, Clock
from refergym.rollouts.rft.served import Asked, Reply
from refergym.rollouts.rft.weights import Packed, load
from refergym.rollouts.runner import POLICY
from refergym.rollouts.serving.batcher import Batcher


class PolicyServer:
    """Answers for workers; wrapped as an actor by the collector."""

    def __init__(
        self,
        node: Mapping[str, Any],
        temperatures: Mapping[str, float],
        wait_s: float,
        threads: int,
        weights: Mapping[str, Packed] | None = None,
        version: int = 0,
    ) -> None:
        """Load the policy.

        Args:
            node: its config, in which no name is left to be looked up.
            temperatures: by the kind of request.
            wait_s: s that a request waits for others.
            threads: of torch.
            weights: in place of those that it loads.
            version: of the weights.
        """
        torch.set_num_threads(threads)
        policy = made_policy(dict(node))
        assert isinstance(policy, TransformersPolicy), "checked by the command"
        self._lock, self._clock = threading.Lock(), Clock()
        self._model = policy.model
        self._policies = {
            kind: _Turns(policy.at(temperature), self._lock, self._clock)
            for kind, temperature in temperatures.items()
        }
        self._batch, self._wait_s = int(node["batch"]), wait_s
        self._batchers: dict[str, Batcher] = {}
        self._version = version
        if weights is not None:
            load(self._model, weights)

    async def answer(self, kind: str, asked: Sequence[Asked]) -> Reply:
        """Answer observations of one worker, together with those of others."""
        if kind not in self._batchers:
            self._batchers[kind] = Batcher(self._policies[kind], self._batch, self._wait_s)
            self._batchers[kind].start()
        batcher, version = self._batchers[kind], self._version
        answers = await asyncio.gather(*(batcher.ask(one) for one in asked))
        return Reply(answers=tuple(answers), version=version)

    async def update(self, weights: Mapping[str, Packed], version: int) -> None:
        """Take other weights, between two batches."""
        await asyncio.to_thread(self._load, weights)
        self._version = version

    async def pulse(self) -> tuple[str, float]:
        """Say whether it is at work, and for how many s on one batch."""
        return self._clock.pulse

    async def spent(self) -> dict[str, float]:
        """Return the s at work and idle since this was last asked."""
        return self._clock.spent()

    def _load(self, weights: Mapping[str, Packed]) -> None:
        with self._lock:
            load(self._model, weights)


class _Turns:
    """A policy that has its model to itself while it answers, and a clock that runs."""

    privileged = False

    def __init__(self, policy: TransformersPolicy, lock: threading.Lock, clock: Clock) -> None:
        self.name, self._policy, self._lock, self._clock = policy.name, policy, lock, clock

    def act(
        self,
        observations: Sequence[Observation],
        *,
        seeds: Sequence[int],
        truths: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Answer]:
        with self._lock:
            self._clock.turn(POLICY)
            try:
                return self._policy.act(observations, seeds=seeds)
            finally:
                self._clock.turn(IDLE)
