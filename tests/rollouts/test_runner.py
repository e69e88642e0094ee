import math

import numpy as np
import pytest

from refergym.agents.policy import Answer
from refergym.envs.types import Observation
from refergym.rollouts.episodes import Ended, decode, encode
from refergym.rollouts.plan import Job, answer_seed
from refergym.rollouts.runner import Runner, usable_point

INVALID = [
    None,
    (math.nan, 0.5),
    (0.5, math.inf),
    (1.001, 0.5),
    (0.5, -0.2),
    (0.1, 0.2, 0.3),
    (0.5,),
    0.5,
    "left",
    "01",
    {0: 1, 1: 2},
    (10**400, 0.5),
    ("a", "b"),
    (None, 0.5),
    np.zeros((2, 2)),
]


def run(plan, jobs, **options):
    runner = Runner(plan, **options)
    try:
        return list(runner.run(jobs))
    finally:
        runner.close()


def outcomes(episodes):
    found = {episode.key: episode.outcome for episode in episodes}
    assert len(found) == len(episodes), "no episode twice"
    return found


JOBS = [Job(policy=policy, index=index) for index in range(2) for policy in ("oracle", "random")]


def test_outcomes_do_not_depend_on_order_or_neighbours(make_plan):
    alone = run(make_plan(), JOBS)
    reversed_together = run(make_plan(batch=3), JOBS[::-1])
    assert outcomes(alone) == outcomes(reversed_together)
    assert len({e.scene_digest for e in alone}) == 2, "episodes differ"


def test_every_policy_starts_from_the_same_start(make_plan):
    oracle, random = run(make_plan(), JOBS[:2])
    assert (oracle.policy, random.policy) == ("oracle", "random")
    assert oracle.scene_digest == random.scene_digest
    assert oracle.task_digest == random.task_digest
    assert oracle.start_digest == random.start_digest
    assert oracle.steps[0].point_uv != random.steps[0].point_uv


def test_the_oracle_does_better_than_chance_and_its_steps_are_recorded(make_plan):
    episodes = run(make_plan(batch=2), [Job(policy="oracle", index=i) for i in range(5)])
    assert sum(e.success for e in episodes) >= 3
    won = next(e for e in episodes if e.success)
    assert won.ended is Ended.SUCCESS
    assert won.stage == "success"
    assert won.progress == 1
    assert [step.event for step in won.steps] == ["picked", "placed"]
    assert won.backend == "kinematic"
    assert won.kind
    assert won.instruction
    for step in won.steps:
        u, v = step.point_uv
        assert step.pixel == (int(u * 224), int(v * 224))
        assert len(step.point_w) == 3
        assert len(step.state) == 64


def test_members_side_by_side_share_a_renderer_that_draws_no_picture_twice(make_plan, monkeypatch):
    from refergym.envs.render.embree import EmbreeRenderer
    from refergym.rollouts.plan import build_env

    jobs = [Job(policy="oracle", index=0, member=k) for k in range(4)]
    alone = run(make_plan(batch=4), jobs, make_env=build_env)
    drawn, made = [], []
    render, begin = EmbreeRenderer.render, EmbreeRenderer.__init__
    with monkeypatch.context() as patch:
        patch.setattr(
            EmbreeRenderer, "render", lambda self, *args: drawn.append(1) or render(self, *args)
        )
        patch.setattr(
            EmbreeRenderer, "__init__",
            lambda self, *args, **rest: made.append(1) or begin(self, *args, **rest),
        )  # fmt: skip
        shared = run(make_plan(batch=4), jobs)
    assert outcomes(shared) == outcomes(alone)
    assert len(made) == 1
    # all do the same: each state is drawn once, beside what the choice of the start looked at
    assert len(drawn) <= 2 + len(shared[0].steps)


def test_a_start_is_made_once_for_all_that_play_it(make_plan, monkeypatch):
    from refergym.envs.refer_env import ReferEnv

    given = []
    reset = ReferEnv.reset

    def noted(self, *, seed=None, options=None):
        given.append("episode" in options)
        return reset(self, seed=seed, options=options)

    monkeypatch.setattr(ReferEnv, "reset", noted)
    jobs = [Job(policy="oracle", index=i, member=k) for i in (0, 1) for k in range(3)]
    found = run(make_plan(batch=2), jobs)
    assert given.count(False) == 2
    assert len({e.start_digest for e in found}) == 2


def test_a_policy_without_privilege_never_sees_the_truth(make_plan, helpers):
    from faulty import Said

    spy = Said()
    runner = Runner(make_plan(policies={"spy": {"_target_": "faulty.Said"}}))
    runner._policies["spy"] = spy
    list(runner.run([Job(policy="spy", index=0), Job(policy="spy", index=1)]))
    runner.close()
    assert len(spy.shown) >= 2
    assert spy.truths == [None] * len(spy.truths)
    allowed = set(Observation.__annotations__) | {"first_rgb"}
    for observation in spy.shown:
        assert set(observation) <= allowed
        assert not any(isinstance(value, dict) for value in observation.values())
    assert len(set(spy.seeds)) == len(spy.seeds), "each answer has a seed of its own"


def test_answer_seeds_depend_on_episode_and_step_alone(make_plan):
    plan = make_plan()
    seeds = {
        answer_seed(plan, Job(policy="oracle", index=i, member=m), step)
        for i in range(4)
        for m in range(2)
        for step in range(3)
    }
    assert len(seeds) == 24
    one = answer_seed(plan, Job(policy="oracle", index=1), 2)
    assert one == answer_seed(plan, Job(policy="random", index=1, attempt=4), 2)
    assert one != answer_seed(make_plan(seed=4), Job(policy="oracle", index=1), 2)


@pytest.mark.parametrize("point", INVALID, ids=repr)
def test_an_unusable_point_has_a_reason(point):
    found, reason = usable_point(Answer(point_uv=point))
    assert found is None
    assert reason


@pytest.mark.parametrize("point", [(0.0, 0.0), (1.0, 1.0), (0.25, 0.5), np.array([0.1, 0.9])])
def test_a_usable_point_is_taken_as_it_is(point):
    assert usable_point(Answer(point_uv=point)) == ((float(point[0]), float(point[1])), "")


def test_unusable_answers_cost_steps_and_end_the_episode_as_a_failure(make_plan, helpers):
    points = [None, (math.nan, 0.5), (3.0, 0.5), (0.1, 0.2, 0.3)]
    node = {"_target_": "faulty.Said", "points": points}
    (episode,) = run(make_plan(policies={"said": node}), [Job(policy="said", index=0)])
    assert episode.ended in (Ended.TRUNCATED, Ended.FAILURE)
    assert not episode.success
    assert [step.event for step in episode.steps] == ["invalid"] * len(episode.steps)
    assert len(episode.steps) > 1
    assert "no point" in episode.steps[0].detail
    assert all(step.point_uv is None and step.pixel is None for step in episode.steps)


def test_an_exception_of_the_environment_is_tried_again_in_a_fresh_one(make_plan, helpers, caplog):
    from faulty import Once

    jobs = [Job(policy="oracle", index=i) for i in range(2)]
    clean = run(make_plan(), jobs)
    once = Once(broken=1)
    mended = run(make_plan(), jobs, make_env=once)
    assert once.made == 2
    assert outcomes(mended) == outcomes(clean)
    assert [e.id.attempt for e in mended] == [1, 0]
    assert "the simulator exploded" in caplog.text


def test_an_exception_that_comes_again_is_an_infrastructure_error(make_plan, helpers):
    from faulty import Once

    jobs = [Job(policy="oracle", index=i) for i in range(2)]
    broken, fine = run(make_plan(), jobs, make_env=Once(broken=2))
    assert broken.ended is Ended.ERROR
    assert broken.error == "RuntimeError: the simulator exploded"
    assert broken.stage == "infrastructure"
    assert fine.ended is not Ended.ERROR


def test_a_policy_that_answers_too_little_is_an_infrastructure_error(make_plan, monkeypatch):
    runner = Runner(make_plan(batch=2))
    policy = runner._policy("oracle")
    monkeypatch.setattr(policy, "act", lambda observations, **_: [Answer(point_uv=(0.5, 0.5))] * 3)
    episodes = list(runner.run([Job(policy="oracle", index=i) for i in range(2)]))
    runner.close()
    assert [e.ended for e in episodes] == [Ended.ERROR] * 2
    assert "3 answers to 2 observations" in episodes[0].error


def test_a_policy_that_raises_loses_only_its_own_episodes(make_plan, helpers, tmp_path):
    plan = make_plan()
    seeds = [answer_seed(plan, Job(policy="faulty", index=0), 0)]
    node = {"_target_": "faulty.FaultyOracle", "fault": "raise", "seeds": seeds}
    node |= {"folder": str(tmp_path), "times": 9}
    plan = make_plan(policies={**plan.policies, "faulty": node})
    jobs = [Job(policy="faulty", index=0), Job(policy="faulty", index=1), *JOBS[:2]]
    episodes = {e.key: e for e in run(plan, jobs)}
    assert episodes["faulty", "test", 0, 0].error == "OSError: the line is dead"
    assert all(e.ended is not Ended.ERROR for k, e in episodes.items() if k[::2] != ("faulty", 0))


def test_recording_pictures_changes_no_outcome(make_plan, tmp_path):
    from refergym.rollouts.plan import Media

    media = Media(folder=str(tmp_path), pictures=True, video=True, video_size=96)
    assert outcomes(run(make_plan(media=media), JOBS[:2])) == outcomes(run(make_plan(), JOBS[:2]))
    assert len(list(tmp_path.rglob("*.mp4"))) == 2


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (None, "expected a list of Answers, got a NoneType"),
        ([Answer(text=5)], "text: expected str, got 5"),
        ([Answer(tokens=("a",))], "tokens: expected ints"),
        ([Answer(logprobs=(math.nan,))], "logprobs[0]: expected a finite number, got nan"),
        ([Answer(logprobs=(None,))], "logprobs: expected floats"),
    ],
)
def test_an_answer_that_cannot_be_stored_loses_its_episode_alone(
    make_plan, monkeypatch, answers, message
):
    runner = Runner(make_plan())
    monkeypatch.setattr(runner._policy("oracle"), "act", lambda *_, **__: answers)
    (episode,) = runner.run([Job(policy="oracle", index=0)])
    runner.close()
    assert episode.ended is Ended.ERROR
    assert message in episode.error


def test_arrays_and_half_surrogates_in_an_answer_can_be_stored_and_read_back(
    make_plan, monkeypatch
):
    said = Answer(
        text="a\ud800",
        tokens=np.array([3, 4]),
        logprobs=np.array([-0.5, -1.0]),
        point_uv=(0.5, 0.5),
    )
    runner = Runner(make_plan())
    monkeypatch.setattr(runner._policy("oracle"), "act", lambda *_, **__: [said])
    (episode,) = runner.run([Job(policy="oracle", index=0)])
    runner.close()
    step = decode(encode(episode), "here").steps[0]
    assert (step.text, step.tokens, step.logprobs) == ("a?", (3, 4), (-0.5, -1.0))
