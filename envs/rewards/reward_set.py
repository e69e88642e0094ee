"""A set of reward terms with weights, and the ledger that pays them out over one episode.

How often a term is paid follows from the group that it stands in:

- turn: once for each stage that the task needs (to pick, to place, ...), at the best turn in it.
  All stages together are worth the term's weight: further turns, detours and repeats earn nothing.
- gain: what it rises above the highest that it was. All rises together are worth the weight.
- episode: once, with the last turn.
- cost: every turn; its weight is < 0.
- potential: discount * Phi(after) - Phi(before), with Phi = 0 at both ends (Ng, Harada and Russell
  1999): it helps to learn, and leaves the ranking of policies as it is.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from refergym.envs.errors import RewardError
from refergym.envs.rewards.turns import RewardTerm, Turn

Terms = Mapping[str, RewardTerm]
SLACK = 1e-9
"""by how much a term may leave [0, 1]: rounding"""


@dataclass(frozen=True, kw_only=True)
class TermValue:
    """What a term gave for one turn."""

    raw: float
    """in [0, 1]"""
    paid: float
    """its part of the reward"""


@dataclass(frozen=True, kw_only=True)
class RewardSet:
    """Terms by group (see the module) and their weights.

    Raises:
        RewardError: if a name stands twice, or terms and weights have other names.
    """

    name: str
    weights: Mapping[str, float]
    turn: Terms = field(default_factory=dict)
    gain: Terms = field(default_factory=dict)
    episode: Terms = field(default_factory=dict)
    cost: Terms = field(default_factory=dict)
    potential: Terms = field(default_factory=dict)
    discount: float = 1.0

    def __post_init__(self) -> None:
        """Check what belongs together."""
        known: list[str] = []
        for group in ("turn", "gain", "episode", "cost", "potential"):
            for name, term in getattr(self, group).items():
                if not callable(term):
                    raise RewardError(f"{group}.{name}: expected a callable, got {term!r:.80}")
                if name in known:
                    raise RewardError(f"{group}.{name}: stands in two groups")
                known.append(name)
        for name in known:
            if name not in self.weights:
                raise RewardError(f"weights: none for {name!r}")
        for name, weight in self.weights.items():
            if name not in known:
                raise RewardError(f"weights.{name}: no such term; there are {', '.join(known)}")
            if not isinstance(weight, int | float) or not math.isfinite(weight):
                raise RewardError(f"weights.{name}: expected a number, got {weight!r:.80}")
        for name in self.cost:
            if self.weights[name] > 0:
                raise RewardError(f"weights.{name}: expected <= 0 for a cost")
        if not 0 <= self.discount <= 1:  # NaN too
            raise RewardError(f"discount: expected a number in [0, 1], got {self.discount}")

    @property
    def most(self) -> float:
        """What an episode can earn at most."""
        groups = (*self.turn, *self.gain, *self.episode)
        return sum(max(0.0, self.weights[name]) for name in groups)

    def ledger(self, stages: int = 1, progress: float = 0.0) -> "Ledger":
        """Open the ledger of an episode.

        Args:
            stages: how many right points solve the task from its start.
            progress: share of the subgoals that are reached at the start: no gain.
        """
        return Ledger(self, stages, progress)


class Ledger:
    """Pays out a reward set over one episode."""

    def __init__(self, rewards: RewardSet, stages: int, progress: float) -> None:
        """Open it; see `RewardSet.ledger`."""
        self._rewards = rewards
        self._stages = max(1, stages)
        self._seen: list[str] = []
        self._best: dict[tuple[str, str], float] = {}
        self._highest = dict.fromkeys(rewards.gain, progress)
        self._phi = dict.fromkeys(rewards.potential, 0.0)

    def pay(self, turn: Turn) -> dict[str, TermValue]:
        """Return what each term gave for the next turn; the reward is the sum of what is paid.

        Raises:
            RewardError: if a term gives no number in [0, 1]; names it.
        """
        found = {
            **{name: self._paid_once(name, t, turn) for name, t in self._rewards.turn.items()},
            **{name: self._gained(name, t, turn) for name, t in self._rewards.gain.items()},
            **{name: self._every(name, t, turn) for name, t in self._rewards.cost.items()},
            **{name: self._shaped(name, t, turn) for name, t in self._rewards.potential.items()},
        }
        if turn.is_last:
            found |= {name: self._every(name, t, turn)
                      for name, t in self._rewards.episode.items()}  # fmt: skip
        return found

    def _paid_once(self, name: str, term: RewardTerm, turn: Turn) -> TermValue:
        raw = value_of(name, term, turn)
        stage = turn.truth["stage"]
        if stage and stage not in self._seen:
            self._seen.append(stage)
        paid = 0.0
        if stage and self._seen.index(stage) < self._stages:
            best = self._best.get((stage, name), 0.0)
            self._best[stage, name] = max(best, raw)
            paid = self._rewards.weights[name] * max(0.0, raw - best) / self._stages
        return TermValue(raw=raw, paid=paid)

    def _gained(self, name: str, term: RewardTerm, turn: Turn) -> TermValue:
        raw = value_of(name, term, turn)
        gain = max(0.0, raw - self._highest[name])
        self._highest[name] = max(self._highest[name], raw)
        return TermValue(raw=raw, paid=self._rewards.weights[name] * gain)

    def _every(self, name: str, term: RewardTerm, turn: Turn) -> TermValue:
        raw = value_of(name, term, turn)
        return TermValue(raw=raw, paid=self._rewards.weights[name] * raw)

    def _shaped(self, name: str, term: RewardTerm, turn: Turn) -> TermValue:
        raw = value_of(name, term, turn)
        after = 0.0 if turn.is_last else raw
        change = self._rewards.discount * after - self._phi[name]
        self._phi[name] = after
        return TermValue(raw=raw, paid=self._rewards.weights[name] * change)


def value_of(name: str, term: RewardTerm, turn: Turn) -> float:
    """Ask a term.

    Raises:
        RewardError: if it gives no number in [0, 1].
        Exception: what the term raises, with a note that names it.
    """
    try:
        given = term(turn)
    except Exception as e:
        e.add_note(f"raised by the reward term {name!r}")
        raise
    try:
        value = math.nan if isinstance(given, str | bytes) else float(given)
    except (TypeError, ValueError, OverflowError) as e:
        raise RewardError(f"{name}: expected a number in [0, 1], got {given!r:.80}") from e
    if not -SLACK <= value <= 1 + SLACK:  # NaN too
        raise RewardError(f"{name}: expected a number in [0, 1], got {given!r:.80}")
    return min(1.0, max(0.0, value))
