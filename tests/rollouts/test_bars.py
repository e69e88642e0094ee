import io

import pytest
from rich.console import Console

from refergym.rollouts.bars import Bar


@pytest.fixture
def console():
    return Console(file=io.StringIO(), force_terminal=True, width=120)


def test_without_news_nothing_is_drawn(console):
    with Bar("episodes", console) as bar:
        assert not bar.is_shown
    assert console.file.getvalue() == ""


def test_it_says_what_how_many_and_the_note(console):
    with Bar("episodes", console, total=9) as bar:
        bar.show(3, note="oracle 2/3")
        bar.show(4)
        assert bar.is_shown
        assert bar.speed >= 0
    drawn = console.file.getvalue()
    assert all(part in drawn for part in ("episodes", "4/9", "oracle 2/3"))


def test_a_total_may_come_later(console):
    with Bar("tasks", console) as bar:
        bar.show(1, 7)
    assert "1/7" in console.file.getvalue()


def test_it_is_put_away_after_an_error(console):
    bar = Bar("steps", console)

    def fail():
        with bar:
            bar.show(1, 2)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not bar.is_shown
