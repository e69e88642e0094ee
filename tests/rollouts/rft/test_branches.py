"""Branches: episodes that go on anew from a state inside another, and only from that state."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from refergym.agents.policy import Answer
from refergym.agents.rft.advantages import Credit
from refergym.rollouts import config
from refergym.rollouts.errors import StartError
from refergym.rollouts.rft.collecting import LocalCollector
from refergym.rollouts.rft.groups import POLICY, Group, Lost, Request, branch, lesson

CREDIT = Credit(episode=1.0, turn=0.0, state=0.0, gamma=1.0, baseline="mean", std="none", eps=0.0)
BACKENDS = ["kinematic", pytest.param("bullet", marks=[pytest.mark.bullet, pytest.mark.slow])]


class Unsteady:
    """Knows where to point, and misses by what the seed says; its tokens are where it pointed."""

    name, privileged, dialect = POLICY, True, None

    def act(self, observations, *, seeds, truths=None):
        return [self._answer(seed, truth) for seed, truth in zip(seeds, truths, strict=True)]

    def _answer(self, seed, truth):
        rng = np.random.default_rng(seed)
        u, v = np.clip(np.array(truth["point_uv"]) + rng.normal(0, 0.03, 2), 0, 1).tolist()
        return Answer(point_uv=(u, v), tokens=(int(u * 1e6), int(v * 1e6)), logprobs=(-1.0, -1.0))


@pytest.fixture
def collector(make_plan, request):
    """Make a collector for a backend."""
    made = []

    def make(backend):
        plan = make_plan(policies={POLICY: {}}, batch=4)
        plan = msgspec.structs.replace(
            plan, env={**plan.env, "backend": config.choice("backend", backend)}
        )
        kinds = ("train", "branch")
        made.append(LocalCollector(dict.fromkeys(kinds, plan), dict.fromkeys(kinds, Unsteady())))
        return made[-1]

    yield make
    for one in made:
        one.close()


def long(collector, members=4):
    """Play groups until one has an episode of two turns or more; returns both."""
    for index in range(12):
        collector.submit(Request(kind="train", index=index, members=members))
        group = collector.take("train")
        for recording in group.recordings:
            if len(recording.answers) > 1:
                return group, recording
    raise AssertionError("no episode has two turns")


@pytest.mark.parametrize("backend", BACKENDS)
def test_branches_begin_in_the_state_of_the_episode_and_go_on_by_themselves(backend, collector):
    made = collector(backend)
    group, recording = long(made)
    made.submit(branch(recording, 1, members=4, first=4))
    found = made.take("branch")
    assert isinstance(found, Group), found
    assert [e.id.member for e in found.episodes] == [4, 5, 6, 7]
    for part in ("start_digest", "scene_digest", "task_digest"):
        assert {getattr(e, part) for e in found.episodes} == {getattr(recording.episode, part)}
    first = {e.steps[0].state for e in found.episodes}
    assert first == {recording.episode.steps[0].state}, "bitwise, in all of them"
    assert {r.answers[0] for r in found.recordings} == {recording.answers[0]}
    for one in found.recordings:
        np.testing.assert_array_equal(one.observations[1]["rgb"], recording.observations[1]["rgb"])
    went_on = {r.answers[1].tokens for r in found.recordings}
    assert len(went_on) == 4, "each draws its own"
    assert recording.answers[1].tokens not in went_on
    assert all(len(e.steps) > 1 for e in found.episodes)
    assert len(group.episodes) == 4


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_branch_plays_the_same_again(backend, collector):
    made = collector(backend)
    _, recording = long(made)
    outcomes = []
    for _ in range(2):
        made.submit(branch(recording, 1, members=2, first=4))
        outcomes.append([e.outcome for e in made.take("branch").episodes])
    assert outcomes[0] == outcomes[1]


def test_a_turn_that_leads_elsewhere_is_refused(collector):
    made = collector("kinematic")
    _, recording = long(made)
    asked = branch(recording, 1, members=2, first=4)
    [turn] = asked.replay
    other = msgspec.structs.replace(turn, state="0" * 64)
    made.submit(msgspec.structs.replace(asked, replay=(other,)))
    found = made.take("branch")
    assert isinstance(found, Lost)
    assert all(e.startswith("StartError: ") and "turn 0 played again" in e for e in found.errors)
    # the environments are as good as before
    made.submit(asked)
    assert isinstance(made.take("branch"), Group)


def test_a_group_refuses_who_went_on_without_a_rebuild(collector):
    made = collector("kinematic")
    _, recording = long(made)
    asked = branch(recording, 1, members=2, first=4)
    made.submit(asked)
    recordings = made.take("branch").recordings
    step = recordings[1].episode.steps[0]
    steps = (msgspec.structs.replace(step, state="f" * 64), *recordings[1].episode.steps[1:])
    apart = msgspec.structs.replace(recordings[1].episode, steps=steps)
    with pytest.raises(StartError, match="turn 0 led to state ffffffffffff"):
        Group(request=asked, recordings=(recordings[0], replace(recordings[1], episode=apart)))


def rewarded(recording, rewards):
    steps = tuple(
        msgspec.structs.replace(s, reward=r)
        for s, r in zip(recording.episode.steps, rewards, strict=True)
    )
    return replace(recording, episode=msgspec.structs.replace(recording.episode, steps=steps))


def test_turns_that_were_replayed_are_not_learned_from_and_pay_nobody(collector):
    made = collector("kinematic")
    group, recording = long(made)
    asked = branch(recording, 1, members=2, first=4)
    made.submit(asked)
    one, other = made.take("branch").recordings
    rest = [0.0] * (len(one.answers) - 1), [0.0] * (len(other.answers) - 1)
    rest[0][0] = 1.0
    told = [rewarded(one, [9.0, *rest[0]]), rewarded(other, [9.0, *rest[1]])]
    branches = Group(request=asked, recordings=tuple(told))
    found = lesson([branches], CREDIT)
    assert {s.advantage for s in found.samples} == {0.5, -0.5}
    assert len(found.samples) == len(rest[0]) + len(rest[1])
    assert one.answers[0].tokens not in {s.tokens for s in found.samples}
    # the group that it comes from is another one, although it has that start as well
    played = [rewarded(r, [2.0] * len(r.answers)) for r in group.recordings]
    even = Group(request=group.request, recordings=tuple(played))
    lengths = {len(r.answers) for r in group.recordings}
    both = lesson([branches, even], CREDIT)
    if len(lengths) == 1:
        assert both.samples == found.samples
    assert [s.advantage for s in both.samples[: len(found.samples)]] == [
        s.advantage for s in found.samples
    ]
