"""`refergym evaluate`: run policies on episodes, judge, write results, pictures and videos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from rich.console import Console

from refergym.assets import records
from refergym.rollouts import arguments, config, output, playing, report
from refergym.rollouts.episodes import Episode, EpisodeWriter
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.plan import Media, Plan, around, with_dialect
from refergym.rollouts.playing import OnProgress, PlaySettings
from refergym.rollouts.report import Results

FLOORS = ("random", "center")


class Settings(PlaySettings, frozen=True, kw_only=True):
    """The keys of configs/evaluate.yaml; their defaults and their meaning stand there."""

    floors: bool | tuple[str, ...]
    pictures: bool
    video: bool
    video_size: Annotated[int, msgspec.Meta(ge=64, le=2048)]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What an evaluation gave."""

    folder: Path
    results: Results
    episodes: tuple[Episode, ...]
    """by policy, then by index, then by member"""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """An evaluation that was checked and has not begun."""

    settings: Settings
    plan: Plan
    info: output.RunInfo


def prepare(overrides: Sequence[str] = (), config_dir: str | Path | None = None) -> Prepared:
    """Make everything that an evaluation needs once, and begin nothing.

    Args:
        overrides: "key=value" as on the command line.
        config_dir: a folder with further yaml files.

    Raises:
        ConfigError: if a key, a choice or a value is wrong.
        ServerError: if the server of a policy is not there.
    """
    composed = config.compose("evaluate", overrides, config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    media = Media(
        folder=settings.out,
        pictures=settings.pictures,
        video=settings.video,
        video_size=settings.video_size,
    )
    plan = playing.make_plan(
        settings,
        composed,
        _policies(settings, composed.choices["policy"], config_dir),
        media=media if settings.pictures or settings.video else None,
    )
    info = playing.check(plan, composed, settings.episodes)
    return Prepared(settings=settings, plan=plan, info=info)


def evaluate(
    overrides: Sequence[str] = (),
    config_dir: str | Path | None = None,
    on_progress: OnProgress | None = None,
) -> Evaluation:
    """Evaluate as the command does, and write everything to `out`.

    Args:
        overrides: "key=value" as on the command line.
        config_dir: a folder with further yaml files.
        on_progress: called at the start and after each episode.

    Returns:
        What was written.

    Raises:
        ConfigError: if a key, a choice or a value is wrong.
        ServerError: if the server of a policy is not there.
        OutputError: if the folder holds another run.
        PoolError: if no worker can start.
        StartError: if a start comes out otherwise than before.
    """
    ready = prepare(overrides, config_dir)
    settings, plan, info = ready.settings, ready.plan, ready.info
    folder = Path(settings.out)
    output.open_folder(folder, info, resume=settings.resume)
    with EpisodeWriter(folder / output.EPISODES) as writer:
        episodes = playing.collect(writer, plan, settings, on_progress)
        results = playing.summary(plan, info, episodes, settings.samples)
        if plan.media is not None:
            report.write_overview(folder, plan.media, episodes)
            report.write_page(folder, plan.media, results, episodes)
        output.write_json(folder / output.RESULTS, results)
        return Evaluation(folder=folder, results=results, episodes=tuple(episodes))


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Args:
        argv: what follows "evaluate" on the command line.

    Returns:
        Exit status: 0, or 1 if the infrastructure lost every episode.

    Raises:
        RolloutError: for whatever the user can mend.
    """
    words = arguments.parse("evaluate", "evaluate", argv)
    console, errors = Console(), Console(stderr=True)
    with playing.Tally(errors) as bar:
        done = evaluate(words.overrides, words.config_dir, bar.show)
    return _conclude(done, console, errors)


def _policies(
    settings: Settings, tested: str, config_dir: str | Path | None
) -> dict[str, dict[str, Any]]:
    """Configs of the policy under test and of those to compare it with, by name."""
    floors = settings.floors
    names = FLOORS if floors is True else () if floors is False else floors
    config_under_test = with_dialect(settings.policy, config_dir)
    policies = {tested: config_under_test}
    for name in names:
        try:
            chosen = with_dialect(config.choice("policy", name, config_dir), config_dir)
            policies.setdefault(name, around(chosen, config_under_test))
        except ConfigError as e:
            raise ConfigError(f"floors: {e}") from e
    return policies


def _conclude(done: Evaluation, console: Console, errors: Console) -> int:
    results, folder = done.results, done.folder
    console.print(report.table(results))
    lost, judged = playing.say_lost(results, errors)
    overview = folder / output.OVERVIEW
    look = f"; look at {overview}" if overview.exists() else ""
    videos = len(list((folder / "videos").glob("*/*.mp4")))
    console.print(
        f"Wrote {output.RESULTS}, {output.EPISODES} ({lost + judged} episodes), {videos} videos to"
        f" {folder}{look}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return 0 if judged or not lost else 1
