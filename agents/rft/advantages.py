"""Advantages: how much better each turn went than others like it. No torch in here.

A turn is one answer of the model. An episode's turns go in as a `Trajectory`, how they are
compared as a `Credit`; one advantage for each turn comes out:

    found = advantages(trajectories, credit)
    found.turns[i][t]  # of turn t of trajectories[i]: for all tokens of that answer
    found.flat         # groups without any signal: drop, refill and count them

The advantage of a turn is a weighted sum of three comparisons (`Credit.episode`, `.turn`,
`.state`), each made by `relative`:

- episode: the sum of its rewards, with those of the group (GRPO, arXiv 2402.03300, section 4.1.2)
- turn: its return-to-go, with those of the same turn of the group's other episodes
- state: its return-to-go, with those of all turns of the group that answered in an equal state, in
  its own episode or others (GiGPO, arXiv 2505.10978, section 4.2)

Branches are groups too: k continuations of one snapshot are k trajectories whose `group` is the
snapshot's and whose `replayed` is the number of turns before it. Whoever went on from there without
a rebuild is no member of that group.
"""

import math
from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from refergym.agents.rft.errors import CreditError
from refergym.assets.records import Record

SAME = 1e-8
"""values that differ by no more than this share of their size are equal: the rest is rounding"""

Std = Literal["none", "group", "batch"]
Baseline = Literal["mean", "leave_one_out"]


class Trajectory(Record, frozen=True, kw_only=True):
    """One episode, or one continuation of a snapshot, as far as credit is concerned."""

    group: str
    """trajectories with one start have one group"""
    rewards: tuple[float, ...]
    """[T] of each turn"""
    states: tuple[str, ...] = ()
    """[T] digest of what each turn answered to: of the simulator's state and all else that the
    model was told; only `Credit.state` needs them"""
    replayed: int = 0
    """turns at the beginning that lead to a snapshot; the same in all of a group. Their advantage
    is 0 and their rewards count for nobody"""


class Credit(Record, frozen=True, kw_only=True):
    """How turns are compared."""

    episode: float
    """weight of the episode's comparison"""
    turn: float
    """weight of the comparison with the same turn of other episodes"""
    state: float
    """weight of the comparison with turns in equal states"""
    gamma: float
    """in [0, 1]: what the next turn's return is worth now; of turn and state alone"""
    baseline: Baseline
    """mean of all that are compared | of the others alone (RLOO, arXiv 2402.14740)"""
    std: Std
    """what differences are divided by: nothing | the standard deviation of those compared | that
    of the whole batch. With n - 1 in it, as torch.std has it"""
    eps: float
    """>= 0, added to that"""

    def __post_init__(self) -> None:
        """Refuse settings without meaning."""
        weights = {"episode": self.episode, "turn": self.turn, "state": self.state}
        for name, weight in weights.items():
            if not (math.isfinite(weight) and weight >= 0):
                raise CreditError(f"{name}: expected a weight >= 0, got {weight}")
        if not any(weights.values()):
            raise CreditError("episode, turn, state: all weights are 0; set one of them")
        if not 0 <= self.gamma <= 1:
            raise CreditError(f"gamma: expected in [0, 1], got {self.gamma}")
        if not (math.isfinite(self.eps) and self.eps >= 0):
            raise CreditError(f"eps: expected >= 0, got {self.eps}")
        _check_choices(self.std, self.baseline)


class Advantages(Record, frozen=True, kw_only=True):
    """What a batch of trajectories teaches."""

    turns: tuple[tuple[float, ...], ...]
    """[N][T] advantage of each turn; 0 of those that were replayed"""
    flat: tuple[str, ...]
    """groups of which every advantage is 0: equal returns, or nobody to compare with"""
    groups: int
    """how many groups there were"""


def advantages(trajectories: Sequence[Trajectory], credit: Credit) -> Advantages:
    """Compare the turns of a batch.

    Args:
        trajectories: of all groups, in any order; groups may differ in size.
        credit: how to compare.

    Raises:
        CreditError: naming the trajectory and what is wrong with it.
    """
    _check(trajectories, credit)
    owner = [i for i, path in enumerate(trajectories) for _ in path.rewards[path.replayed :]]
    number = [t for path in trajectories for t in range(path.replayed, len(path.rewards))]
    total = np.zeros(len(owner))

    def compare(values: Sequence[float], alike: Sequence[Hashable]) -> NDArray[np.float64]:
        return relative(values, alike, std=credit.std, baseline=credit.baseline, eps=credit.eps)

    if credit.episode:
        returns = [math.fsum(path.rewards[path.replayed :]) for path in trajectories]
        total += credit.episode * compare(returns, [path.group for path in trajectories])[owner]
    if credit.turn or credit.state:
        ahead = [
            value
            for path in trajectories
            for value in returns_to_go(path.rewards[path.replayed :], credit.gamma)
        ]
        group = [trajectories[i].group for i in owner]
        if credit.turn:
            total += credit.turn * compare(ahead, list(zip(group, number, strict=True)))
        if credit.state:
            states = [trajectories[i].states[t] for i, t in zip(owner, number, strict=True)]
            total += credit.state * compare(ahead, list(zip(group, states, strict=True)))

    turns = [[0.0] * len(path.rewards) for path in trajectories]
    for i, t, value in zip(owner, number, total.tolist(), strict=True):
        turns[i][t] = value
    groups = dict.fromkeys(path.group for path in trajectories)
    alive = {path.group for path, found in zip(trajectories, turns, strict=True) if any(found)}
    return Advantages(
        turns=tuple(map(tuple, turns)),
        flat=tuple(group for group in groups if group not in alive),
        groups=len(groups),
    )


def relative(
    values: Sequence[float] | NDArray[np.float64],
    alike: Sequence[Hashable],
    *,
    std: Std,
    baseline: Baseline,
    eps: float,
) -> NDArray[np.float64]:
    """Return by how much each value is better than those it is compared with.

    (r - baseline) / (std + eps), exactly 0 where all that are compared are equal, or where there
    is only one.

    Args:
        values: [N].
        alike: [N] keys; values with one key are compared.
        std: as in `Credit`.
        baseline: as in `Credit`.
        eps: as in `Credit`.

    Returns:
        [N].
    """
    _check_choices(std, baseline)
    array = np.asarray(values, np.float64)
    if not len(array):
        return array
    index: dict[Hashable, int] = {}
    which = np.array([index.setdefault(key, len(index)) for key in alike])
    count = np.bincount(which)
    # from one of them on, so that equal values have that very mean
    first = array[np.unique(which, return_index=True)[1]][which]
    mean = first + (np.bincount(which, array - first) / count)[which]
    apart = array - mean
    others = np.maximum(count - 1, 1)
    low, high = np.full(len(count), np.inf), np.full(len(count), -np.inf)
    np.minimum.at(low, which, array)
    np.maximum.at(high, which, array)
    is_flat = high - low <= SAME * np.maximum(1.0, np.maximum(np.abs(low), np.abs(high)))
    scale = np.ones(len(array))
    if std == "group":
        scale = np.sqrt(np.bincount(which, apart**2) / others)[which] + eps
    elif std == "batch" and len(array) > 1:
        scale = np.full(len(array), np.std(array, ddof=1) + eps)
    if baseline == "leave_one_out":
        apart = apart * (count / others)[which]
    found = np.zeros(len(array))
    np.divide(apart, scale, out=found, where=~is_flat[which])
    return found


def returns_to_go(rewards: Sequence[float], gamma: float) -> list[float]:
    """Return for each turn what it and the later ones earn: G_t = r_t + gamma G_{t+1}."""
    found: list[float] = []
    ahead = 0.0
    for reward in reversed(rewards):
        ahead = reward + gamma * ahead
        found.append(ahead)
    return found[::-1]


def _check_choices(std: str, baseline: str) -> None:
    if std not in ("none", "group", "batch"):
        raise CreditError(f"std: expected none, group or batch, got {std!r}")
    if baseline not in ("mean", "leave_one_out"):
        raise CreditError(f"baseline: expected mean or leave_one_out, got {baseline!r}")


def _check(trajectories: Sequence[Trajectory], credit: Credit) -> None:
    forks: dict[str, int] = {}
    for i, path in enumerate(trajectories):
        where = f"trajectories[{i}] of group {path.group!r}"
        if not 0 <= path.replayed < len(path.rewards):
            raise CreditError(
                f"{where}: replayed: expected 0 <= replayed < {len(path.rewards)} turns, got"
                f" {path.replayed}; leave out episodes without a turn of the model"
            )
        if not all(map(math.isfinite, path.rewards)):
            raise CreditError(f"{where}: rewards: expected finite numbers, got {path.rewards}")
        if credit.state and len(path.states) != len(path.rewards):
            raise CreditError(
                f"{where}: states: expected a digest for each of {len(path.rewards)} turns, got"
                f" {len(path.states)}; give them or set credit.state to 0"
            )
        if forks.setdefault(path.group, path.replayed) != path.replayed:
            raise CreditError(
                f"{where}: replayed: {path.replayed}, but {forks[path.group]} in another of the"
                " group; branches of another snapshot are another group"
            )
