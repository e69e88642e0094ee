import numpy as np
import pytest

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


@pytest.mark.parametrize("kind", [CenterPolicy, OraclePolicy, UniformPolicy])
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
