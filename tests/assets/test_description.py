"""A robot's URDF as links and joints."""

import numpy as np
import pytest

from refergym.assets.errors import PackError
from refergym.assets.robots.description import read_urdf
from refergym.assets.robots.kinematics import LINKS, LOWER, UPPER, link_poses
from refergym.assets.robots.panda_model import panda_urdf


def test_the_pandas_joints_lead_to_the_poses_of_its_kinematics():
    described = read_urdf(panda_urdf())
    assert [link.name for link in described.links] == [f"panda_{name}" for name in LINKS]
    rng = np.random.default_rng(0)
    for _ in range(5):
        q = np.concatenate([rng.uniform(LOWER, UPPER), rng.uniform(0, 0.04, 2)])
        values = dict(zip([j.name for j in described.joints if j.kind != "fixed"], q, strict=True))
        poses = {"panda_link0": np.eye(4)}
        for joint in described.joints:
            moved = np.eye(4)
            value = values.get(joint.name, 0.0)
            if joint.kind == "prismatic":
                moved[:3, 3] = joint.axis * value
            elif joint.kind == "revolute":
                assert joint.axis.tolist() == [0, 0, 1]
                c, s = np.cos(value), np.sin(value)
                moved[:2, :2] = [[c, -s], [s, c]]
            poses[joint.child] = poses[joint.parent] @ joint.origin @ moved
        expected = link_poses(q)
        for name, matrix in zip(LINKS, expected, strict=True):
            assert poses[f"panda_{name}"] == pytest.approx(matrix, abs=1e-6)


def test_links_without_mass_are_frames():
    described = read_urdf(panda_urdf())
    frames = {f.name: f for f in described.frames}
    assert set(frames) == {"panda_link8", "panda_grasptarget"}
    assert frames["panda_grasptarget"].link == "panda_hand"
    assert frames["panda_grasptarget"].origin[:3, 3] == pytest.approx((0, 0, 0.105))
    hand = next(j for j in described.joints if j.child == "panda_hand")
    assert (hand.kind, hand.parent) == ("fixed", "panda_link7")
    assert hand.origin[2, 3] == pytest.approx(0.107)


def test_masses_limits_and_what_follows_what_are_those_of_the_file():
    described = read_urdf(panda_urdf())
    assert sum(link.mass for link in described.links) == pytest.approx(17.96)
    joints = {j.name: j for j in described.joints}
    assert joints["panda_joint4"].lower == pytest.approx(-3.1416)
    assert joints["panda_joint5"].effort == 12
    assert joints["panda_finger_joint2"].mimics == "panda_finger_joint1"
    assert joints["panda_finger_joint2"].axis.tolist() == [0, -1, 0]


def test_what_is_no_urdf_is_named(tmp_path):
    with pytest.raises(PackError, match=r"none\.urdf: cannot read the robot's URDF"):
        read_urdf(tmp_path / "none.urdf")
    for text, complaint in (
        ("<robot", "ParseError"),
        ('<robot><joint name="a" type="floating"/></robot>', "joint 'a' is of type 'floating'"),
        ('<robot><joint name="a" type="fixed"/></robot>', "joint 'a' has no parent"),
    ):
        (tmp_path / "bad.urdf").write_text(text)
        with pytest.raises(PackError, match=rf"bad\.urdf: not a readable URDF .*{complaint}"):
            read_urdf(tmp_path / "bad.urdf")
