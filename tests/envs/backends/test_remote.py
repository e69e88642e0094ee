"""A backend in a process of its own: what goes over the boundary, and what goes wrong with it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import remote_parts
from contract_parts import BULLET, KINEMATIC
from remote_parts import node, other_python

import refergym
from refergym.assets.composers.base import Wants
from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.spec import SceneSpec
from refergym.envs import make_env
from refergym.envs.backends import wire
from refergym.envs.backends.bullet import BulletBackend
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.backends.remote import RemoteBackend
from refergym.envs.errors import BackendError
from refergym.envs.geometry.caster import Caster
from refergym.envs.types import State
from refergym.rollouts.contract_checks import graspable, settled, top_of


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", remote_parts.PATH)


@pytest.fixture(scope="module")
def scene() -> SceneSpec:
    composed = Tabletop().compose(11, index=0, wants=Wants(graspable=2))
    return settled(KinematicBackend(), composed)


@pytest.fixture(scope="module")
def point(scene: SceneSpec) -> np.ndarray:
    backend = KinematicBackend()
    backend.reset(scene)
    caster = Caster()
    return top_of(caster, scene, backend.state(), graspable(caster, scene)[0])


@pytest.fixture
def made() -> Iterator[list[RemoteBackend]]:
    backends: list[RemoteBackend] = []
    yield backends
    for backend in backends:
        backend.close()


@pytest.fixture
def remote(made: list[RemoteBackend]) -> Any:
    def make(inside: Any, **arguments: Any) -> RemoteBackend:
        made.append(RemoteBackend(inside, **arguments))
        return made[-1]

    return make


def gone(pid: int, within_s: float = 30.0) -> bool:
    """Whether a process ends; a zombie that nobody reaps has not ended."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def pretender(folder: Path, body: str) -> str:
    """An "interpreter" that is a script: `channel` is its end of the channel."""
    path = folder / "pretender"
    path.write_text(
        f"#!{sys.executable}\n"
        "import os, socket, struct, sys, time, msgspec\n"
        "channel = socket.socket(fileno=int(sys.argv[-1]))\n"
        "def send(message):\n"
        "    body = msgspec.msgpack.encode(message)\n"
        "    channel.sendall(b'rgym' + struct.pack('<I', len(body)) + body)\n"
        f"hello = {{'protocol': {wire.PROTOCOL}, 'version': {refergym.__version__!r}, "
        "'python': '3.12.0'}\n"
        f"{body}\n"
    )
    path.chmod(0o755)
    return str(path)


def one_line(error: pytest.ExceptionInfo[BackendError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("signal", "ended during 'pick' (killed by SIGSEGV)"),
        ("exit", "ended during 'pick' (exit status 3); it printed last: the physics engine has"),
        ("bug", "failed in 'pick' (KeyError: 'no such body')"),
    ],
)
def test_a_crash_is_one_line_and_the_next_reset_starts_a_new_process(
    fault: str, said: str, remote: Any, scene: SceneSpec, point: np.ndarray
) -> None:
    backend = remote(node("Faulty", fault=fault))
    backend.reset(scene)
    before, first = backend.state().digest(), backend.pid
    with pytest.raises(BackendError) as error:
        backend.pick(point)
    assert said in one_line(error)
    assert backend.pid is None
    assert gone(first, 0.1)
    with pytest.raises(BackendError, match=r"no scene yet; call reset"):
        backend.state()
    backend.reset(scene)
    assert backend.pid != first
    assert backend.state().digest() == before


def test_a_hang_is_ended_with_all_that_it_started(
    remote: Any, scene: SceneSpec, point: np.ndarray
) -> None:
    backend = remote(node("Faulty", fault="hang"), call_s=4.0)
    backend.reset(scene)
    first = backend.pid
    with pytest.raises(BackendError, match=r"gave no answer to 'pick' in call_s = 4 s") as error:
        backend.pick(point)
    child = int(one_line(error).partition("it printed last: child ")[2].partition(";")[0])
    assert gone(first, 0.1)
    assert gone(child)
    backend.reset(scene)


def test_what_a_worker_prints_disturbs_nothing(
    remote: Any, scene: SceneSpec, point: np.ndarray
) -> None:
    backend, own = remote(node("Faulty", fault="noise")), KinematicBackend()
    for each in (backend, own):
        each.reset(scene)
    assert backend.pick(point) == own.pick(point)
    assert backend.state().digest() == own.state().digest()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("channel.sendall(b'[Info] starting')", "what is no message (it begins with b'[Inf')"),
        ("channel.sendall(b'rgym' + b'\\xff' * 4)", "what is no message"),
        ("channel.sendall(b'rgym\\x03\\0\\0\\0\\xc1\\xc1\\xc1')", "what is no message"),
        ("send({'protocol': 1})", "what is no message"),
        ("channel.sendall(b'rgym\\x09\\0\\0\\0half')", "ended during 'start' (exit status 0)"),
        ("sys.exit('no licence')", "ended during 'start' (exit status 1); it printed last: no"),
        (
            "hello['version'] = '0.0.1'; hello['added'] = True; send(hello)",
            "has refergym 0.0.1 (protocol",
        ),
        ("hello['protocol'] = 99; send(hello)", "(protocol 99), here it is"),
        ("send(hello); channel.recv(9); send({'type': 'Done'}); time.sleep(9)", "Done instead of"),
        (
            "send(hello); channel.recv(9); send({'type': 'Made', 'kind': 3}); time.sleep(9)",
            "Expected `str`, got `int`",
        ),
    ],
)
def test_what_is_no_worker_of_ours_is_named_and_ended(
    body: str, said: str, remote: Any, tmp_path: Path, scene: SceneSpec
) -> None:
    backend = remote({"_target_": KINEMATIC}, python=pretender(tmp_path, body))
    with pytest.raises(BackendError) as error:
        backend.reset(scene)
    assert said in one_line(error)
    assert backend.pid is None


def test_a_start_that_takes_too_long_is_given_up(
    remote: Any, tmp_path: Path, scene: SceneSpec
) -> None:
    python = pretender(tmp_path, "time.sleep(600)")
    with pytest.raises(BackendError, match=r"gave no answer to 'start' in start_s = 0\.5 s"):
        remote({"_target_": KINEMATIC}, python=python, start_s=0.5).reset(scene)


def test_a_backend_that_cannot_be_made_says_why(remote: Any, scene: SceneSpec) -> None:
    with pytest.raises(BackendError, match="inside: no GPU here") as error:
        remote(node("Unmade")).reset(scene)
    one_line(error)
    with pytest.raises(BackendError, match=r"inside\._target_: cannot find 'nowhere\.Backend'"):
        remote({"_target_": "nowhere.Backend"}).reset(scene)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(BackendError, match=r"inside\._target_: missing"):
        RemoteBackend({})
    with pytest.raises(BackendError, match="python: no interpreter 'python9'"):
        RemoteBackend({"_target_": KINEMATIC}, python="python9")
    with pytest.raises(BackendError, match="call_s: expected > 0, got 0"):
        RemoteBackend({"_target_": KINEMATIC}, call_s=0)


def test_a_python_without_refergym_is_named(
    remote: Any, tmp_path: Path, scene: SceneSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(BackendError, match="No module named 'refergym") as error:
        remote({"_target_": KINEMATIC}, python=str(bare)).reset(scene)
    assert str(bare) in one_line(error)


def test_another_python_gives_the_same_states(
    remote: Any, scene: SceneSpec, point: np.ndarray
) -> None:
    python = other_python()
    if python is None:
        pytest.skip("no other Python (3.11, 3.12) with refergym's dependencies on PATH")
    backend, own = remote({"_target_": KINEMATIC}, python=python), KinematicBackend()
    for each in (backend, own):
        each.reset(scene)
    assert backend.settle(scene) == own.settle(scene)
    assert backend.pick(point) == own.pick(point)
    assert backend.state().digest() == own.state().digest()
    where = np.array([0.45, 0.0, 0.0])
    assert backend.place(where, 0.3) == own.place(where, 0.3)
    assert backend.state().digest() == own.state().digest()


def test_close_lets_the_worker_end_by_itself(
    remote: Any, scene: SceneSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = remote({"_target_": KINEMATIC})
    backend.reset(scene)
    process = backend._worker._process
    backend.close()
    assert process.returncode == 0
    assert backend.pid is None


@pytest.mark.parametrize("fault", ["none", "hang"])
def test_a_worker_does_not_outlive_its_parent(
    fault: str, scene: SceneSpec, point: np.ndarray, tmp_path: Path
) -> None:
    stored = tmp_path / "scene.json"
    stored.write_bytes(msgspec.json.encode(scene))
    script = (
        "import sys, threading, time\n"
        "import numpy as np\n"
        "from refergym.assets.spec import load_scene\n"
        "from refergym.envs.backends.remote import RemoteBackend\n"
        f"wait = {fault == 'hang'}\n"
        f"backend = RemoteBackend({dict(node('Faulty', fault=fault))!r})\n"
        "backend.reset(load_scene(open(sys.argv[1], 'rb').read()))\n"
        "pick = lambda: backend.pick(np.array(eval(sys.argv[2])))\n"
        "threading.Thread(target=pick, daemon=True).start()\n"
        "while not (said := b''.join(backend._worker._printed)) and wait: time.sleep(0.01)\n"
        "print(backend.pid, said.decode() or 'child 0', flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(stored), repr(point.tolist())],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    with parent, parent.stdout:
        worker, _, child = parent.stdout.readline().split()
        os.kill(int(worker), 0)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert gone(int(worker))
        assert child == "0" or gone(int(child))


def test_a_forgotten_backend_takes_its_worker_along(scene: SceneSpec) -> None:
    backend = RemoteBackend({"_target_": KINEMATIC})
    backend.reset(scene)
    pid = backend.pid
    assert pid is not None
    del backend
    assert gone(pid)


@pytest.mark.bullet
def test_the_states_on_the_way_come_as_they_do_in_process(
    remote: Any, scene: SceneSpec, point: np.ndarray
) -> None:
    backend, own = remote({"_target_": BULLET}), BulletBackend()
    spec = settled(own, scene)
    seen: tuple[list[State], list[State]] = ([], [])
    for each, states in zip((backend, own), seen, strict=True):
        each.reset(spec)
        each.recorder = states.append
        each.pick(point)
    assert len(seen[0]) > 10
    assert [s.digest() for s in seen[0]] == [s.digest() for s in seen[1]]
    assert backend.hand_yaw == own.hand_yaw
    backend.recorder = None
    backend.place(np.array([0.45, 0.0, 0.0]))
    assert [s.digest() for s in seen[0]] == [s.digest() for s in seen[1]]


@pytest.mark.bullet
def test_an_interrupted_call_ends_the_worker(
    remote: Any, scene: SceneSpec, point: np.ndarray
) -> None:
    def interrupt(_: State) -> None:
        raise KeyboardInterrupt

    backend = remote({"_target_": BULLET})
    spec = settled(BulletBackend(), scene)
    backend.reset(spec)
    pid = backend.pid
    backend.recorder = interrupt
    with pytest.raises(KeyboardInterrupt):
        backend.pick(point)
    assert gone(pid, 0.1)
    backend.recorder = None
    backend.reset(spec)
    assert backend.pick(point).detail == ""


def test_a_backend_without_recorder_has_none_here_either(remote: Any) -> None:
    assert not hasattr(remote({"_target_": KINEMATIC}), "recorder")


def test_pictures_come_bit_by_bit(remote: Any, scene: SceneSpec) -> None:
    backend, own = remote(node("Seeing")), remote_parts.Seeing()
    for each in (backend, own):
        each.reset(scene)
    near = msgspec.structs.replace(scene.camera, width=64, height=48)
    for camera in (None, near):
        ours, theirs = own.look(camera), backend.look(camera)
        for name in ("rgb", "depth", "ids"):
            a, b = getattr(ours, name), getattr(theirs, name)
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
            assert b.flags.writeable
    plain = remote({"_target_": KINEMATIC})
    plain.reset(scene)
    with pytest.raises(BackendError, match="no camera of its own"):
        plain.look()
    plain.state()  # a refusal leaves it as it was


def test_an_episode_is_the_same_behind_the_boundary() -> None:
    inside = ["backend@backend.inside=kinematic"]
    envs = [make_env("pick_place", "kinematic"), make_env("pick_place", "remote", overrides=inside)]
    ends = []
    for env in envs:
        seen, info = env.reset(seed=3)
        said = []
        for _ in range(2):
            u, v = info["truth"]["point_uv"] or (0.5, 0.5)
            seen, reward, over, cut, info = env.step(np.array([u, v]))
            said.append((reward, over, cut, info["detail"]))
            if over or cut:
                break
        ends.append((said, seen["rgb"].tobytes(), seen["depth"].tobytes()))
        env.close()
    assert ends[0] == ends[1]
