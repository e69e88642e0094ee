"""The stand-in for Isaac Sim fails what Isaac Sim would not take."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from isaac_binding import API, OutOfOrder, installed, signature_of
from isaac_standin import BLANK_FRAMES, Standin, write_stage

from refergym.assets.composers.base import Wants
from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.library import open_pack
from refergym.assets.spec import SceneSpec

pytestmark = pytest.mark.bullet


@pytest.fixture(scope="module")
def scene() -> SceneSpec:
    return Tabletop().compose(11, 0, Wants(graspable=2))


@pytest.fixture
def stage(scene: SceneSpec, tmp_path: Path) -> str:
    return str(write_stage(scene, open_pack(), tmp_path))


@pytest.fixture
def standin() -> Iterator[Standin]:
    made = Standin()
    with installed(made):
        yield made
    made.do_app_stop({})


class Isaac:
    """Isaac's names, as a script imports them once the app runs."""

    def __init__(self) -> None:
        from isaacsim import SimulationApp

        self.app = SimulationApp({"headless": True})
        import isaacsim.core.experimental.utils.app as app_utils
        import isaacsim.core.experimental.utils.stage as stage_utils
        from isaacsim.core.experimental.prims import Articulation, RigidPrim
        from isaacsim.core.simulation_manager import SimulationManager
        from isaacsim.sensors.experimental.rtx import CameraSensor, RtxCamera

        self.utils, self.stages, self.manager = app_utils, stage_utils, SimulationManager
        self.articulation, self.rigid = Articulation, RigidPrim
        self.camera, self.sensor = RtxCamera, CameraSensor

    def open(self, stage: str) -> None:
        assert self.stages.open_stage(stage)[0]
        self.utils.update_app(steps=2)
        self.manager.setup_simulation(dt=1 / 240, device="cpu")

    def play(self, stage: str) -> Any:
        self.open(stage)
        robot = self.articulation("/World/robot")
        self.utils.play(commit=True)
        return robot


@pytest.fixture
def isaac(standin: Standin) -> Isaac:
    return Isaac()


def test_what_it_binds_are_the_published_signatures() -> None:
    assert len(API) > 30
    assert str(signature_of("(self, path, *, resolution=)")) == "(self, path, *, resolution=None)"
    methods = [m for record in API.values() if isinstance(record, dict) for m in record.values()]
    texts = [record for record in API.values() if isinstance(record, str)]
    for text in (*texts, *methods):
        assert text == "property" or signature_of(text)


def test_nothing_but_the_app_is_there_before_it_runs(standin: Standin) -> None:
    with pytest.raises(ModuleNotFoundError, match="no SimulationApp runs"):
        import isaacsim.core.experimental.prims  # noqa: F401


def test_a_module_or_name_that_is_not_published_is_not_there(isaac: Isaac) -> None:
    with pytest.raises(ModuleNotFoundError):
        import isaacsim.core.api  # noqa: F401
    with pytest.raises(ImportError):
        from isaacsim.core.experimental.prims import SingleArticulation  # noqa: F401


@pytest.mark.parametrize(
    "call",
    [
        lambda i: i.sensor("/World/c", frequency=20),
        lambda i: i.stages.open_stage(),
        lambda i: i.stages.open_stage("a.usd", "b"),
        lambda i: i.stages.open_stage(path="a.usd"),
        lambda i: i.manager.step(4),
        lambda i: i.rigid("/World/x", prim_path="/World/x"),
        lambda i: i.app.close(wait=True),
    ],
)
def test_arguments_that_do_not_fit_fail(call: Any, isaac: Isaac) -> None:
    with pytest.raises(TypeError):
        call(isaac)


def test_names_of_the_older_api_fail(isaac: Isaac, stage: str) -> None:
    robot = isaac.play(stage)
    with pytest.raises(AttributeError):
        robot.set_joint_positions(np.zeros(9))
    with pytest.raises(AttributeError):
        robot.gains = 3
    with pytest.raises(AttributeError):
        isaac.manager.reset()


def test_a_second_app_fails(isaac: Isaac) -> None:
    with pytest.raises(OutOfOrder, match="second SimulationApp"):
        Isaac()


def test_an_unknown_launch_option_fails(standin: Standin) -> None:
    from isaacsim import SimulationApp

    with pytest.raises(TypeError, match="launch_config"):
        SimulationApp({"headles": True})


@pytest.mark.parametrize(
    "call",
    [
        lambda i, s: i.articulation("/World/robot"),
        lambda i, s: i.rigid(["/World/objects/x"]),
        lambda i, s: i.camera("/World/cameras/mine", positions=[[0, 0, 1]]),
        lambda i, s: i.manager.setup_simulation(dt=1 / 240),
        lambda i, s: i.utils.play(),
        lambda i, s: (i.stages.open_stage(s), i.articulation("/World/robot")),
        lambda i, s: (i.open(s), i.manager.step(steps=1)),
        lambda i, s: (i.open(s), i.articulation("/World/robot").get_dof_positions()),
        lambda i, s: (i.play(s), i.manager.setup_simulation(dt=1 / 240)),
        lambda i, s: (i.play(s), i.stages.open_stage(s)),
    ],
)
def test_calls_out_of_order_fail(call: Any, isaac: Isaac, stage: str) -> None:
    with pytest.raises(OutOfOrder):
        call(isaac, stage)


def test_use_after_close_fails(isaac: Isaac, stage: str) -> None:
    robot = isaac.play(stage)
    isaac.app.close()
    for call in (robot.get_dof_positions, isaac.app.update, isaac.utils.stop):
        with pytest.raises(OutOfOrder, match="no SimulationApp runs"):
            call()
    with pytest.raises(OutOfOrder, match="second"):
        Isaac()


def test_prims_of_a_stage_that_was_closed_are_of_no_use(isaac: Isaac, stage: str) -> None:
    robot = isaac.play(stage)
    robot.get_dof_positions()
    isaac.utils.stop()
    isaac.play(stage)
    with pytest.raises(OutOfOrder, match="no longer open"):
        robot.get_dof_positions()


def test_prims_that_are_not_in_the_stage_fail(isaac: Isaac, stage: str) -> None:
    isaac.open(stage)
    with pytest.raises(ValueError, match="no prim at /World/Robot"):
        isaac.articulation("/World/Robot")
    with pytest.raises(ValueError, match="OmniSensorAPI"):
        isaac.camera("/World/cameras/view")
    with pytest.raises(ValueError, match="not USD open-able"):
        isaac.stages.open_stage("scene.json")


def test_contacts_need_filters_and_tracking_before_physics(
    isaac: Isaac, stage: str, scene: SceneSpec
) -> None:
    isaac.open(stage)
    finger, thing = "/World/robot/panda_leftfinger", f"/World/objects/{scene.objects[0].id}"
    bare = isaac.rigid([finger])
    silent = isaac.rigid([finger], contact_filter_paths=[thing])
    isaac.utils.play()
    with pytest.raises(AssertionError, match="contact_filter_paths"):
        bare.get_contact_force_matrix()
    with pytest.raises(OutOfOrder, match="tracking"):
        silent.get_contact_force_matrix()
    with pytest.raises(OutOfOrder, match="before physics"):
        silent.set_enabled_contact_tracking([True])


def test_fabric_is_updated_only_where_it_is_enabled(isaac: Isaac, stage: str) -> None:
    isaac.play(stage)
    with pytest.raises(ValueError, match="fabric"):
        isaac.manager.step(steps=1, update_fabric=True)


def test_a_camera_has_data_only_after_some_frames_of_a_simulation_that_plays(
    isaac: Isaac, stage: str
) -> None:
    isaac.open(stage)
    prim = isaac.camera("/World/cameras/mine", positions=[[1, 0, 1]], orientations=[[1, 0, 0, 0]])
    lens = prim.camera
    lens.set_focal_lengths([20.0])
    lens.set_apertures(horizontal_apertures=[20.0], vertical_apertures=[20.0])
    lens.set_clipping_ranges(near_distances=[0.01], far_distances=[10.0])
    sensor = isaac.sensor(prim, resolution=(32, 32), annotators=["rgb"])
    isaac.utils.update_app(steps=2 * BLANK_FRAMES)
    assert sensor.get_data("rgb") == (None, {})
    isaac.utils.play()
    assert sensor.get_data("rgb")[0].numpy().shape == (32, 32, 3)
    with pytest.raises(ValueError, match="not configured"):
        sensor.get_data("distance_to_image_plane")


def test_an_update_of_the_app_advances_physics_unless_told_not_to(
    isaac: Isaac, standin: Standin, stage: str
) -> None:
    robot = isaac.play(stage)
    robot.set_dof_position_targets(np.zeros((1, 9)))
    before = standin.world.state().digest()
    isaac.app.set_setting("/app/player/playSimulations", False)
    isaac.app.update()
    assert standin.world.state().digest() == before
    isaac.app.set_setting("/app/player/playSimulations", True)
    isaac.app.update()
    assert standin.world.state().digest() != before


def test_a_call_that_it_cannot_answer_fails(isaac: Isaac, stage: str) -> None:
    robot = isaac.play(stage)
    with pytest.raises(NotImplementedError, match="get_jacobian_matrices"):
        robot.get_jacobian_matrices()


def test_it_leaves_nothing_behind() -> None:
    with installed(Standin()):
        import isaacsim
    with pytest.raises(ModuleNotFoundError):
        import isaacsim  # noqa: F401
