"""`refergym compare`: what one policy solves beside another on the same starts, with intervals."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from refergym.assets import records
from refergym.assets.records import Record
from refergym.rollouts import arguments, config, output
from refergym.rollouts.episodes import Ended, Episode, last_attempts, read_episodes
from refergym.rollouts.errors import ConfigError, OutputError, StartError
from refergym.rollouts.report import Results
from refergym.rollouts.statistics import Paired, paired, student


class Settings(Record, frozen=True, kw_only=True):
    """The keys of configs/compare.yaml; their meaning stands there."""

    before: str | None
    after: str | tuple[str, ...] | None
    whose: str | None


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Args:
        argv: what follows "compare" on the command line.

    Returns:
        Exit status 0.

    Raises:
        RolloutError: for whatever the user can mend.
    """
    words = arguments.parse("compare", "compare", argv)
    composed = config.compose("compare", words.overrides, words.config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    if not settings.before or not settings.after:
        missing = "after" if settings.before else "before"
        raise ConfigError(f"{missing}: expected the folder of an evaluation ({missing}=DIR)")
    folders = (settings.after,) if isinstance(settings.after, str) else settings.after
    if twice := [a for a, count in Counter(folders).items() if count > 1]:
        raise ConfigError(f"after: {twice[0]} is there twice")
    first = read(Path(settings.before), settings.whose)
    found = {folder: compare(first, read(Path(folder), settings.whose)) for folder in folders}
    console = Console()
    console.print(table(found))
    for line in conclusion(list(found.values())):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0


def read(folder: Path, policy: str | None = None) -> list[Episode]:
    """Read the episodes of one policy of an evaluation.

    Args:
        folder: that `evaluate` wrote.
        policy: by its name in the results; none takes the one under test.

    Raises:
        OutputError: if the folder holds no finished evaluation, or not of that policy.
    """
    path = folder / output.RESULTS
    try:
        results = records.decode(path.read_bytes(), Results, error=OutputError)
        episodes = last_attempts(read_episodes(folder / output.EPISODES))
    except OSError as e:
        missing = Path(e.filename or path).name
        raise OutputError(f"{folder}: no finished evaluation here (no {missing})") from e
    except OutputError as e:
        raise OutputError(f"{folder}: {e}") from e
    name = policy or results.choices["policy"]
    found = [e for e in episodes if e.policy == name]
    if not found:
        known = ", ".join(dict.fromkeys(row.policy for row in results.rows))
        raise OutputError(f"{folder}: no episodes of policy {name}; it has {known}")
    return found


def compare(first: Sequence[Episode], second: Sequence[Episode]) -> Paired:
    """Compare two policies on the starts that both played; what broke in either is left out.

    Raises:
        StartError: if they share no start, or one that came out otherwise.
    """
    known = {(e.id.suite, e.id.index, e.id.member): e for e in first}
    won: list[tuple[bool, bool]] = []
    for b in second:
        a = known.get((b.id.suite, b.id.index, b.id.member))
        if a is None or Ended.ERROR in (a.ended, b.ended):
            continue
        if (a.start_digest, a.task_digest) != (b.start_digest, b.task_digest):
            raise StartError(f"{b.id}: the two played different starts; nothing can be compared")
        won.append((a.success, b.success))
    if not won:
        raise StartError("the two share no start: same task, seed and suite give the same ones")
    return paired([a for a, _ in won], [b for _, b in won])


def table(found: dict[str, Paired]) -> Table:
    """Lay the differences out for a terminal."""
    out = Table(title="success after - before, the same starts")
    out.add_column("after", overflow="fold")
    for name in ("points", "95 % interval", "gained", "lost", "n", "detectable"):
        out.add_column(name, justify="right", no_wrap=True)
    for name, p in found.items():
        out.add_row(
            escape(name), points(p.difference), interval(p.interval), str(p.gained), str(p.lost),
            str(p.n), f"{100 * p.detectable:.1f}",
        )  # fmt: skip
    return out


def conclusion(found: Sequence[Paired]) -> list[str]:
    """Say what the differences show."""
    lines = []
    for p in found:
        shown = p.interval[0] > 0 or p.interval[1] < 0
        lines.append(
            f"{points(p.difference)} points ({interval(p.interval)}): "
            + ("more than chance" if shown else "chance alone can do that")
            + f"; {p.n} starts show a difference of {100 * p.detectable:.1f} points or more"
            " four times out of five"
        )
    if len(found) > 1:
        values = [p.difference for p in found]
        mean, within = math.fsum(values) / len(values), student(values)
        assert within is not None, "of two or more"
        lines.append(
            f"mean of {len(values)} trainings: {points(mean)} points; 95 % interval over them"
            f" {interval(within)}"
        )
    return lines


def points(difference: float) -> str:
    """Write a difference of rates in percentage points."""
    return f"{100 * difference:+.1f}"


def interval(ends: tuple[float, float]) -> str:
    """Write an interval of differences in percentage points."""
    return f"{100 * ends[0]:+.1f} to {100 * ends[1]:+.1f}"
