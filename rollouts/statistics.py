"""Intervals, agreement and pass@k: pure functions of counts.

Sources: Brown, Cai and DasGupta (2001), "Interval estimation for a binomial proportion", for the
Jeffreys interval; Korn and Graubard (1998) and Franco, Little, Louis and Slud (2019), "Comparative
study of confidence intervals for proportions in complex sample surveys", for tries in clusters;
Bonett and Price (2012), "Adjusted Wald confidence interval for a difference of binomial proportions
based on paired data"; Connor (1987), "Sample size for testing differences in proportions for the
paired-sample design"; Cohen (1960) for kappa; Chen et al. (2021), arXiv 2107.03374, for pass@k;
Li et al. (2024), "Evaluating real-world robot manipulation policies in simulation", arXiv
2405.05941, for the mean maximum rank violation.
"""

import itertools
import math
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from scipy.special import betaincinv, ndtri, stdtrit

from refergym.assets.records import Record


class Paired(Record, frozen=True, kw_only=True):
    """Two policies on the same starts."""

    n: int
    """starts that both played"""
    gained: int
    """starts that the second alone solved"""
    lost: int
    """starts that the first alone solved"""
    difference: float
    """success of the second minus that of the first"""
    interval: tuple[float, float]
    """95 % interval of it: Bonett and Price (2012)"""
    detectable: float
    """smallest difference that as many starts, differing as often, show four times out of five
    (two-sided test at 5 %): Connor (1987)"""


def jeffreys(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a success rate: Beta(1/2, 1/2) prior, equal tails.

    The lower end is 0 without successes and the upper end 1 without failures.

    Args:
        successes: in [0, n].
        n: number of independent tries; 0 gives (0, 1).
        level: probability inside, in (0, 1).

    Returns:
        (low, high), each in [0, 1].

    Raises:
        ValueError: if the counts or the level are out of range.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes: expected 0 <= successes <= n = {n}, got {successes}")
    if not 0 < level < 1:
        raise ValueError(f"level: expected in (0, 1), got {level}")
    return _jeffreys(successes, n, level)


def clustered(
    successes: Sequence[int], tries: Sequence[int], level: float = 0.95
) -> tuple[float, float]:
    """Interval of a success rate where the tries come in clusters that are alike.

    The Jeffreys interval of as many independent tries as say as much (the effective sample size):
    no fewer than there are clusters, no more than there are tries. With one try in each cluster it
    is `jeffreys`.

    Args:
        successes: [N] in each cluster.
        tries: [N] in each cluster; clusters without any are left out.
        level: probability inside, in (0, 1).

    Returns:
        (low, high), each in [0, 1].

    Raises:
        ValueError: if the counts or the level are out of range.
    """
    counts = [(c, n) for c, n in zip(successes, tries, strict=True) if n]
    won, n, m = sum(c for c, _ in counts), sum(n for _, n in counts), len(counts)
    low, high = jeffreys(won, n, level)
    if n == m:
        return low, high
    rate, effective = won / n, float(m)
    spread = sum((c - rate * size) ** 2 for c, size in counts)
    if m > 1 and 0 < won < n:  # where all or none succeeded, nothing tells how alike they are
        variance = m / (m - 1) * spread / n**2
        effective = min(max(rate * (1 - rate) / variance, m), n) if variance else n
    return _jeffreys(rate * effective, effective, level)


def pass_at(k: int, n: int, successes: int) -> float:
    """Estimate without bias how likely one of k samples is right.

    Args:
        k: samples, in [1, n].
        n: samples that were drawn.
        successes: how many of them were right.

    Returns:
        1 - C(n - successes, k) / C(n, k).

    Raises:
        ValueError: if the counts are out of range.
    """
    if not 1 <= k <= n or not 0 <= successes <= n:
        raise ValueError(f"expected 1 <= k = {k} <= n = {n} and 0 <= successes = {successes} <= n")
    return 1 - math.comb(n - successes, k) / math.comb(n, k)


def paired(first: Sequence[bool], second: Sequence[bool], level: float = 0.95) -> Paired:
    """Compare the successes of two policies on the same starts.

    Args:
        first: [N] of one.
        second: [N] of the other, in the same order.
        level: probability inside the interval, in (0, 1).

    Raises:
        ValueError: if the lists are empty or differ in length.
    """
    n = len(first)
    if n == 0 or n != len(second):
        raise ValueError(f"expected two equally long lists, got {n} and {len(second)} outcomes")
    gained = sum(b and not a for a, b in zip(first, second, strict=True))
    lost = sum(a and not b for a, b in zip(first, second, strict=True))
    # a start more in each of the two cells that count
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    off = float(ndtri(0.5 + level / 2)) * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
    return Paired(
        n=n,
        gained=gained,
        lost=lost,
        difference=(gained - lost) / n,
        interval=(max(up - down - off, -1.0), min(up - down + off, 1.0)),
        detectable=_detectable(n, up + down, 1 - level),
    )


def _detectable(n: int, discordant: float, size: float, power: float = 0.8) -> float:
    """Return the difference d that solves d sqrt(n) = z sqrt(p) + z' sqrt(p - d^2), or p."""
    tail, missed = float(ndtri(1 - size / 2)), float(ndtri(power))
    low, high = 0.0, discordant
    for _ in range(60):
        d = (low + high) / 2
        reach = tail * math.sqrt(discordant) + missed * math.sqrt(max(discordant - d * d, 0.0))
        low, high = (d, high) if d * math.sqrt(n) < reach else (low, d)
    return high


def student(values: Sequence[float], level: float = 0.95) -> tuple[float, float] | None:
    """Interval of a mean by Student's t.

    Args:
        values: [N] independent measurements.
        level: probability inside, in (0, 1).

    Returns:
        (low, high); None of fewer than two values.
    """
    n = len(values)
    if n < 2:
        return None
    mean = math.fsum(values) / n
    variance = math.fsum((v - mean) ** 2 for v in values) / (n - 1)
    off = float(stdtrit(n - 1, 0.5 + level / 2)) * math.sqrt(variance / n)
    return mean - off, mean + off


def _jeffreys(successes: float, n: float, level: float) -> tuple[float, float]:
    if n == 0:
        return (0.0, 1.0)
    a, b, tail = successes + 0.5, n - successes + 0.5, (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(a, b, tail))
    high = 1.0 if successes == n else float(betaincinv(a, b, 1 - tail))
    return (low, high)


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Agreement of two raters beyond chance.

    Args:
        first: [N] labels by one rater.
        second: [N] labels of the same things by the other.

    Returns:
        1 for full agreement, 0 for chance, negative below it; NaN where chance agreement is 1
        (both gave one and the same label throughout), for such a list says nothing.

    Raises:
        ValueError: if the lists are empty or differ in length.
    """
    n = len(first)
    if n == 0 or n != len(second):
        raise ValueError(f"expected two equally long lists, got {n} and {len(second)} labels")
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    counts_a, counts_b = Counter(first), Counter(second)
    expected = sum(counts_a[label] * counts_b[label] for label in counts_a) / n**2
    return math.nan if expected == 1 else (observed - expected) / (1 - expected)


def pearson(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return how near two lists are to a straight line with a slope.

    Args:
        first: [N] values.
        second: [N] values of the same things.

    Returns:
        Pearson's r in [-1, 1]; None where it is undefined, for all values of a list are equal.

    Raises:
        ValueError: if the lists are empty or differ in length.
    """
    _check_alike(first, second)
    if len(set(first)) == 1 or len(set(second)) == 1:
        return None
    return float(np.clip(np.corrcoef(first, second)[0, 1], -1, 1))


def kendall(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return by how many more pairs two lists order alike than the other way round.

    Args:
        first: [N] values.
        second: [N] values of the same things.

    Returns:
        Kendall's tau-b in [-1, 1]; None where it is undefined, for all values of a list are equal.

    Raises:
        ValueError: if the lists are empty or differ in length.
    """
    _check_alike(first, second)
    signs = [
        (np.sign(first[i] - first[j]), np.sign(second[i] - second[j]))
        for i, j in itertools.combinations(range(len(first)), 2)
    ]
    ordered = sum(abs(a) for a, _ in signs) * sum(abs(b) for _, b in signs)
    return float(sum(a * b for a, b in signs) / math.sqrt(ordered)) if ordered else None


def mmrv(checked: Sequence[float], real: Sequence[float]) -> float:
    """Mean maximum rank violation: how much a wrong order of policies costs.

    Each policy counts with the largest real difference to a policy that it is on the wrong side of:
    mean over i of max over j of |real_i - real_j| [(checked_i < checked_j) != (real_i < real_j)].
    A tie in `checked` alone is so charged to the worse of the two.

    Args:
        checked: [N] success rates of policies in the simulator that is judged.
        real: [N] of the same policies where it counts.

    Returns:
        In [0, 1]; 0 if no pair that differs in `real` is out of order.

    Raises:
        ValueError: if the lists are empty or differ in length.
    """
    _check_alike(checked, real)
    a, b = np.asarray(checked, np.float64), np.asarray(real, np.float64)
    wrong = (a[:, None] < a) != (b[:, None] < b)
    return float((np.abs(b[:, None] - b) * wrong).max(axis=1).mean())


def _check_alike(first: Sequence[float], second: Sequence[float]) -> None:
    if not first or len(first) != len(second):
        raise ValueError(f"expected two equally long lists, got {len(first)} and {len(second)}")
