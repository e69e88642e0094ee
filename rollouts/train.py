"""`refergym train`: a policy learns by what happens in the simulator."""

import contextlib
import copy
import datetime
import importlib
import importlib.util
import logging
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from refergym.agents.errors import AgentError
from refergym.assets import records
from refergym.assets.library import open_pack
from refergym.rollouts import arguments, bars, config, output, peers, sb3_train, suites
from refergym.rollouts.bars import Bar
from refergym.rollouts.errors import ConfigError, OutputError
from refergym.rollouts.plan import Plan, made_policy, with_dialect
from refergym.rollouts.rft.settings import BEST, LAST, Settings

log = logging.getLogger(__name__)
RESULT = "train.json"
FREE = ("out", "resume", "steps", "minutes", "tensorboard", "threads", "save_every", "rollout")
"""keys that a resumed run may set anew"""
FREE_OF_LEARNER = ("processes", "patience_s")
FREE_OF_LEARNING = ("spread",)
"""the same of `learner`, and of `learner.learning`"""
PACKAGES = ("torch", "transformers", "ray", "peft")
FIRST_SEED = 2_000_000
"""of training starts: no evaluation has them, nor what the nano was taught by"""
SB3 = "sb3_"
MULTIRUN = "--multirun"


class Trained(records.Record, frozen=True, kw_only=True):
    """What `train` writes to train.json when it ends."""

    steps: int
    best: float
    """success of the best evaluation; -1 without any"""
    rows: tuple[dict[str, Any], ...]
    """of the journal: a step each"""
    config: dict[str, Any]
    choices: dict[str, str]
    versions: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a training gave."""

    folder: Path
    trained: Trained


def train(
    overrides: Sequence[str] = (),
    config_dir: str | Path | None = None,
    on_progress: Any = lambda row: None,
) -> Outcome:
    """Train as the command does, and write everything to `out`.

    In several processes, as torchrun starts them, the main one plays and writes; all learn.

    Args:
        overrides: "key=value" as on the command line.
        config_dir: a folder with further yaml files.
        on_progress: told each row of the journal.

    Raises:
        ConfigError: if a key, a choice or a value is wrong, or a package is missing.
        OutputError: if the folder holds another run, or a damaged one.
        RolloutError: if too many groups are lost.
        PoolError: if one of several processes is gone.
        KeyboardInterrupt: if it was stopped; a checkpoint was written.
    """
    composed, settings, info = _checked(overrides, config_dir)
    several = _check_processes(settings)
    if several and importlib.util.find_spec("accelerate") is None:
        raise _missing("accelerate")
    folder = Path(settings.out)
    if several and peers.count() == 1:
        from refergym.rollouts.rft import ray_train

        ray_train.train(settings, overrides, config_dir, on_progress)
        done = finished(folder)
        assert done is not None, "what it wrote"
        return done
    patience = datetime.timedelta(seconds=settings.learner.patience_s)
    with peers.together(patience), contextlib.ExitStack() as held:

        def enter() -> None:
            output.open_folder(folder, info, resume=settings.resume)
            held.enter_context(output.alone_in(folder))
            held.enter_context(output.kept_if_begun(folder, LAST))

        peers.main_first(enter)
        trained = _train(settings, composed, config_dir, info.versions, on_progress)
    return Outcome(folder=folder, trained=trained)


def finished(folder: Path) -> Outcome | None:
    """Return what a training gave that has ended in a folder; none if there is no such."""
    file = folder / RESULT
    if not file.exists():
        return None
    try:
        trained = records.decode(file.read_bytes(), Trained, error=OutputError)
    except OutputError as e:
        raise OutputError(f"{file}: {e}") from e
    return Outcome(folder=folder, trained=trained)


def ended(overrides: Sequence[str], config_dir: str | Path | None = None) -> Outcome | None:
    """Return what a training gave that these words would go on with, if they ask for no more of it.

    Args:
        overrides: as in `train`, with resume=true.
        config_dir: the same.

    Raises:
        ConfigError: as `train` does.
        OutputError: if the folder holds another training.
    """
    composed, settings, info = _checked(overrides, config_dir)
    done = finished(Path(settings.out))
    if done is None:
        return None
    output.check_same(Path(settings.out) / output.RUN, info)
    same = all(done.trained.config[key] == composed.config[key] for key in ("steps", "minutes"))
    return done if same else None


def check(overrides: Sequence[str], config_dir: str | Path | None = None) -> None:
    """Find out what is wrong with a training's words before anything is played.

    Raises:
        ConfigError: naming the key.
    """
    _checked(overrides, config_dir)


def _checked(
    overrides: Sequence[str], config_dir: str | Path | None
) -> tuple[config.Composed, Settings, output.RunInfo]:
    composed = config.compose("train", overrides, config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    for package in ("torch", "transformers"):
        if importlib.util.find_spec(package) is None:
            raise _missing(package)
    _optimisation(settings)
    info = output.RunInfo(
        config=_fixed(composed.config),
        choices={k: v for k, v in composed.choices.items() if k != "rollout"},
        backend=settings.backend.get("_target_", ""),
        renderer=settings.renderer.get("_target_", ""),
        pack=open_pack(settings.pack).digest,
        versions={**output.package_versions(), **output.versions_of(PACKAGES)},
    )
    return composed, settings, info


def _missing(package: str) -> ConfigError:
    return ConfigError(
        f"train needs {package}, of the extra vlm: pip install 'refergym[vlm]' (EXTRAS=vlm)"
    )


def _optimisation(settings: Settings) -> tuple[Any, Any]:
    """Return the learner's Learning and LossSettings, whose modules need torch."""
    from refergym.agents.rft.learner import Learning
    from refergym.agents.rft.losses import LossSettings

    learner = settings.learner
    path = "learner.learning"
    learning = records.convert(learner.learning, Learning, error=ConfigError, path=path)
    return learning, records.convert(
        learner.loss, LossSettings, error=ConfigError, path="learner.loss"
    )


def _check_processes(settings: Settings) -> bool:
    """Say whether several processes learn; those that run know of each other, or Ray starts them.

    Raises:
        ConfigError: if nobody can start them, or if there are more or fewer already.
    """
    wanted, running = settings.learner.processes, peers.count()
    if running > 1 and wanted not in (1, running):
        raise ConfigError(f"learner.processes: {wanted}, but {running} were started; leave it out")
    if wanted > 1 and running == 1 and settings.rollout.engine != "ray":
        raise ConfigError(
            f"learner.processes: {wanted} need rollout=ray; or leave it out and let torchrun start"
            " them"
        )
    return max(wanted, running) > 1


def _fixed(plain: dict[str, Any]) -> dict[str, Any]:
    """Return the keys that a resumed run must share with the one that was stopped."""
    fixed = copy.deepcopy({k: v for k, v in plain.items() if k not in FREE})
    for key in FREE_OF_LEARNER:
        fixed["learner"].pop(key)
    for key in FREE_OF_LEARNING:
        fixed["learner"]["learning"].pop(key)
    return fixed


def _train(
    settings: Settings,
    composed: config.Composed,
    config_dir: str | Path | None,
    versions: dict[str, str],
    tell: Any,
) -> Trained:
    import torch

    from refergym.agents import folders
    from refergym.agents.rft.learner import RftLearner
    from refergym.agents.rft.likelihood import Likelihood
    from refergym.agents.vlm import TransformersPolicy
    from refergym.rollouts.rft import checkpoints
    from refergym.rollouts.rft.journal import Journal
    from refergym.rollouts.rft.leading import follow, lead
    from refergym.rollouts.rft.stopping import Stop
    from refergym.rollouts.rft.training import Training

    torch.set_num_threads(settings.threads)
    folder = Path(settings.out)
    peers.main_first(lambda: folders.recover(folder / LAST))
    resumed = settings.resume and (folder / LAST).exists()
    if settings.resume and not resumed:
        log.info("resume: nothing was saved in %s yet, so it begins anew", folder)
    node = with_dialect(settings.policy, config_dir)
    if "batch" in node:
        node["batch"] = settings.rollout.batch
    began = made_policy(node) if "path" in node else None
    if not isinstance(began, TransformersPolicy):
        raise ConfigError(f"policy: {settings.policy['_target_']} has no weights that can learn")
    if not began.temperature > 0:
        raise ConfigError("policy.temperature: expected > 0, or all of a group answer alike")
    policy = made_policy({**node, "path": str(folder / LAST)}) if resumed else began
    assert isinstance(policy, TransformersPolicy), "made by the same config"
    learning, loss = _optimisation(settings)
    plans = _plans(settings, composed, node, versions)
    likelihood = Likelihood(
        processor=policy.processor, prompter=policy.prompter, dialect=policy.dialect,
        temperature=policy.temperature, entropy_learns=loss.entropy > 0,
    )  # fmt: skip
    torch.manual_seed(settings.seed)
    model, own = policy.model, None
    if learning.spread == "shards" and peers.is_main() and settings.rollout.engine == "local":
        # what is in shards answers only where all processes do so together
        model, own = copy.deepcopy(policy.model), policy.model
    try:
        learner = RftLearner(
            model, likelihood, learning, loss, settings.seed, reference=began.model
        )
    except AgentError as e:
        raise ConfigError(f"learner: {e}") from e
    state = None
    if resumed:
        told, state = checkpoints.read(folder / LAST)
        learner.restore(told)
    if not peers.is_main():
        follow(learner)
        return Trained(
            steps=learner.step, best=-1.0, rows=(), config=composed.config,
            choices=composed.choices, versions=versions,
        )  # fmt: skip
    policies = {kind: policy.at(0.0) if kind == "evaluate" else policy for kind in plans}
    with contextlib.ExitStack() as held:
        learns = held.enter_context(lead(learner))
        journal = Journal(folder, state.rows if state else (), settings.tensorboard)
        held.callback(journal.close)
        collector = held.enter_context(
            contextlib.closing(_collector(settings, plans, policies, own))
        )
        training = Training(settings, collector, learns, policy.processor, journal, tell, state)
        with Stop() as stop:
            training.run(stop)
    trained = Trained(
        steps=learner.step, best=training.best, rows=tuple(journal.rows), config=composed.config,
        choices=composed.choices, versions=versions,
    )  # fmt: skip
    output.write_json(folder / RESULT, trained)
    return trained


def _collector(
    settings: Settings, plans: dict[str, Plan], policies: dict[str, Any], model: Any
) -> Any:
    from refergym.rollouts.rft.collecting import LocalCollector

    rollout = settings.rollout
    if rollout.engine == "local":
        for key, wanted in (("faults", None), ("staleness", 0)):
            if getattr(rollout, key) != wanted:
                raise ConfigError(f"rollout.{key}: needs rollout=ray; one process cannot")
        return LocalCollector(plans, policies, model)
    from refergym.rollouts.rft.ray_collector import RayCollector

    temperatures = {kind: policy.temperature for kind, policy in policies.items()}
    return RayCollector(plans, temperatures, rollout, settings.threads)


def _plans(
    settings: Settings, composed: config.Composed, node: dict[str, Any], versions: dict[str, str]
) -> dict[str, Plan]:
    """Return what is played to learn from, and what to evaluate."""
    learned = Plan(
        env=settings.env,
        pack=settings.pack,
        policies={"policy": node},
        reward=settings.reward,
        task=composed.choices["task"],
        suite="train",
        seed=FIRST_SEED + settings.seed,
        batch=settings.rollout.batch,
        versions=versions,
    )
    starts = None
    if settings.evaluate.suite is not None:
        try:
            path = suites.find(settings.evaluate.suite)
        except ConfigError as e:
            raise ConfigError(f"evaluate.{e}") from e
        suites.check_pack(path, open_pack(settings.pack))
        starts = str(path)
    judged = msgspec.structs.replace(
        learned,
        policies={"policy": {**node, "temperature": 0.0}},
        suite=settings.evaluate.suite or "evaluate",
        starts=starts,
        seed=settings.evaluate.seed,
    )
    plans = {"train": learned, "evaluate": judged}
    return {**plans, "branch": learned} if settings.learner.branches else plans


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Args:
        argv: what follows "train" on the command line.

    Returns:
        Exit status 0.

    Raises:
        RolloutError: for whatever the user can mend.
    """
    if any(word.startswith(f"learner={SB3}") for word in argv):
        return sb3_train.main(argv)
    if MULTIRUN in argv:
        sweep = importlib.import_module("refergym.rollouts.sweep")
        return int(sweep.main([word for word in argv if word != MULTIRUN]))
    words = arguments.parse("train", "train", argv)
    console, errors = Console(), Console(stderr=True)
    total = config.compose("train", words.overrides, words.config_dir).config["steps"]
    with Bar("steps", errors, total=total) as bar:
        try:
            done = train(words.overrides, words.config_dir, shown_by(bar))
        except KeyboardInterrupt:
            bars.say_kept(bar, errors)
            raise
    if peers.is_main():
        console.print(_conclusion(done), markup=False, highlight=False, soft_wrap=True)
    return 0


SHOWN = (
    {"success": "success {:.2f}", "evaluated": "held out {:.2f}"},
    {
        "reward": "reward {:.2f}", "parsed": "parsed {:.2f}", "length": "length {:.0f}",
        "entropy": "entropy {:.2f}", "zero_variance": "flat {:.2f}", "kl_sampler": "kl {:.4f}",
    },
    {
        "clip_low": "clipped {:.3f}", "clip_high": "/ {:.3f}", "staleness": "stale {:.0f}",
        "steps_per_s": "{:.1f} turns/s", "tokens_per_s": "{:.0f} tokens/s",
    },
    {
        "environment_s": "environment {:.1f} s", "policy_s": "policy {:.1f} s",
        "waiting_s": "waiting {:.1f} s", "learning_s": "learning {:.1f} s",
    },
)  # fmt: skip
"""what the progress bar shows of a row: how it goes; how fast, and where its time went"""


def shown_by(bar: Bar) -> Callable[[dict[str, Any]], None]:
    """Return what a training tells its rows, to be shown by a bar."""
    return lambda row: bar.show(row["step"], note=_note(row))


def _note(row: dict[str, Any]) -> str:
    lines = [[text.format(row[key]) for key, text in part.items() if key in row] for part in SHOWN]
    return "\n".join(" ".join(line) for line in lines if line)


def _conclusion(done: Outcome) -> str:
    found = [row for row in done.trained.rows if "evaluated" in row]
    said = ""
    if found:
        said = f"; held-out success {found[0]['evaluated']:.2f} -> {found[-1]['evaluated']:.2f}"
    rows = done.trained.rows
    if rows and not any(row.get("norm") for row in rows):
        said += "; NOTHING was learned: no group told better from worse"
    kept = [done.folder / name for name in (LAST, BEST) if (done.folder / name).exists()]
    word = shlex.quote(config.path_word("policy.path", kept[-1]))
    return (
        f"{done.trained.steps} steps{said}. {' and '.join(map(str, kept))}:"
        f" refergym evaluate policy={done.trained.choices['policy']} {word}"
    )
