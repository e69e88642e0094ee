import os
import subprocess
import sys

import msgspec
import pytest

from refergym.envs.errors import TaskError
from refergym.envs.registration import make_env
from refergym.envs.starts import Start, load_start, make_start, rest_state, with_backend

KINDS = ("point_at_object", "point_at_free_space", "point_at_waypoint", "pick", "pick_place")


def make(kind, *overrides):
    moving = kind in ("pick", "pick_place")
    extra = ["task.min_grasp_rate=null"] if moving else []
    quick = ["renderer.shadows=false", "renderer.antialias=none"]
    return make_env(task=kind, backend="kinematic", overrides=[*quick, *extra, *overrides])


def digests(seed):
    """Digests of a start of every kind of task, and of a second one of the last."""
    found = []
    for kind in KINDS:
        env = make(kind)
        for i in range(1 + (kind == KINDS[-1])):
            _, info = env.reset(seed=seed, options={"index": i})
            found.append(info["start"].digest)
        env.close()
    return found


@pytest.fixture(scope="module")
def env():
    made = make("pick_place")
    yield made
    made.close()


@pytest.fixture(scope="module")
def start(env):
    _, info = env.reset(seed=3)
    return info["start"]


def test_starts_are_equal_in_another_process_and_in_any_order():
    code = "import runpy, sys; f = runpy.run_path(sys.argv[1])['digests'];print(*f(11), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", code, __file__],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "77", "OMP_NUM_THREADS": "1"},
    )
    assert done.stdout.split() == digests(11)
    env = make("pick_place")
    later = [env.reset(seed=11, options={"index": i})[1]["start"].digest for i in (1, 0)]
    assert later[::-1] == done.stdout.split()[-2:]


def test_json_round_trip_is_the_identity(start):
    again = load_start(start.to_json())
    assert again == start
    assert again.digest == start.digest


def test_the_rest_state_is_the_state_after_reset(env, start):
    env.backend.reset(start.scene)
    state = env.backend.state()
    assert rest_state(start.scene, "kinematic").digest() == state.digest()


def test_the_certificate_says_where_it_holds(start):
    certificate = start.task.certificate
    assert (certificate.backend, certificate.renderer) == ("kinematic", "embree")
    assert 0 < certificate.chance < 0.1
    assert certificate.target_pixels >= 60


def test_a_task_of_another_scene_is_refused(start):
    other = msgspec.structs.replace(start.scene, seed=99)
    with pytest.raises(TaskError, match=r"task\.scene: expected"):
        load_start(msgspec.structs.replace(start, scene=other).to_json())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": {"version": 9}}, "version"),
        ({"task": {"goal": {"kind": "fly"}}}, "task.goal"),
        ({"scene": {"objects": 5}}, "scene.objects"),
        ({"mood": 1}, "mood"),
    ],
)
def test_a_broken_start_is_refused_by_field(start, change, message):
    raw = msgspec.json.decode(start.to_json())
    for key, value in change.items():
        raw[key] = {**raw[key], **value} if isinstance(value, dict) else value
    with pytest.raises(TaskError, match=message):
        load_start(msgspec.json.encode(raw))


def test_an_impossible_request_ends_and_says_why():
    env = make("pick", "task.clarity.pixels=20000")
    with pytest.raises(TaskError, match=r"(?s)pick: none of 3 scenes .*no clear and unique"):
        make_start(env.composer, env.task, env.backend, env.renderer, 0, 0, tries=3)
    env.close()


def test_settling_for_a_second_backend_keeps_the_first(start):
    class Other:
        kind = "other"

        def settle(self, scene):
            return tuple(o.pose for o in scene.objects)

    both = with_backend(start, Other())
    assert set(both.scene.settled) == {"kinematic", "other"}
    assert load_start(both.to_json()) == both
    assert isinstance(both, Start)
