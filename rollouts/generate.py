"""`refergym generate`: tasks with certificates and pictures, the same for a seed in any order.

Scene number i and all tasks in it follow from (seed, i), and scenes are written in their order, so
that a file is the same however it was made, and a run that was stopped goes on behind its last
whole scene. `verify=true` proves the tasks of a file again instead.
"""

import json
import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from rich.console import Console

from refergym.assets import records
from refergym.assets.library import open_pack
from refergym.envs.splits import Only
from refergym.rollouts import arguments, config, generation, output, taskfile, verify
from refergym.rollouts.bars import Bar
from refergym.rollouts.coverage import Report, Tally
from refergym.rollouts.errors import ConfigError, OutputError
from refergym.rollouts.generation import Plan
from refergym.rollouts.plan import EnvSettings
from refergym.rollouts.taskfile import Entry

_log = logging.getLogger(__name__)

REPORT = "report.json"
FREE = ("out", "resume", "workers", "count", "verify", "tasks")
"""keys that change no task; a resumed run may set them anew"""
TOP = 12
"""causes shown at most"""
Whole = Annotated[int, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
OnProgress = Callable[[int, int, Mapping[str, int]], None]
"""told the tasks so far, the tasks wanted, and why tries failed"""


class Settings(EnvSettings, frozen=True, kw_only=True):
    """The keys of configs/generate.yaml; their defaults and their meaning stand there."""

    pack: str | None
    count: Count
    steps: tuple[Count, Count] | None
    balance: bool
    per_scene: Count
    prove: bool
    only: Only
    seed: Whole
    out: Annotated[str, msgspec.Meta(min_length=1)]
    resume: bool
    workers: Annotated[int, msgspec.Meta(ge=0, le=1024)]
    pictures: bool
    patience: Count
    verify: bool
    tasks: str | None


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit status: 1 if fewer tasks were made than asked for."""
    args = arguments.parse("generate", "generate", argv)
    settings, composed = _settings(args.overrides, args.config_dir)
    with Bar("tasks", Console(stderr=True)) as bar:

        def show(done: int, total: int, reasons: Mapping[str, int]) -> None:
            top = "".join(f"  {n} x {r[:40]}" for r, n in Counter(reasons).most_common(1))
            bar.show(done, total, f"{bar.speed:.1f}/s{top}")

        if settings.verify:
            return verify.run(settings.tasks or settings.out, composed, settings.pack,
                              args.config_dir, show)  # fmt: skip
        report = _generate(settings, composed.config, show)
    for key in ("kinds", "steps", "relations", "categories", "rejections"):
        found = Counter(getattr(report, key)).most_common(TOP)
        _log.info("%s: %s", key, ", ".join(f"{k} {n}" for k, n in found) or "none")
    _log.info("%d pairs of a relation and a category; %d programs came twice", report.pairs,
              report.duplicates)  # fmt: skip
    _log.info("%d tasks in %d scenes (%d scenes gave none); %.1f %% of the tries came to nothing; "
              "wrote %s", report.tasks, report.scenes, report.barren, 100 * report.rejected,
              settings.out)  # fmt: skip
    if report.tasks < settings.count:
        _log.error("only %d of %d tasks: change the scene's or the task's limits", report.tasks,
                   settings.count)  # fmt: skip
    return int(report.tasks < settings.count)


def generate(
    overrides: Sequence[str] = (),
    config_dir: str | Path | None = None,
    on_progress: OnProgress = lambda *_: None,
) -> Report:
    """Generate as the command does, and write everything to `out`.

    Args:
        overrides: "key=value" as on the command line.
        config_dir: a folder with further yaml files.
        on_progress: see `OnProgress`.

    Raises:
        ConfigError: if a key, a choice or a value is wrong.
        OutputError: if the folder holds another run, or cannot be written.
    """
    settings, composed = _settings(overrides, config_dir)
    return _generate(settings, composed.config, on_progress)


def _settings(
    overrides: Sequence[str], config_dir: str | Path | None
) -> tuple[Settings, config.Composed]:
    composed = config.compose("generate", overrides, config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    if settings.steps is not None:
        if "steps" not in settings.task:
            raise ConfigError(f"steps: task {composed.choices['task']} has no steps to set")
        settings.task["steps"] = list(settings.steps)
    if settings.balance and settings.steps is None:
        raise ConfigError("balance: needs steps=[least,most]")
    return settings, composed


def _generate(settings: Settings, given: Mapping[str, Any], on_progress: OnProgress) -> Report:
    folder = Path(settings.out)
    plan = Plan(
        env=settings.env,
        pack=settings.pack,
        seed=settings.seed,
        per_scene=settings.per_scene,
        prove=settings.prove,
        only=settings.only,
        folder=str(folder) if settings.pictures else None,
    )
    generation.make_env(plan).close()  # says what is wrong before anything is written
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with output.alone_in(folder):
            return _written(plan, given, settings, on_progress)
    except OSError as e:
        raise OutputError(f"out: cannot write {e.filename or folder}: {e.strerror}") from e


def _written(
    plan: Plan, given: Mapping[str, Any], settings: Settings, on_progress: OnProgress
) -> Report:
    folder = Path(settings.out)
    tally = Tally()
    first = _opened(folder, given, settings, tally)
    idle = 0
    with (folder / taskfile.FILE).open("ab") as file:
        on_progress(tally.tasks, settings.count, tally.reasons)
        made = generation.scenes(plan, first, settings.workers)
        try:
            while tally.tasks < settings.count and idle < settings.patience:
                scene = next(made)
                tally.reasons.update(scene.reasons)
                tally.tries += settings.per_scene
                tally.made += len(scene.entries)
                tally.barren += not scene.entries
                kept = _kept(scene.entries, tally, settings)
                idle = 0 if kept else idle + 1
                taskfile.append(file, kept)
                on_progress(tally.tasks, settings.count, tally.reasons)
        finally:
            made.close()
    report = tally.report()
    output.write_json(folder / REPORT, report)
    return report


def _kept(entries: Sequence[Entry], tally: Tally, settings: Settings) -> list[Entry]:
    """Count and return the tasks that are taken: as many as are wanted, of each number of steps."""
    quota = settings.count
    if settings.balance and settings.steps is not None:
        quota = math.ceil(settings.count / (settings.steps[1] - settings.steps[0] + 1))
    kept: list[Entry] = []
    for entry in entries:
        if tally.tasks >= settings.count:
            break
        if tally.steps[entry.steps] < quota:
            tally.add(entry)
            kept.append(entry)
    return kept


def _opened(folder: Path, given: Mapping[str, Any], settings: Settings, tally: Tally) -> int:
    """Make the folder ready, count the tasks that are there; returns the next scene's number."""
    fixed = {k: v for k, v in given.items() if k not in FREE}
    fixed["pack_digest"] = open_pack(settings.pack).digest
    if settings.balance:
        fixed["count"] = settings.count  # how many of each number of steps follows from it
    if any(folder.iterdir()):
        return _found(folder, fixed, settings, tally)
    output.write_text(folder / output.RUN, json.dumps(fixed, indent=1, sort_keys=True))
    return 0


def _found(folder: Path, fixed: Mapping[str, Any], settings: Settings, tally: Tally) -> int:
    run, path = folder / output.RUN, folder / taskfile.FILE
    if not run.is_file():
        raise OutputError(f"out: {folder} is not empty, and no run; choose another folder")
    if not settings.resume:
        raise OutputError(f"out: {folder} holds a run; resume=true goes on, or choose another out=")
    try:
        before = json.loads(run.read_bytes())
    except ValueError as e:
        raise OutputError(f"{run}: damaged ({e}); choose another out=") from e
    for key, was, now in output.differences(before, json.loads(json.dumps(fixed))):
        raise OutputError(
            f"out: {folder} holds a run with other settings: {key} was {was}, now it is {now}; "
            "choose another out="
        )
    if not path.exists():
        return 0
    count = last = end = 0
    for line in taskfile.lines(path):
        if isinstance(line.content, Entry):
            index = line.content.start.index
            if index != last or count == 0:
                last, end = index, line.offset
            count += 1
        elif line.content.reason != taskfile.CUT:
            raise OutputError(f"{path}:{line.number}: {line.content.reason}")
    if count < settings.count:
        # the last scene may be there in part: it is made again
        with path.open("rb+") as file:
            file.truncate(end)
    for line in taskfile.lines(path):
        if isinstance(line.content, Entry):
            tally.add(line.content)
    return last if count < settings.count else last + 1
