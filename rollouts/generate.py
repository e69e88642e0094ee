"""`refergym generate`: tasks with certificates and pictures, the same for a seed in any order.

Scene number i and all tasks in it follow from (seed, i). Scenes are made by any number of workers
and written in their order, so that a file is the same however it was made, and a run that was
stopped goes on behind its last whole scene.
"""

import itertools
import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import msgspec
from omegaconf import OmegaConf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from refergym.assets import records
from refergym.assets.library import open_pack
from refergym.assets.records import Record
from refergym.envs import building, grammar, programs
from refergym.envs.refer_env import ReferEnv
from refergym.envs.starts import make_starts
from refergym.rollouts import arguments, config, output, taskfile
from refergym.rollouts.errors import ConfigError, OutputError
from refergym.rollouts.evaluate import ENV_GROUPS
from refergym.rollouts.taskfile import Entry

_log = logging.getLogger(__name__)

REPORT = "report.json"
FREE = ("out", "resume", "workers", "count")
"""keys that change no task; a resumed run may set them anew"""
TOP = 12
"""causes shown at most"""
AHEAD = 4
"""scenes that each worker is given in advance"""
Whole = Annotated[int, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class Settings(Record, frozen=True, kw_only=True):
    """The keys of configs/generate.yaml; their defaults and their meaning stand there."""

    scene: dict[str, Any]
    task: dict[str, Any]
    backend: dict[str, Any]
    renderer: dict[str, Any]
    sensor: dict[str, Any]
    randomisation: dict[str, Any]
    pack: str | None
    count: Count
    steps: tuple[Count, Count] | None
    per_scene: Count
    seed: Whole
    out: Annotated[str, msgspec.Meta(min_length=1)]
    resume: bool
    workers: Annotated[int, msgspec.Meta(ge=0, le=1024)]
    pictures: bool
    patience: Count


class Report(Record, frozen=True, kw_only=True):
    """What a run came to."""

    tasks: int
    scenes: int
    """that tasks were made in"""
    barren: int
    """scenes without any"""
    steps: dict[str, int]
    relations: dict[str, int]
    """how often each relation, order and kind of place is named"""
    categories: dict[str, int]
    rejections: dict[str, int]
    """tries that came to nothing, by cause; of this run alone"""


class Plan(Record, frozen=True, kw_only=True):
    """What a worker needs."""

    env: dict[str, dict[str, Any]]
    pack: str | None
    seed: int
    per_scene: int
    folder: str | None
    """where pictures go; none writes none"""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What one scene gave."""

    index: int
    entries: tuple[Entry, ...]
    reasons: Counter[str]


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit status: 1 if fewer tasks were made than asked for."""
    args = arguments.parse("generate", "generate", argv)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TextColumn("{task.fields[note]}"), TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bar:
        line = bar.add_task("tasks", note="", total=None)

        def show(done: int, total: int, reasons: Counter[str]) -> None:
            top = "".join(f"  {n} x {r[:40]}" for r, n in reasons.most_common(1))
            bar.update(line, completed=done, total=total, note=top)

        report, wanted = generate(args.overrides, args.config_dir, show)
    for key in ("steps", "relations", "categories", "rejections"):
        found = Counter(getattr(report, key)).most_common(TOP)
        _log.info("%s: %s", key, ", ".join(f"{k} {n}" for k, n in found) or "none")
    _log.info("%d tasks in %d scenes (%d scenes gave none)", report.tasks, report.scenes,
              report.barren)  # fmt: skip
    if report.tasks < wanted:
        _log.error("only %d of %d tasks: change the scene's or the task's limits", report.tasks,
                   wanted)  # fmt: skip
    return int(report.tasks < wanted)


def generate(
    overrides: Sequence[str] = (),
    config_dir: str | Path | None = None,
    on_progress: Callable[[int, int, Counter[str]], None] = lambda *_: None,
) -> tuple[Report, int]:
    """Generate as the command does, and write everything to `out`.

    Args:
        overrides: "key=value" as on the command line.
        config_dir: a folder with further yaml files.
        on_progress: told the tasks so far, the tasks wanted, and why tries failed.

    Returns:
        The report, and how many tasks were wanted.

    Raises:
        ConfigError: if a key, a choice or a value is wrong.
        OutputError: if the folder holds another run, or cannot be written.
    """
    composed = config.compose("generate", overrides, config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    if settings.steps is not None:
        if "steps" not in settings.task:
            raise ConfigError(f"steps: task {composed.choices['task']} has no steps to set")
        settings.task["steps"] = list(settings.steps)
    folder = Path(settings.out)
    plan = Plan(
        env={group: getattr(settings, group) for group in ENV_GROUPS},
        pack=settings.pack,
        seed=settings.seed,
        per_scene=settings.per_scene,
        folder=str(folder) if settings.pictures else None,
    )
    _env(plan).close()  # says what is wrong before anything is written
    entries = _opened(folder, composed.config, settings)
    first = entries[-1].start.index + 1 if entries else 0
    reasons: Counter[str] = Counter()
    barren = idle = 0
    with (folder / taskfile.FILE).open("ab") as file:
        on_progress(len(entries), settings.count, reasons)
        made = _scenes(plan, first, settings.workers)
        try:
            while len(entries) < settings.count:
                scene = next(made)
                reasons.update(scene.reasons)
                idle = 0 if scene.entries else idle + 1
                barren += not scene.entries
                kept = list(scene.entries)[: settings.count - len(entries)]
                taskfile.append(file, kept)
                entries += kept
                on_progress(len(entries), settings.count, reasons)
                if idle >= settings.patience:
                    break
        finally:
            made.close()
    report = _report(entries, barren, reasons)
    output.write_json(folder / REPORT, report)
    return report, settings.count


def _opened(folder: Path, given: Mapping[str, Any], settings: Settings) -> list[Entry]:
    """Make the folder ready; returns the tasks that are there already."""
    fixed = {k: v for k, v in given.items() if k not in FREE}
    fixed["pack_digest"] = open_pack(settings.pack).digest
    text = json.dumps(fixed, indent=1, sort_keys=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            return _found(folder, text, settings)
        (folder / output.RUN).write_text(text)
    except OSError as e:
        raise OutputError(f"out: cannot write {folder}: {e.strerror}") from e
    return []


def _found(folder: Path, text: str, settings: Settings) -> list[Entry]:
    run, path = folder / output.RUN, folder / taskfile.FILE
    if not run.is_file():
        raise OutputError(f"out: {folder} is not empty, and no run; choose another folder")
    if not settings.resume:
        raise OutputError(f"out: {folder} holds a run; resume=true goes on, or choose another out=")
    if run.read_text() != text:
        raise OutputError(f"out: {folder} holds a run with other settings; choose another out=")
    if not path.exists():
        return []
    entries, bad = taskfile.read_tasks(path)
    damaged = [b for b in bad if b.reason != "cut off"]
    if damaged:
        raise OutputError(f"{path}:{damaged[0].line}: {damaged[0].reason}")
    # the last scene may be there in part: it is made again
    last = entries[-1].start.index if entries else -1
    kept = [e for e in entries if e.start.index != last]
    if len(entries) < settings.count:
        entries = kept
        data = b"".join(records.canonical_json(e) + b"\n" for e in entries)
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(data)
        part.replace(path)
    return entries


def _env(plan: Plan) -> ReferEnv:
    groups = {**plan.env, "pack": plan.pack, "max_steps": None, "pictures": True}
    return building.build_env(OmegaConf.create(groups))


def _scenes(plan: Plan, first: int, workers: int) -> Generator[Scene]:
    """Yield what each scene gives, in the order of their numbers, without end."""
    if workers == 0:
        maker = _Maker(plan)
        try:
            yield from map(maker.make, itertools.count(first))
        finally:
            maker.env.close()
        return
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(plan,)
    ) as pool:
        numbers = itertools.count(first)
        waiting: list[Future[Scene]] = []
        try:
            while True:
                while len(waiting) < AHEAD * workers:
                    waiting.append(pool.submit(_make, next(numbers)))
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()


class _Maker:
    """Makes scenes and their tasks in one process."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.env = _env(plan)

    def make(self, index: int) -> Scene:
        env, plan = self.env, self.plan
        starts, frame, reasons = make_starts(
            env.scenes, env.task, env.backend, env.renderer, plan.seed, index, tasks=plan.per_scene
        )
        name = f"{index:08d}"
        if frame is not None and plan.folder is not None:
            taskfile.write_pictures(Path(plan.folder), name, frame)
        entries = tuple(
            Entry(
                id=f"{name}-{k}",
                picture=name if plan.folder is not None else None,
                steps=grammar.steps(start.task.program),
                start=start,
            )
            for k, start in enumerate(starts)
        )
        return Scene(index=index, entries=entries, reasons=_causes(reasons))


_maker: _Maker | None = None


def _begin(plan: Plan) -> None:
    global _maker
    _maker = _Maker(plan)


def _make(index: int) -> Scene:
    assert _maker is not None, "the pool's initializer has run"
    return _maker.make(index)


def _causes(reasons: Counter[str]) -> Counter[str]:
    """Take the counts apart that an error lists: "task: no ... (3 x a tie, 2 x hidden)"."""
    causes: Counter[str] = Counter()
    for reason, n in reasons.items():
        inner = re.findall(r"(\d+) x ([^,()]+)", reason)
        for count, cause in inner:
            causes[cause.strip()] += n * int(count)
        if not inner:
            causes[reason] += n
    return causes


def _report(entries: Sequence[Entry], barren: int, reasons: Counter[str]) -> Report:
    steps: Counter[str] = Counter()
    relations: Counter[str] = Counter()
    categories: Counter[str] = Counter()
    for entry in entries:
        steps[str(entry.steps)] += 1
        for _, node in programs.walk(entry.start.task.program):
            if isinstance(node, programs.Where):
                relations[node.relation] += 1
            elif isinstance(node, programs.Rank):
                relations[f"rank by {node.axis}"] += 1
            elif isinstance(node, programs.Select):
                categories[node.category or "any"] += 1
            else:
                relations[type(node).__name__.lower()] += 1
    return Report(
        tasks=len(entries),
        scenes=len({e.start.index for e in entries}),
        barren=barren,
        steps=dict(sorted(steps.items())),
        relations=dict(relations.most_common()),
        categories=dict(categories.most_common()),
        rejections=dict(reasons.most_common()),
    )
