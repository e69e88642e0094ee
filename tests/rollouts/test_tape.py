"""What a tape is told: the observations of each answer, in order, whatever breaks in between."""

import numpy as np
import pytest

from refergym.agents.policy import Answer
from refergym.rollouts.episodes import Ended, Seen
from refergym.rollouts.errors import EpisodeError, OutputError
from refergym.rollouts.plan import Job, build_env
from refergym.rollouts.runner import Runner
from refergym.rollouts.tape import MemoryTape

pytestmark = pytest.mark.usefixtures("helpers")
JOBS = [Job(policy=policy, index=index) for index in range(2) for policy in ("oracle", "random")]


def run(plan, jobs, **options):
    runner = Runner(plan, **options)
    try:
        return list(runner.run(jobs))
    finally:
        runner.close()


def outcomes(episodes):
    return {episode.key: episode.outcome for episode in episodes}


def recorded(plan, jobs, **options):
    tape = MemoryTape()
    return tape, run(plan, jobs, tape=tape, **options)


def test_a_tape_changes_no_outcome_and_leaves_nothing_in_the_episodes(make_plan):
    tape, episodes = recorded(make_plan(batch=3), JOBS)
    assert outcomes(episodes) == outcomes(run(make_plan(), JOBS))
    assert all(step.seen is None for e in episodes for step in e.steps)
    assert len({id(tape.take(e)) for e in episodes}) == len(JOBS)


def test_what_is_recorded_is_what_the_policy_was_given(make_plan):
    from faulty import Said

    spy, tape = Said([(0.5, 0.5), None, (0.2, 0.7)]), MemoryTape()
    runner = Runner(make_plan(policies={"spy": {"_target_": "faulty.Said"}}), tape=tape)
    runner._policies["spy"] = spy
    copies = []
    act = spy.act

    def copying(observations, **options):
        copies.extend({k: np.copy(v) for k, v in o.items()} for o in observations)
        return act(observations, **options)

    spy.act = copying
    (episode,) = runner.run([Job(policy="spy", index=0)])
    runner.close()
    recording = tape.take(episode)
    assert recording.episode is episode
    assert (
        len(recording.observations) == len(recording.answers) == len(episode.steps) == len(copies)
    )
    assert len(copies) >= 2
    for seen, before in zip(recording.observations, copies, strict=True):
        for key, value in seen.items():
            assert np.array_equal(value, before[key]), "as it was when the policy answered"
    assert [a.point_uv for a in recording.answers[:2]] == [(0.5, 0.5), None]


def test_the_first_step_saw_the_start_and_each_further_one_what_the_step_before_left(make_plan):
    plan = make_plan()
    tape, (episode,) = recorded(plan, [Job(policy="oracle", index=0)])
    recording = tape.take(episode)
    env = build_env(plan)
    observation, _ = env.reset(seed=plan.seed, options={"index": 0})
    for seen, step in zip(recording.observations, episode.steps, strict=True):
        assert np.array_equal(seen["rgb"], observation["rgb"])
        assert np.array_equal(seen["depth"], observation["depth"])
        assert (seen["holding"], seen["event"]) == (observation["holding"], observation["event"])
        observation, *_ = env.step(np.array(step.point_uv))
    env.close()


def test_answers_are_recorded_with_the_tokens_that_they_were_sampled_after(make_plan, monkeypatch):
    said = Answer(point_uv=(0.5, 0.5), prompt_tokens=(7, 8), tokens=np.array([3]), logprobs=(-1,))
    tape = MemoryTape()
    runner = Runner(make_plan(), tape=tape)
    monkeypatch.setattr(runner._policy("oracle"), "act", lambda *_, **__: [said])
    (episode,) = runner.run([Job(policy="oracle", index=0)])
    runner.close()
    for answer, step in zip(tape.take(episode).answers, episode.steps, strict=True):
        assert answer.prompt_tokens == (7, 8)
        assert (answer.tokens, answer.logprobs) == (step.tokens, step.logprobs) == ((3,), (-1.0,))


def test_steps_of_an_attempt_that_broke_are_forgotten(make_plan):
    from faulty import Once

    jobs = [Job(policy="oracle", index=i) for i in range(2)]
    tape, episodes = recorded(make_plan(batch=2), jobs, make_env=Once(broken=1))
    assert sorted(e.id.attempt for e in episodes) == [0, 1]
    for episode in episodes:
        assert len(tape.take(episode).observations) == len(episode.steps)
    assert not tape._running
    tape, (lost, _) = recorded(make_plan(), jobs, make_env=Once(broken=2))
    assert lost.ended is Ended.ERROR
    assert tape.take(lost).observations == ()
    assert not tape._running


def test_a_recording_is_taken_once(make_plan):
    tape, (episode,) = recorded(make_plan(), JOBS[:1])
    tape.take(episode)
    with pytest.raises(EpisodeError, match=r"episode test/0/0/0 of oracle: not on this tape"):
        tape.take(episode)


class Noting(MemoryTape):
    """Puts something into the records."""

    def saw(self, job, observation, answer):
        super().saw(job, observation, answer)
        return Seen(
            rgb="a.png", depth="b.png", intrinsics=(1, 1, 0, 0), holding=False, event="none"
        )


def test_what_a_tape_returns_stands_in_the_record_and_not_in_the_outcome(make_plan):
    (noted,) = run(make_plan(), JOBS[:1], tape=Noting())
    assert [step.seen.rgb for step in noted.steps] == ["a.png"] * len(noted.steps)
    assert outcomes([noted]) == outcomes(run(make_plan(), JOBS[:1]))


def test_a_tape_that_cannot_keep_anything_ends_the_run(make_plan):
    class Full(MemoryTape):
        def saw(self, job, observation, answer):
            raise OutputError("the disk is full")

    with pytest.raises(OutputError, match="the disk is full"):
        run(make_plan(), JOBS[:1], tape=Full())
