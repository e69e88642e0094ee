"""One suite over every backend: what all of them promise."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from contract_parts import graspable, resident_mb, settled, top_of

from refergym.assets import poses
from refergym.assets.errors import SpecError
from refergym.assets.spec import SceneSpec
from refergym.envs.errors import BackendError, ClosedError
from refergym.envs.geometry.caster import Caster
from refergym.envs.types import Backend, Event

CASTER = Caster()


def test_it_is_a_backend(backend: Backend) -> None:
    assert isinstance(backend, Backend)


def test_reset_puts_every_object_at_its_settled_pose(
    backend: Backend, composed: list[SceneSpec]
) -> None:
    for scene in composed:
        spec = settled(backend, scene)
        backend.reset(spec)
        state = backend.state()
        wanted = np.array([poses.as_row(p) for p in spec.settled[backend.kind]])
        assert state.objects.shape == (len(spec.objects), 7)
        np.testing.assert_allclose(state.objects, wanted, atol=1e-6)
        np.testing.assert_allclose(state.joints[:7], spec.robot.parked, atol=1e-9)
        assert state.held == -1


def test_settling_leaves_things_where_the_composer_put_them(
    backend: Backend, composed: list[SceneSpec]
) -> None:
    moved = []
    for scene in composed:
        spec = settled(backend, scene)
        moved += [
            np.linalg.norm(np.subtract(p.position, o.pose.position))
            for p, o in zip(spec.settled[backend.kind], spec.objects, strict=True)
        ]
    # What stands on a narrow foot may tip over.
    assert np.mean(np.array(moved) < 0.02) >= 0.95


def test_reset_is_bitwise_repeatable(backend: Backend, composed: list[SceneSpec]) -> None:
    first, second = (settled(backend, s) for s in composed[:2])
    assert settled(backend, composed[0]).digest == first.digest
    backend.reset(first)
    digest = backend.state().digest()
    backend.reset(second)
    assert backend.state().digest() != digest
    backend.reset(first)
    assert backend.state().digest() == digest


def test_reset_is_bitwise_repeatable_across_processes(
    request: pytest.FixtureRequest, backend: Backend, composed: list[SceneSpec], tmp_path: Path
) -> None:
    name = request.node.callspec.params["make"]
    spec = settled(backend, composed[0])
    backend.reset(spec)
    point = top_of(CASTER, spec, backend.state(), graspable(CASTER, spec)[0])
    first = backend.state().digest()
    backend.pick(point)
    script = tmp_path / "again.py"
    script.write_text(
        "import json, sys\n"
        "import numpy as np\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from contract_parts import BACKENDS, settled\n"
        "from refergym.assets.spec import load_scene\n"
        "spec = load_scene(open(sys.argv[1], 'rb').read())\n"
        "backend = BACKENDS[sys.argv[2]]()\n"
        "again = settled(backend, spec)\n"
        "backend.reset(again)\n"
        "a = backend.state().digest()\n"
        "backend.pick(np.array(json.loads(sys.argv[3])))\n"
        "print(json.dumps([again.digest, a, backend.state().digest()]))\n"
    )
    stored = tmp_path / "scene.json"
    stored.write_bytes(msgspec.json.encode(spec))
    out = subprocess.run(
        [sys.executable, str(script), str(stored), name, json.dumps(point.tolist())],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(out.stdout) == [spec.digest, first, backend.state().digest()]


def test_a_snapshot_is_the_spec_and_the_actions_so_far(
    backend: Backend, composed: list[SceneSpec]
) -> None:
    spec = settled(backend, composed[1])
    digests = []
    for _ in range(2):
        backend.reset(spec)
        seen = []
        for i in graspable(CASTER, spec)[:2]:
            result = backend.pick(top_of(CASTER, spec, backend.state(), i))
            if result.event is Event.PICKED:
                backend.place(np.array([0.45, 0.0, 0.0]))
            if backend.state().held >= 0:
                break
            seen.append(backend.state().digest())
        digests.append((*seen, backend.state().digest()))
    assert digests[0] == digests[1]


def test_picking_lifts_the_object_under_the_point(
    backend: Backend, composed: list[SceneSpec]
) -> None:
    lifted = 0
    for scene in composed:
        spec = settled(backend, scene)
        target = graspable(CASTER, spec)[0]
        backend.reset(spec)
        before = backend.state()
        result = backend.pick(top_of(CASTER, spec, before, target))
        after = backend.state()
        if result.event is Event.PICKED:
            lifted += 1
            assert result.object == target == after.held
            assert after.objects[target, 2] > before.objects[target, 2] + 0.1
        np.testing.assert_allclose(after.joints[:7], spec.robot.parked, atol=0.02)
    assert lifted >= 3


def test_states_share_no_memory_and_do_change(backend: Backend, composed: list[SceneSpec]) -> None:
    spec = settled(backend, composed[0])
    backend.reset(spec)
    a, b = backend.state(), backend.state()
    assert not np.shares_memory(a.objects, b.objects)
    a.objects[:] = 7.0
    assert (backend.state().objects == b.objects).all()
    target = graspable(CASTER, spec)[0]
    backend.pick(top_of(CASTER, spec, b, target))
    assert backend.state().digest() != b.digest()


def test_two_backends_in_one_process_do_not_disturb_each_other(
    make: Callable[[], Backend], composed: list[SceneSpec]
) -> None:
    one, other = make(), make()
    spec, third = settled(one, composed[0]), settled(one, composed[1])
    target = graspable(CASTER, spec)[0]
    one.reset(spec)
    point = top_of(CASTER, spec, one.state(), target)
    one.pick(point)
    alone = one.state().digest()
    one.reset(spec)
    other.reset(third)
    one.pick(point)
    other.pick(top_of(CASTER, third, other.state(), graspable(CASTER, third)[0]))
    assert one.state().digest() == alone
    other.close()
    assert one.state().digest() == alone
    one.close()


def test_points_on_nothing_graspable_have_a_named_cause(
    backend: Backend, composed: list[SceneSpec]
) -> None:
    spec = settled(backend, composed[0])
    backend.reset(spec)
    causes = {
        "floor": (np.array([1.6, 0.3, -0.75]), {Event.OUT_OF_REACH}),
        "robot": (np.array([0.0, 0.0, 0.2]), {Event.OUT_OF_REACH, Event.NO_GRASP}),
        "sky": (np.array([-3.0, 0.0, 2.0]), {Event.OUT_OF_REACH}),
        "bare table": (np.array([0.30, 0.60, 0.0]), {Event.NO_GRASP, Event.OUT_OF_REACH}),
    }
    for point, events in causes.values():
        result = backend.pick(point)
        assert result.event in events
        assert result.detail


def test_misuse_is_refused_with_the_fix(
    make: Callable[[], Backend], composed: list[SceneSpec]
) -> None:
    backend = make()
    with pytest.raises(BackendError, match="call reset"):
        backend.state()
    unsettled = msgspec.structs.replace(composed[0], settled={})
    with pytest.raises(SpecError, match="settle first"):
        backend.reset(unsettled)
    backend.reset(settled(backend, composed[0]))
    with pytest.raises(BackendError, match="call pick first"):
        backend.place(np.array([0.5, 0.0, 0.0]))
    backend.close()
    backend.close()
    for call in (
        backend.state,
        lambda: backend.reset(composed[0]),
        lambda: backend.pick(np.zeros(3)),
    ):
        with pytest.raises(ClosedError, match="closed"):
            call()


@pytest.mark.parametrize(
    ("resets", "limit_mb"), [(300, 5), pytest.param(2000, 20, marks=pytest.mark.slow)]
)
def test_resets_do_not_leak(
    backend: Backend, composed: list[SceneSpec], resets: int, limit_mb: float
) -> None:
    specs = [settled(backend, s) for s in composed]
    for i in range(40):
        backend.reset(specs[i % len(specs)])
    before = resident_mb()
    for i in range(resets):
        backend.reset(specs[i % len(specs)])
    assert resident_mb() - before < limit_mb
