"""Isaac's backend over the stand-in: every call binds, in order; skills, camera, life cycle."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import remote_parts
from isaac_binding import installed
from isaac_parts import FaultyBackend, StandinBackend
from isaac_standin import Standin

from refergym.assets.composers.base import Wants
from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.library import open_pack
from refergym.assets.spec import SceneSpec
from refergym.envs import make_env
from refergym.envs.backends import isaac_stage
from refergym.envs.backends.isaac_camera import our_ids, prim_ids, returns
from refergym.envs.backends.isaac_inside import IsaacInside
from refergym.envs.errors import BackendError, ClosedError
from refergym.envs.geometry.caster import Caster
from refergym.envs.render.embree import EmbreeRenderer
from refergym.envs.types import ID_FIXTURE, ID_NOTHING, ID_ROBOT, ID_SUPPORT, Event, State
from refergym.rollouts.contract_checks import graspable, settled, top_of

pytestmark = pytest.mark.bullet
CASTER = Caster()


@pytest.fixture(scope="module")
def composed() -> SceneSpec:
    return Tabletop().compose(11, 0, Wants(graspable=2))


@pytest.fixture
def standin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    monkeypatch.setattr(isaac_stage, "WRITER", "isaac_standin")
    monkeypatch.setattr("refergym.envs.backends.isaac_app._running", [])
    made = Standin()
    with installed(made) as calls:
        made.calls = calls  # type: ignore[attr-defined]
        yield made
    made.do_app_stop({})


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", remote_parts.PATH)


def test_it_picks_looks_places_and_closes(standin: Standin, composed: SceneSpec) -> None:
    backend = IsaacInside()
    spec = settled(backend, composed)
    backend.reset(spec)
    before = backend.state()
    target = graspable(CASTER, spec)[0]
    assert backend.pick(top_of(CASTER, spec, before, target)).event is Event.PICKED
    held = backend.state()
    assert held.held == target
    assert held.objects[target, 2] > before.objects[target, 2] + 0.1
    frame = backend.look()
    again = backend.state()
    assert again.digest() == held.digest()  # a look leaves the world as it is
    ours = EmbreeRenderer().render(spec, held)
    assert (frame.ids == ours.ids).mean() > 0.999
    assert target in frame.ids or (ours.ids != target).all()
    np.testing.assert_allclose(frame.depth, ours.depth, atol=1e-4)
    assert backend.place(np.array([0.45, 0.0, 0.0])).event is Event.PLACED
    assert backend.state().held == -1
    backend.close()
    backend.close()
    with pytest.raises(ClosedError):
        backend.state()
    assert standin.is_closed
    calls = Counter(standin.calls)  # type: ignore[attr-defined]
    assert calls["isaacsim.simulation_app.SimulationApp.__init__"] == 1
    assert calls["isaacsim.core.experimental.utils.stage.open_stage"] == 2
    assert calls["isaacsim.sensors.experimental.rtx.CameraSensor.__init__"] == 1


def test_pictures_follow_what_moves_and_any_camera(standin: Standin, composed: SceneSpec) -> None:
    backend = IsaacInside()
    spec = settled(backend, composed)
    backend.reset(spec)
    first = backend.look()
    target = graspable(CASTER, spec)[0]
    backend.pick(top_of(CASTER, spec, backend.state(), target))
    assert (backend.look().ids != first.ids).any()
    off = msgspec.structs.replace(spec.camera, width=160, height=120, cx=90.0, cy=50.0)
    ours = EmbreeRenderer().render(spec, backend.state(), off)
    frame = backend.look(off)
    assert frame.ids.shape == (120, 160)
    assert (frame.ids == ours.ids).mean() > 0.999
    wide = msgspec.structs.replace(spec.camera, fx=spec.camera.fx * 2)
    with pytest.raises(BackendError, match="square pixels"):
        backend.look(wide)
    backend.close()


def test_a_scene_without_objects_is_a_scene(standin: Standin, composed: SceneSpec) -> None:
    backend = IsaacInside()
    spec = settled(backend, msgspec.structs.replace(composed, objects=(), settled={}))
    backend.reset(spec)
    assert backend.state().objects.shape == (0, 7)
    assert backend.pick(np.array([0.5, 0.0, 0.0])).event is Event.NO_GRASP
    backend.close()


def test_stages_of_earlier_resets_are_removed(standin: Standin, composed: SceneSpec) -> None:
    backend = IsaacInside()
    spec = settled(backend, composed)
    for _ in range(3):
        backend.reset(spec)
    folder = Path(backend._folder.name)
    assert len(list(folder.iterdir())) == 1
    backend.close()
    assert not folder.exists()


def test_a_process_has_one(standin: Standin) -> None:
    backend = IsaacInside()
    with pytest.raises(BackendError, match="once in a process"):
        IsaacInside()
    backend.close()
    with pytest.raises(BackendError, match="once in a process"):
        IsaacInside()


def test_without_isaac_it_says_so_in_one_line() -> None:
    with pytest.raises(BackendError, match="cannot be imported here") as error:
        IsaacInside()
    assert "\n" not in str(error.value)


def test_a_stage_that_does_not_open_or_has_another_robot_is_named(
    standin: Standin, composed: SceneSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = IsaacInside()
    monkeypatch.setattr(standin, "do_Articulation_dof_names", lambda given: ["joint_a"])
    with pytest.raises(BackendError, match=r"no joint 'panda_joint1' in the stage \(has: joint_a"):
        backend.settle(composed)
    monkeypatch.setattr(standin, "do_stage_open_stage", lambda given: (False, None))
    with pytest.raises(BackendError, match="cannot open the stage"):
        backend.settle(composed)
    backend.close()


def test_a_missing_usd_export_is_named(
    standin: Standin, composed: SceneSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = IsaacInside()
    monkeypatch.setattr(isaac_stage, "WRITER", "refergym.assets.nowhere")
    with pytest.raises(BackendError, match="needs the USD export"):
        backend.settle(composed)
    backend.close()


def test_instances_get_our_ids() -> None:
    scene = Tabletop().compose(11, 1, Wants())
    stage = isaac_stage.named(scene, Path("scene.usda"))
    ids = prim_ids(stage)
    labels = {
        "0": "BACKGROUND",
        "3": f"{stage.objects[1]}/visual/mesh",
        4: stage.supports[0],
        "9": "/World/robot/panda_hand",
        "11": "/World/pedestal/box",
        "12": f"{stage.objects[1]}0",  # a name that only begins like another
        "70": "INVALID",
    }
    shown = np.array([[0, 3, 4], [9, 11, 12], [70, 71, 3]], np.uint32)
    np.testing.assert_array_equal(
        our_ids(shown, labels, ids),
        [[ID_NOTHING, 1, ID_SUPPORT], [ID_ROBOT] * 2 + [ID_NOTHING], [ID_NOTHING, ID_NOTHING, 1]],
    )
    assert ID_FIXTURE not in ids.values() or scene.fixtures


def test_depth_without_return_is_0() -> None:
    depth = np.array([[0.5, np.inf], [np.nan, 12.0]])
    np.testing.assert_array_equal(returns(depth, 10.0), np.array([[0.5, 0], [0, 0]], np.float32))


def test_its_process_ends_as_simulation_app_does(workers: None, composed: SceneSpec) -> None:
    backend = StandinBackend()
    assert backend.kind == "isaac"
    assert backend.pid is None
    backend.reset(settled(backend, composed))
    assert backend.look().rgb.shape == (224, 224, 3)
    moments: list[State] = []
    backend.recorder = moments.append
    backend.pick(np.array([-3.0, 0.0, 2.0]))
    spec = settled(backend, composed)
    backend.reset(spec)
    backend.pick(top_of(CASTER, spec, backend.state(), graspable(CASTER, spec)[0]))
    assert len(moments) > 10
    process = backend._worker._process  # type: ignore[union-attr]
    backend.close()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("fault", "said"), [("crash", "killed by SIGSEGV"), ("hang", "in call_s = 10 s")]
)
def test_a_fault_is_one_line_and_the_next_reset_has_a_new_isaac(
    fault: str,
    said: str,
    workers: None,
    composed: SceneSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = tmp_path / "fault"
    told.write_text(fault)
    monkeypatch.setenv("ISAAC_FAULT", str(told))
    backend = FaultyBackend(call_s=10.0)
    spec = settled(backend, composed)
    backend.reset(spec)
    first = backend.pid
    point = top_of(CASTER, spec, backend.state(), graspable(CASTER, spec)[0])
    with pytest.raises(BackendError, match=said):
        backend.pick(point)
    assert first is not None
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    told.write_text("none")
    backend.reset(spec)
    assert backend.pick(point).event is Event.PICKED
    backend.close()


def test_an_environment_plays_in_it(workers: None) -> None:
    env = make_env("pick_place", overrides=["backend=isaac"])
    refer: Any = env
    refer._make_backend = StandinBackend
    _, info = env.reset(seed=5)
    for _ in range(2):
        u, v = info["truth"]["point_uv"]
        *_, info = env.step(np.array([u, v]))
    assert info["verdict"].success
    env.close()


def test_the_pack_that_is_given_is_the_one_inside(workers: None, composed: SceneSpec) -> None:
    backend = StandinBackend(pack=open_pack())
    assert len(backend.settle(composed)) == len(composed.objects)
    backend.close()
