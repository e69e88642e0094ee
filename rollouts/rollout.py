"""`refergym rollout`: collect episodes by any policy, with the pictures that it saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from refergym.assets import records
from refergym.rollouts import arguments, config, frames, output, playing, report
from refergym.rollouts.episodes import Episode, EpisodeWriter
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.plan import with_dialect
from refergym.rollouts.playing import OnProgress, PlaySettings
from refergym.rollouts.report import Results


class Settings(PlaySettings, frozen=True, kw_only=True):
    """The keys of configs/rollout.yaml; their defaults and their meaning stand there."""

    frames: bool


@dataclass(frozen=True, kw_only=True)
class Rollouts:
    """What was collected."""

    folder: Path
    results: Results
    episodes: tuple[Episode, ...]
    """by index, then by member; the last attempt of each"""


def rollout(
    overrides: Sequence[str] = (),
    config_dir: str | Path | None = None,
    on_progress: OnProgress | None = None,
) -> Rollouts:
    """Collect episodes as the command does, and write everything to `out`.

    Args:
        overrides: "key=value" as on the command line.
        config_dir: a folder with further yaml files.
        on_progress: called at the start and after each episode.

    Returns:
        What was written.

    Raises:
        ConfigError: if a key, a choice or a value is wrong.
        ServerError: if the server of a policy is not there.
        OutputError: if the folder holds another run, or cannot be written.
        PoolError: if no worker can start.
        StartError: if a start comes out otherwise than before.
    """
    composed = config.compose("rollout", overrides, config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    policies = {composed.choices["policy"]: with_dialect(settings.policy, config_dir)}
    record = settings.out if settings.frames else None
    plan = playing.make_plan(settings, composed, policies, record=record)
    info = playing.check(plan, composed, settings.episodes)
    folder = Path(settings.out)
    output.open_folder(folder, info, resume=settings.resume)
    with EpisodeWriter(folder / output.EPISODES) as writer:
        frames.sweep(folder)
        episodes = playing.collect(writer, plan, settings, on_progress)
        results = playing.summary(plan, info, episodes, settings.samples)
        output.write_json(folder / output.RESULTS, results)
        return Rollouts(folder=folder, results=results, episodes=tuple(episodes))


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Args:
        argv: what follows "rollout" on the command line.

    Returns:
        Exit status: 0, or 1 if the infrastructure lost every episode.

    Raises:
        RolloutError: for whatever the user can mend.
    """
    words = arguments.parse("rollout", "rollout", argv)
    console, errors = Console(), Console(stderr=True)
    with playing.Tally(errors) as bar:
        done = rollout(words.overrides, words.config_dir, bar.show)
    console.print(report.table(done.results))
    lost, judged = playing.say_lost(done.results, errors)
    seen = [step.seen for e in done.episodes for step in e.steps if step.seen is not None]
    files = {name for s in seen for name in (s.rgb, s.depth, s.first_rgb) if name}
    console.print(
        f"Wrote {output.RESULTS}, {output.EPISODES} ({lost + judged} episodes), {len(files)}"
        f" pictures of {len(seen)} steps to {done.folder}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    return 0 if judged or not lost else 1
