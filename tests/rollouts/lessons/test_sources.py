"""Where lessons come from: by their weights, in an order that a seed fixes, from any step on."""

import json
from collections import Counter

import pytest

from refergym.rollouts.errors import ConfigError, DataError
from refergym.rollouts.lessons import sources
from refergym.rollouts.lessons.sources import Mixture, Source


class Held:
    """Groups that are there already."""

    def __init__(self, groups):
        self.groups, self.begun = groups, []

    def get(self, number):
        return self.groups[number] if number < len(self.groups) else []

    def begin(self, number):
        self.begun.append(number)


@pytest.fixture
def held(lesson):
    """Make groups of lessons whose values tell group and place: 0, 1, 2; 10, 11, 12; ..."""

    def make(groups=8, size=3, first=0, questions=4):
        return Held(
            [[lesson(first + 10 * g + k, questions) for k in range(size)] for g in range(groups)]
        )

    return make


def value(lesson):
    return int(lesson.rgb[0, 0, 0])


def mixture(held, seed=0, weights=(3, 1)):
    a, b = Source("a", held(), seed=seed), Source("b", held(first=100), seed=seed)
    return Mixture({"a": (weights[0], a), "b": (weights[1], b)}, seed)


def drawn(made, batches, count=3, questions=2):
    return [[(value(x), x.questions) for x in made.draw(count, questions)] for _ in range(batches)]


def test_each_lesson_comes_once_in_an_order_of_the_seed(held):
    def order(seed):
        source = Source("a", held(), seed=seed)
        return [value(source.next()) for _ in range(24)]

    first = order(0)
    assert [sorted(first[k : k + 3]) for k in range(0, 24, 3)] == [
        [10 * g, 10 * g + 1, 10 * g + 2] for g in range(8)
    ]
    assert first == order(0)
    assert first != order(1)
    assert first != sorted(first)


def test_the_next_group_is_begun_while_one_is_used(held):
    groups = held()
    source = Source("a", groups, seed=0)
    source.next()
    assert groups.begun == [1]


def test_after_count_groups_it_begins_anew_in_another_order(held):
    groups = held()
    source = Source("a", groups, seed=0, count=2)
    rounds = [[value(source.next()) for _ in range(6)] for _ in range(4)]
    assert all(sorted(x) == [0, 1, 2, 10, 11, 12] for x in rounds)
    assert len({tuple(x) for x in rounds}) > 1
    assert set(groups.begun) == {0, 1}


def test_groups_without_lessons_are_passed_over_but_not_forever(held, monkeypatch):
    groups = held(groups=3)
    groups.groups[1] = []
    source = Source("a", groups, seed=0)
    assert sorted(value(source.next()) for _ in range(6)) == [0, 1, 2, 20, 21, 22]
    monkeypatch.setattr(sources, "BARREN", 3)
    with pytest.raises(DataError, match="a: no lesson in 3 groups"):
        source.next()


def test_a_mixture_is_the_same_for_a_seed(held):
    assert drawn(mixture(held), 6) == drawn(mixture(held), 6)
    assert drawn(mixture(held), 6) != drawn(mixture(held, seed=1), 6)


@pytest.mark.parametrize("step", [0, 1, 4])
def test_it_goes_on_from_any_step(held, step):
    whole = mixture(held)
    drawn(whole, step)
    state = json.loads(json.dumps(whole.state()))
    expected = drawn(whole, 4)
    resumed = mixture(held)
    drawn(resumed, 2)
    resumed.restore(state)
    assert drawn(resumed, 4) == expected


def test_sources_are_drawn_by_their_weights(held):
    a = Source("a", held(), seed=0, count=8)
    b = Source("b", held(first=1), seed=0, count=8)
    made = Mixture({"a": (3, a), "b": (1, b), "never": (0, b)}, 0)
    made.draw(600, 1)
    places = {name: place for name, place in made.state().items() if name != "drawn"}
    said = {name: 3 * group + place for name, (group, place) in places.items()}
    assert set(said) == {"a", "b"}
    assert sum(said.values()) == 600
    assert 400 < said["a"] < 500, "450 expected"


def test_of_many_questions_some_are_drawn_in_their_order(held):
    found = mixture(held).draw(12, 2)
    chosen = Counter()
    for lesson in found:
        numbers = [int(q.words.split(", ")[1][0]) for q in lesson.questions]
        assert numbers == sorted(set(numbers))
        assert len(numbers) == 2
        assert {q.words.split(",")[0] for q in lesson.questions} == {str(value(lesson))}
        chosen.update(numbers)
    assert set(chosen) == {0, 1, 2, 3}
    assert all(len(x.questions) == 4 for x in mixture(held).draw(3, 9))


def test_texts_are_those_of_the_first_groups(held):
    texts = mixture(held).texts()
    assert "0, 0?" in texts
    assert "102, 3?" in texts
    assert not any(t.startswith("10,") for t in texts)


def test_nothing_to_draw_from_and_other_sources_are_refused(held):
    with pytest.raises(ConfigError, match="data: expected a source with a weight above 0"):
        mixture(held, weights=(0, 0))
    state = mixture(held).state()
    with pytest.raises(ConfigError, match=r"data: expected the sources \['a', 'b'\]"):
        mixture(held, weights=(1, 0)).restore(state)
