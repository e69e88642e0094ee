"""Policies and environments that break on purpose. Importable by worker processes."""

import os
import signal
from pathlib import Path

from refergym.agents.oracle import OraclePolicy
from refergym.agents.policy import Answer
from refergym.rollouts.plan import build_env


class FaultyOracle:
    """The oracle, but the process breaks at chosen answers, as often as `times`."""

    name = "faulty"
    privileged = True

    def __init__(self, fault, seeds, folder, times=1):
        self.fault, self.seeds, self.times = fault, set(seeds), times
        self.folder = Path(folder)

    def act(self, observations, *, seeds, truths=None):
        for seed in seeds:
            if seed in self.seeds and self._count(seed) < self.times:
                if self.fault == "raise":
                    raise OSError("the line is dead")
                os.kill(os.getpid(), signal.Signals[self.fault])
        return OraclePolicy().act(observations, seeds=seeds, truths=truths)

    def _count(self, seed):
        """Breaks so far, counted on disk: the process does not live to remember them."""
        broken = self.folder / f"broken-{seed}"
        before = len(broken.read_text()) if broken.exists() else 0
        if before < self.times:
            broken.write_text("x" * (before + 1))
        return before


class Once:
    """An environment factory whose first environments break at the first step."""

    def __init__(self, broken):
        self.broken = broken
        self.made = 0

    def __call__(self, plan):
        env = build_env(plan)
        self.made += 1
        if self.made <= self.broken:

            def step(action):
                raise RuntimeError("the simulator exploded")

            env.step = step
        return env


class Said:
    """Answers the given points in turn, by the step's number; keeps what it was shown."""

    name = "said"
    privileged = False

    def __init__(self, points=((0.5, 0.5),)):
        self.points = points
        self.shown = []
        self.truths = []
        self.seeds = []

    def act(self, observations, *, seeds, truths=None):
        self.shown += observations
        self.truths.append(truths)
        self.seeds += seeds
        return [
            Answer(point_uv=self.points[(len(self.shown) - 1) % len(self.points)])
            for _ in observations
        ]


def tell_blocked(pipe):
    """Body of a worker that tells which signals never reach it."""
    pipe.send(signal.pthread_sigmask(signal.SIG_BLOCK, []))
