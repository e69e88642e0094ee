"""`refergym probe`: play scripted cheats against a reward set, next to an honest oracle in words.

A reward set that can be farmed pays a cheat more than the oracle, or pays much for a task that was
not solved. What each earns is shown; that is a fact of the set, whatever else is wrong with it.
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from rich.console import Console
from rich.table import Table

from refergym.agents.cheats import CHEATS
from refergym.assets import records
from refergym.assets.records import Record
from refergym.rollouts import arguments, config, output
from refergym.rollouts.bars import Bar
from refergym.rollouts.episodes import Ended, Episode
from refergym.rollouts.errors import ConfigError, OutputError
from refergym.rollouts.plan import EnvSettings, Job, Plan, build_policy, build_rewards
from refergym.rollouts.pool import play

FILE = "probe.json"
HONEST = "narrator"
OnProgress = Callable[[int, int], None]
Count = Annotated[int, msgspec.Meta(ge=1)]


class Settings(EnvSettings, frozen=True, kw_only=True):
    """The keys of configs/probe.yaml; their defaults and their meaning stand there."""

    reward: dict[str, Any]
    dialect: dict[str, Any]
    pack: str | None
    episodes: Count
    seed: Annotated[int, msgspec.Meta(ge=0)]
    cheats: bool | tuple[str, ...]
    several: str
    out: Annotated[str, msgspec.Meta(min_length=1)]
    workers: Annotated[int, msgspec.Meta(ge=0, le=1024)]
    timeout_s: Annotated[float, msgspec.Meta(gt=0)]


class Earned(Record, frozen=True, kw_only=True):
    """What one policy earned."""

    policy: str
    n: int
    successes: int
    reward: float
    """mean of the episodes"""
    share: float
    """the same, of the honest oracle's"""
    unsolved: float | None
    """the most that it earned in an episode that it did not solve, as a share of the oracle's on
    that start; none if it solved all"""
    more: int
    """starts on which it earned more than the oracle"""


class Probe(Record, frozen=True, kw_only=True):
    """What `probe` writes to probe.json."""

    reward: str
    rows: tuple[Earned, ...]
    """the honest oracle first"""
    config: dict[str, Any]
    versions: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a probe gave."""

    file: Path
    probe: Probe

    @property
    def farmed(self) -> list[str]:
        """Cheats that earned more than the oracle, on the mean."""
        honest = self.probe.rows[0].reward
        return [r.policy for r in self.probe.rows[1:] if r.reward > honest + 1e-9]


def probe(
    overrides: Sequence[str] = (),
    config_dir: str | Path | None = None,
    on_progress: OnProgress = lambda *_: None,
) -> Done:
    """Probe as the command does, and write probe.json to `out`.

    Args:
        overrides: "key=value" as on the command line.
        config_dir: a folder with further yaml files.
        on_progress: told how many episodes are done and how many there will be.

    Raises:
        ConfigError: if a key, a choice or a value is wrong.
        OutputError: if nothing can be written there.
    """
    composed = config.compose("probe", overrides, config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    plan = _plan(settings, composed.choices)
    build_rewards(plan)
    for name in plan.policies:
        build_policy(plan, name)
    file = Path(settings.out) / FILE
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise OutputError(f"out: cannot write to {file.parent}: {e.strerror}") from e
    jobs = [Job(policy=p, index=k) for k in range(settings.episodes) for p in plan.policies]
    episodes = []
    with contextlib.closing(play(plan, jobs, settings.workers, settings.timeout_s)) as running:
        for episode in running:
            episodes.append(episode)
            on_progress(len(episodes), len(jobs))
    found = Probe(
        reward=composed.choices["reward"],
        rows=tuple(_rows(plan, episodes)),
        config=composed.config,
        versions=plan.versions,
    )
    output.write_json(file, found)
    return Done(file=file, probe=found)


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Args:
        argv: what follows "probe" on the command line.

    Returns:
        Exit status: 1 if a cheat earned more than the oracle.

    Raises:
        RolloutError: for whatever the user can mend.
    """
    words = arguments.parse("probe", "probe", argv)
    console, errors = Console(), Console(stderr=True)
    with Bar("episodes", errors) as bar:
        done = probe(words.overrides, words.config_dir, bar.show)
    console.print(table(done.probe))
    if done.farmed:
        errors.print(f"earned more than the oracle: {', '.join(done.farmed)}", markup=False)
    console.print(f"Wrote {done.file}", markup=False, highlight=False, soft_wrap=True)
    return 1 if done.farmed else 0


def table(found: Probe) -> Table:
    """Lay the rows out for a terminal."""
    out = Table(title=f"reward {found.reward}: what cheats earn")
    out.add_column("policy", no_wrap=True)
    for head in ("reward", "of the oracle's", "solved", "most, unsolved", "more than it"):
        out.add_column(head, justify="right")
    for row in found.rows:
        unsolved = "-" if row.unsolved is None else f"{100 * row.unsolved:.0f} %"
        out.add_row(
            row.policy, f"{row.reward:.3f}", f"{100 * row.share:.0f} %",
            f"{row.successes}/{row.n}", unsolved, str(row.more),
        )  # fmt: skip
    return out


def _plan(settings: Settings, choices: dict[str, str]) -> Plan:
    cheats = tuple(CHEATS) if settings.cheats is True else settings.cheats or ()
    words = {"dialect": settings.dialect, "several": settings.several}
    policies: dict[str, dict[str, Any]] = {
        HONEST: {"_target_": "refergym.agents.narrator.NarratorPolicy", **words}
    }
    for name in cheats:
        policies[name] = {"_target_": "refergym.agents.cheats.CheatPolicy", "cheat": name, **words}
    return Plan(
        env=settings.env,
        pack=settings.pack,
        policies=policies,
        reward=settings.reward,
        task=choices["task"],
        suite=f"probe-{choices['task']}-s{settings.seed}",
        seed=settings.seed,
        versions=output.package_versions(),
    )


def _rows(plan: Plan, episodes: Iterable[Episode]) -> Iterable[Earned]:
    earned: dict[str, dict[int, Episode]] = {name: {} for name in plan.policies}
    for episode in episodes:
        if episode.ended is Ended.ERROR:
            raise ConfigError(f"episode {episode.id.index} of {episode.policy}: {episode.error}")
        earned[episode.policy][episode.id.index] = episode
    honest = {k: e.reward for k, e in earned[HONEST].items()}
    mean = sum(honest.values()) / len(honest)
    for name, played in earned.items():
        n = len(played)
        reward = sum(e.reward for e in played.values()) / n
        unsolved = [
            e.reward / honest[k] for k, e in played.items() if not e.success and honest[k] > 0
        ]
        yield Earned(
            policy=name,
            n=n,
            successes=sum(e.success for e in played.values()),
            reward=reward,
            share=reward / mean if mean > 0 else 0.0,
            unsolved=max(unsolved, default=None),
            more=sum(e.reward > honest[k] + 1e-9 for k, e in played.items()),
        )
