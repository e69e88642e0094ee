"""Intervals and agreement: pure functions of counts.

Sources: Brown, Cai and DasGupta (2001), "Interval estimation for a binomial proportion", for the
Jeffreys interval; Cohen (1960) for kappa.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence

from scipy.special import betaincinv


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
