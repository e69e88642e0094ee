"""Whether two backends put policies in the same order: from the episodes of both, and in words."""

import itertools
from collections.abc import Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from refergym.assets.records import Record
from refergym.rollouts import report
from refergym.rollouts.compare import compare, points
from refergym.rollouts.episodes import Ended, Episode
from refergym.rollouts.errors import StartError
from refergym.rollouts.report import Row
from refergym.rollouts.statistics import Paired, kendall, mmrv, pearson

LEVELS = 3
"""qualities that a correlation needs: of two it is that of a line through two points"""


class Pair(Record, frozen=True, kw_only=True):
    """Two policies in both backends."""

    policies: tuple[str, str]
    paired: tuple[Paired, Paired]
    """the second policy's success minus the first's, by backend"""

    @property
    def is_alike(self) -> bool:
        """Whether both backends order them alike; a tie in one alone is another order."""
        a, b = (p.gained - p.lost for p in self.paired)
        return (a > 0) == (b > 0) and (a < 0) == (b < 0)

    @property
    def is_told_apart(self) -> bool:
        """Whether the 95 % interval of their difference in the second backend leaves out 0."""
        low, high = self.paired[1].interval
        return low > 0 or high < 0


class Orders(Record, frozen=True, kw_only=True):
    """What `ranks` writes to ranks.json."""

    backends: tuple[str, str]
    """the one that is judged, and the one that stands for the real robot"""
    rows: tuple[tuple[Row, ...], tuple[Row, ...]]
    """by backend, by policy"""
    left_out: int
    """episodes that the infrastructure lost for a policy in a backend, and so count for none"""
    orders: tuple[str, str]
    """policies by backend, the best first: "a > b = c" """
    pearson: float | None
    """of the success rates; none where it is undefined"""
    kendall: float | None
    """tau-b of the success rates; none where it is undefined"""
    mmrv: float
    pairs: tuple[Pair, ...]
    commands: tuple[str, ...]
    """that give the same, part by part, from the starts"""


def judged(
    played: Mapping[str, Sequence[Episode]], samples: int = 1, commands: Sequence[str] = ()
) -> Orders:
    """Compare the orders in which two backends put policies.

    Args:
        played: episodes of the same policies by the name of the backend; the second counts as real.
        samples: episodes of each policy from each start.
        commands: that played them.

    Raises:
        StartError: if the backends played different starts, or no start was judged throughout.
    """
    judge, real = played
    lost = {
        (e.id.index, e.id.member)
        for backend in (judge, real)
        for e in played[backend]
        if e.ended is Ended.ERROR
    }
    kept = [
        [e for e in played[backend] if (e.id.index, e.id.member) not in lost]
        for backend in (judge, real)
    ]
    first, second = kept
    if _starts(first) != _starts(second):
        raise StartError(f"{judge} and {real} played different starts; nothing can be compared")
    if not first:
        raise StartError("no start was finished by every policy in both backends")
    a, b = (report.summarise(episodes, samples) for episodes in kept)
    rates_a, rates_b = ({row.policy: row.successes / row.n for row in rows} for rows in (a, b))
    of_a, of_b = ({x: [e for e in es if e.policy == x] for x in rates_a} for es in kept)
    x_a, x_b = list(rates_a.values()), list(rates_b.values())
    return Orders(
        backends=(judge, real),
        rows=(a, b),
        left_out=len(lost),
        orders=(_order(rates_a), _order(rates_b)),
        pearson=pearson(x_a, x_b),
        kendall=kendall(x_a, x_b),
        mmrv=mmrv(x_a, x_b),
        pairs=tuple(
            Pair(policies=(x, y), paired=(compare(of_a[x], of_a[y]), compare(of_b[x], of_b[y])))
            for x, y in itertools.combinations(rates_a, 2)
        ),
        commands=tuple(commands),
    )


def table(done: Orders) -> Table:
    """Lay the success rates out for a terminal."""
    out = Table(title=f"success on {done.rows[0][0].starts} starts, the same in both")
    out.add_column("policy", no_wrap=True)
    for backend in done.backends:
        out.add_column(backend, justify="right", no_wrap=True)
        out.add_column("95 % interval", justify="right", no_wrap=True)
    for rows in zip(*done.rows, strict=True):
        cells = []
        for row in rows:
            low, high = row.interval
            cells += [
                f"{100 * row.successes / row.n:.1f} %",
                f"{100 * low:.1f} to {100 * high:.1f}",
            ]
        out.add_row(escape(rows[0].policy), *cells)
    return out


def conclusion(done: Orders) -> list[str]:
    """Say how alike the orders are."""
    judge, real = done.backends
    apart = [pair for pair in done.pairs if pair.is_told_apart]
    alike, sure = (sum(pair.is_alike for pair in pairs) for pairs in (done.pairs, apart))
    lines = [f"{b}: {order}" for b, order in zip(done.backends, done.orders, strict=True)]
    lines.append(
        f"{alike} of {len(done.pairs)} pairs are in the same order; {sure} of the {len(apart)} that"
        f" {real} tells apart"
    )
    for pair in done.pairs:
        if not pair.is_alike:
            a, b = (points(one.difference) for one in pair.paired)
            x, y = pair.policies
            lines.append(f"  {y} - {x}: {judge} {a}, {real} {b} points")
    lines.append(f"with {real} as if it were the real one: MMRV {done.mmrv:.3f}; {_likeness(done)}")
    if done.left_out:
        lines.append(f"left out, for they broke for a policy in a backend: {done.left_out}")
    return lines


def levels(done: Orders) -> int:
    """Count the qualities of policies that the second backend tells apart, from the best down."""
    apart = {frozenset(pair.policies) for pair in done.pairs if pair.is_told_apart}
    best_first = sorted(done.rows[1], key=lambda row: -row.successes)
    found = best_first[:1]
    for row in best_first:
        if frozenset((found[-1].policy, row.policy)) in apart:
            found.append(row)
    return len(found)


def _likeness(done: Orders) -> str:
    n, told = len(done.rows[0]), levels(done)
    if done.pearson is None or done.kendall is None:
        return "no correlation, for a backend gives all policies the same rate"
    if told < LEVELS:
        return (
            f"no correlation, for it takes {LEVELS} qualities that are told apart, and here is"
            f" {told} (more episodes, or policies of more spread quality)"
        )
    return (
        f"Pearson's r {done.pearson:.3f}, Kendall's tau {done.kendall:.2f} of {n} policies"
        f" ({told} qualities that it tells apart)"
    )


def _starts(episodes: Sequence[Episode]) -> set[tuple[int, int, str, str]]:
    return {(e.id.index, e.id.member, e.scene_digest, e.task_digest) for e in episodes}


def _order(rates: Mapping[str, float]) -> str:
    best_first = sorted(rates, key=lambda name: -rates[name])
    tied = itertools.groupby(best_first, key=lambda name: rates[name])
    return " > ".join(" = ".join(names) for _, names in tied)
