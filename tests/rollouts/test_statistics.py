import math

import numpy as np
import pytest
from scipy import stats

from refergym.rollouts.statistics import cohen_kappa, jeffreys


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Brown, Cai and DasGupta's tables, to their four digits; ends set as they advise
        (0, 10, 0.0, 0.2172),
        (10, 10, 0.7828, 1.0),
        (5, 10, 0.2235, 0.7765),
    ],
)
def test_the_interval_has_its_published_values(successes, n, low, high):
    assert jeffreys(successes, n) == pytest.approx((low, high), abs=1e-4)


def test_the_interval_is_symmetric_in_successes_and_failures():
    for k in range(21):
        low, high = jeffreys(k, 20)
        other_low, other_high = jeffreys(20 - k, 20)
        assert low == pytest.approx(1 - other_high, abs=1e-12)
        assert high == pytest.approx(1 - other_low, abs=1e-12)
        assert low <= k / 20 <= high


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    n = 50
    intervals = np.array([jeffreys(k, n) for k in range(n + 1)])
    coverages = []
    for p in np.linspace(0.1, 0.9, 17):
        inside = (intervals[:, 0] <= p) & (p <= intervals[:, 1])
        coverages.append(stats.binom.pmf(np.arange(n + 1), n, p)[inside].sum())
    assert min(coverages) > 0.91
    assert np.mean(coverages) == pytest.approx(0.95, abs=0.01)


def test_no_tries_say_nothing():
    assert jeffreys(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "n", "level"), [(-1, 5, 0.95), (6, 5, 0.95), (1, 5, 1.0)])
def test_impossible_counts_are_refused(successes, n, level):
    with pytest.raises(ValueError, match="expected"):
        jeffreys(successes, n, level)


def test_kappa_of_a_worked_table():
    # 20 both yes, 5 yes/no, 10 no/yes, 15 both no: observed .7, chance .5, so kappa = .4
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)


def test_kappa_is_one_for_full_and_minus_one_for_no_agreement():
    labels = [True, False] * 10
    assert cohen_kappa(labels, labels) == 1
    assert cohen_kappa(labels, [not x for x in labels]) == pytest.approx(-1)


def test_kappa_of_successes_alone_is_not_a_number():
    assert math.isnan(cohen_kappa([True] * 9, [True] * 9))


def test_kappa_refuses_lists_of_different_length():
    with pytest.raises(ValueError, match="3 and 2"):
        cohen_kappa([1, 2, 3], [1, 2])
