"""Newton: what is written into its model, what is kept, several worlds in one process."""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from refergym.assets import poses
from refergym.assets.composers.base import Wants
from refergym.assets.composers.infinigen import Infinigen
from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.errors import PackError
from refergym.assets.robots.panda_model import PAD_FRICTION
from refergym.assets.spec import Pose, SceneSpec
from refergym.assets.usd import names
from refergym.envs.backends import newton_model
from refergym.envs.backends.newton import NewtonBackend
from refergym.envs.backends.newton_worlds import Worlds
from refergym.envs.errors import BackendError
from refergym.envs.geometry.caster import Caster
from refergym.envs.types import Event, State
from refergym.rollouts.contract_checks import graspable, settled, top_of

pytest.importorskip("newton")
CASTER = Caster()
PACK = CASTER.pack


@pytest.fixture(scope="module")
def scenes() -> list[SceneSpec]:
    """Of different numbers of things."""
    made = [Tabletop().compose(11, index=i, wants=Wants(graspable=2)) for i in range(6)]
    few = min(made, key=lambda s: len(s.objects))
    many = max(made, key=lambda s: len(s.objects))
    assert len(few.objects) < len(many.objects)
    return [few, many]


@pytest.fixture(scope="module")
def backend() -> Iterator[NewtonBackend]:
    made = NewtonBackend(device="cpu")
    yield made
    made.close()


def interrupting(backend: NewtonBackend, steps: int) -> Callable[[], None]:
    """Give what steps a backend's physics, but is interrupted after so many steps."""
    step, left = backend.world.physics._step, iter(range(steps))

    def one() -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        step()

    return one


def frictions(model: newton_model.WorldModel, start: str) -> set[float]:
    found = zip(model.builder.shape_label, model.builder.shape_material_mu, strict=True)
    return {round(float(mu), 6) for label, mu in found if label.startswith(start)}


def test_an_object_has_its_product_with_the_support_below_it(scenes: list[SceneSpec]) -> None:
    first, *others = scenes[1].objects
    rough = msgspec.structs.replace(first, friction=0.7)
    supports = tuple(
        msgspec.structs.replace(s, friction=0.5 if s.top == 0 else 0.2) for s in scenes[1].supports
    )
    scene = msgspec.structs.replace(scenes[1], objects=(rough, *others), supports=supports)
    model = newton_model.world_model(scene, PACK)
    assert frictions(model, f"{names.object_paths(scene)[0]}/") == {0.35}
    own = [0.7, *(PACK[o.asset].friction for o in others)]
    pads = round(PAD_FRICTION[0] * float(np.mean(own)), 6)
    assert frictions(model, f"{names.link_path('leftfinger')}/") == {pads}
    away = msgspec.structs.replace(rough, pose=Pose(position=(3.0, 0.0, -0.74)))
    fallen = msgspec.structs.replace(scene, objects=(away, *others))
    assert newton_model.frictions_beneath(scene)[0] == 0.5
    assert newton_model.frictions_beneath(fallen)[0] == 0.2


def test_a_model_is_kept_for_as_long_as_only_poses_change(
    backend: NewtonBackend, scenes: list[SceneSpec]
) -> None:
    scene = settled(backend, scenes[0])
    backend.reset(scene)
    physics = backend.world.physics
    rest = [
        msgspec.structs.replace(p, position=(*p.position[:2], p.position[2] + 0.1))
        for p in scene.settled["newton"]
    ]
    moved = msgspec.structs.replace(scene, settled={"newton": tuple(rest)})
    backend.reset(moved)
    assert backend.world.physics is physics
    wanted = [poses.as_row(p) for p in rest]
    assert np.abs(backend.state().objects - wanted).max() < 1e-6
    bigger = msgspec.structs.replace(scene.objects[0], scale=scene.objects[0].scale * 1.1)
    other = msgspec.structs.replace(scene, objects=(bigger, *scene.objects[1:]))
    assert newton_model.structure(other) != newton_model.structure(moved)
    assert newton_model.structure(moved) == newton_model.structure(scene)
    backend.reset(settled(backend, other))
    assert backend.world.physics is not physics


def test_a_model_has_the_same_bits_wherever_objects_stood_and_however_they_looked(
    backend: NewtonBackend, scenes: list[SceneSpec]
) -> None:
    scene = settled(backend, scenes[0])
    things = []
    for o in scene.objects:
        x, y, z = o.pose.position
        pose = Pose(position=(x + 0.0371, y - 0.0213, z), orientation=(0.6, 0.0, 0.0, 0.8))
        things.append(msgspec.structs.replace(o, pose=pose, tint=(0.5, 0.6, 0.7)))
    table, *others = scene.supports
    other = msgspec.structs.replace(
        scene,
        seed=scene.seed + 1,
        objects=tuple(things),
        supports=(msgspec.structs.replace(table, colour=(0.1, 0.2, 0.3), texture=None), *others),
        light=msgspec.structs.replace(scene.light, intensity=0.5),
        camera=msgspec.structs.replace(scene.camera, fx=scene.camera.fx + 1),
    )
    assert newton_model.frictions_beneath(other) == newton_model.frictions_beneath(scene)
    assert newton_model.structure(other) == newton_model.structure(scene)
    rough = msgspec.structs.replace(table, friction=table.friction / 2)
    assert newton_model.structure(
        msgspec.structs.replace(scene, supports=(rough, *others))
    ) != newton_model.structure(scene)
    target = graspable(CASTER, scene)[0]
    ends = []
    for one in (scene, other):
        alone = NewtonBackend(device="cpu")
        alone.reset(one)
        alone.pick(top_of(CASTER, scene, alone.state(), target))
        ends.append(alone.state().digest())
        alone.close()
    assert ends[0] == ends[1]


def test_an_interrupted_run_leaves_the_world_as_it_was(
    backend: NewtonBackend, scenes: list[SceneSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.reset(settled(backend, scenes[0]))
    up = backend.state().objects[0] + [0, 0, 0.3, 0, 0, 0, 0]
    backend.world.set_pose(0, up)
    with monkeypatch.context() as patch:
        patch.setattr(backend.world.physics, "_step", interrupting(backend, 20))
        with pytest.raises(KeyboardInterrupt):
            backend.world.step(48)
    assert backend.state().objects[0] == pytest.approx(up, abs=1e-6)
    backend.world.step(1)
    assert up[2] - backend.state().objects[0, 2] < 1e-4, "it falls from there, and from rest"


def test_what_is_tilted_or_fast_where_it_starts_is_so_after_a_step(
    backend: NewtonBackend, scenes: list[SceneSpec]
) -> None:
    backend.reset(settled(backend, scenes[0]))
    before = backend.state().objects[0]
    up = np.array([*before[:2], 0.4, *before[3:]])
    backend.world.set_pose(0, up)
    assert backend.state().objects[0] == pytest.approx(up, abs=1e-6)
    backend.world.step(48)
    fallen = up[2] - backend.state().objects[0, 2]
    assert fallen == pytest.approx(9.81 * 0.1**2 / 2, rel=0.05)


def test_a_world_that_diverges_is_an_error_and_the_next_reset_is_well(
    backend: NewtonBackend,
    scenes: list[SceneSpec],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    scene = settled(backend, scenes[0])
    backend.reset(scene)
    before = backend.state()
    backend.world.set_velocity(0, np.array([np.nan, 0, 0]), np.zeros(3))
    with pytest.raises(BackendError, match="diverged; reset the scene"):
        backend.world.step(5)
    assert not list(tmp_path.iterdir()), "no log of MuJoCo's"
    assert np.isfinite(backend.state().objects).all()
    backend.reset(scene)
    backend.world.step(5)
    assert np.abs(backend.state().objects - before.objects).max() < 1e-3


def test_a_recorder_sees_the_arm_move_and_changes_nothing(
    backend: NewtonBackend, scenes: list[SceneSpec]
) -> None:
    scene = settled(backend, scenes[0])
    ends = []
    seen: list[State] = []
    for hook in (None, seen.append):
        backend.recorder = hook
        backend.reset(scene)
        target = graspable(CASTER, scene)[0]
        backend.pick(top_of(CASTER, scene, backend.state(), target))
        ends.append(backend.state().digest())
    backend.recorder = None
    assert ends[0] == ends[1]
    assert len(seen) > 40
    assert np.ptp([s.joints[0] for s in seen]) > 0.5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"device": "cuda:7"}, r"^device: expected null or one of cpu.*; got 'cuda:7'$"),
        ({"device": "gpu"}, "^device: .*got 'gpu'$"),
        ({"device": ""}, "^device: .*got ''$"),
        ({"device": 0}, "^device: .*got 0$"),
        ({"together": "maybe"}, "^together: expected true, false or null, got 'maybe'$"),
        ({"camera": "no"}, "^camera: expected true or false, got 'no'$"),
    ],
)
def test_a_wrong_argument_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(BackendError, match=message):
        NewtonBackend(**given)


def test_seats_of_one_process_have_one_way_to_be_solved() -> None:
    worlds = Worlds(2)
    NewtonBackend(device="cpu", seat=worlds.seat(0))
    with pytest.raises(BackendError, match="expected one pack, device and together"):
        NewtonBackend(device="cpu", together=True, seat=worlds.seat(1))


def test_without_newton_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "newton", None)
    newton_model.engine.cache_clear()
    try:
        with pytest.raises(BackendError, match=r"pip install 'refergym\[newton\]'"):
            NewtonBackend(device="cpu")
    finally:
        newton_model.engine.cache_clear()


@pytest.fixture(scope="module")
def three(scenes: list[SceneSpec]) -> tuple[Worlds, list[NewtonBackend], list[SceneSpec]]:
    """Worlds that are solved together: two of one scene, one of another."""
    worlds = Worlds(3)
    made = [NewtonBackend(device="cpu", together=True, seat=worlds.seat(k)) for k in range(3)]
    few, many = scenes
    found = worlds.together(
        {k: lambda k=k, s=s: settled(made[k], s) for k, s in enumerate((few, many, few))}
    )
    return worlds, made, [found[k] for k in range(3)]


@pytest.mark.slow
def test_worlds_together_do_what_each_does_alone(
    three: tuple[Worlds, list[NewtonBackend], list[SceneSpec]],
) -> None:
    worlds, made, scenes = three
    assert scenes[0].settled == scenes[2].settled
    targets = [graspable(CASTER, s)[k // 2] for k, s in enumerate(scenes)]

    def pick(k: int) -> tuple[Event, str]:
        made[k].reset(scenes[k])
        point = top_of(CASTER, scenes[k], made[k].state(), targets[k])
        return made[k].pick(point).event, made[k].state().digest()

    together = worlds.together({k: lambda k=k: pick(k) for k in range(3)})
    held = [backend.state().held for backend in made]
    alone = {k: pick(k) for k in range(3)}
    assert together == alone
    assert targets[0] != targets[2]
    assert together[0][1] != together[2][1]
    assert Event.PICKED in [event for event, _ in together.values()]
    assert held == [b.state().held for b in made]


@pytest.mark.slow
def test_a_world_stands_still_while_another_moves_or_gets_another_scene(
    three: tuple[Worlds, list[NewtonBackend], list[SceneSpec]],
) -> None:
    _, made, scenes = three
    for backend, scene in zip(made, scenes, strict=True):
        backend.reset(scene)
    made[0].world.set_pose(0, made[0].state().objects[0] + [0, 0, 0.3, 0, 0, 0, 0])
    made[0].world.step(24)
    before = [b.state().digest() for b in made]
    physics = made[1].world.physics
    made[1].reset(settled(made[1], Tabletop().compose(12)))
    assert made[1].world.physics is not physics
    assert [made[k].state().digest() for k in (0, 2)] == [before[k] for k in (0, 2)]
    height = made[0].state().objects[0, 2]
    made[0].world.step(24)
    assert height - made[0].state().objects[0, 2] > 0.03, "it goes on falling"


@pytest.mark.slow
def test_one_that_diverges_does_not_stop_the_others(
    three: tuple[Worlds, list[NewtonBackend], list[SceneSpec]],
) -> None:
    worlds, made, scenes = three
    for backend, scene in zip(made, scenes, strict=True):
        backend.reset(scene)
    made[1].world.set_velocity(0, np.array([np.nan, 0, 0]), np.zeros(3))
    ended = []

    def step(k: int) -> None:
        made[k].world.step(10)
        ended.append(k)

    with pytest.raises(BackendError, match="diverged"):
        worlds.together({k: lambda k=k: step(k) for k in range(3)})
    assert sorted(ended) == [0, 2]
    made[1].reset(scenes[1])
    made[1].world.step(10)


def threads() -> set[threading.Thread]:
    return set(threading.enumerate())


@pytest.mark.slow
def test_a_scene_that_cannot_be_made_fails_alone(
    three: tuple[Worlds, list[NewtonBackend], list[SceneSpec]],
) -> None:
    worlds, made, scenes = three
    for backend, scene in zip(made, scenes, strict=True):
        backend.reset(scene)
    first = msgspec.structs.replace(scenes[1].objects[0], asset="nothing_like_it")
    broken = msgspec.structs.replace(scenes[1], objects=(first, *scenes[1].objects[1:]))
    other = Tabletop().compose(13)
    before, ended = threads(), []

    def call(k: int) -> None:
        if k == 0:
            made[0].world.step(10)
        else:
            made[k].settle(broken if k == 1 else other)
        ended.append(k)

    with pytest.raises(PackError, match="nothing_like_it"):
        worlds.together({k: lambda k=k: call(k) for k in range(3)})
    assert sorted(ended) == [0, 2]
    assert threads() == before
    made[1].reset(scenes[1])
    made[1].world.step(10)


@pytest.mark.slow
def test_an_interrupt_ends_all_calls_and_the_worlds_go_on_after_a_reset(
    three: tuple[Worlds, list[NewtonBackend], list[SceneSpec]], monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds, made, scenes = three
    for backend, scene in zip(made, scenes, strict=True):
        backend.reset(scene)
    before, caught = threads(), []

    def call(k: int) -> None:
        try:
            made[k].world.step(5 + 10 * k)
            made[k].world.step(100)
        except Exception as e:  # noqa: BLE001 (whatever it is, there should be none)
            caught.append(e)
        finally:
            made[k].world.step(10)

    with monkeypatch.context() as patch:
        patch.setattr(made[0].world.physics, "_step", interrupting(made[0], 20))
        with pytest.raises(KeyboardInterrupt):
            worlds.together({k: lambda k=k: call(k) for k in range(3)})
    assert threads() == before
    assert not caught
    ends = []
    for _ in range(2):
        for backend, scene in zip(made, scenes, strict=True):
            backend.reset(scene)
        worlds.together({k: lambda k=k: made[k].world.step(10) for k in range(3)})
        ends.append([b.state().digest() for b in made])
    assert ends[0] == ends[1]


@pytest.mark.slow
def test_a_world_put_anew_begins_anew_though_another_one_gets_a_scene_first(
    three: tuple[Worlds, list[NewtonBackend], list[SceneSpec]],
) -> None:
    _, made, scenes = three
    other = settled(made[1], Tabletop().compose(14))
    ends = []
    for first in (scenes[1], other):
        for backend, scene in zip(made, (scenes[0], first, scenes[2]), strict=True):
            backend.reset(scene)
        made[0].world.step(30)
        made[0].reset(scenes[0])
        made[1].reset(other)
        made[0].world.step(10)
        ends.append(made[0].state().digest())
    assert ends[0] == ends[1]


@pytest.mark.slow
def test_scenes_of_boxes_of_furniture_and_without_objects_are_solved_together(
    scenes: list[SceneSpec],
) -> None:
    table = scenes[0]
    rooms = [Infinigen().compose(3, index=i, wants=Wants(graspable=2)) for i in (0, 1)]
    assert {tuple(s.outline is None for s in room.supports) for room in rooms} == {
        (False, True),
        (False, False),
    }
    mixed = [table, *rooms, msgspec.structs.replace(table, objects=())]
    worlds = Worlds(len(mixed))
    made = [NewtonBackend(device="cpu", together=True, seat=worlds.seat(k)) for k in range(4)]
    rest = worlds.together({k: lambda k=k, s=s: made[k].settle(s) for k, s in enumerate(mixed)})
    for k, scene in enumerate(mixed):
        for thing, pose in zip(scene.objects, rest[k], strict=True):
            off = np.subtract(thing.pose.position, pose.position)
            assert np.abs(off).max() < 0.005, "composed at rest, it stays"
