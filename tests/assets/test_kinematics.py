import importlib.util
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refergym.assets.robots import kinematics
from refergym.assets.robots.kinematics import link_poses, solve_down, tcp_pose


@given(
    x=st.floats(0.3, 0.68),
    y=st.floats(-0.25, 0.25),
    z=st.floats(0.0, 0.3),
    yaw=st.floats(-1.5, 1.5),
)
def test_a_solved_posture_puts_the_gripper_there_pointing_down(x, y, z, yaw) -> None:
    q = solve_down(np.array([x, y, z]), yaw)
    if q is None:
        assert math.hypot(x, y) > 0.69 or math.hypot(x, y) < 0.34
        return
    pose = tcp_pose(q)
    np.testing.assert_allclose(pose[:3, 3], [x, y, z], atol=1e-9)
    np.testing.assert_allclose(pose[:3, 2], [0, 0, -1], atol=1e-9)
    assert abs(math.sin(math.atan2(pose[1, 1], pose[0, 1]) - yaw)) < 1e-9
    assert (q >= kinematics.LOWER).all()
    assert (q <= kinematics.UPPER).all()


@given(yaw=st.floats(-3.1, 3.1))
def test_an_exact_yaw_is_not_half_a_turn_off(yaw) -> None:
    q = solve_down(np.array([0.5, 0.0, 0.1]), yaw, exact=True)
    if q is not None:
        pose = tcp_pose(q)
        assert abs(math.remainder(math.atan2(pose[1, 1], pose[0, 1]) - yaw, 2 * math.pi)) < 1e-9


def test_the_half_turn_nearer_to_a_posture_is_taken() -> None:
    point = np.array([0.5, 0.0, 0.1])
    for near in (-2.0, 2.0):
        q = solve_down(point, 0.7, np.array([0, 0, 0, 0, 0, 0, near]))
        assert q is not None
        assert abs(q[6] - near) <= math.pi / 2 + 1e-9


@pytest.mark.parametrize("point", [(1.2, 0, 0), (0.05, 0, 0.1), (0.5, 0, -2), (0, 0, 0.1)])
def test_what_is_out_of_reach_has_no_posture(point) -> None:
    assert solve_down(np.array(point, float), 0.0) is None


def test_fingers_open_along_the_closing_axis() -> None:
    q = np.array([0.3, -0.5, 0.1, -2.0, 0.2, 1.8, 0.4])
    shut, wide = link_poses(np.r_[q, 0, 0]), link_poses(np.r_[q, 0.03, 0.02])
    axis = shut[8][:3, 1]
    np.testing.assert_allclose(wide[9][:3, 3] - shut[9][:3, 3], 0.03 * axis, atol=1e-12)
    np.testing.assert_allclose(wide[10][:3, 3] - shut[10][:3, 3], -0.02 * axis, atol=1e-12)


@pytest.mark.skipif(
    importlib.util.find_spec("pybullet") is None, reason="PyBullet has no wheel here"
)
def test_forward_kinematics_agree_with_pybullets() -> None:
    import pybullet as p

    from refergym.assets.robots.panda_model import panda_urdf

    client = p.connect(p.DIRECT)
    try:
        body = p.loadURDF(str(panda_urdf()), useFixedBase=True, physicsClientId=client)
        rng = np.random.default_rng(0)
        for _ in range(5):
            q = rng.uniform(kinematics.LOWER, kinematics.UPPER)
            for joint in range(7):
                p.resetJointState(body, joint, q[joint], physicsClientId=client)
            hand = p.getLinkState(body, 8, computeForwardKinematics=1, physicsClientId=client)
            np.testing.assert_allclose(link_poses(q)[8][:3, 3], hand[4], atol=1e-6)
    finally:
        p.disconnect(client)
