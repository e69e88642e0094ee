import io

import pytest
from rich.console import Console

from refergym.rollouts import report
from refergym.rollouts.episodes import Ended, Episode, EpisodeId, StepRecord
from refergym.rollouts.statistics import clustered, jeffreys


def episode(index, policy="oracle", stage="success", events=("picked", "placed"), **changes):
    won = stage == "success"
    fields = {
        "id": EpisodeId(suite="s", index=index),
        "policy": policy,
        "task": "pick_place",
        "seed": 0,
        "scene_digest": f"scene{index}",
        "steps": tuple(StepRecord(event=event) for event in events),
        "success": won,
        "progress": 1.0 if won else 0.5,
        "ended": Ended.SUCCESS if won else Ended.FAILURE,
        "stage": stage,
    }
    return Episode(**(fields | changes))


def lost(index, policy="oracle"):
    return episode(
        index,
        policy,
        "infrastructure",
        (),
        ended=Ended.ERROR,
        error="OSError: gone",
        scene_digest="",
    )


EPISODES = [
    episode(0),
    episode(1),
    episode(2, stage="grasp", events=("no_grasp", "no_grasp", "no_grasp"), ended=Ended.TRUNCATED),
    lost(3),
    episode(0, "random", "invalid", ("invalid",)),
]


def test_rates_count_judged_episodes_and_show_the_lost_ones():
    row, floor = report.summarise(EPISODES)
    assert (row.policy, row.n, row.successes, row.errors) == ("oracle", 3, 2, 1)
    assert row.success_rate == pytest.approx(2 / 3)
    assert row.interval == jeffreys(2, 3)
    assert row.failures == {"grasp": 1}
    assert row.events == {"no_grasp": 3, "picked": 2, "placed": 2}
    assert row.truncated == 1
    assert row.mean_steps == pytest.approx(7 / 3)
    assert floor.failures == {"invalid": 1}, "an unusable answer stays in the denominator"
    assert floor.success_rate == 0


def test_a_row_without_judged_episodes_has_no_rate():
    (row,) = report.summarise([lost(0)])
    assert (row.n, row.errors, row.success_rate, row.mean_steps) == (0, 1, None, None)


def sampled(outcomes, policy="oracle", **changes):
    """Episodes of several samples: outcomes[start][member]."""
    return [
        episode(
            i, policy, "success" if won else "grasp",
            id=EpisodeId(suite="s", index=i, member=m), **changes,
        )
        for i, start in enumerate(outcomes)
        for m, won in enumerate(start)
        if won is not None
    ]  # fmt: skip


def test_samples_of_a_start_give_pass_at_k_and_an_interval_over_starts():
    outcomes = [[1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 0, 0]]
    (row,) = report.summarise(sampled(outcomes), 4)
    assert (row.n, row.starts, row.successes, row.success_rate) == (16, 4, 7, 7 / 16)
    # of two samples: 1 - C(3,2)/C(4,2) = 1/2 with one success, 1 - 1/6 with two
    two = (1 / 2 + 0 + 1 + 5 / 6) / 4
    assert row.pass_at == pytest.approx({"1": 7 / 16, "2": two, "4": 3 / 4})
    assert row.interval == clustered([1, 0, 4, 2], [4, 4, 4, 4])
    assert row.interval[1] - row.interval[0] > 1.2 * (jeffreys(7, 16)[1] - jeffreys(7, 16)[0])


def test_a_start_of_which_samples_were_lost_counts_where_enough_are_left():
    (row,) = report.summarise([*sampled([[1, 0], [0, None]]), lost(1)], 2)
    assert (row.n, row.errors) == (3, 1)
    assert row.pass_at == {"1": 1 / 4, "2": 1.0}


def test_one_sample_is_the_success_rate():
    for row in report.summarise(EPISODES):
        assert row.pass_at == {"1": row.success_rate}
        assert row.starts == row.n


def test_kinds_of_tasks_are_counted_apart():
    episodes = sampled([[1, 0]], kind="pick") + sampled([[0, 0], [0, 0]], kind="point")[2:]
    (row,) = report.summarise(episodes, 2)
    assert {k: (s.n, s.pass_at) for k, s in row.kinds.items()} == {
        "pick": (2, {"1": 0.5, "2": 1.0}),
        "point": (2, {"1": 0.0, "2": 0.0}),
    }


@pytest.mark.parametrize("samples", [1, 8])
def test_the_table_shows_pass_at_k_of_samples_alone(samples):
    episodes = sampled([[1] + [0] * 7] * 2, kind="pick") + sampled([[0] * 8] * 4, kind="point")[16:]
    results = report.Results(
        rows=report.summarise(episodes, samples), backend="kinematic", renderer="embree",
        suite="s", seed=0, samples=samples, choices={}, config={}, digests={}, versions={},
    )  # fmt: skip
    stream = io.StringIO()
    Console(file=stream, width=160).print(report.table(results))
    text = stream.getvalue()
    assert ("pass@8" in text) == (samples == 8)
    if samples == 8:
        line = next(line for line in text.splitlines() if "  pick" in line)
        assert "12.5 %" in line, "pass@1"
        assert "100.0 %" in line, "pass@8"


def test_digests_do_not_depend_on_the_order_and_see_every_outcome():
    base = report.digests(EPISODES, {"seed": 0})
    assert report.digests(EPISODES[::-1], {"seed": 0}) == base
    assert report.digests(EPISODES, {"seed": 1})["config"] != base["config"]
    other = report.digests([*EPISODES[:-1], episode(0, "random", "wrong_object")], {"seed": 0})
    assert other["outcomes"] != base["outcomes"]
    assert other["starts"] == base["starts"]


def test_the_table_names_policies_rates_and_lost_episodes():
    results = report.Results(
        rows=report.summarise(EPISODES),
        backend="kinematic",
        renderer="embree",
        suite="pick_place-s0",
        seed=0,
        choices={},
        config={},
        digests={},
        versions={},
    )
    stream = io.StringIO()
    Console(file=stream, width=120).print(report.table(results))
    text = stream.getvalue()
    for part in ("oracle", "66.7 %", "random", "0.0 %", "grasp 1", "lost", "kinematic", "embree"):
        assert part in text
