"""Vectors of environments that are right for text and pictures.

Gymnasium's AsyncVectorEnv keeps observations in shared memory by default, where `Text` comes out as
zeros; here they travel through pipes. Processes are spawned, since a forked GL context or simulator
is broken; each member makes its simulator and renderer in its own process, at its first reset.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from refergym.envs.errors import EnvError
from refergym.envs.registration import make_env, make_text_env


def make_vec(
    n: int,
    vectorization: Literal["sync", "async", "worlds"] = "sync",
    *,
    words: bool = False,
    autoreset: bool = True,
    overrides: Sequence[str] = (),
    **kwargs: Any,
) -> SyncVectorEnv | AsyncVectorEnv:
    """Make n environments that step together.

    `reset(seed=s)` gives member i the seed s + i. A member that has ended begins its next episode
    at the following step, as Gymnasium does; options reach every member alike.

    Args:
        n: how many.
        vectorization: "sync" for one process, "async" for one process each, "worlds" for one
            process whose simulator has n worlds (backend="newton"), on a GPU solved together.
        words: True makes environments that take words, by `make_text_env`.
        autoreset: False leaves resets to the caller (`options={"reset_mask": ...}`).
        overrides: as in `make_env`.
        **kwargs: further arguments of `make_env` or `make_text_env`, such as task="pick".

    Raises:
        EnvError: if n or vectorization is out of range, or a config key is wrong.
    """
    if type(n) is not int or n < 1:
        raise EnvError(f"n: expected a whole number >= 1, got {n!r}")
    if vectorization not in ("sync", "async", "worlds"):
        raise EnvError(
            f"vectorization: expected 'sync', 'async' or 'worlds', got {vectorization!r}"
        )
    maker = make_text_env if words else make_env
    make: Callable[[], Any] = functools.partial(maker, overrides=overrides, **kwargs)
    mode = AutoresetMode.NEXT_STEP if autoreset else AutoresetMode.DISABLED
    if vectorization == "worlds":
        from refergym.envs.world_vector import WorldsVectorEnv

        return WorldsVectorEnv(n, make, mode)
    if vectorization == "sync":
        return SyncVectorEnv([make] * n, autoreset_mode=mode)
    make().close()  # a wrong config fails here with its message, not in a child process
    return AsyncVectorEnv([make] * n, shared_memory=False, context="spawn", autoreset_mode=mode)
