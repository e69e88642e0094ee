import importlib.util
import subprocess
import sys
import warnings

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import check_env
from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra

import refergym.envs
from refergym.envs.errors import EnvError
from refergym.envs.registration import IDS, compose_env, register_envs

BULLET = importlib.util.find_spec("pybullet") is not None
QUICK = ("renderer.shadows=false", "renderer.antialias=none")
ANY = ("task.min_grasp_rate=null",)
"""tasks that move things must work before graspability was measured"""

ANEW = ("task=pick", "+note=${oc.env:PATH}")
"""what Hydra composes each time, without the memory of earlier calls"""

SHORT = ("point_at_object", "pick", "pick_place")
"""tasks that are checked with real contacts; episodes of the others take minutes of them"""


def overrides(name):
    return (*QUICK, *ANY) if IDS[name] in ("pick", "pick_place", None) else QUICK


@pytest.mark.parametrize("name", IDS)
def test_gymnasiums_checker_passes_with_warnings_as_errors(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gym.make(
            name,
            disable_env_checker=True,
            backend="bullet" if BULLET and IDS[name] in SHORT else "kinematic",
            overrides=overrides(name),
        )
        check_env(env.unwrapped)
        env.close()


def test_any_config_goes_through_referring():
    env = gym.make(
        "refergym/Referring-v0", task="pick", backend="kinematic", overrides=["task.max_steps=3"]
    ).unwrapped
    assert env.task.kind == "pick"
    assert env.max_steps == 3


def test_registering_twice_changes_nothing():
    before = {name: gym.registry[name] for name in IDS}
    register_envs()
    assert {name: gym.registry[name] for name in IDS} == before


def test_importing_the_package_does_no_work():
    code = (
        "import sys, refergym.envs; heavy = {'pybullet', 'moderngl', 'torch', 'hydra', 'embreex',"
        " 'shapely', 'trimesh'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_another_hydra_configuration_survives():
    with initialize_config_module("refergym.configs", version_base="1.3"):
        compose_env(ANEW)
        assert GlobalHydra.instance().is_initialized()
        assert compose("env", overrides=["task=pick"]).task.max_steps == 2
    GlobalHydra.instance().clear()
    compose_env(ANEW)
    assert not GlobalHydra.instance().is_initialized()


def test_what_is_done_to_a_config_stays_there():
    compose_env(["task=pick"]).task.max_steps = 77
    assert compose_env(["task=pick"]).task.max_steps == 2


def test_what_may_change_meanwhile_is_looked_up_anew(monkeypatch):
    for value, kind in (("pick_place", "PickPlace"), ("pick", "Pick")):
        monkeypatch.setenv("REFERGYM_TEST_TASK", value)
        asked = compose_env(["task=${oc.env:REFERGYM_TEST_TASK}"])
        assert asked.task["_target_"].endswith(f".{kind}")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("task=pik", "task: expected one of arrange_row, mixed, pick, pick_category, pick_place"),
        ("backend=mujoco", "backend: expected one of auto, bullet, isaac, kinematic"),
        ("max_stepz=4", r"max_stepz: unknown key \(did you mean 'max_steps'\?\); allowed here: "),
        ("task.tolerence=0.1", r"task.tolerence: unknown key \(did you mean 'tolerance'\?\)"),
        ("task.clarity.pixel=9", r"task.clarity.pixel: unknown key \(did you mean 'pixels'\?\)"),
        ("max_steps=0", "max_steps: expected null or a whole number >= 1, got 0"),
        ("max_steps=two", "max_steps: .* got 'two'"),
        ("pictures=maybe", "pictures: expected true or false, got 'maybe'"),
        ("task.clarity.share=2", "task.clarity.share: expected <= 1, got 2"),
        ("task.room.clearance=-1", "task.room.clearance: expected >= 0, got -1"),
        ("task.relations=[under]", "relations: expected some of onto, into, beside, between"),
        ("task.max_steps=0", "max_steps: expected >= 1"),
        ("sensor.depth_noise=loud", "sensor.depth_noise: .*allowed: none, gaussian, stereo"),
        ("=", "unknown key; allowed here: scene, task"),
    ],
)  # fmt: skip
def test_a_wrong_config_names_the_key_and_what_is_allowed(override, message):
    with pytest.raises(EnvError, match=message):
        refergym.envs.make_env(backend="kinematic", overrides=[override])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("task.max_steps=6", "overrides: expected a list"),
        ([3], "overrides: expected a list"),
        (["~task"], "task: required"),
        (["~pictures"], "pictures: required"),
        (["task=null"], "task=null"),
        (["task=pick\n"], "task=pick"),
    ],
)
def test_overrides_that_cannot_be_composed_are_named(wrong, message):
    with pytest.raises(EnvError, match=message):
        compose_env(wrong)


def test_a_target_that_does_not_exist_is_named_with_its_key() -> None:
    with pytest.raises(EnvError, match=r"backend\._target_: cannot find 'nosuch\.Foo'"):
        refergym.envs.make_env(overrides=["backend._target_=nosuch.Foo"]).reset(seed=0)
