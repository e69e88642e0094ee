"""What waits to be played, who plays what next, and what came of it. No Ray in here.

A group is played in one piece at first, beside others. If that breaks, it is not known by whom: its
episodes are then begun anew, each by itself. One that breaks by itself more often than `retries`
takes its group along; while it is tried again, the others of its group wait.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from refergym.rollouts.episodes import Ended
from refergym.rollouts.plan import Job
from refergym.rollouts.rft.groups import Group, Lost, Request, judged
from refergym.rollouts.tape import Recording


@dataclass(eq=False)
class Ask:
    """A request on its way."""

    request: Request
    version: int
    """of the weights when it was asked for"""
    recordings: dict[int, Recording] = field(default_factory=dict)
    """by member, of what is played"""
    errors: list[str] = field(default_factory=list)
    """one line each time that something of it broke"""
    suspects: set[int] = field(default_factory=set)
    """members that broke by themselves, and are not played yet"""
    found: Group | Lost | None = None


@dataclass(frozen=True, kw_only=True)
class Part:
    """Episodes of a group that one worker plays."""

    ask: Ask
    members: tuple[int, ...]
    begun: int = 0
    """times that they were begun before"""
    tries: int = 0
    """times that it broke by itself; of a single episode"""

    @property
    def jobs(self) -> list[Job]:
        """Its episodes."""
        return [j for j in self.ask.request.jobs(self.begun) if j.member in self.members]

    @property
    def is_fresh(self) -> bool:
        """Whether nothing of it ever broke."""
        return self.begun == 0


class Queue:
    """Requests in the order in which they came; not safe to be used by several threads at once."""

    def __init__(self, kinds: Iterable[str], batch: int, retries: int) -> None:
        """Begin empty.

        Args:
            kinds: of requests.
            batch: episodes that a worker plays side by side.
            retries: of an episode that broke by itself.
        """
        self._batch, self._retries = batch, retries
        self._waiting: deque[Part] = deque()
        self._asked: dict[str, deque[Ask]] = {kind: deque() for kind in kinds}
        self._wanted = ""

    def __len__(self) -> int:
        """Parts that nobody plays yet."""
        return len(self._waiting)

    def submit(self, request: Request, version: int) -> None:
        """Add a request, behind the others."""
        ask = Ask(request, version)
        self._asked[request.kind].append(ask)
        members = tuple(job.member for job in request.jobs())
        self._waiting.append(Part(ask=ask, members=members))

    def first(self, kind: str) -> Ask:
        """Take the first request of a kind, done or not; its kind goes first from now on."""
        self._wanted = kind
        return self._asked[kind].popleft()

    def pick(self, idle: int) -> list[Part]:
        """Take what one worker is to play, of one kind, as much as it has environments for.

        What somebody waits for comes first, so that no evaluation stands behind what is played
        ahead. What broke plays by itself; the rest is shared among those that are idle.

        Args:
            idle: workers that have nothing to play.
        """
        ready = [p for p in self._waiting if _may(p)]
        if not ready:
            return []
        first = next((p for p in ready if p.ask.request.kind == self._wanted), ready[0])
        picked = [first]
        if first.is_fresh:
            kind = first.ask.request.kind
            mates = [p for p in ready if p.ask.request.kind == kind and p.is_fresh]
            room = self._batch - len(first.members)
            for part in mates[1 : -(-len(mates) // idle)]:
                room -= len(part.members)
                if room < 0:
                    break
                picked.append(part)
        for part in picked:
            self._waiting.remove(part)
        return picked

    def played(self, parts: Sequence[Part], recordings: Sequence[Recording]) -> None:
        """Take what a worker made of parts: a recording for each of their episodes, in any order.

        Raises:
            StartError: if the episodes of a group began differently.
        """
        at: Mapping[tuple[int, int], Recording] = {
            (r.episode.id.index, r.episode.id.member): r for r in recordings
        }
        for part in parts:
            for member in part.members:
                recording = at[(part.ask.request.index, member)]
                if recording.episode.ended is Ended.ERROR:
                    self._again(part, member, recording.episode.error, alone=True)
                    continue
                part.ask.recordings[member] = recording
                part.ask.suspects.discard(member)
            self._judge(part.ask)

    def broke(self, parts: Sequence[Part], error: str) -> None:
        """Begin anew what was in the hands of a worker that is gone."""
        alone = sum(len(part.members) for part in parts) == 1
        for part in reversed(parts):
            part.ask.errors.append(error)
            for member in reversed(part.members):
                self._again(part, member, "", alone=alone)

    def _again(self, part: Part, member: int, error: str, *, alone: bool) -> None:
        ask, tries = part.ask, part.tries + alone
        if error:
            ask.errors.append(error)
        if ask.found is not None:
            return
        if tries > self._retries:
            ask.found = Lost(
                request=ask.request, errors=tuple(ask.errors), retries=len(ask.errors) - 1
            )
            ask.recordings.clear()
            self._waiting = deque(p for p in self._waiting if p.ask is not ask)
            return
        if alone:
            ask.suspects.add(member)
        more = Part(ask=ask, members=(member,), begun=part.begun + 1, tries=tries)
        self._waiting.appendleft(more)

    def _judge(self, ask: Ask) -> None:
        if ask.found is None and len(ask.recordings) == ask.request.members:
            recordings = list(ask.recordings.values())
            ask.found = judged(
                ask.request, recordings, version=ask.version, retries=len(ask.errors)
            )
            ask.recordings.clear()


def _may(part: Part) -> bool:
    """Whether it may be begun: not while others of its group are suspected."""
    return not part.ask.suspects or part.members[0] in part.ask.suspects
