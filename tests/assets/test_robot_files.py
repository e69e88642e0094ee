"""The Panda's files: complete, small, unchanged where it matters, and checked on load."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from refergym.assets.errors import PackError
from refergym.assets.robots import decimate, panda_model
from refergym.assets.robots.kinematics import LINKS, link_poses

URDF = ET.parse(panda_model.panda_urdf()).getroot()


def test_every_link_has_a_visual_of_sound_arrays() -> None:
    visuals = panda_model.panda_visuals()
    assert tuple(v.link for v in visuals) == LINKS
    for v in visuals:
        assert v.vertices.dtype == v.normals.dtype == np.float32
        assert v.faces.min() >= 0
        assert v.faces.max() < len(v.vertices)
        assert v.colours.shape == v.faces.shape
        assert np.abs(np.linalg.norm(v.normals, axis=1) - 1).max() < 1e-4


def test_the_arm_has_about_seven_thousand_triangles() -> None:
    assert 6000 <= sum(len(v.faces) for v in panda_model.panda_visuals()) <= 7500


def test_the_arm_keeps_its_white_and_its_dark_parts() -> None:
    colours = np.concatenate([v.colours for v in panda_model.panda_visuals()]).mean(1)
    assert (colours > 200).mean() > 0.5
    assert 0.03 < (colours < 80).mean() < 0.5


def test_the_right_finger_mirrors_the_left() -> None:
    by_link = {v.link: v for v in panda_model.panda_visuals()}
    left, right = by_link["leftfinger"].vertices, by_link["rightfinger"].vertices
    assert np.allclose(left * [-1, -1, 1], right)


def test_mesh_paths_are_relative_and_the_files_are_there() -> None:
    names = [m.attrib["filename"] for m in URDF.iter("mesh")]
    assert len(names) == 22
    for name in names:
        assert not name.startswith(("/", "package:"))
        assert (panda_model.FOLDER / name).is_file()


def test_joint_limits_and_the_grasp_target_are_franka_s() -> None:
    joints = {j.attrib["name"]: j for j in URDF.iter("joint")}
    limits = [joints[f"panda_joint{k}"].find("limit") for k in range(1, 8)]
    upper = [float(limit.attrib["upper"]) for limit in limits if limit is not None]
    assert upper == [2.9671, 1.8326, 2.9671, 0.0, 2.9671, 3.8223, 2.9671]
    for k in (1, 2):
        limit = joints[f"panda_finger_joint{k}"].find("limit")
        assert limit is not None
        assert (float(limit.attrib["lower"]), float(limit.attrib["upper"])) == (0.0, 0.04)
    target = joints["panda_grasptarget_hand"]
    origin = target.find("origin")
    assert target.attrib["type"] == "fixed"
    assert origin is not None
    assert origin.attrib["xyz"] == "0 0 0.105"


def test_licence_and_notice_of_changes_come_along() -> None:
    assert "Apache License" in (panda_model.FOLDER / "LICENSE.txt").read_text()
    notice = (panda_model.FOLDER / "NOTICE").read_text()
    assert "Franka Emika" in notice
    assert "Changes" in notice
    assert "Franka Emika" in panda_model.panda_urdf().read_text()[:600]


def test_a_truncated_file_of_visuals_is_named(tmp_path: Path) -> None:
    path = tmp_path / "visuals.npz"
    data = (panda_model.FOLDER / "visuals.npz").read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(PackError, match=r"visuals\.npz: damaged"):
        panda_model.load_visuals(path)


def test_a_flipped_byte_in_the_visuals_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "visuals.npz"
    data = bytearray((panda_model.FOLDER / "visuals.npz").read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(PackError, match=r"visuals\.npz: damaged"):
        panda_model.load_visuals(path)


def test_missing_visuals_are_named(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"visuals\.npz: cannot read"):
        panda_model.load_visuals(tmp_path / "visuals.npz")


def test_decimation_keeps_shape_and_colours_of_each_material() -> None:
    """A finely cut ball of two materials: few triangles later, it is still a ball of two."""
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.1)
    v, f = np.asarray(ball.vertices), np.asarray(ball.faces, np.int64)
    is_top = v[f].mean(1)[:, 2] > 0
    mesh = decimate.decimated([(v, f[is_top], (255, 255, 255)), (v, f[~is_top], (64, 64, 64))], 600)
    assert 400 <= len(mesh.faces) <= 700
    assert np.abs(np.linalg.norm(mesh.vertices, axis=1) - 0.1).max() < 0.004
    height = mesh.vertices[mesh.faces].mean(1)[:, 2]
    assert (mesh.colours[height > 0.02] == 255).all()
    assert (mesh.colours[height < -0.02] == 64).all()


@pytest.mark.bullet
def test_pybullet_loads_the_arm_and_agrees_with_the_kinematics() -> None:
    pybullet = pytest.importorskip("pybullet")
    client = pybullet.connect(pybullet.DIRECT)
    try:
        arm = pybullet.loadURDF(
            str(panda_model.panda_urdf()), useFixedBase=True, physicsClientId=client
        )
        count = pybullet.getNumJoints(arm, physicsClientId=client)
        info = [pybullet.getJointInfo(arm, i, physicsClientId=client) for i in range(count)]
        moving = [i for i in range(count) if info[i][2] != pybullet.JOINT_FIXED]
        joints = np.array([0.3, -0.5, 0.2, -2.2, 0.1, 1.8, 0.7, 0.02, 0.03])
        assert len(moving) == len(joints)
        for i, q in zip(moving, joints, strict=True):
            pybullet.resetJointState(arm, i, q, physicsClientId=client)
        index = {info[i][12].decode().removeprefix("panda_"): i for i in range(count)}
        for link, pose in list(zip(LINKS, link_poses(joints), strict=True))[1:]:
            state = pybullet.getLinkState(arm, index[link], True, True, physicsClientId=client)
            assert np.allclose(state[4], pose[:3, 3], atol=1e-5), link
            rotation = np.array(pybullet.getMatrixFromQuaternion(state[5])).reshape(3, 3)
            assert np.allclose(rotation, pose[:3, :3], atol=1e-5), link
    finally:
        pybullet.disconnect(client)


@pytest.mark.bullet
def test_the_finger_pads_keep_their_shape() -> None:
    """The pads' corners are those of the full mesh: what the grasps were tuned on."""
    data = pytest.importorskip("pybullet_data")
    source = Path(data.getDataPath()) / "franka_panda" / "meshes" / "collision" / "finger.obj"

    def corners(path: Path) -> np.ndarray:
        lines = [line.split() for line in path.read_text().splitlines()]
        return np.array([[float(x) for x in w[1:4]] for w in lines if w[:1] == ["v"]])

    ours = corners(panda_model.FOLDER / "meshes" / "collision" / "finger.obj")
    away = np.linalg.norm(ours[:, None] - corners(source)[None], axis=2).min(1)
    assert len(ours) >= 16
    assert away.max() < 2e-6
