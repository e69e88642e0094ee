"""Policies that think aloud; what their answers have to do with it is known. For workers too."""

import numpy as np

from refergym.agents.narrator import thought
from refergym.agents.policy import Answer
from refergym.envs.replies import stated_points
from refergym.rollouts.thoughts import begin_of, corrupted


class Copier:
    """Thinks what is true, and points at the last position of whatever thought there is."""

    name = "copier"
    privileged = True

    def __init__(self, dialect, several="first"):
        self.dialect, self.several = dialect, several

    def act(self, observations, *, seeds, truths=None):
        begins = [begin_of("", self.thought(truth)) for truth in truths]
        return self.continue_from(observations, begins, seeds=seeds)

    def continue_from(self, observations, begins, *, seeds):
        said = [self.point(seen, begin) for seen, begin in zip(observations, begins, strict=True)]
        return [
            Answer(text=f"{begin}[({u:.3f}, {v:.3f})]</answer>")
            for begin, (u, v) in zip(begins, said, strict=True)
        ]

    def thought(self, truth):
        return thought(truth)

    def point(self, seen, begin):
        points = stated_points(begin)
        return points[-1].value if points else (0.5, 0.5)


class Ignorer(Copier):
    """Thinks what is true, and points at what is nearest."""

    def point(self, seen, begin):
        depth = np.where(seen["depth"] > 0, seen["depth"], np.inf)
        y, x = np.unravel_index(np.argmin(depth), depth.shape)
        return x / depth.shape[1], y / depth.shape[0]


class Liar(Copier):
    """Thinks of positions that are wrong, and believes them."""

    def thought(self, truth):
        return corrupted(thought(truth), 0.3, np.random.default_rng(0))


class Mute(Copier):
    """Thinks nothing."""

    def thought(self, truth):
        return ""
