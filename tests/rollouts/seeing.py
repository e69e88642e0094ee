"""Policies with words that look at pictures alone. Importable by worker processes."""

import threading
import time

import numpy as np

from refergym.agents.policy import Answer
from refergym.envs.dialects.base import PointSeen


class Nearest:
    """Points at what is nearest, in the words of its dialect; after `seconds`, or not at all."""

    name = "nearest"
    privileged = False

    def __init__(self, dialect, several="first", seconds=0.0, fails=(), thinks=False):
        self.dialect, self.several = dialect, several
        self.seconds, self.fails, self.thinks = seconds, tuple(fails), thinks
        self.shown = []
        self.batches = []
        self.threads = set()

    def act(self, observations, *, seeds, truths=None):
        self.batches.append(len(observations))
        self.shown += observations
        self.threads.add(threading.get_ident())
        time.sleep(self.seconds)
        for seen in observations:
            if any(word in seen["instruction"] for word in self.fails):
                raise RuntimeError("private: a path of somebody")
        return [self._answer(seen) for seen in observations]

    def _answer(self, seen):
        depth = np.where(seen["depth"] > 0, seen["depth"], np.inf)
        if not np.isfinite(depth).any():  # the reddest pixel, without depth
            depth = -(2.0 * seen["rgb"][..., 0] - seen["rgb"][..., 1] - seen["rgb"][..., 2])
        y, x = np.unravel_index(np.argmin(depth), depth.shape)
        height, width = depth.shape
        point = PointSeen(u=(x + 0.5) / width, v=(y + 0.5) / height)
        text = self.dialect.format([point], (width, height))
        if self.thinks:
            text = f"<think>Step 1: it is here.</think><answer>{text}</answer>"
        return Answer(text=text, tokens=(1, 2, 3))
