"""The queue ahead of workers: who plays what, and what becomes of that which breaks."""

import pytest

from refergym.rollouts.episodes import Ended, Episode, EpisodeId
from refergym.rollouts.rft.groups import Group, Lost, Request
from refergym.rollouts.rft.queue import Queue
from refergym.rollouts.tape import Recording


def queue(*requests, batch=8, retries=2):
    made = Queue(("train", "evaluate"), batch, retries)
    for kind, index, members in requests:
        made.submit(Request(kind=kind, index=index, members=members), 0)
    return made


def recordings(parts, error=""):
    """What a worker makes of parts."""
    return [
        Recording(
            episode=Episode(
                id=EpisodeId(suite="x", index=p.ask.request.index, member=m, attempt=p.begun),
                policy="policy", task="pick", seed=0, ended=Ended.ERROR if error else Ended.FAILURE,
                stage="", error=error,
            ),
            observations=(),
            answers=(),
        )
        for p in parts for m in p.members
    ]  # fmt: skip


def held(parts):
    return [(p.ask.request.index, p.members) for p in parts]


def test_idle_workers_share_what_waits_up_to_their_environments():
    made = queue(*(("train", k, 2) for k in range(8)))
    assert held(made.pick(2)) == [(0, (0, 1)), (1, (0, 1)), (2, (0, 1)), (3, (0, 1))]
    assert len(made.pick(4)) == 1
    assert len(made.pick(1)) == 3
    assert made.pick(1) == []


def test_a_group_larger_than_a_worker_is_played_alone():
    made = queue(("train", 0, 20), ("train", 1, 2))
    assert held(made.pick(1)) == [(0, tuple(range(20)))]


def test_what_somebody_waits_for_comes_first_and_kinds_do_not_mix():
    made = queue(("train", 0, 2), ("evaluate", 0, 1), ("train", 1, 2), ("evaluate", 1, 1))
    made.first("evaluate")
    assert [p.ask.request.kind for p in made.pick(1)] == ["evaluate", "evaluate"]
    assert [p.ask.request.kind for p in made.pick(1)] == ["train", "train"]


def test_what_broke_in_company_is_begun_anew_one_by_one_and_nobody_is_blamed():
    made = queue(("train", 0, 2), ("train", 1, 2))
    asks = [made.first("train"), made.first("train")]
    made.broke(made.pick(1), "crash: gone")
    alone = [made.pick(1) for _ in range(4)]
    assert [held(p) for p in alone] == [[(0, (0,))], [(0, (1,))], [(1, (0,))], [(1, (1,))]]
    assert {p.tries for parts in alone for p in parts} == {0}
    for parts in alone:
        made.played(parts, recordings(parts))
    assert all(isinstance(a.found, Group) for a in asks)
    assert [a.found.retries for a in asks] == [1, 1]
    assert [e.id.member for e in asks[0].found.episodes] == [0, 1]


def test_an_episode_that_always_breaks_takes_its_group_along_and_no_other():
    made = queue(("train", 0, 3), ("train", 1, 3))
    bad, good = made.first("train"), made.first("train")
    made.broke(made.pick(1), "crash: gone")
    for k in range(3):
        parts = made.pick(1)
        assert held(parts) == [(0, (0,))], "it is tried again ahead of the others of its group"
        assert parts[0].begun == k + 1
        made.broke(parts, "crash: gone")
    assert isinstance(bad.found, Lost)
    assert bad.found.errors == ("crash: gone",) * 4
    while parts := made.pick(1):
        assert parts[0].ask is good
        made.played(parts, recordings(parts))
    assert isinstance(good.found, Group)
    assert len(made) == 0


def test_while_an_episode_is_suspected_the_others_of_its_group_wait():
    made = queue(("train", 0, 3))
    made.broke(made.pick(1), "crash: gone")
    suspect = made.pick(2)
    made.broke(suspect, "crash: gone")
    again = made.pick(2)
    assert held(again) == [(0, (0,))]
    assert made.pick(1) == []
    made.played(again, recordings(again))
    assert held(made.pick(1)) == [(0, (1,))]


def test_an_episode_that_ends_by_an_error_is_played_again_and_the_others_are_kept():
    made = queue(("train", 0, 2))
    ask = made.first("train")
    parts = made.pick(1)
    made.played(parts, [*recordings(parts)[:1], *recordings(parts, "EOFError: no")[1:]])
    assert ask.found is None
    parts = made.pick(1)
    assert held(parts) == [(0, (1,))]
    made.played(parts, recordings(parts))
    assert isinstance(ask.found, Group)
    assert ask.found.retries == 1
    assert [e.id.attempt for e in ask.found.episodes] == [0, 1]


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_errors_are_told_one_line_each_time(retries):
    made = queue(("train", 0, 1), retries=retries)
    ask = made.first("train")
    count = 0
    while parts := made.pick(1):
        made.played(parts, recordings(parts, f"EOFError: {count}"))
        count += 1
    assert ask.found.errors == tuple(f"EOFError: {k}" for k in range(retries + 1))
    assert ask.found.retries == retries


def test_what_comes_late_of_a_lost_group_is_let_go():
    made = queue(("train", 0, 2), retries=0)
    ask = made.first("train")
    made.broke(made.pick(1), "crash: gone")
    one, other = made.pick(2), made.pick(1)
    made.broke(one, "crash: gone")
    assert isinstance(ask.found, Lost)
    made.played(other, recordings(other))
    assert isinstance(ask.found, Lost)
    assert made.pick(1) == []
