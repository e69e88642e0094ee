"""Groups: episodes with one start, and what a learner is given of them."""

import numpy as np
import pytest

from refergym.agents.policy import Answer
from refergym.agents.rft.advantages import Credit
from refergym.rollouts.episodes import Ended, Episode, EpisodeId, StepRecord
from refergym.rollouts.errors import StartError
from refergym.rollouts.rft.groups import (
    Group,
    Lost,
    Request,
    error_kinds,
    is_flat,
    judged,
    lesson,
)
from refergym.rollouts.tape import Recording

EPISODE = Credit(episode=1.0, turn=0.0, state=0.0, gamma=1.0, baseline="mean", std="none", eps=0.0)
STATE = Credit(episode=0.0, turn=0.0, state=1.0, gamma=1.0, baseline="mean", std="none", eps=0.0)


def recording(member, rewards, *, states=(), index=0, start="s", error="", events=()):
    """One episode whose steps earned these rewards."""
    states = states or [f"{member}{k}" for k in range(len(rewards))]
    events = events or ["hit"] * len(rewards)
    steps = [
        StepRecord(event=e, reward=r, state=s, tokens=(member, k), logprobs=(-1.0, -2.0))
        for k, (r, s, e) in enumerate(zip(rewards, states, events, strict=True))
    ]
    episode = Episode(
        id=EpisodeId(suite="x", index=index, member=member), policy="policy", task="pick", seed=0,
        start_digest=start, steps=tuple(steps), ended=Ended.ERROR if error else Ended.FAILURE,
        stage="", error=error, reward=sum(rewards), kind="pick",
    )  # fmt: skip
    return Recording(
        episode=episode,
        observations=tuple({"holding": np.int8(k)} for k in range(len(rewards))),
        answers=tuple(
            Answer(tokens=s.tokens, logprobs=s.logprobs, prompt_tokens=(9, k))
            for k, s in enumerate(steps)
        ),
    )


def group(*recordings, index=0):
    return Group(
        request=Request(kind="train", index=index, members=len(recordings)), recordings=recordings
    )


def test_a_group_whose_members_begin_otherwise_is_refused():
    with pytest.raises(StartError, match="do not begin alike"):
        group(recording(0, [1.0]), recording(1, [0.0], start="other"))


def test_each_answer_gets_its_episodes_advantage():
    found = lesson([group(recording(0, [0.5, 0.5]), recording(1, [0.0]))], EPISODE)
    assert [s.advantage for s in found.samples] == [0.5, 0.5, -0.5]
    assert [s.tokens for s in found.samples] == [(0, 0), (0, 1), (1, 0)]
    assert [s.prompt_tokens for s in found.samples] == [(9, 0), (9, 1), (9, 0)]
    assert [s.logprobs for s in found.samples] == [(-1.0, -2.0)] * 3
    assert [int(s.observation["holding"]) for s in found.samples] == [0, 1, 0]


def test_groups_are_not_compared_with_each_other():
    good = group(recording(0, [1.0], index=1), recording(1, [1.0], index=1), index=1)
    bad = group(recording(0, [0.0]), recording(1, [0.0]))
    found = lesson([bad, good], EPISODE)
    assert found.samples == []
    assert found.flat == (0, 1)
    assert is_flat(good, EPISODE)
    assert not is_flat(group(recording(0, [1.0]), recording(1, [0.0])), EPISODE)


def test_turns_in_equal_states_are_compared_across_episodes():
    # both members fail at first without moving anything; then one succeeds
    one = recording(0, [0.0, 1.0], states=["s", "a"], events=["missed", "hit"])
    other = recording(1, [0.0, 0.0], states=["s", "s"], events=["missed", "missed"])
    found = lesson([group(one, other)], STATE)
    assert [s.advantage for s in found.samples] == [0.5, 0.5, -0.5, -0.5]


def test_what_the_model_was_told_makes_states_differ():
    one = recording(0, [0.0, 1.0], states=["s", "a"], events=["missed", "hit"])
    other = recording(1, [0.0, 0.0], states=["s", "s"], events=["hit", "missed"])
    found = lesson([group(one, other)], STATE)
    assert [s.advantage for s in found.samples] == [0.5, -0.5], "their second turns had no peer"


def test_one_episode_that_broke_takes_its_group_along():
    request = Request(kind="train", index=0, members=2)
    broken = recording(1, [], error="EOFError: gone")
    found = judged(request, [recording(0, [1.0]), broken], version=3)
    assert isinstance(found, Lost)
    assert found.errors == ("EOFError: gone",)
    assert error_kinds([found, found]) == {"EOFError": 2}


def test_members_come_in_their_order():
    request = Request(kind="train", index=0, members=2)
    found = judged(request, [recording(1, [1.0]), recording(0, [0.0])], version=3, retries=1)
    assert [e.id.member for e in found.episodes] == [0, 1]
    assert (found.version, found.retries) == (3, 1)
