import io

import pytest
from rich.console import Console

from refergym.rollouts import report
from refergym.rollouts.episodes import Ended, Episode, EpisodeId, StepRecord
from refergym.rollouts.statistics import jeffreys


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
