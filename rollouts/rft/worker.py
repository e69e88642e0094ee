"""A worker that plays groups, as a Ray actor: it steps environments and asks a server for answers.

Two threads: one plays, the other says how it goes, so that whoever watches can tell a long step
from a process that is gone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from refergym.rollouts.plan import Job, Plan
from refergym.rollouts.rft.clock import IDLE, Clock
from refergym.rollouts.rft.faults import Faults, FaultyTape
from refergym.rollouts.rft.groups import POLICY
from refergym.rollouts.rft.served import ServedPolicy, ServerGone
from refergym.rollouts.runner import Runner
from refergym.rollouts.tape import MemoryTape, Recording


@dataclass(frozen=True, kw_only=True)
class Played:
    """What a worker made of some episodes."""

    recordings: tuple[Recording, ...]
    """as they ended"""
    spent: Mapping[str, float]
    """s by whose turn it was"""


class ServerGoneError(Exception):
    """The policy's server died while it was asked; the worker itself is well."""


class RolloutWorker:
    """Plays groups; wrapped as an actor by the collector."""

    def __init__(self, plans: bytes, faults: Faults | None) -> None:
        """Take what to play.

        Args:
            plans: JSON of the plans by the kind of request.
            faults: to happen in what is learned from.
        """
        self._clock = Clock()
        self._plans = msgspec.json.decode(plans, type=dict[str, Plan])
        self._faults = faults
        self._tapes: dict[str, MemoryTape] = {}
        self._policies: dict[str, ServedPolicy] = {}
        self._runners: dict[str, Runner] = {}
        for kind in self._plans:
            self._begin(kind)

    def play(self, server: Any, kind: str, jobs: Sequence[Job]) -> Played:
        """Play episodes of one kind to their end.

        Args:
            server: handle of the policy's server.
            kind: which of the plans.
            jobs: the episodes.

        Raises:
            ServerGoneError: if the server died; another may be given the next time.
        """
        self._policies[kind].server = server
        try:
            recordings = tuple(self._tapes[kind].take(e) for e in self._runners[kind].run(jobs))
        except ServerGone as e:
            self._runners[kind].close()
            self._begin(kind)
            raise ServerGoneError(str(e)) from None
        finally:
            self._clock.turn(IDLE)
        return Played(recordings=recordings, spent=self._clock.spent())

    def pulse(self) -> tuple[str, float]:
        """Say whose turn it is, and for how many s."""
        return self._clock.pulse

    def _begin(self, kind: str) -> None:
        """Make what plays one kind of request, without anything in hand."""
        plan, faults = self._plans[kind], self._faults
        tape = FaultyTape(faults) if faults is not None and kind == "train" else MemoryTape()
        policy = ServedPolicy(kind, plan.policies[POLICY])
        self._tapes[kind], self._policies[kind] = tape, policy
        self._runners[kind] = Runner(
            plan, tape=tape, policies={POLICY: policy}, on_turn=self._clock.turn
        )
