"""Groups: episodes with one start, compared with each other; and what a learner gets of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from refergym.agents.rft.advantages import Credit, Trajectory, advantages
from refergym.agents.rft.sample import Sample
from refergym.assets.records import Record
from refergym.rollouts.episodes import Ended, Episode, check_start
from refergym.rollouts.errors import StartError
from refergym.rollouts.plan import Job, Turn
from refergym.rollouts.tape import Recording

POLICY = "policy"
"""name of the policy in plans and episodes"""


class Request(Record, frozen=True, kw_only=True):
    """A group that is to be played."""

    kind: str
    """"train", "branch" or "evaluate": which of the plans"""
    index: int
    """of its start, in the plan"""
    members: int
    first: int = 0
    """number of the first member; others of that start have others, and answer otherwise"""
    replay: tuple[Turn, ...] = ()
    """turns that all members have in common and none learns from: a branch"""

    def jobs(self, attempt: int = 0) -> list[Job]:
        """Return the episodes to play."""
        return [
            Job(policy=POLICY, index=self.index, member=member, attempt=attempt, replay=self.replay)
            for member in range(self.first, self.first + self.members)
        ]


def branch(recording: Recording, turn: int, members: int, first: int) -> Request:
    """Ask for episodes that go on anew from where one was ahead of a turn.

    Args:
        recording: of that episode.
        turn: from which on the policy answers anew, > 0.
        members: how many go on.
        first: number of the first of them; not that of a member of any other group of this start.
    """
    steps = zip(recording.answers, recording.episode.steps, strict=True)
    turns = [Turn(answer=answer, state=step.state) for answer, step in steps]
    return Request(
        kind="branch", index=recording.episode.id.index, members=members, first=first,
        replay=tuple(turns[:turn]),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Group:
    """Episodes that began alike."""

    request: Request
    recordings: tuple[Recording, ...]
    """[K] by member"""
    version: int = 0
    """of the weights when it was asked for"""
    retries: int = 0
    """how often it was begun anew after a fault"""

    def __post_init__(self) -> None:
        """Check that they did begin alike.

        Raises:
            StartError: naming what differs.
        """
        starts: dict[tuple[str, int], Episode] = {}
        for recording in self.recordings:
            check_start(starts, recording.episode)
            self._check_replay(recording.episode)

    def _check_replay(self, episode: Episode) -> None:
        for turn, (step, played) in enumerate(
            zip(episode.steps, self.request.replay, strict=False)
        ):
            if step.state != played.state:
                raise StartError(
                    f"episode {episode.id} of {episode.policy}: turn {turn} led to state"
                    f" {step.state[:12]}, but the branch begins behind {played.state[:12]}: it"
                    " cannot be compared with the others"
                )

    @property
    def episodes(self) -> list[Episode]:
        """[K] by member."""
        return [recording.episode for recording in self.recordings]


@dataclass(frozen=True, kw_only=True)
class Lost:
    """A group that could not be played; nothing of it is learned from."""

    request: Request
    errors: tuple[str, ...]
    """one line for each try"""
    retries: int = 0


def judged(request: Request, recordings: Sequence[Recording], **rest: int) -> Group | Lost:
    """Make a group of finished episodes; one that broke takes the others with it."""
    errors = [r.episode.error for r in recordings if r.episode.ended is Ended.ERROR]
    if errors:
        retries = rest.get("retries", 0)
        return Lost(request=request, errors=tuple(errors), retries=retries)
    ordered = sorted(recordings, key=lambda r: r.episode.id.member)
    return Group(request=request, recordings=tuple(ordered), **rest)


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What a batch of groups teaches."""

    samples: list[Sample]
    """those with an advantage, in the order of groups, members and turns"""
    flat: tuple[int, ...]
    """indices of groups that teach nothing: all members earned the same"""


def lesson(groups: Sequence[Group], credit: Credit) -> Lesson:
    """Compare the episodes of each group."""
    played = [(g, r) for g in groups for r in g.recordings if r.answers]
    found = advantages([_trajectory(g, r.episode) for g, r in played], credit)
    samples = [
        Sample(
            observation=observation,
            prompt_tokens=answer.prompt_tokens,
            tokens=answer.tokens,
            logprobs=answer.logprobs,
            advantage=advantage,
        )
        for (_, recording), turns in zip(played, found.turns, strict=True)
        for observation, answer, advantage in zip(
            recording.observations, recording.answers, turns, strict=True
        )
        if advantage and answer.tokens
    ]
    return Lesson(samples=samples, flat=tuple(int(g.split(":")[0]) for g in found.flat))


def _trajectory(group: Group, episode: Episode) -> Trajectory:
    """Say what credit needs; a turn answers to the state and to the last turn's event."""
    before = [f"{episode.start_digest}:", *(f"{s.state}:{s.event}" for s in episode.steps)]
    return Trajectory(
        group=f"{episode.id.index}:{group.request.first}",
        rewards=tuple(step.reward for step in episode.steps),
        states=tuple(before[:-1]),
        replayed=len(group.request.replay),
    )


def is_flat(group: Group, credit: Credit) -> bool:
    """Say whether a group teaches nothing."""
    return not lesson([group], credit).samples


def error_kinds(lost: Sequence[Lost]) -> dict[str, int]:
    """Count tries that failed, by the type of error (what stands ahead of the colon)."""
    return dict(Counter(e.split(":")[0] for group in lost for e in group.errors))
