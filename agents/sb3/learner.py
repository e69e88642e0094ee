"""PPO and SAC of Stable-Baselines3, with checkpoints that a stopped run goes on from."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym

from refergym.agents.sb3 import models, networks
from refergym.agents.sb3.errors import LearnerError
from refergym.agents.sb3.models import Card
from refergym.assets import records
from refergym.assets.records import Record
from refergym.envs.array_view import ArrayView

WINDOW = 200
"""episodes that the success rate is taken over"""
Network = Literal["keypoints", "nature"]
MakeEnv = Callable[[ArrayView, int], gym.Env[Any, Any]]
"""makes an environment that is seen so, and keeps so many starts; it crosses to other processes"""


class Progress(Record, frozen=True, kw_only=True):
    """How far the learning is."""

    steps: int
    seconds: float
    """of learning; those of earlier runs that this one goes on from count"""
    episodes: int
    """that ended in this run"""
    success: float | None
    """rate of the last `WINDOW` episodes, with exploration; none before the first"""
    reward: float | None
    """mean of the same episodes"""


Tell = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a learner is asked to do."""

    make: MakeEnv
    folder: Path
    """for model.zip"""
    seed: int
    resume: bool
    """go on from the model in the folder, if there is one"""
    seconds: float
    """that earlier runs took"""
    tensorboard: Path | None
    choices: Mapping[str, str]
    versions: Mapping[str, str]
    tell: Tell
    """told every few steps"""
    checkpoint: Tell
    """told whenever a model was written"""


class Sb3Learner:
    """Learns by PPO or SAC; its arguments are those of configs/learner/sb3_*.yaml."""

    def __init__(
        self,
        *,
        algorithm: str,
        steps: int,
        envs: int,
        processes: bool,
        starts: int,
        threads: int,
        save_every: int,
        view: Mapping[str, Any],
        network: Network,
        arguments: Mapping[str, Any],
    ) -> None:
        """Check the settings; nothing is made before `learn`.

        Raises:
            MissingExtraError: without Stable-Baselines3.
            LearnerError: naming the key that is wrong.
        """
        _among("algorithm", algorithm, tuple(models.ALGORITHMS))
        _among("network", network, ("keypoints", "nature"))
        for key, value in (("steps", steps), ("envs", envs), ("threads", threads),
                           ("save_every", save_every)):  # fmt: skip
            if type(value) is not int or value < 1:
                raise LearnerError(f"{key}: expected a whole number >= 1, got {value!r}")
        if type(starts) is not int or starts < 0:
            raise LearnerError(f"starts: expected a whole number >= 0, got {starts!r}")
        try:
            self.view = records.convert(dict(view), ArrayView, error=LearnerError)
        except LearnerError as e:
            raise LearnerError(f"view.{e}") from e
        models.require()
        self.algorithm = algorithm
        self.steps = steps
        self.envs = envs
        self.processes = processes
        self.starts = starts
        self.threads = threads
        self.save_every = save_every
        self.network = network
        self.arguments = dict(arguments)

    def learn(self, task: Task) -> Progress:
        """Learn up to `steps`, and write the model into the folder.

        A run that is stopped (KeyboardInterrupt) writes what it has learned first.

        Raises:
            LearnerError: if Stable-Baselines3 refuses its arguments.
            ModelError: if the model to go on from is damaged, or of another learner.
        """
        import torch

        torch.set_num_threads(self.threads)
        vector = self._vector(task)
        try:
            model = self._model(task, vector)
            run = _Run(self, task, model)
            try:
                if model.num_timesteps < self.steps:
                    model.learn(
                        self.steps - model.num_timesteps,
                        callback=run.on_step,
                        reset_num_timesteps=False,
                    )
            finally:
                if model.num_timesteps > run.saved:
                    run.save()
            return run.progress()
        finally:
            vector.close()

    def _vector(self, task: Task) -> Any:
        from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecMonitor

        maker: Callable[[], gym.Env[Any, Any]] = _Maker(task.make, self.view, self.starts)
        makers = [maker] * self.envs
        if self.processes:
            vector: Any = SubprocVecEnv(makers, start_method="spawn")
        else:
            vector = DummyVecEnv(makers)
        return VecMonitor(vector)

    def _model(self, task: Task, vector: Any) -> Any:
        file = task.folder / models.MODEL
        tensorboard = None if task.tensorboard is None else str(task.tensorboard)
        if task.resume and file.exists():
            card = models.read_card(file)
            if (card.algorithm, card.view) != (self.algorithm, self.view):
                raise LearnerError(f"resume: {file} was learned by {card.algorithm} with another "
                                   "view; set it back, or choose another out=")  # fmt: skip
            model = models.load(file, card, vector, device="cpu", tensorboard_log=tensorboard)
            memory = task.folder / models.MEMORY
            if memory.exists():
                model.load_replay_buffer(memory)
            # without kept starts the episodes go on instead of beginning anew
            vector.seed(task.seed + (0 if self.starts else model.num_timesteps))
            return model
        given = dict(self.arguments)
        kwargs = dict(given.pop("policy_kwargs", None) or {})
        if self.network == "keypoints":
            kwargs["features_extractor_class"] = networks.keypoints
        try:
            return models.algorithm_class(self.algorithm)(
                "MultiInputPolicy", vector, seed=task.seed, device="cpu",
                tensorboard_log=tensorboard, policy_kwargs=kwargs, **given,
            )  # fmt: skip
        except (TypeError, ValueError, AssertionError) as e:
            reason = " ".join(str(e).split())
            raise LearnerError(f"arguments: {self.algorithm} refuses them: {reason:.200}") from e


@dataclass(frozen=True)
class _Maker:
    """Makes one environment, here or in a process of its own."""

    make: MakeEnv
    view: ArrayView
    starts: int

    def __call__(self) -> gym.Env[Any, Any]:
        return self.make(self.view, self.starts)


class _Run:
    """Counts, tells and saves while a model learns."""

    def __init__(self, learner: Sb3Learner, task: Task, model: Any) -> None:
        self._learner, self._task, self._model = learner, task, model
        self._began = time.monotonic()
        self._episodes = 0
        self._last: deque[tuple[bool, float]] = deque(maxlen=WINDOW)
        self.saved = model.num_timesteps
        task.tell(self.progress())

    def on_step(self, local: dict[str, Any], _: dict[str, Any]) -> bool:
        """Note which episodes ended; SB3 calls this after each step of all environments."""
        for info in local["infos"]:
            if "is_success" in info:
                self._episodes += 1
                self._last.append((info["is_success"], float(info["episode"]["r"])))
        self._task.tell(self.progress())
        if self._model.num_timesteps - self.saved >= self._learner.save_every:
            self.save()
        return True

    def save(self) -> None:
        """Write a checkpoint."""
        steps = self._model.num_timesteps
        card = Card(
            algorithm=self._learner.algorithm, view=self._learner.view, steps=steps,
            seed=self._task.seed, choices=dict(self._task.choices),
            versions=dict(self._task.versions),
        )  # fmt: skip
        models.save(self._model, card, self._task.folder)
        self.saved = steps
        self._task.checkpoint(self.progress())

    def progress(self) -> Progress:
        """Return how far it is."""
        n = len(self._last)
        return Progress(
            steps=self._model.num_timesteps,
            seconds=round(self._task.seconds + time.monotonic() - self._began, 1),
            episodes=self._episodes,
            success=round(sum(s for s, _ in self._last) / n, 4) if n else None,
            reward=round(sum(r for _, r in self._last) / n, 4) if n else None,
        )


def _among(key: str, value: object, known: Sequence[str]) -> None:
    if value not in known:
        raise LearnerError(f"{key}: expected one of {', '.join(known)}; got {value!r:.80}")
