"""The USD export has what Isaac's backend asks of a stage, by USD's own reading of it."""

from pathlib import Path

import numpy as np
import pytest

from refergym.assets.composers.base import Wants
from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.library import open_pack
from refergym.envs.backends import isaac_stage
from refergym.envs.backends.isaac_world import DOFS, FINGERS
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.rollouts.contract_checks import settled

pytest.importorskip("pxr", reason="needs the extra usd")


def test_the_prims_that_the_backend_wraps_are_there(tmp_path: Path) -> None:
    from pxr import Usd, UsdGeom, UsdPhysics

    scene = settled(KinematicBackend(), Tabletop().compose(11, 0, Wants(graspable=2)))
    stage = isaac_stage.write(scene, open_pack(), tmp_path, "kinematic")
    opened = Usd.Stage.Open(str(stage.file))
    robot = opened.GetPrimAtPath(isaac_stage.ROBOT)
    assert robot.HasAPI(UsdPhysics.ArticulationRootAPI)
    joints = {p.GetName() for p in Usd.PrimRange(robot) if p.IsA(UsdPhysics.Joint)}
    assert set(DOFS) <= joints
    for path in (*stage.objects, *(f"{isaac_stage.ROBOT}/{name}" for name in FINGERS)):
        assert opened.GetPrimAtPath(path).HasAPI(UsdPhysics.RigidBodyAPI), path
    for path in (*stage.supports, *stage.fixtures, isaac_stage.CAMERAS):
        assert opened.GetPrimAtPath(path), path
    cache = UsdGeom.XformCache()
    for path, pose in zip(stage.objects, scene.settled["kinematic"], strict=True):
        at = cache.GetLocalToWorldTransform(opened.GetPrimAtPath(path)).ExtractTranslation()
        np.testing.assert_allclose(at, pose.position, atol=1e-6)
