"""A vector of environments whose simulator has a world for each: backend=newton.

On a GPU, where the worlds are solved together, members take turns and meet whenever their worlds
advance. There a start plays alike in other company, not to the last digit.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.vector.utils import iterate

from refergym.envs.backends.newton_worlds import Worlds


class WorldsVectorEnv(SyncVectorEnv):
    """See `make_vec`; resets and steps of the members happen together.

    Worlds that are solved together have one model. It is made anew when a member begins in a scene
    of other objects, so what is quick are starts that share their scene (groups of GRPO).
    """

    def __init__(self, n: int, make: Callable[..., Any], autoreset_mode: AutoresetMode) -> None:
        """Make the members.

        Args:
            n: how many.
            make: makes one; takes `seat`.
            autoreset_mode: as Gymnasium has it.
        """
        self._worlds = Worlds(n)
        seats = [self._worlds.seat(k) for k in range(n)]
        self._members = [Member(make(seat=seat)) for seat in seats]
        super().__init__(
            [functools.partial(lambda member: member, member) for member in self._members],
            autoreset_mode=autoreset_mode,
        )

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """See Gymnasium."""
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed
        given = dict(options or {})
        mask = given.pop("reset_mask", None)
        calls: dict[int, Callable[[], None]] = {}
        if (seeds is None or len(seeds) == self.num_envs) and _is_mask(mask, self.num_envs):
            calls = {
                i: functools.partial(
                    member.begin_reset,
                    seed=None if seeds is None else seeds[i],
                    options=given or None,
                )
                for i, member in enumerate(self._members)
                if mask is None or mask[i]
            }  # else the class below says what is wrong
        with self._ahead(calls):
            return super().reset(seed=seed, options=options)

    def step(self, actions: Any) -> Any:
        """See Gymnasium."""
        calls: dict[int, Callable[[], None]] = {}
        given = zip(self._members, iterate(self.action_space, actions), strict=True)
        for i, (member, action) in enumerate(given):
            calls[i] = functools.partial(member.begin_step, action)
            if self.autoreset_mode == AutoresetMode.NEXT_STEP and self._autoreset_envs[i]:
                calls[i] = member.begin_reset
        with self._ahead(calls):
            return super().step(actions)

    @contextlib.contextmanager
    def _ahead(self, calls: dict[int, Callable[[], None]]) -> Iterator[None]:
        """Do now what the class below then asks of each member, one by one."""
        try:
            for i in calls:  # the worlds know how they are solved when the first backend is there
                self._members[i].begin()
            self._worlds.together(calls)
            yield
        finally:
            for member in self._members:
                member.forget()


class Member(gym.Wrapper[Any, Any, Any, Any]):
    """An environment that may have been reset or stepped ahead of the call."""

    def __init__(self, env: Any) -> None:
        """Wrap it."""
        super().__init__(env)
        self._result: Any = None

    def begin(self) -> None:
        """Make the simulator, if there is none yet."""
        refer: Any = getattr(self.env, "refer", self.env)
        _ = refer.backend

    def forget(self) -> None:
        """Drop what was done ahead, and not asked for."""
        self._result = None

    def begin_reset(self, **kwargs: Any) -> None:
        """Reset now, and return it at the next `reset`."""
        self._result = self.env.reset(**kwargs)

    def begin_step(self, action: Any) -> None:
        """Step now, and return it at the next `step`."""
        self._result = self.env.step(action)

    def reset(self, **kwargs: Any) -> Any:
        """See Gymnasium."""
        return self._taken() if self._result is not None else self.env.reset(**kwargs)

    def step(self, action: Any) -> Any:
        """See Gymnasium."""
        return self._taken() if self._result is not None else self.env.step(action)

    def _taken(self) -> Any:
        result, self._result = self._result, None
        return result


def _is_mask(mask: Any, n: int) -> bool:
    if mask is None:
        return True
    return isinstance(mask, np.ndarray) and mask.shape == (n,) and mask.dtype == np.bool_
