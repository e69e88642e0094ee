"""Observations as a small picture and a vector, and points as actions in [-1, 1].

What learners take that know neither text nor metres, such as Stable-Baselines3. The same view turns
observations of an environment, and those that a policy gets, into arrays.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from PIL import Image

from refergym.assets.records import Record
from refergym.assets.spec import Positive
from refergym.envs.types import Event

SMALLEST = 36
"""px; the least that Stable-Baselines3's own networks take"""
WIDEST = 4.0
"""tangent of half a field of view; nothing in the vector is greater"""
_FIXED = 1 + len(Event) + 4
"""holding, event, intrinsics"""


class ArrayView(Record, frozen=True, kw_only=True):
    """How observations become arrays."""

    size: Annotated[int, msgspec.Meta(ge=SMALLEST, le=1024)]
    """px, width and height of the picture"""
    depth: bool
    """whether the inverse depth is a fourth channel"""
    nearest: Positive
    """m, the depth at which it is 255; 0 where nothing came back"""
    words: tuple[str, ...]
    """nouns; each is 1 in the vector where the instruction has it. None leaves the words out"""

    @property
    def space(self) -> spaces.Dict:
        """Space of `encode`."""
        shape = (3 + self.depth, self.size, self.size)
        length = _FIXED + len(self.words)
        return spaces.Dict(
            {
                "image": spaces.Box(0, 255, shape, np.uint8),
                "vector": spaces.Box(0.0, WIDEST, (length,), np.float32),
            }
        )

    def encode(self, observation: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Turn an `envs.types.Observation` into arrays.

        Returns:
            image: [3 or 4, size, size] uint8, red, green, blue, and inverse depth.
            vector: [18 + words] float32: holding; what the last step did, one of the `Event`s;
                tangents of the picture's half width and height, and its principal point, in
                pictures; the words.
        """
        return {"image": self._image(observation), "vector": self._vector(observation)}

    def _image(self, observation: Mapping[str, Any]) -> NDArray[np.uint8]:
        rgb = observation["rgb"]
        if rgb.shape[:2] != (self.size, self.size):
            picture = Image.fromarray(rgb).resize((self.size,) * 2, Image.Resampling.BOX)
            rgb = np.asarray(picture)
        channels = [rgb.transpose(2, 0, 1)]
        if self.depth:
            channels.append(self._inverse(observation["depth"])[None])
        return np.concatenate(channels)

    def _inverse(self, depth: NDArray[np.float32]) -> NDArray[np.uint8]:
        ys, xs = (((np.arange(self.size) + 0.5) * n / self.size).astype(int) for n in depth.shape)
        # not the mean: it would make up surfaces between the near and the far
        there = depth[np.ix_(ys, xs)]
        share = np.divide(self.nearest, there, out=np.zeros_like(there), where=there > 0)
        inverse: NDArray[np.uint8] = np.rint(255 * np.minimum(share, 1.0)).astype(np.uint8)
        return inverse

    def _vector(self, observation: Mapping[str, Any]) -> NDArray[np.float32]:
        height, width = observation["rgb"].shape[:2]
        k = observation["intrinsics"]
        event = np.zeros(len(Event))
        event[int(observation["event"])] = 1.0
        sight = (width / 2 / k[0, 0], height / 2 / k[1, 1], k[0, 2] / width, k[1, 2] / height)
        said = observation["instruction"].lower()
        words = [bool(re.search(rf"\b{re.escape(w.lower())}(e?s)?\b", said)) for w in self.words]
        vector = np.array([observation["holding"], *event, *sight, *words], np.float32)
        return np.clip(vector, 0.0, np.float32(WIDEST))


def action_space() -> spaces.Space[NDArray[np.float32]]:
    """Return the space of actions: the point, -1 at the left and the top, 1 at the other side."""
    box: spaces.Space[Any] = spaces.Box(-1.0, 1.0, (2,), np.float32)
    return box


def point_of(action: NDArray[Any]) -> tuple[float, float]:
    """Return an action's point (u, v) in [0, 1]; what lies outside goes to the edge."""
    u, v = ((min(1.0, max(-1.0, float(a))) + 1) / 2 for a in action)
    return u, v
