"""A tape follows the episodes of a Runner as the policy saw them, and changes nothing in them.

`MemoryTape` keeps the observations for a learner in the same process.
"""

from dataclasses import dataclass
from typing import Protocol

from refergym.agents.policy import Answer
from refergym.envs.types import Observation
from refergym.rollouts.episodes import Episode, Seen
from refergym.rollouts.errors import EpisodeError
from refergym.rollouts.plan import Job

_Attempt = tuple[str, int, int, int]
"""policy, index, member, attempt"""


class Tape(Protocol):
    """Told of each answer before it is acted on, and of how each episode ends."""

    def saw(self, job: Job, observation: Observation, answer: Answer) -> Seen | None:
        """Take what a policy saw and what it answered; once for each step, in their order.

        Args:
            job: the episode, with its attempt; steps of several episodes come in between.
            observation: the very arrays that the policy was given; nothing writes to them later.
            answer: with tokens and log-probabilities as they will stand in the record.

        Returns:
            What the step's record is to hold of it, if anything.

        Raises:
            OutputError: if it cannot be kept; ends the run.
        """
        ...

    def ended(self, episode: Episode) -> None:
        """Take note that an episode is over, also by an error; called ahead of handing it out."""
        ...

    def lost(self, job: Job) -> None:
        """Forget the steps of an attempt that broke; another may begin with its first step."""
        ...


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One finished episode, and what its policy was given and answered."""

    episode: Episode
    observations: tuple[Observation, ...]
    """[S] what each step's answer was to; without what the last step led to"""
    answers: tuple[Answer, ...]
    """[S] with `prompt_tokens`, which an Episode leaves out"""


class MemoryTape:
    """Keeps observations and answers until they are taken: about 350 kB a step at 224 x 224."""

    def __init__(self) -> None:
        """Start empty."""
        self._running: dict[_Attempt, list[tuple[Observation, Answer]]] = {}
        self._finished: dict[tuple[str, str, int, int], Recording] = {}

    def saw(self, job: Job, observation: Observation, answer: Answer) -> None:
        """Keep a step; see `Tape`."""
        self._running.setdefault(_attempt(job), []).append((observation, answer))

    def ended(self, episode: Episode) -> None:
        """Make the recording ready to be taken; an episode that broke has one without steps."""
        id_ = episode.id
        steps = self._running.pop((episode.policy, id_.index, id_.member, id_.attempt), [])
        self._finished[episode.key] = Recording(
            episode=episode,
            observations=tuple(observation for observation, _ in steps),
            answers=tuple(answer for _, answer in steps),
        )

    def lost(self, job: Job) -> None:
        """Forget the steps of an attempt."""
        self._running.pop(_attempt(job), None)

    def take(self, episode: Episode) -> Recording:
        """Hand out the recording of a finished episode, and forget it.

        Raises:
            EpisodeError: if it was not recorded here, or was taken before.
        """
        try:
            return self._finished.pop(episode.key)
        except KeyError:
            raise EpisodeError(
                f"episode {episode.id} of {episode.policy}: not on this tape; give the tape to the"
                " runner that plays it, and take each recording once"
            ) from None


def _attempt(job: Job) -> _Attempt:
    return job.policy, job.index, job.member, job.attempt
