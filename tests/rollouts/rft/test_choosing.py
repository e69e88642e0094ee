"""Choosing: which start comes next."""

from collections import Counter

import pytest

from refergym.assets import records
from refergym.rollouts.errors import OutputError
from refergym.rollouts.rft.choosing import Chooser, Progress


def taken(chooser, count):
    return [chooser.next() for _ in range(count)]


def test_without_a_pool_each_start_is_new():
    assert taken(Chooser(0, None, 0.25), 5) == [0, 1, 2, 3, 4]


def test_a_round_of_a_pool_has_each_start_once_in_an_order_of_its_own():
    chooser = Chooser(3, 6, 0.25)
    first, second = taken(chooser, 6), taken(chooser, 6)
    assert sorted(first) == sorted(second) == list(range(6))
    assert first != second
    assert taken(Chooser(3, 6, 0.25), 12) == first + second
    assert taken(Chooser(4, 6, 0.25), 6) != first


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_what_teaches_nothing_comes_less_often_and_is_counted(rate):
    chooser = Chooser(0, 10, 0.25)
    for index in range(5):
        chooser.played(index, rate)
    for index in range(5, 10):
        chooser.played(index, 0.5)
    seen = Counter(taken(chooser, 2000))
    share = sum(seen[k] for k in range(5)) / 2000
    assert share == pytest.approx(0.2, abs=0.03), "0.25 of the times beside 1"
    assert all(seen[k] > 0 for k in range(10)), "none is lost"
    assert chooser.progress.passed > 0
    name = {0.0: "never", 1.0: "always"}[rate]
    assert chooser.settled == {"never": 0, "always": 0, "sometimes": 5, name: 5}


def test_what_teaches_again_comes_as_often_again():
    chooser = Chooser(0, 4, 0.01)
    for index in range(4):
        chooser.played(index, 0.0)
    chooser.played(2, 0.5)
    seen = Counter(taken(chooser, 100))
    assert seen[2] > 80


def test_it_goes_on_where_it_stood():
    chooser = Chooser(0, 8, 0.25)
    taken(chooser, 5)
    chooser.played(3, 1.0)
    told = records.canonical_json(chooser.progress)
    again = Chooser(0, 8, 0.25)
    again.restore(records.decode(told, Progress, error=OutputError))
    assert taken(again, 30) == taken(chooser, 30)
    assert again.settled == chooser.settled
