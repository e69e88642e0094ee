"""What rewards are given for: a turn (one answer and what it did) and the signatures of terms.

A term is any callable from a `Turn` to a number in [0, 1]. Terms of turns are asked after every
step, terms of episodes once, with the last turn.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from refergym.envs.dialects.base import PointSeen
from refergym.envs.key_steps import KeyStep
from refergym.envs.replies import ReasoningStep, Reply, is_in_form, read_steps
from refergym.envs.rewards.matching import match_steps
from refergym.envs.task_spec import Act, TaskSpec
from refergym.envs.types import Verdict


@dataclass(frozen=True, kw_only=True, eq=False)
class Turn:
    """One answer of a policy, what was true when it was given, and what it did."""

    text: str = ""
    """the raw words; empty from policies that only point"""
    reply: Reply | None = None
    """the words taken apart; none without words, or where that failed"""
    problem: str = ""
    """why there was no usable point (an `errors.AnswerFault`); empty where there was one"""
    points: tuple[PointSeen, ...] = ()
    """all points of the answer"""
    image_size: tuple[int, int]
    """px (width, height) of the observation"""
    truth: Mapping[str, Any]
    """what was true before the step; see `envs.truth.Truth`"""
    act: Act
    """what the robot did"""
    verdict: Verdict
    """of the state after it"""
    before: float = 0.0
    """progress in [0, 1] before the step"""
    is_last: bool = False
    """whether the episode ended with it"""
    index: int = 0
    """number of the turn in the episode, from 0"""
    limit: int = 1
    """turns until the episode is cut off"""
    acts: tuple[Act, ...] = field(default=())
    """all steps of the episode so far, this one included"""

    @property
    def task(self) -> TaskSpec:
        """What is asked."""
        task: TaskSpec = self.truth["task"]
        return task

    @functools.cached_property
    def is_in_form(self) -> bool:
        """Whether the words are one think block and then one answer block, and nothing else."""
        return is_in_form(self.text)

    @functools.cached_property
    def steps(self) -> tuple[ReasoningStep, ...]:
        """The steps of its reasoning."""
        return () if self.reply is None else read_steps(self.reply.thought)

    @functools.cached_property
    def key_steps(self) -> tuple[KeyStep, ...]:
        """The steps of the reasoning that the task asks for, with their true values."""
        found: tuple[KeyStep, ...] = self.truth["key_steps"]
        return found

    @functools.cached_property
    def claims(self) -> tuple[tuple[ReasoningStep, ...], ...]:
        """What the answer claims of each key step, in its order; empty where it says nothing."""
        return match_steps(self.task.program, self.key_steps, self.steps)


class RewardTerm(Protocol):
    """The signature of a term; a function, or an object with parameters."""

    def __call__(self, turn: Turn, /) -> float:
        """Return a number in [0, 1]. Pure."""
        ...
