"""The learner's processes as Ray Train starts them: on the GPUs of a cluster, or on CPUs.

Each is a worker of a `TorchTrainer` and runs the same command; Ray tells them of each other as
torchrun would. The first one plays by the same Ray's actors, and writes. `out` must be a folder
that its node shares with whoever reads it.
"""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from refergym.rollouts.errors import ConfigError, PoolError
from refergym.rollouts.rft.cluster import connect
from refergym.rollouts.rft.journal import TABLE
from refergym.rollouts.rft.settings import Settings

LOOK_S = 1.0
"""s between two looks at how far they are"""
LOGS = "ray"
"""folder in `out` for what Ray Train itself keeps"""


def train(
    settings: Settings,
    overrides: Sequence[str],
    config_dir: str | Path | None,
    tell: Callable[[dict[str, Any]], None],
) -> None:
    """Run the command in `learner.processes` workers, until all are done.

    Args:
        settings: of the command.
        overrides: "key=value" as on its command line.
        config_dir: a folder with further yaml files.
        tell: told "step" and, as far as numbers go, the last row of the journal.

    Raises:
        ConfigError: if Ray Train is missing, or the cluster has too few GPUs.
        PoolError: if a worker fails or is lost; what was saved is kept.
    """
    count = settings.learner.processes
    owns = connect(settings.rollout, more_cpus=count)
    import ray

    try:
        try:
            from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
            from ray.train.torch import TorchConfig, TorchTrainer
        except ImportError as e:
            raise ConfigError("learner.processes: needs pip install 'ray[train]'") from e
        is_gpu = str(settings.policy.get("device", "cpu")).startswith("cuda")
        _check_gpus(settings, is_gpu)
        folder = Path(settings.out).resolve()
        trainer = TorchTrainer(
            _learn,
            train_loop_config={
                "overrides": [*overrides, f"out={folder}"],
                "config_dir": None if config_dir is None else str(Path(config_dir).resolve()),
                "cwd": str(Path.cwd()),
            },
            torch_config=TorchConfig(
                backend="nccl" if is_gpu else "gloo", timeout_s=int(settings.learner.patience_s)
            ),
            scaling_config=ScalingConfig(num_workers=count, use_gpu=is_gpu),
            run_config=RunConfig(
                name=LOGS, storage_path=str(folder), failure_config=FailureConfig(max_failures=0)
            ),
        )
        with _Watching(folder / TABLE, tell):
            try:
                trainer.fit()
            except (TrainingFailedError, ray.exceptions.RayError) as e:
                raise PoolError(f"learner.processes: {_said(e)}") from e
    finally:
        if owns:
            ray.shutdown()


def _learn(given: dict[str, Any]) -> None:
    """Body of a worker."""
    os.chdir(given["cwd"])
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from refergym.rollouts.train import train as command

    command(given["overrides"], given["config_dir"])


def _check_gpus(settings: Settings, is_gpu: bool) -> None:
    import ray

    if not is_gpu:
        return
    there = ray.cluster_resources().get("GPU", 0)
    needed = settings.learner.processes + settings.rollout.server_gpus
    if there < needed:
        raise ConfigError(
            f"learner.processes: with the policy's server they need {needed:g} GPUs, but the"
            f" cluster has {there:g}; ask for fewer, or policy.device=cpu"
        )


def _said(error: BaseException) -> str:
    """Return the last line of what went wrong, in the first worker that says so."""
    failures = getattr(error, "worker_failures", None) or {0: error}
    lines = [line for line in str(failures[min(failures)]).splitlines() if line.strip()]
    return f"{lines[-1] if lines else type(error).__name__:.300}"


class _Watching:
    """Tells how far a training in other processes is, by the table that it writes."""

    def __init__(self, table: Path, tell: Callable[[dict[str, Any]], None]) -> None:
        self._table, self._tell, self._over = table, tell, threading.Event()
        self._thread = threading.Thread(target=self._watch, name="journal", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        import csv

        told: dict[str, str] = {}
        while not self._over.wait(LOOK_S):
            if not self._table.exists():
                continue
            with self._table.open(newline="") as file:
                rows = list(csv.DictReader(file))
            if rows and rows[-1] != told:
                told = rows[-1]
                numbers = {k: float(v) for k, v in told.items() if v}
                self._tell({**numbers, "step": int(told["step"])})
