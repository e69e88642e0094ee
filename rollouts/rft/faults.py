"""Faults on purpose: workers that crash, hang or are slow, and answers that are none.

What befalls an episode follows from the seed, its number and how often it was tried, so a run with
faults can be repeated, and a retry may be spared.
"""

import os
import signal
import time
from typing import Annotated

import msgspec

from refergym.agents.policy import Answer
from refergym.assets.records import Record
from refergym.assets.seeding import generator
from refergym.envs.types import Observation
from refergym.rollouts.errors import PolicyError
from refergym.rollouts.plan import Job
from refergym.rollouts.tape import MemoryTape

Rate = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Faults(Record, frozen=True, kw_only=True):
    """Shares of the episodes that a fault befalls, at their first step."""

    crash: Rate = 0.0
    """the worker's process is killed (SIGKILL)"""
    hang: Rate = 0.0
    """a step does not return, and the process answers nobody (SIGSTOP)"""
    slow: Rate = 0.0
    """a step takes `slow_s` longer"""
    corrupt: Rate = 0.0
    """an answer is no Answer"""
    slow_s: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    seed: int = 0

    def of(self, job: Job) -> str:
        """Return the name of the fault that befalls an attempt at an episode, or nothing."""
        numbers = (job.index, job.member, job.attempt)
        draw = generator(self.seed, "fault", *numbers).random()
        for name in ("crash", "hang", "slow", "corrupt"):
            rate = getattr(self, name)
            if draw < rate:
                return name
            draw -= rate
        return ""


class FaultyTape(MemoryTape):
    """A tape during which faults happen, at each episode's first step."""

    def __init__(self, faults: Faults) -> None:
        """Take what is to happen."""
        super().__init__()
        self._faults = faults
        self._met: set[Job] = set()

    def saw(self, job: Job, observation: Observation, answer: Answer) -> None:
        """Let happen what befalls this attempt, then keep the step.

        Raises:
            PolicyError: if the answer is corrupt.
        """
        if job not in self._met:
            self._met.add(job)
            match self._faults.of(job):
                case "crash":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "hang":
                    os.kill(os.getpid(), signal.SIGSTOP)
                case "slow":
                    time.sleep(self._faults.slow_s)
                case "corrupt":
                    raise PolicyError("corrupt: the answer was spoiled on purpose")
        super().saw(job, observation, answer)
