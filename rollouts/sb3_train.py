"""`refergym train learner=sb3_ppo`: Stable-Baselines3 learns without words."""

import functools
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from omegaconf import OmegaConf
from rich.console import Console

from refergym.agents.sb3.errors import Sb3Error
from refergym.agents.sb3.learner import Progress, Sb3Learner, Task, Tell
from refergym.agents.sb3.models import MODEL
from refergym.assets import records
from refergym.assets.library import open_pack
from refergym.assets.records import Record
from refergym.envs import building
from refergym.envs.array_view import ArrayView
from refergym.envs.point_env import PointEnv
from refergym.envs.text_env import TextEnv
from refergym.rollouts import arguments, config, output
from refergym.rollouts.bars import Bar, say_kept
from refergym.rollouts.errors import ConfigError, OutputError
from refergym.rollouts.plan import EnvSettings, Plan, build_env, build_rewards

RESULT = "train.json"
FREE = ("out", "resume", "tensorboard")
FREE_LEARNER = ("steps", "processes", "threads", "save_every")
"""keys that a resumed run may set anew"""
PACKAGES = ("torch", "stable-baselines3")


class Settings(EnvSettings, frozen=True, kw_only=True):
    """The keys of configs/sb3_train.yaml; their defaults and their meaning stand there."""

    reward: dict[str, Any]
    learner: dict[str, Any]
    pack: str | None
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
    out: Annotated[str, msgspec.Meta(min_length=1)]
    resume: bool
    tensorboard: bool


class Training(Record, frozen=True, kw_only=True):
    """What `train` writes to train.json, at each checkpoint."""

    learner: str
    is_done: bool
    """false while it runs, and after it was stopped"""
    curve: tuple[Progress, ...]
    """at each checkpoint"""
    config: dict[str, Any]
    choices: dict[str, str]
    versions: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training gave."""

    folder: Path
    training: Training


def train(
    overrides: Sequence[str] = (),
    config_dir: str | Path | None = None,
    on_progress: Tell | None = None,
) -> Trained:
    """Train as the command does, and write everything to `out`.

    Args:
        overrides: "key=value" as on the command line.
        config_dir: a folder with further yaml files.
        on_progress: told every few steps.

    Returns:
        What was written.

    Raises:
        ConfigError: if a key, a choice or a value is wrong, or a package is missing.
        OutputError: if the folder holds another run, or a damaged one.
    """
    composed = config.compose("sb3_train", overrides, config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    learner = config.instantiate(settings.learner, "learner")
    if not isinstance(learner, Sb3Learner):
        raise ConfigError(f"learner._target_: {settings.learner['_target_']} is no learner")
    if settings.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise ConfigError("tensorboard: the package is not installed: pip install tensorboard")
    folder = Path(settings.out)
    plan = _plan(settings, composed)
    build_rewards(plan)
    output.open_folder(folder, _info(plan, composed), resume=settings.resume)
    with output.alone_in(folder):
        return _train(settings, composed, plan, learner, on_progress or _say_nothing)


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Args:
        argv: what follows "train" on the command line.

    Returns:
        Exit status 0.

    Raises:
        RolloutError: for whatever the user can mend.
    """
    words = arguments.parse("train", "sb3_train", argv)
    console, errors = Console(), Console(stderr=True)
    total = config.compose("sb3_train", words.overrides, words.config_dir).config["learner"][
        "steps"
    ]
    bar = Bar("steps", errors, total=total)

    def show(now: Progress) -> None:
        note = "" if now.success is None else f"success {now.success:.2f} reward {now.reward:.2f}"
        bar.show(now.steps, note=note)

    with bar:
        try:
            done = train(words.overrides, words.config_dir, show)
        except KeyboardInterrupt:
            say_kept(bar, errors)
            raise
    console.print(_conclusion(done), markup=False, highlight=False, soft_wrap=True)
    return 0


def _say_nothing(_: Progress) -> None:
    """Stand in for a missing progress callback."""


def _train(
    settings: Settings, composed: config.Composed, plan: Plan, learner: Sb3Learner, tell: Tell
) -> Trained:
    folder = Path(settings.out)
    before = _read(folder / RESULT) if settings.resume else None
    curve = list(before.curve) if before is not None else []

    def write(*, is_done: bool) -> Training:
        training = Training(
            learner=composed.choices["learner"],
            is_done=is_done,
            curve=tuple(curve),
            config=composed.config,
            choices=composed.choices,
            versions=plan.versions,
        )
        output.write_json(folder / RESULT, training)
        return training

    def checkpoint(now: Progress) -> None:
        curve.append(now)
        write(is_done=False)

    task = Task(
        make=functools.partial(make_point_env, plan),
        folder=folder,
        seed=settings.seed,
        resume=settings.resume,
        seconds=curve[-1].seconds if curve else 0.0,
        tensorboard=folder / "tensorboard" if settings.tensorboard else None,
        choices=composed.choices,
        versions=plan.versions,
        tell=tell,
        checkpoint=checkpoint,
    )
    try:
        learner.learn(task)
    except Sb3Error as e:
        raise ConfigError(f"learner: {e}") from e
    return Trained(folder=folder, training=write(is_done=True))


def make_point_env(plan: Plan, view: ArrayView, starts: int) -> PointEnv:
    """Make one environment to learn in; pictures of kept starts are drawn once.

    Args:
        plan: with the configs of the environment and of the reward set.
        view: what is seen.
        starts: how many are kept; 0 makes all anew.
    """
    groups = {**plan.env, "pack": plan.pack, "max_steps": None, "pictures": True}
    refer = building.build_env(OmegaConf.create(groups), render_mode=None, remembered=starts)
    return PointEnv(TextEnv(refer, rewards=build_rewards(plan)), view, starts=starts)


def _plan(settings: Settings, composed: config.Composed) -> Plan:
    return Plan(
        env=settings.env,
        pack=settings.pack,
        policies={},
        reward=settings.reward,
        task=composed.choices["task"],
        suite=f"train-{composed.choices['task']}-s{settings.seed}",
        seed=settings.seed,
        versions={**output.package_versions(), **output.versions_of(PACKAGES)},
    )


def _info(plan: Plan, composed: config.Composed) -> output.RunInfo:
    """Return what fixes the run; makes an environment, so that what is wrong is said at once."""
    fixed = {key: value for key, value in composed.config.items() if key not in FREE}
    fixed["learner"] = {k: v for k, v in fixed["learner"].items() if k not in FREE_LEARNER}
    env = build_env(plan)
    try:
        return output.RunInfo(
            config=fixed,
            choices=composed.choices,
            backend=env.backend.kind,
            renderer=env.renderer.name,
            pack=open_pack(plan.pack).digest,
            versions=plan.versions,
        )
    finally:
        env.close()


def _read(path: Path) -> Training | None:
    try:
        return records.decode(path.read_bytes(), Training, error=OutputError)
    except FileNotFoundError:
        return None
    except OutputError as e:
        raise OutputError(f"resume: {path}: {e}") from e


def _conclusion(done: Trained) -> str:
    training = done.training
    last = training.curve[-1] if training.curve else None
    said = "nothing new"
    if last is not None:
        rate = "" if last.success is None else f", success {last.success:.2f} while exploring"
        said = f"{last.steps} steps, {last.seconds / 60:.1f} minutes{rate}"
    path = done.folder / MODEL
    same = " ".join(f"{g}={training.choices[g]}" for g in ("task", "scene", "backend"))
    return (
        f"Wrote {MODEL} ({training.learner}, {said}) and {RESULT} to {done.folder}; "
        f"evaluate it: refergym evaluate policy=sb3 policy.path={path} {same} floors=true"
    )
