"""Lessons from generated tasks: the same however they are made, of whole episodes, perfect."""

import itertools
import multiprocessing

import numpy as np
import pytest

from refergym.envs.dialects.roborefer import RoboRefer
from refergym.envs.feedback import FEEDBACK
from refergym.envs.replies import check_form, read_steps
from refergym.envs.types import Event
from refergym.rollouts.errors import PoolError
from refergym.rollouts.lessons.making import lessons

SUCCESSES = {Event.PICKED, Event.PLACED}


def scenes(plan, count, first=0, workers=0):
    stream = lessons(plan, first, workers)
    try:
        return list(itertools.islice(stream, count))
    finally:
        stream.close()


def events(question):
    return {e for e, words in FEEDBACK.items() if words and question.words.endswith(words)}


def test_workers_and_where_it_begins_change_nothing(make_plan, told):
    plan = make_plan("carry", disturbed=0.5)
    here = scenes(plan, 3)
    assert [told(x) for x in scenes(plan, 3, workers=2)] == [told(x) for x in here]
    assert told(scenes(plan, 1, first=2)[0]) == told(here[2])
    assert told(here[0]) != told(here[1])


def test_of_an_episode_that_is_played_there_are_the_later_turns(make_plan):
    plan = make_plan("carry", played=2, disturbed=0.5)
    found = [x for scene in scenes(plan, 4) for x in scene]
    turns = [q for x in found for q in x.questions]
    assert any(not events(q) for q in turns), "first turns, which nothing came before"
    after = set().union(*(events(q) for q in turns))
    assert Event.PICKED in after, "holding something"
    assert after - SUCCESSES, "after a point that was spoiled"
    later = [x for x in found if all(events(q) for q in x.questions)]
    assert later
    assert all(len(x.questions) == 1 for x in later)
    assert len({x.rgb.tobytes() for x in found}) > len(found) // 2, "each turn has its picture"


@pytest.mark.parametrize(("source", "played"), [("carry", 0), ("named", 2)])
def test_what_is_not_played_has_first_turns_alone(source, played, make_plan):
    for scene in scenes(make_plan(source, played=played), 2):
        assert len(scene) <= 1
        assert not any(events(q) for x in scene for q in x.questions)


@pytest.mark.parametrize("source", ["named", "related", "free", "pick", "carry"])
def test_answers_are_read_strictly(source, make_plan):
    plan = make_plan(source, played=1, disturbed=0.3)
    found = [x for scene in scenes(plan, 2) for x in scene]
    assert found
    for lesson in found:
        assert lesson.rgb.shape == (64, 64, 3)
        assert lesson.ids.shape == lesson.disparity.shape == (64, 64)
        assert lesson.names is not None
        assert lesson.ids.max() < len(lesson.names)
        for question in lesson.questions:
            reply = check_form(question.answer)
            assert question.answer.isascii()
            steps = read_steps(reply.thought)
            assert steps
            assert all(step.is_exact for step in steps)
            (point,) = RoboRefer().parse(reply.answer, (64, 64))
            assert 0 <= point.u < 1
            assert 0 <= point.v < 1


def test_answers_to_what_is_named_point_at_a_thing(make_plan):
    found = [x for scene in scenes(make_plan("named"), 4) for x in scene]
    for lesson in found:
        for question in lesson.questions:
            (point,) = RoboRefer().parse(check_form(question.answer).answer, (64, 64))
            assert lesson.ids[int(point.v * 64), int(point.u * 64)] >= 0


def test_near_is_bright(make_plan):
    ((lesson, *_),) = scenes(make_plan("named"), 1)
    assert lesson.disparity[-8:].mean() > lesson.disparity[:8].mean(), "the table's near edge"
    assert np.ptp(lesson.disparity.astype(int)) > 100


def test_the_death_of_a_worker_is_named_in_one_line_and_the_others_end(make_plan):
    before = {p.pid for p in multiprocessing.active_children()}
    stream = lessons(make_plan("named"), 0, 2)
    next(stream)
    mine = [p for p in multiprocessing.active_children() if p.pid not in before]
    assert len(mine) == 2
    mine[0].kill()
    with pytest.raises(PoolError, match="the worker was killed by signal 9") as caught:
        list(itertools.islice(stream, 50))
    assert "\n" not in str(caught.value)
    assert not {p.pid for p in multiprocessing.active_children()} - before


def test_a_worker_that_cannot_go_on_says_why_in_one_line(make_plan):
    plan = make_plan("named", dialect={"_target_": "refergym.nowhere"})
    with pytest.raises(PoolError, match=r"cannot go on: .*refergym\.nowhere") as caught:
        next(lessons(plan, 0, 1))
    assert "\n" not in str(caught.value)
