"""Isaac Lab's way in: what its tools do with an id, and what its users call. It is not run."""

import importlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from refergym.envs import make_env
from refergym.rollouts.adapters.isaac_lab import LabEnv, LabEnvCfg, register
from refergym.rollouts.adapters.place import Place
from refergym.rollouts.errors import ConfigError

torch = pytest.importorskip("torch")
RECORDED = json.loads(Path(__file__).with_name("isaac_lab_api.json").read_text())
ID = "Refergym-Test-Direct-v0"


@pytest.fixture
def registered() -> Iterator[str]:
    overrides = ("renderer.shadows=false", "renderer.antialias=none")
    register(ID, Place(task="pick_place", backend="kinematic", overrides=overrides))
    yield ID
    del gym.registry[ID]


def parse_env_cfg(name: str, device: str = "cuda:0", num_envs: int | None = None) -> Any:
    """What Isaac Lab's function of that name does with the registry, in its order."""
    entry = gym.spec(name.split(":")[-1]).kwargs.get("env_cfg_entry_point")
    assert entry is not None
    if callable(entry):
        inspect.getfile(entry)
        made = entry()
    else:
        module, _, attribute = entry.partition(":")
        made = getattr(importlib.import_module(module), attribute)
    cfg = made() if callable(made) else made
    assert not isinstance(cfg, dict)
    cfg.sim.device = device
    cfg.sim.use_fabric = False
    if num_envs is not None:
        cfg.scene.num_envs = num_envs
    return cfg


@pytest.fixture
def env(registered: str) -> Iterator[Any]:
    made = gym.make(registered, cfg=parse_env_cfg(registered, device="cpu", num_envs=3))
    yield made.unwrapped
    made.close()


def parameters(text: str) -> list[tuple[str, bool]]:
    """Name of each parameter, and whether it has a default; without the object itself."""
    given = [part.strip() for part in text.strip("()").split(",")]
    return [(p.rstrip("="), p.endswith("=")) for p in given if p not in ("self", "obj", "")]


@pytest.mark.parametrize(
    ("kind", "recorded"),
    [(LabEnv, "isaaclab.envs.DirectRLEnv"), (LabEnvCfg, "isaaclab.utils.configclass")],
)
def test_it_takes_what_the_recorded_signatures_take(kind: type, recorded: str) -> None:
    for name, text in RECORDED["symbols"][recorded].items():
        ours = inspect.getattr_static(kind, name)
        if text == "property":
            assert isinstance(ours, property), name
            continue
        signature = inspect.signature(getattr(kind, name))
        for parameter, has_default in parameters(text):
            if parameter.startswith("**"):
                kinds = {p.kind for p in signature.parameters.values()}
                assert inspect.Parameter.VAR_KEYWORD in kinds, name
                continue
            ours_p = signature.parameters[parameter]
            assert (ours_p.default is not inspect.Parameter.empty) or not has_default, name


def test_it_has_the_attributes_that_users_read(env: Any) -> None:
    for name in RECORDED["attributes"]["isaaclab.envs.DirectRLEnv"]:
        assert hasattr(env, name), name


def test_a_cfg_goes_to_plain_data_and_back(registered: str) -> None:
    cfg = parse_env_cfg(registered, num_envs=5)
    other = LabEnvCfg()
    other.from_dict(cfg.to_dict())
    assert other == cfg
    assert other.scene.num_envs == 5
    assert cfg.replace(seed=7).seed == 7
    assert cfg.copy() == cfg
    assert cfg.validate() == []
    with pytest.raises(KeyError, match="no field 'decimation'"):
        cfg.from_dict({"decimation": 2})


def test_two_cfgs_share_nothing(registered: str) -> None:
    one, other = parse_env_cfg(registered), parse_env_cfg(registered)
    one.scene.num_envs = 9
    one.place["task"] = "pick"
    assert other.scene.num_envs == 1
    assert other.place["task"] == "pick_place"


def test_rows_are_episodes_of_ours(env: Any) -> None:
    seen, extras = env.reset(seed=4)
    policy = seen["policy"]
    assert env.observation_space.contains({k: v.numpy() for k, v in policy.items()})
    assert policy["rgb"].shape == (3, 224, 224, 3)
    assert policy["rgb"].dtype == torch.uint8
    plain = make_env("pick_place", "kinematic", overrides=["renderer.shadows=false",
                                                            "renderer.antialias=none"])  # fmt: skip
    for row in range(3):
        own, _ = plain.reset(seed=4, options={"index": row})
        np.testing.assert_array_equal(policy["rgb"][row].numpy(), own["rgb"])
        assert extras["instruction"][row] == own["instruction"]
    plain.close()


def test_what_ends_begins_anew_within_the_step(env: Any) -> None:
    env.reset(seed=4)
    first = list(env.extras["instruction"])
    ended = np.zeros(3, bool)
    for _ in range(env.max_episode_length):
        points = [(0.02, 0.02)] * 3  # nothing is there
        before = env.episode_length_buf.clone()
        _, reward, over, cut, extras = env.step(torch.tensor(points, dtype=torch.float64))
        assert reward.dtype == torch.float32
        assert reward.shape == (3,)
        assert over.dtype == cut.dtype == torch.bool
        done = (over | cut).numpy()
        assert (env.episode_length_buf.numpy()[done] == 0).all()
        assert (env.episode_length_buf.numpy()[~done] == before.numpy()[~done] + 1).all()
        assert not extras["is_success"].any()
        ended |= done
        if ended.all():
            break
    assert ended.all()
    assert env.extras["instruction"] != first


def test_a_success_is_told_when_its_episode_ends(registered: str) -> None:
    name = "Refergym-Point-Direct-v0"
    register(name, {"task": "point_at_object", "backend": "kinematic"})
    made = gym.make(name, cfg=parse_env_cfg(name, device="cpu", num_envs=2)).unwrapped
    made.reset(seed=1)
    right = []
    for row, one in enumerate(made._envs):
        _, info = one.reset(seed=1, options={"index": row})
        right.append(info["truth"]["point_uv"])
    right[1] = (0.01, 0.01)
    _, reward, over, _, extras = made.step(torch.tensor(right))
    assert over.tolist() == [True, True]
    assert extras["is_success"].tolist() == [True, False]
    assert reward[0] > reward[1]
    made.close()
    made.close()
    del gym.registry[name]


def test_wrong_numbers_are_named(registered: str, env: Any) -> None:
    with pytest.raises(ConfigError, match="expected a reset"):
        env.step(torch.zeros(3, 2))
    env.reset()
    with pytest.raises(ConfigError, match=r"shape \(3, 2\); got \(2, 2\)"):
        env.step(torch.zeros(2, 2))
    with pytest.raises(ConfigError, match="num_envs: expected >= 1"):
        gym.make(registered, cfg=parse_env_cfg(registered, device="cpu", num_envs=0))


def test_the_default_simulator_is_isaac_sim() -> None:
    register("Refergym-Default-Direct-v0", Place(task="pick"))
    cfg = parse_env_cfg("Refergym-Default-Direct-v0")
    assert cfg.place["backend"] == "isaac"
    del gym.registry["Refergym-Default-Direct-v0"]
