"""`refergym export`: tasks in RefSpatial's formats, episodes in LeRobot's, scenes for simulators.

What cannot be written so is left out, logged and counted; the rest is written.
"""

import itertools
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from rich.console import Console

from refergym.assets import records
from refergym.assets.library import Pack, open_pack
from refergym.assets.records import Record
from refergym.rollouts import arguments, config, lerobot, output, stages, taskfile
from refergym.rollouts.bars import Bar
from refergym.rollouts.episodes import last_attempts, read_episodes
from refergym.rollouts.errors import ConfigError, OutputError
from refergym.rollouts.lerobot.tables import need_pyarrow
from refergym.rollouts.refspatial.bench import AssetSplit, write_bench
from refergym.rollouts.refspatial.scenes import Scene, scenes
from refergym.rollouts.refspatial.writing import write_refspatial

log = logging.getLogger(__name__)

REPORT = "report.json"
Name = Annotated[str, msgspec.Meta(min_length=1)]


class Settings(Record, frozen=True, kw_only=True):
    """The keys of configs/export.yaml; their defaults and their meaning stand there."""

    tasks: Name
    recorded: Name
    scene: dict[str, Any]
    randomisation: dict[str, Any]
    backend: dict[str, Any]
    format: Literal["refspatial", "refspatial_bench", "lerobot", "usd", "urdf", "mjcf"]
    out: Name
    pack: str | None
    turns: Annotated[int, msgspec.Meta(ge=1)]
    unseen: tuple[AssetSplit, ...]
    successes: bool
    spec: Name | None
    seed: int
    index: Annotated[int, msgspec.Meta(ge=0)]
    robot: bool
    usdz: bool


class Report(Record, frozen=True, kw_only=True):
    """What an export came to."""

    tasks: int
    """read"""
    pictures: int
    """written"""
    questions: dict[str, int]
    """written, by kind"""
    samples: dict[str, int]
    """written, by file or split"""
    left_out: dict[str, int]
    """tasks and lines that gave no question, by cause"""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit status: 1 if nothing, or a faulty stage, was written."""
    args = arguments.parse("export", "export", argv)
    with Bar("exported", Console(stderr=True), is_kept=False) as bar:
        report, out = export(args.overrides, args.config_dir, bar.show)
    if isinstance(report, stages.Report):
        for finding in report.findings:
            log.warning("%s", finding)
        log.info("%d objects, at rest as in %s, in %s", report.objects, report.poses,
                 out / report.file)  # fmt: skip
        return int(bool(report.findings))
    for cause, count in Counter(report.left_out).most_common():
        log.warning("left out: %d x %s", count, cause)
    if isinstance(report, lerobot.Report):
        log.info("%d frames of %d episodes, %d instructions in %s", report.frames,
                 report.episodes, report.tasks, out)  # fmt: skip
        return int(not report.episodes)
    written = ", ".join(f"{name} {count}" for name, count in report.samples.items())
    log.info("%d questions from %d of %d tasks in %s: %s", sum(report.questions.values()),
             report.tasks - sum(report.left_out.values()), report.tasks, out,
             written or "nothing")  # fmt: skip
    return int(not report.questions)


def export(
    overrides: Sequence[str] = (),
    config_dir: str | Path | None = None,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> tuple[Report | lerobot.Report | stages.Report, Path]:
    """Export as the command does.

    Args:
        overrides: "key=value" as on the command line.
        config_dir: a folder with further yaml files.
        on_progress: told how many tasks or episodes are done, of how many.

    Returns:
        The report, which is written to the folder as well, and the folder.

    Raises:
        ConfigError: if a key or a value is wrong.
        OutputError: if there are no tasks or episodes, or the folder cannot be written or is not
            empty.
        ValueError: if there is no such scene; see `stages.make_scene`.
    """
    settings = records.convert(
        config.compose("export", overrides, config_dir).config, Settings, error=ConfigError
    )
    out = Path(settings.out)
    if settings.format == "lerobot":
        return _export_episodes(settings, out, on_progress), out
    if settings.format in ("usd", "urdf", "mjcf"):
        return _export_scene(settings, out), out
    return _export_tasks(settings, out, on_progress), out


def _export_tasks(settings: Settings, out: Path, on_progress: Callable[[int, int], None]) -> Report:
    source = Path(settings.tasks)
    left_out: Counter[str] = Counter()
    entries, bad = taskfile.read_tasks(source / taskfile.FILE)
    for line in bad:
        log.warning("%s:%d: %s", source / taskfile.FILE, line.line, line.reason)
        left_out["a damaged line"] += 1
    if not entries:
        raise OutputError(f"tasks: no good task in {source}; make some with refergym generate")
    pack = open_pack(settings.pack)
    _check_pack(source, pack)
    kinds: Counter[str] = Counter()
    samples: Counter[str] = Counter()
    pictures = done = 0

    def counted() -> Iterator[Scene]:
        nonlocal pictures, done
        for scene in scenes(source, entries, pack, left_out):
            yield scene
            pictures, done = pictures + 1, done + scene.tasks
            kinds.update(q.kind for q in scene.questions)
            on_progress(done, len(entries))

    try:
        _make_empty(out)
        if settings.format == "refspatial":
            write_refspatial(
                out, counted(), settings.turns, lambda s: samples.update([s.part.split("/")[-1]])
            )
        else:
            write_bench(out, counted(), settings.unseen, lambda i: samples.update([i.split]))
        report = Report(
            tasks=len(entries) + len(bad),
            pictures=pictures,
            questions=dict(sorted(kinds.items())),
            samples=dict(sorted(samples.items())),
            left_out=dict(left_out.most_common()),
        )
        output.write_json(out / REPORT, report)
    except OSError as e:
        raise OutputError(f"out: cannot write {out}: {e.strerror}") from e
    return report


def _export_episodes(
    settings: Settings, out: Path, on_progress: Callable[[int, int], None]
) -> lerobot.Report:
    need_pyarrow()
    source = Path(settings.recorded)
    path = source / output.EPISODES
    try:
        episodes = last_attempts(read_episodes(path))
    except OSError as e:
        raise OutputError(f"recorded: {path}: cannot read: {e.strerror}") from e
    if not episodes:
        raise OutputError(f"recorded: no episode in {path}; collect some with refergym rollout")
    asked = [e for e in episodes if e.success or not settings.successes]
    done = itertools.count(1)
    try:
        _make_empty(out)
        report = lerobot.write_lerobot(
            out,
            source,
            asked,
            on_episode=lambda: on_progress(next(done), len(asked)),
            on_left_out=lambda e, cause: log.warning("episode %s of %s: %s", e.id, e.policy, cause),
        )
        if failed := len(episodes) - len(asked):
            left_out = {"no success": failed, **report.left_out}
            report = msgspec.structs.replace(report, left_out=left_out)
        output.write_json(out / REPORT, report)
    except OSError as e:
        raise OutputError(f"out: cannot write {out}: {e.strerror}") from e
    return report


def _export_scene(settings: Settings, out: Path) -> stages.Report:
    given = msgspec.structs.asdict(settings)
    source = {k: v for k, v in given.items() if k in stages.Source.__struct_fields__}
    written = {k: v for k, v in given.items() if k in stages.Written.__struct_fields__}
    try:
        _make_empty(out)
        report = stages.export_scene(stages.Source(**source), stages.Written(**written), out)
        output.write_json(out / REPORT, report)
    except OSError as e:
        raise OutputError(f"out: cannot write {out}: {e.strerror}") from e
    return report


def _make_empty(out: Path) -> None:
    """Make a folder, or check that one has nothing in it."""
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise OutputError(f"out: {out} is not empty; choose another folder")


def _check_pack(source: Path, pack: Pack) -> None:
    """Compare the pack with the one that the tasks were made with, where the run tells."""
    path = source / output.RUN
    try:
        made_with = json.loads(path.read_bytes()).get("pack_digest")
    except (OSError, ValueError, AttributeError):
        log.warning("%s: cannot be read, so which pack the tasks need is unknown", path)
        return
    if made_with != pack.digest:
        raise OutputError(
            f"pack: the tasks in {source} were made with another pack; name its folder by pack="
        )
