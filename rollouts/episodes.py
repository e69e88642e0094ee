"""Episode records, and episodes on disk: JSON Lines, one episode a line, one writer a file.

A line is written in one piece and synced before the episode counts as finished, so a killed run
loses nothing; a last line that was cut is dropped on opening.
"""

import enum
import fcntl
import logging
import os
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from refergym.assets import records
from refergym.assets.records import Record
from refergym.rollouts.errors import EpisodeError, OutputError, StartError

VERSION = 2
log = logging.getLogger(__name__)


class Ended(enum.StrEnum):
    """How an episode ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    """the environment ended it, unsolved"""
    TRUNCATED = "truncated"
    """out of steps, unsolved"""
    ERROR = "error"
    """infrastructure: the environment, a worker or the policy's server broke; says nothing about
    the policy"""


class EpisodeId(Record, frozen=True, kw_only=True):
    """Names an episode: the same id without `attempt` always has the same start."""

    suite: str
    index: int
    """number in the suite, from 0"""
    member: int = 0
    """number in a group of episodes with one start"""
    attempt: int = 0
    """0 unless earlier attempts ended in infrastructure errors"""

    def __str__(self) -> str:
        """suite/index/member/attempt."""
        return f"{self.suite}/{self.index}/{self.member}/{self.attempt}"


class Seen(Record, frozen=True, kw_only=True):
    """What a policy was given at one step, as far as it was recorded."""

    rgb: str
    """file of the picture, from the run's folder"""
    depth: str
    """file of the depth, from the run's folder"""
    first_rgb: str = ""
    """file of the episode's first picture, where the policy is shown that too"""
    intrinsics: tuple[float, float, float, float]
    """(fx, fy, cx, cy) px"""
    holding: bool
    """whether the gripper held something"""
    event: str
    """what the step before did; an Event's name in lower case"""
    prompt_tokens: tuple[int, ...] = ()
    """ids of what the answer's tokens were sampled after"""


class StepRecord(Record, frozen=True, kw_only=True):
    """One answer and what it did."""

    text: str = ""
    """the policy's raw words"""
    tokens: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    point_uv: tuple[float, float] | None = None
    """the point in [0, 1] that was acted on; none if the answer had no usable one"""
    pixel: tuple[int, int] | None = None
    """(x right, y down) px of the observation"""
    point_w: tuple[float, float, float] | None = None
    """[3] m, world; none where the ray met nothing"""
    event: str
    """an Event's name in lower case"""
    detail: str = ""
    """for people: which phase failed and why"""
    problem: str = ""
    """why the answer had no usable point (an `errors.AnswerFault`)"""
    cause: str = ""
    """what the step failed by (an `attribution.Cause`); empty if it did what it should"""
    terms: dict[str, float] = msgspec.field(default_factory=dict)
    """reward terms, raw, in [0, 1]"""
    paid: dict[str, float] = msgspec.field(default_factory=dict)
    """what each term added to the reward"""
    reward: float = 0.0
    state: str = ""
    """digest of the state after the step"""
    seen: Seen | None = None
    """what the answer was to, where the run records it; no part of `outcome`"""


class Episode(Record, frozen=True, kw_only=True):
    """What one policy did in one episode."""

    version: int = VERSION
    id: EpisodeId
    policy: str
    policy_version: str = ""
    task: str
    """the configured name"""
    kind: str = ""
    """of this episode's task"""
    instruction: str = ""
    seed: int
    """the run's; starts follow from (seed, index), answers from (seed, index, member, step)"""
    scene_digest: str = ""
    task_digest: str = ""
    start_digest: str = ""
    """of the state before the first step"""
    steps: tuple[StepRecord, ...] = ()
    success: bool = False
    ended: Ended
    stage: str
    """"success", or the first stage that failed; "infrastructure" after an error"""
    cause: str = ""
    """what the last step that failed did so by; empty if none did"""
    progress: float = 0.0
    reward: float = 0.0
    """of all steps together; says nothing about success"""
    measures: dict[str, float] = msgspec.field(default_factory=dict)
    error: str = ""
    """of infrastructure errors: type and message"""
    backend: str = ""
    renderer: str = ""
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    """of the packages that the outcome depends on"""
    seconds: float = 0.0
    """wall clock, for information; no part of `outcome`"""

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What this is an attempt at: (policy, suite, index, member)."""
        return (self.policy, self.id.suite, self.id.index, self.id.member)

    @property
    def outcome(self) -> str:
        """sha256 (hex) of all that must not depend on time, worker, order or resume."""
        fixed = msgspec.structs.replace(
            self, id=msgspec.structs.replace(self.id, attempt=0), seconds=0.0, versions={}
        )
        plain = msgspec.to_builtins(fixed)
        for step in plain["steps"]:
            del step["seen"]
        return records.digest(plain)


def encode(episode: Episode) -> bytes:
    """Encode as one line of canonical JSON, without the line's end."""
    return records.canonical_json(episode)


def decode(line: bytes, where: str) -> Episode:
    """Decode one line.

    Args:
        line: the JSON.
        where: file and line for the message.

    Raises:
        EpisodeError: if it is no episode of this version.
    """
    try:
        episode = records.decode(line, Episode, error=EpisodeError)
    except EpisodeError as e:
        raise EpisodeError(f"{where}: {e}") from e
    if episode.version != VERSION:
        raise EpisodeError(f"{where}: version: expected {VERSION}, got {episode.version}")
    return episode


def read_episodes(path: Path) -> list[Episode]:
    """Read every finished episode of a file, in its order; a cut last line is left out.

    Raises:
        EpisodeError: if any other line is damaged; names file and line.
    """
    lines = path.read_bytes().split(b"\n")
    if lines.pop():
        log.warning("%s: the last line was cut off; it is left out", path)
    return [decode(line, f"{path}:{i}") for i, line in enumerate(lines, 1)]


def last_attempts(episodes: Iterable[Episode]) -> list[Episode]:
    """Keep the latest record of each episode, sorted by (policy, suite, index, member)."""
    latest = {episode.key: episode for episode in episodes}
    return [latest[key] for key in sorted(latest)]


def check_start(known: MutableMapping[tuple[str, int], Episode], episode: Episode) -> None:
    """Check that an episode began as all with its number do, whatever the policy and the member.

    Args:
        known: (suite, index) -> the first episode of that number; a new one is put in.
        episode: the next one; one that broke has no start and is passed over.

    Raises:
        StartError: naming the episode and what differs.
    """
    if episode.ended is Ended.ERROR:
        return
    first = known.setdefault((episode.id.suite, episode.id.index), episode)
    for part in ("scene_digest", "task_digest", "start_digest"):
        was, now = getattr(first, part), getattr(episode, part)
        if was != now:
            raise StartError(
                f"episode {episode.id} of {episode.policy}: {part} {now[:12]}, but that of"
                f" {first.id} of {first.policy} was {was[:12]}: they do not begin alike and cannot"
                " be compared; use another out="
            )


class EpisodeWriter:
    """Appends episodes to one file; the only writer of it while open."""

    def __init__(self, path: Path) -> None:
        """Open for appending, after dropping a cut last line.

        Raises:
            OutputError: if it cannot be opened, or another process is writing to it.
            EpisodeError: if a line other than the last is damaged.
        """
        self.path = path
        try:
            self._file = path.open("a+b")
        except OSError as e:
            raise OutputError(f"{path}: cannot write here: {e.strerror}") from e
        try:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as e:
                raise OutputError(
                    f"{path}: another process is writing here; wait for it, or choose another out="
                ) from e
            self.found = self._mend()
        except BaseException:
            self._file.close()
            raise

    def write(self, episode: Episode) -> None:
        """Append one episode; when this returns, it survives a kill and a power cut."""
        self._file.write(encode(episode) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def _mend(self) -> list[Episode]:
        found = read_episodes(self.path)
        data = self.path.read_bytes()
        self._file.truncate(data.rfind(b"\n") + 1)
        return found
