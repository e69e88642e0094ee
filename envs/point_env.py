"""PointEnv: arrays in, a point in [-1, 1] out; what Stable-Baselines3 can learn in.

Making a start takes longer than playing it, so the first ones are kept, and further episodes are
drawn among them.
"""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from refergym.assets.seeding import generator
from refergym.envs import array_view
from refergym.envs.array_view import ArrayView
from refergym.envs.errors import EnvError
from refergym.envs.refer_env import ReferEnv
from refergym.envs.starts import Start
from refergym.envs.text_env import TextEnv

Arrays = dict[str, NDArray[Any]]


class PointEnv(gym.Env[Arrays, NDArray[np.float32]]):
    """Refer by one point in [-1, 1] x [-1, 1]; see `ArrayView` for what is seen.

    info has "event" (name of what the step did), and at the end "is_success". The simulator's truth
    is not in it.

    Attributes:
        text: the environment that is played in; its reward set pays.
    """

    metadata = ReferEnv.metadata

    def __init__(self, text: TextEnv, view: ArrayView, *, starts: int = 0) -> None:
        """Put the parts together.

        Args:
            text: plays and pays.
            view: what is seen.
            starts: how many starts are made and kept; 0 makes a new one for each episode.

        Raises:
            EnvError: if there are no pictures to see, or `starts` is negative.
        """
        if not text.refer.pictures:
            raise EnvError("pictures: expected true; there is nothing else to see")
        if starts < 0:
            raise EnvError(f"starts: expected >= 0, got {starts}")
        self.text = text
        self.view = view
        self.starts = starts
        self.render_mode = text.render_mode
        seen: gym.Space[Any] = view.space
        self.observation_space = seen
        self.action_space = array_view.action_space()
        self._kept: list[Start] = []
        self._seed: int | None = None
        self._episode = 0

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[Arrays, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: starts follow from it. They are others than those of a `ReferEnv` with this seed,
                which evaluation plays.
            options: as in `ReferEnv.reset`; None takes the next start.
        """
        super().reset(seed=seed)
        if seed is not None or self._seed is None:
            self._begin(seed if seed is not None else int(self.np_random.integers(2**31)))
        given = dict(options or {}) or self._next()
        assert self._seed is not None, "begun"
        observation, info = self.text.reset(seed=self._seed, options=given)
        if not options and self._episode <= self.starts and len(self._kept) < self._episode:
            self._kept.append(info["start"])
        return self.view.encode(observation), {"event": info["event"].name}

    def step(self, action: NDArray[np.float32]) -> tuple[Arrays, float, bool, bool, dict[str, Any]]:
        """Act on a point; returns what `TextEnv.step` returns, as arrays."""
        point = array_view.point_of(action)
        observation, reward, terminated, truncated, info = self.text.point(point)
        told: dict[str, Any] = {"event": info["event"].name}
        if terminated or truncated:
            told["is_success"] = bool(info["verdict"].success)
        return self.view.encode(observation), float(reward), terminated, truncated, told

    def render(self) -> NDArray[np.uint8] | None:
        """Return the picture [H, W, 3] with the points so far drawn."""
        return self.text.render()

    def close(self) -> None:
        """Release the simulator and the renderer; idempotent."""
        self.text.close()

    def _begin(self, seed: int) -> None:
        derived = int(generator(seed, "point_env").integers(2**31))
        if derived != self._seed:
            self._kept = []
        self._seed, self._episode = derived, 0

    def _next(self) -> dict[str, Any]:
        """Return the options of the next episode."""
        number, self._episode = self._episode, self._episode + 1
        if not self.starts or number >= self.starts:
            if not self.starts:
                return {"index": number}
            number = int(self.np_random.integers(self.starts))
        if number < len(self._kept):
            return {"episode": self._kept[number]}
        return {"index": number}
