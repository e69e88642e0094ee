import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from refergym.rollouts.statistics import (
    clustered,
    cohen_kappa,
    jeffreys,
    kendall,
    mmrv,
    paired,
    pass_at,
    pearson,
    student,
)


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


def test_with_one_try_in_each_cluster_the_interval_is_jeffreys():
    for k in (0, 3, 10):
        assert clustered([1] * k + [0] * (10 - k), [1] * 10) == jeffreys(k, 10)


def test_clusters_that_are_all_alike_count_once_each():
    for k in (0, 4, 10):
        alike = clustered([8] * k + [0] * (10 - k), [8] * 10)
        assert alike == pytest.approx(jeffreys(k, 10), abs=0.03)
        assert alike[1] - alike[0] > 1.5 * np.subtract(*jeffreys(8 * k, 80)[::-1])


def test_clusters_without_likeness_count_each_try():
    assert clustered([4] * 10, [8] * 10) == pytest.approx(jeffreys(40, 80))
    assert clustered([4, 0], [8, 0]) == clustered([4], [8])


def test_the_interval_over_clusters_covers_the_truth_and_that_of_tries_does_not():
    rng = np.random.default_rng(0)
    inside = {"clustered": 0, "tries": 0}
    for _ in range(500):
        rates = rng.beta(0.5, 0.5, 40)  # mostly hopeless or easy; 0.5 on the mean
        won = rng.binomial(8, rates)
        for name, (low, high) in {
            "clustered": clustered(won.tolist(), [8] * 40),
            "tries": jeffreys(int(won.sum()), 320),
        }.items():
            inside[name] += low <= 0.5 <= high
    assert inside["clustered"] / 500 > 0.92
    assert inside["tries"] / 500 < 0.8


@pytest.mark.parametrize("successes", range(6))
def test_pass_at_k_is_the_share_of_draws_that_hold_a_success(successes):
    drawn = [True] * successes + [False] * (5 - successes)
    for k in range(1, 6):
        draws = list(itertools.combinations(drawn, k))
        assert pass_at(k, 5, successes) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_pass_at_k_is_unbiased():
    rng = np.random.default_rng(1)
    found = [pass_at(4, 10, int(c)) for c in rng.binomial(10, 0.2, 20_000)]
    assert np.mean(found) == pytest.approx(1 - 0.8**4, abs=0.01)


@pytest.mark.parametrize(("k", "n", "successes"), [(0, 5, 1), (6, 5, 1), (1, 5, 6), (1, 5, -1)])
def test_pass_at_k_refuses_impossible_counts(k, n, successes):
    with pytest.raises(ValueError, match="expected"):
        pass_at(k, n, successes)


def test_the_interval_of_a_mean_is_students():
    # mean 3, standard deviation sqrt(2.5), t of 4 degrees of freedom 2.7764
    off = 2.776445 * math.sqrt(2.5 / 5)
    assert student([1, 2, 3, 4, 5]) == pytest.approx((3 - off, 3 + off), abs=1e-5)
    assert student([1.0]) is None


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


def outcomes(both, first, second, neither):
    """Lists of two policies' successes, from the four counts."""
    cells = {(True, True): both, (True, False): first, (False, True): second}
    won = [cell for cell, n in cells.items() for _ in range(n)] + [(False, False)] * neither
    return [a for a, _ in won], [b for _, b in won]


def test_a_paired_difference_has_its_published_value():
    # Agresti, Categorical Data Analysis (2nd ed.), 10.1.1: -0.04, interval -0.06 to -0.02
    found = paired(*outcomes(794, 150, 86, 570))
    assert (found.n, found.gained, found.lost) == (1600, 86, 150)
    assert found.difference == pytest.approx(-0.04)
    assert found.interval == pytest.approx((-0.06, -0.02), abs=2e-3)
    other = paired(*outcomes(794, 86, 150, 570))
    assert other.interval == pytest.approx((-found.interval[1], -found.interval[0]))


@pytest.mark.parametrize("rates", [(0.1, 0.05, 0.1), (0.4, 0.1, 0.25), (0.0, 0.02, 0.02)])
def test_the_interval_of_a_paired_difference_holds_what_it_says(rates):
    both, first, second = rates
    rng = np.random.default_rng(0)
    tables = rng.multinomial(200, [both, first, second, 1 - sum(rates)], size=1500)
    inside = 0
    for cells in tables:
        low, high = paired(*outcomes(*cells)).interval
        inside += low <= second - first <= high
    assert inside / len(tables) > 0.935


def test_the_detectable_difference_is_found_four_times_out_of_five():
    n, discordant = 300, 0.3
    half = round(n * discordant / 2)
    smallest = paired(*outcomes(100, half, half, n - 100 - 2 * half)).detectable
    first, second = (discordant - smallest) / 2, (discordant + smallest) / 2
    rng = np.random.default_rng(0)
    _, lost, gained = rng.multinomial(n, [1 - discordant, first, second], size=20000).T
    # McNemar's test
    found = (gained - lost) ** 2 > stats.chi2.ppf(0.95, 1) * (gained + lost)
    assert found.mean() == pytest.approx(0.8, abs=0.03)


def test_what_cannot_be_paired_is_refused():
    with pytest.raises(ValueError, match="two equally long lists"):
        paired([True], [True, False])
    with pytest.raises(ValueError, match="got 0"):
        paired([], [])


RATES = st.lists(st.tuples(*[st.integers(0, 20)] * 2), min_size=2, max_size=8)


def test_the_rank_violation_has_its_published_value():
    # Li et al. (2024), picking a can, visual matching: simulated and real success of six policies
    simulated = [0.857, 0.710, 0.787, 0.567, 0.170, 0.027]
    real = [0.853, 0.920, 0.907, 0.760, 0.293, 0.133]
    assert mmrv(simulated, real) == pytest.approx(0.031, abs=5e-4)
    assert pearson(simulated, real) == pytest.approx(0.976, abs=1e-3)


def test_the_rank_violation_of_a_worked_order():
    real = [0.9, 0.6, 0.5, 0.1]
    # the best and the worst change places: each is on the wrong side of the other by 0.8, and the
    # two between are on the wrong side of one of them by up to 0.5 and 0.4
    assert mmrv([0.1, 0.6, 0.5, 0.9], real) == pytest.approx((0.8 + 0.5 + 0.4 + 0.8) / 4)
    assert mmrv([0.9, 0.5, 0.6, 0.1], real) == pytest.approx((0.1 + 0.1) / 4)


def test_a_tie_in_the_judged_simulator_is_charged_to_the_worse():
    # the third is on the wrong side of the first by 0.4 and of the second by 0.1
    assert mmrv([0.5, 0.5, 0.8], [0.9, 0.6, 0.5]) == pytest.approx((0.4 + 0.3 + 0.4) / 3)
    assert mmrv([0.9, 0.1], [0.5, 0.5]) == 0, "a difference that is none costs nothing"


@given(RATES)
def test_rank_statistics_do_not_depend_on_the_order_of_policies_nor_on_scale(pairs):
    first, second = ([n / 20 for n in of] for of in zip(*pairs, strict=True))
    turned = first[::-1], second[::-1]
    for statistic in (mmrv, pearson, kendall):
        there, back = statistic(first, second), statistic(*turned)
        assert there == back or there == pytest.approx(back)
    assert mmrv(first, first) == 0
    assert 0 <= mmrv(first, second) <= max(second) - min(second)
    assert mmrv([f**2 for f in first], second) == mmrv(first, second)


@given(RATES)
def test_correlations_are_those_of_scipy(pairs):
    first, second = ([n / 20 for n in of] for of in zip(*pairs, strict=True))
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert pearson(first, second) is None
        assert kendall(first, second) is None
        return
    assert pearson(first, second) == pytest.approx(stats.pearsonr(first, second)[0], abs=1e-9)
    assert kendall(first, second) == pytest.approx(stats.kendalltau(first, second)[0], abs=1e-9)


@pytest.mark.parametrize("statistic", [mmrv, pearson, kendall])
def test_rates_of_different_policies_are_refused(statistic):
    with pytest.raises(ValueError, match="got 2 and 1"):
        statistic([0.1, 0.2], [0.1])
    with pytest.raises(ValueError, match="got 0 and 0"):
        statistic([], [])
