"""What the commands that play episodes share: keys, plan, checks, the loop that writes, the bar."""

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self

import msgspec
from gymnasium.spaces import Dict
from rich.console import Console

from refergym.assets.library import open_pack
from refergym.envs.refer_env import ReferEnv
from refergym.envs.task_spec import part_for
from refergym.rollouts import config, output, report, suites
from refergym.rollouts.bars import Bar
from refergym.rollouts.episodes import (
    Ended,
    Episode,
    EpisodeWriter,
    check_start,
    last_attempts,
)
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.plan import (
    EnvSettings,
    Job,
    Media,
    Plan,
    build_env,
    build_policy,
    build_rewards,
)
from refergym.rollouts.pool import play
from refergym.rollouts.report import Results

CAUSES = 5
"""different infrastructure errors shown at most; results.json has them all"""
Count = Annotated[int, msgspec.Meta(ge=1)]
OnProgress = Callable[[Episode | None, int, int], None]
"""told each finished episode (none at the start), how many are done and how many there will be"""


class PlaySettings(EnvSettings, frozen=True, kw_only=True):
    """Keys of every command that plays episodes; defaults and meaning stand in its yaml."""

    policy: dict[str, Any]
    reward: dict[str, Any]
    episodes: Count
    samples: Count
    seed: Annotated[int, msgspec.Meta(ge=0)]
    out: Annotated[str, msgspec.Meta(min_length=1)]
    resume: bool
    workers: Annotated[int, msgspec.Meta(ge=0, le=1024)]
    batch: Count
    timeout_s: Annotated[float, msgspec.Meta(gt=0)]
    suite: str | None
    name: str | None
    pack: str | None


def make_plan(
    settings: PlaySettings,
    composed: config.Composed,
    policies: Mapping[str, dict[str, Any]],
    *,
    media: Media | None = None,
    record: str | None = None,
) -> Plan:
    """Put together what is to be played.

    Args:
        settings: the command's keys.
        composed: where they come from.
        policies: configs of the policies by the name that stands in results.
        media: pictures and videos to make.
        record: folder for what the policies see.
    """
    task = composed.choices["task"]
    starts = None if settings.suite is None else suites.find(settings.suite)
    return Plan(
        env=settings.env,
        pack=settings.pack,
        policies=dict(policies),
        reward=settings.reward,
        task=task,
        suite=settings.name or settings.suite or f"{task}-s{settings.seed}",
        starts=None if starts is None else str(starts),
        seed=settings.seed,
        batch=settings.batch,
        media=media,
        record=record,
        versions=output.package_versions(),
    )


def check(plan: Plan, composed: config.Composed, episodes: int) -> output.RunInfo:
    """Make everything once, so that what is wrong is said before any worker starts.

    Raises:
        ConfigError: if a key or a value is wrong.
        ServerError: if the server of a policy is not there.
    """
    weights = {}
    for name in plan.policies:
        policy = build_policy(plan, name)
        if known := getattr(policy, "weights", ""):
            weights[name] = known
        asked = getattr(policy, "check", None)
        if asked is not None:
            asked()
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
            weights=weights,
        )
    finally:
        env.close()


def collect(
    writer: EpisodeWriter,
    plan: Plan,
    settings: PlaySettings,
    on_progress: OnProgress | None = None,
) -> list[Episode]:
    """Play the episodes that the writer's file lacks, and write each when it ends.

    Returns:
        All episodes of the file: by policy, then by index, then by member; the last attempts.

    Raises:
        PoolError: if no worker can start.
        StartError: if a start comes out otherwise than before.
        OutputError: if something cannot be written.
    """
    finished = {e.key: e for e in writer.found}
    starts: dict[tuple[str, int], Episode] = {}
    for episode in writer.found:
        check_start(starts, episode)
    jobs = _jobs(plan, settings.episodes, settings.samples, finished)
    total = settings.episodes * settings.samples * len(plan.policies)
    done = total - len(jobs)
    tell = on_progress or _say_nothing
    tell(None, done, total)
    # closed at once when stopped, so that no worker outlives the run
    with contextlib.closing(play(plan, jobs, settings.workers, settings.timeout_s)) as running:
        for episode in running:
            check_start(starts, episode)
            writer.write(episode)
            finished[episode.key] = episode
            done += 1
            tell(episode, done, total)
    return _in_order(plan, finished.values())


def summary(plan: Plan, info: output.RunInfo, episodes: list[Episode], samples: int) -> Results:
    """Sum episodes up as results.json has them."""
    return Results(
        rows=report.summarise(episodes, samples),
        samples=samples,
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


def say_lost(results: Results, errors: Console) -> tuple[int, int]:
    """Say how many episodes broke and what by; returns (lost, judged)."""
    lost, judged = (sum(getattr(row, key) for row in results.rows) for key in ("errors", "n"))
    if lost:
        head = f"{lost} of {lost + judged} episodes broke and are in no rate; resume=true tries"
        lines = [f"{head} them again. Causes:"]
        for cause, n in list(results.lost.items())[:CAUSES]:
            # the first in full, of the others what they are
            lines.append(f"  {n} x {cause if len(lines) == 1 else cause.splitlines()[0]}")
        errors.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
    return lost, judged


class Tally:
    """A bar of episodes, with each policy's successes so far."""

    def __init__(self, errors: Console) -> None:
        """Draw on the console of standard error."""
        self._errors, self._bar = errors, Bar("episodes", errors)
        self._solved: dict[str, list[bool]] = {}

    def show(self, episode: Episode | None, done: int, total: int) -> None:
        """Take note of a finished episode; an `OnProgress`."""
        if episode is not None:
            self._solved.setdefault(episode.policy, []).append(episode.success)
        rates = "  ".join(f"{p} {sum(s)}/{len(s)}" for p, s in self._solved.items())
        self._bar.show(done, total, note=rates)

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the bar; of a run that was stopped, say how to go on."""
        if isinstance(error, KeyboardInterrupt):
            self._errors.print(
                "Finished episodes are kept; the same command with resume=true goes on."
            )
        self._bar.__exit__(kind, error, trace)


def _say_nothing(episode: Episode | None, done: int, total: int) -> None:
    """Stand in for a missing progress callback."""


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
    plan: Plan,
    episodes: int,
    samples: int,
    finished: dict[tuple[str, str, int, int], Episode],
) -> list[Job]:
    """List what is still to be run; what broke before is tried again."""
    jobs = []
    for index, policy, member in itertools.product(range(episodes), plan.policies, range(samples)):
        before = finished.get((policy, plan.suite, index, member))
        if before is None:
            jobs.append(Job(policy=policy, index=index, member=member))
        elif before.ended is Ended.ERROR:
            attempt = before.id.attempt + 1
            jobs.append(Job(policy=policy, index=index, member=member, attempt=attempt))
    return jobs


def _in_order(plan: Plan, episodes: Iterable[Episode]) -> list[Episode]:
    rank = {policy: i for i, policy in enumerate(plan.policies)}
    return sorted(last_attempts(episodes), key=lambda e: rank[e.policy])
