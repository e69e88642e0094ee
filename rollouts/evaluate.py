"""`refergym evaluate`: run policies on episodes, judge, write results, pictures and videos."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from gymnasium.spaces import Dict
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from refergym.assets import records
from refergym.assets.library import open_pack
from refergym.assets.records import Record
from refergym.envs.refer_env import ReferEnv
from refergym.envs.task_spec import part_for
from refergym.rollouts import arguments, config, output, report, suites
from refergym.rollouts.episodes import Ended, Episode, EpisodeWriter, last_attempts
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.plan import (
    Job,
    Media,
    Plan,
    build_env,
    build_policy,
    build_rewards,
    with_dialect,
)
from refergym.rollouts.pool import play
from refergym.rollouts.report import Results

FLOORS = ("random", "center")
CAUSES = 5
"""different infrastructure errors shown at most; results.json has them all"""
ENV_GROUPS = ("scene", "task", "backend", "renderer", "sensor", "randomisation")
Count = Annotated[int, msgspec.Meta(ge=1)]
OnProgress = Callable[[Episode | None, int, int], None]
"""told each finished episode (none at the start), how many are done and how many there will be"""


class Settings(Record, frozen=True, kw_only=True):
    """The keys of configs/evaluate.yaml; their defaults and their meaning stand there."""

    scene: dict[str, Any]
    task: dict[str, Any]
    backend: dict[str, Any]
    renderer: dict[str, Any]
    sensor: dict[str, Any]
    randomisation: dict[str, Any]
    policy: dict[str, Any]
    reward: dict[str, Any]
    episodes: Count
    seed: Annotated[int, msgspec.Meta(ge=0)]
    floors: bool | tuple[str, ...]
    out: Annotated[str, msgspec.Meta(min_length=1)]
    resume: bool
    workers: Annotated[int, msgspec.Meta(ge=0, le=1024)]
    batch: Count
    timeout_s: Annotated[float, msgspec.Meta(gt=0)]
    pictures: bool
    video: bool
    video_size: Annotated[int, msgspec.Meta(ge=64, le=2048)]
    suite: str | None
    name: str | None
    pack: str | None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What an evaluation gave."""

    folder: Path
    results: Results
    episodes: tuple[Episode, ...]
    """by policy, then by index"""


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
        OutputError: if the folder holds another run.
        PoolError: if no worker can start.
    """
    composed = config.compose("evaluate", overrides, config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    plan = _plan(settings, composed, config_dir)
    info = _check(plan, composed, settings.episodes)
    folder = Path(settings.out)
    output.open_folder(folder, info, resume=settings.resume)
    with EpisodeWriter(folder / output.EPISODES) as writer:
        finished = {e.key: e for e in writer.found}
        jobs = _jobs(plan, settings.episodes, finished)
        total = settings.episodes * len(plan.policies)
        done = total - len(jobs)
        tell = on_progress or _say_nothing
        tell(None, done, total)
        # closed at once when stopped, so that no worker outlives the run
        with contextlib.closing(play(plan, jobs, settings.workers, settings.timeout_s)) as running:
            for episode in running:
                writer.write(episode)
                finished[episode.key] = episode
                done += 1
                tell(episode, done, total)
        episodes = _in_order(plan, finished.values())
        results = _write_results(folder, plan, info, episodes)
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
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[rates]}"), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    progress = Progress(*columns, console=errors)
    bar = progress.add_task("episodes", rates="")
    tally: dict[str, list[bool]] = {}

    def show(episode: Episode | None, done: int, total: int) -> None:
        # not earlier: a mistake in the configuration needs no bar
        progress.start()
        if episode is not None:
            tally.setdefault(episode.policy, []).append(episode.success)
        rates = "  ".join(f"{p} {sum(s)}/{len(s)}" for p, s in tally.items())
        progress.update(bar, completed=done, total=total, rates=rates)

    try:
        done = evaluate(words.overrides, words.config_dir, show)
    except KeyboardInterrupt:
        errors.print("Finished episodes are kept; the same command with resume=true goes on.")
        raise
    finally:
        if progress.live.is_started:
            progress.stop()
    return _conclude(done, console, errors)


def _say_nothing(episode: Episode | None, done: int, total: int) -> None:
    """Stand in for a missing progress callback."""


def _plan(settings: Settings, composed: config.Composed, config_dir: str | Path | None) -> Plan:
    floors = settings.floors
    names = FLOORS if floors is True else () if floors is False else floors
    policies = {composed.choices["policy"]: with_dialect(settings.policy, config_dir)}
    for name in names:
        try:
            chosen = with_dialect(config.choice("policy", name, config_dir), config_dir)
            policies.setdefault(name, chosen)
        except ConfigError as e:
            raise ConfigError(f"floors: {e}") from e
    task = composed.choices["task"]
    media = Media(
        folder=settings.out,
        pictures=settings.pictures,
        video=settings.video,
        video_size=settings.video_size,
    )
    starts = None if settings.suite is None else suites.find(settings.suite)
    return Plan(
        env={group: getattr(settings, group) for group in ENV_GROUPS},
        pack=settings.pack,
        policies=policies,
        reward=settings.reward,
        task=task,
        suite=settings.name or settings.suite or f"{task}-s{settings.seed}",
        starts=None if starts is None else str(starts),
        seed=settings.seed,
        batch=settings.batch,
        media=media if settings.pictures or settings.video else None,
        versions=output.package_versions(),
    )


def _check(plan: Plan, composed: config.Composed, episodes: int) -> output.RunInfo:
    """Make everything once, so that what is wrong is said before any worker starts."""
    for name in plan.policies:
        build_policy(plan, name)
    build_rewards(plan)
    env = build_env(plan)
    try:
        if plan.starts is not None:
            _check_suite(Path(plan.starts), env, plan, episodes)
        return output.RunInfo(
            config=output.fixed_config(composed.config),
            choices=composed.choices,
            backend=env.backend.kind,
            renderer=env.renderer.name,
            pack=open_pack(plan.pack).digest,
            versions=plan.versions,
        )
    finally:
        env.close()


def _check_suite(path: Path, env: ReferEnv, plan: Plan, episodes: int) -> None:
    """Raise ConfigError if the suite cannot be played here."""
    starts = suites.load(path)
    if episodes > len(starts):
        raise ConfigError(f"episodes: {path.name} has {len(starts)} starts, asked for {episodes}")
    suites.check_pack(path, open_pack(plan.pack))
    kinds = sorted({s.task.kind for s in starts})
    strange = [k for k in kinds if part_for(env.task, k) is None]
    if strange:
        raise ConfigError(f"suite: has tasks of kind {', '.join(strange)}; task=mixed plays them")
    assert isinstance(env.observation_space, Dict), "what a ReferEnv has"
    height, width, _ = env.observation_space["rgb"].shape or (0, 0, 0)
    for camera in (s.scene.camera for s in starts):
        if (camera.width, camera.height) != (width, height):
            raise ConfigError(
                f"suite: has pictures of {camera.width}x{camera.height} px, here they are "
                f"{width}x{height}; set scene.width and scene.height"
            )


def _jobs(
    plan: Plan, episodes: int, finished: dict[tuple[str, str, int, int], Episode]
) -> list[Job]:
    """List what is still to be run; what broke before is tried again."""
    jobs = []
    for index in range(episodes):
        for policy in plan.policies:
            before = finished.get((policy, plan.suite, index, 0))
            if before is None:
                jobs.append(Job(policy=policy, index=index))
            elif before.ended is Ended.ERROR:
                jobs.append(Job(policy=policy, index=index, attempt=before.id.attempt + 1))
    return jobs


def _in_order(plan: Plan, episodes: Iterable[Episode]) -> list[Episode]:
    rank = {policy: i for i, policy in enumerate(plan.policies)}
    return sorted(last_attempts(episodes), key=lambda e: rank[e.policy])


def _write_results(
    folder: Path, plan: Plan, info: output.RunInfo, episodes: list[Episode]
) -> Results:
    results = Results(
        rows=report.summarise(episodes),
        backend=info.backend,
        renderer=info.renderer,
        suite=plan.suite,
        seed=plan.seed,
        choices=info.choices,
        config=info.config,
        digests={"pack": info.pack, **report.digests(episodes, info.config)},
        versions=info.versions,
        lost=dict(Counter(e.error for e in episodes if e.error).most_common()),
    )
    if plan.media is not None:
        report.write_overview(folder, plan.media, episodes)
        report.write_page(folder, plan.media, results, episodes)
    output.write_json(folder / output.RESULTS, results)
    return results


def _conclude(done: Evaluation, console: Console, errors: Console) -> int:
    results, folder = done.results, done.folder
    console.print(report.table(results))
    lost, judged = (sum(getattr(row, key) for row in results.rows) for key in ("errors", "n"))
    if lost:
        head = f"{lost} of {lost + judged} episodes broke and are in no rate; resume=true tries"
        lines = [f"{head} them again. Causes:"]
        for cause, n in list(results.lost.items())[:CAUSES]:
            # the first in full, of the others what they are
            lines.append(f"  {n} x {cause if len(lines) == 1 else cause.splitlines()[0]}")
        text = "\n".join(lines)
        errors.print(text, markup=False, highlight=False, soft_wrap=True)
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
