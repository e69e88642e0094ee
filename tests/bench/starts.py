"""Starts and the points that solve them, shared by the benchmarks."""

import numpy as np
from numpy.typing import NDArray

from refergym.envs import make_env
from refergym.envs.refer_env import ReferEnv
from refergym.envs.starts import Start


def environment(task: str, backend: str, *overrides: str) -> ReferEnv:
    return make_env(task, backend, overrides=overrides, render_mode=None)


def collect(env: ReferEnv, number: int, seed: int = 0) -> list[Start]:
    """The first starts of a seed."""
    starts = []
    for index in range(number):
        _, info = env.reset(seed=seed, options={"index": index})
        starts.append(info["start"])
    return starts


def solving_point(info: dict) -> NDArray[np.float64]:
    """Where the oracle points now; the middle where nothing right can be seen."""
    return np.array(info["truth"]["point_uv"] or (0.5, 0.5))
