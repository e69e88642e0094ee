import numpy as np
import pytest

from refergym.agents.anything import AnythingPolicy
from refergym.agents.center import CenterPolicy
from refergym.agents.oracle import OraclePolicy
from refergym.agents.policy import Policy
from refergym.agents.uniform import UniformPolicy


def observations(n):
    return [
        {
            "rgb": np.zeros((8, 8, 3), np.uint8),
            "depth": np.zeros((8, 8), np.float32),
            "intrinsics": np.eye(3),
            "instruction": "point at the cup",
            "holding": 0,
            "event": 0,
        }
    ] * n


@pytest.mark.parametrize("kind", [AnythingPolicy, CenterPolicy, OraclePolicy, UniformPolicy])
def test_policies_fit_the_protocol(kind):
    assert isinstance(kind(), Policy)


def test_only_the_oracle_is_privileged():
    assert OraclePolicy().privileged
    assert not UniformPolicy().privileged
    assert not CenterPolicy().privileged


def test_random_answers_depend_on_the_seed_and_not_on_the_batch():
    policy = UniformPolicy()
    together = policy.act(observations(3), seeds=[5, 6, 5])
    assert together[0] == together[2] != together[1]
    assert policy.act(observations(1), seeds=[6]) == [together[1]]


def test_random_points_fill_the_picture_evenly():
    points = np.array(
        [a.point_uv for a in UniformPolicy().act(observations(4000), seeds=range(4000))]
    )
    counts, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=4, range=[[0, 1], [0, 1]])
    assert points.min() >= 0
    assert points.max() <= 1
    assert counts.min() > 200
    assert abs(np.corrcoef(points.T)[0, 1]) < 0.05


def test_center_answers_the_middle():
    assert [a.point_uv for a in CenterPolicy().act(observations(2), seeds=[0, 1])] == [
        (0.5, 0.5)
    ] * 2


def test_anything_points_at_each_thing_that_is_large_enough_as_often():
    ids = np.full((40, 50), -1)
    ids[5:10, 5:15] = 3
    ids[30:36, 40:48] = 7
    ids[0, 0] = 9  # one pixel of 2,000
    answers = AnythingPolicy().act(observations(400), seeds=range(400), truths=[{"ids": ids}] * 400)
    pixels = [(int(v * 40), int(u * 50)) for u, v in (a.point_uv for a in answers)]
    hits = [ids[p] for p in pixels]
    assert set(hits) == {3, 7}
    assert 150 < hits.count(3) < 250
    assert set(pixels) <= {(y, x) for y in (6, 7, 32, 33) for x in (9, 10, 43, 44)}


def test_anything_points_anywhere_where_there_is_nothing():
    truths = [{"ids": np.full((8, 8), -1)}] * 2
    first, other = AnythingPolicy().act(observations(2), seeds=[0, 1], truths=truths)
    assert first.point_uv != other.point_uv
    with pytest.raises(ValueError, match="truths: 'anything' needs"):
        AnythingPolicy().act(observations(1), seeds=[0])


def test_the_oracle_answers_the_truth_of_each_episode():
    truths = [{"point_uv": (0.25, 0.75)}, {"point_uv": np.array([0.5, 0.125])}]
    answers = OraclePolicy().act(observations(2), seeds=[0, 1], truths=truths)
    assert [a.point_uv for a in answers] == [(0.25, 0.75), (0.5, 0.125)]


def test_the_oracle_has_no_point_where_nothing_right_is_seen():
    answers = OraclePolicy().act(observations(1), seeds=[0], truths=[{"point_uv": None}])
    assert answers[0].point_uv is None


def test_the_oracle_without_truths_says_what_it_needs():
    with pytest.raises(ValueError, match="truths: the oracle needs"):
        OraclePolicy().act(observations(1), seeds=[0])
