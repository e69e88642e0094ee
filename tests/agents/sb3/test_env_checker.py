"""Stable-Baselines3's own checker finds nothing to say about the environment."""

import warnings

import pytest

from refergym.envs import make_env
from refergym.envs.array_view import ArrayView
from refergym.envs.point_env import PointEnv
from refergym.envs.text_env import TextEnv

pytest.importorskip("stable_baselines3")
QUICK = ("renderer.shadows=false", "renderer.antialias=none")


@pytest.mark.parametrize(("depth", "words"), [(True, ()), (False, ("mug", "bowl"))])
@pytest.mark.parametrize("starts", [0, 2])
def test_env_checker_passes_without_warnings(depth, words, starts):
    from stable_baselines3.common.env_checker import check_env

    refer = make_env("pick_category", "kinematic", scene="few", overrides=QUICK)
    view = ArrayView(size=64, depth=depth, nearest=0.3, words=words)
    env = PointEnv(TextEnv(refer), view, starts=starts)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env, warn=True)
    env.close()


def test_a_vector_in_this_process_and_one_of_processes_see_the_same():
    import functools

    import numpy as np
    from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

    make = functools.partial(_make)
    seen = []
    for vector in (DummyVecEnv([make]), SubprocVecEnv([make], start_method="spawn")):
        vector.seed(5)
        first = vector.reset()
        after, reward, done, _ = vector.step(np.zeros((1, 2), np.float32))
        seen.append((first["image"], after["vector"], reward, done))
        vector.close()
    for here, there in zip(*seen, strict=True):
        np.testing.assert_array_equal(here, there)


def _make():
    refer = make_env("pick_category", "kinematic", scene="few", overrides=QUICK)
    view = ArrayView(size=64, depth=True, nearest=0.3, words=())
    return PointEnv(TextEnv(refer), view, starts=1)
