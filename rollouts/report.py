"""Summarise episodes: rates with intervals by task and policy, a table, a page of pictures."""

import html
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table

from refergym.assets import records
from refergym.assets.records import Record
from refergym.rollouts import output, pictures
from refergym.rollouts.episodes import Ended, Episode
from refergym.rollouts.plan import Media
from refergym.rollouts.statistics import clustered, pass_at
from refergym.rollouts.video import episode_file

VERSION = 3
OVERVIEW_EPISODES = 10
"""rows of the overview picture"""
OVERVIEW_SCALE = 0.6
"""size of the strips in it, times their own"""


class Solved(Record, frozen=True, kw_only=True):
    """How often episodes were solved."""

    n: int
    """judged episodes; those that the infrastructure lost are left out"""
    starts: int
    """different starts among them"""
    successes: int
    success_rate: float | None
    """none if no episode was judged"""
    interval: tuple[float, float]
    """95 % interval of the success rate over starts: of samples, as `statistics.clustered`; the
    Jeffreys interval if there is one to each start"""
    pass_at: dict[str, float]
    """k -> how likely one of k samples solves a start, the mean of the starts with as many judged
    samples; for 1, 2, 4, ... and the number of samples"""


class Row(Solved, frozen=True, kw_only=True):
    """One policy on one task."""

    task: str
    policy: str
    kinds: dict[str, Solved]
    """the same by the kind of the episodes' tasks"""
    truncated: int
    """episodes that ran out of steps"""
    errors: int
    """episodes lost to infrastructure errors; not in n"""
    failures: dict[str, int]
    """judged failures by the first stage that failed"""
    events: dict[str, int]
    """what the steps did"""
    mean_steps: float | None
    mean_progress: float | None
    """share of the subgoals reached"""
    mean_reward: float | None
    """of whole episodes; says nothing about success"""
    parse_rate: float | None
    """share of the answers with a usable point"""
    causes: dict[str, int]
    """judged failures by what the last failed step failed by (an `attribution.Cause`)"""
    step_causes: dict[str, int]
    """failed steps by what they failed by, of all judged episodes"""


class Results(Record, frozen=True, kw_only=True):
    """What `evaluate` writes to results.json."""

    version: int = VERSION
    rows: tuple[Row, ...]
    backend: str
    renderer: str
    suite: str
    seed: int
    samples: int = 1
    """episodes of each policy from each start"""
    choices: dict[str, str]
    config: dict[str, Any]
    digests: dict[str, str]
    """sha256: of the asset pack, the config, the scenes and tasks played, and all outcomes"""
    versions: dict[str, str]
    lost: dict[str, int] = msgspec.field(default_factory=dict)
    """causes of infrastructure errors, and how many episodes each took"""


def summarise(episodes: Sequence[Episode], samples: int = 1) -> tuple[Row, ...]:
    """Count episodes by (task, policy), in order of first appearance of the policy.

    Args:
        episodes: of all policies.
        samples: episodes of each policy from each start.
    """
    keys = dict.fromkeys((e.task, e.policy) for e in episodes)
    return tuple(
        _row(*key, [e for e in episodes if (e.task, e.policy) == key], samples) for key in keys
    )


def digests(episodes: Sequence[Episode], config: dict[str, Any]) -> dict[str, str]:
    """Digest what was asked, what was played and what came out; equal for equal runs."""
    played = sorted({(e.id.index, e.id.member, e.scene_digest, e.task_digest) for e in episodes})
    outcomes = sorted((*e.key, e.outcome) for e in episodes)
    return {
        "config": records.digest(config),
        "starts": records.digest(played),
        "outcomes": records.digest(outcomes),
    }


def table(results: Results) -> Table:
    """Lay the rows out for a terminal."""
    title = f"{results.suite}   backend {results.backend}, renderer {results.renderer}"
    return rows_table(results.rows, title, results.samples)


def rows_table(rows: Sequence[Row], title: str, samples: int = 1) -> Table:
    """Lay rows out for a terminal, of one evaluation or of several.

    Args:
        rows: to show.
        title: of the table.
        samples: episodes of each policy from each start.
    """
    out = Table(title=title)
    out.add_column("task", no_wrap=True)
    out.add_column("policy", no_wrap=True)
    out.add_column("success", justify="right", no_wrap=True)
    out.add_column("95 % interval", justify="right", no_wrap=True)
    shown = (1, samples) if samples > 1 else ()
    for k in shown:
        out.add_column(f"pass@{k}", justify="right", no_wrap=True)
    out.add_column("n", justify="right", no_wrap=True)
    out.add_column("steps", justify="right", no_wrap=True)
    out.add_column("failures by stage")
    if any(row.errors for row in rows):
        out.add_column("lost", justify="right", style="red")
    for row in rows:
        cells = [row.task, row.policy, *_rate(row), *_passed(row, shown), str(row.n)]
        cells.append(_number(row.mean_steps))
        cells.append(", ".join(f"{stage} {n}" for stage, n in row.failures.items()) or "-")
        out.add_row(*cells, *([str(row.errors)] if len(out.columns) > len(cells) else []))
        for kind, part in row.kinds.items() if shown and len(row.kinds) > 1 else ():
            out.add_row(f"  {kind}", row.policy, *_rate(part), *_passed(part, shown), str(part.n))
    return out


def write_overview(folder: Path, media: Media, episodes: Sequence[Episode]) -> Path | None:
    """Put the strips of the first episodes side by side, a column for each policy."""
    columns = []
    for policy in dict.fromkeys(e.policy for e in episodes):
        files = [
            episode_file(media, "png", policy, e.id.index, e.id.member)
            for e in episodes
            if e.policy == policy
        ]
        strips = [pictures.load(file) for file in files if file.exists()][:OVERVIEW_EPISODES]
        if strips:
            columns.append(pictures.column([pictures.resized(s, OVERVIEW_SCALE) for s in strips]))
    if not columns:
        return None
    path = folder / output.OVERVIEW
    pictures.save(pictures.row(columns), path)
    return path


def write_page(folder: Path, media: Media, results: Results, episodes: Sequence[Episode]) -> Path:
    """Write one HTML page that shows every episode's strip and video."""
    body = "".join(card(folder, media, e) for e in episodes)
    path = folder / output.PAGE
    title = f"{results.suite}, {results.backend}"
    output.write_text(path, page(title, html_table(results.rows) + body))
    return path


def page(title: str, body: str) -> str:
    """Return an HTML page.

    Args:
        title: plain text.
        body: HTML.
    """
    return _PAGE.format(title=html.escape(title), body=body)


def html_table(rows: Sequence[Row]) -> str:
    """Lay rows out for a page."""
    cells = "".join(
        f"<tr><td>{html.escape(row.task)}<td>{html.escape(row.policy)}<td>{rate}<td>{interval}"
        f"<td>{row.n}<td>{row.errors}<td>{html.escape(str(row.failures))}"
        for row in rows
        for rate, interval in [_rate(row)]
    )
    return f"<table>{_HEAD}{cells}</table>"


def card(folder: Path, media: Media, episode: Episode) -> str:
    """Show an episode on a page in a folder: its strip and its video, where they were made."""
    png, mp4 = (
        episode_file(media, kind, episode.policy, episode.id.index, episode.id.member)
        for kind in ("png", "mp4")
    )
    number = f"{episode.id.index}-{episode.id.member}" if episode.id.member else episode.id.index
    parts = [f"<h3>{html.escape(f'{episode.policy} {number}: {episode.stage}')}</h3>"]
    if episode.error:
        parts.append(f"<pre>{html.escape(episode.error)}</pre>")
    if png.exists():
        parts.append(f'<img src="{png.relative_to(folder).as_posix()}" loading="lazy">')
    if mp4.exists():
        source = mp4.relative_to(folder).as_posix()
        parts.append(f'<video src="{source}" controls preload="none" width="336"></video>')
    return f'<div class="{"good" if episode.success else "bad"}">{"".join(parts)}</div>'


def _row(task: str, policy: str, episodes: Sequence[Episode], samples: int) -> Row:
    judged = [e for e in episodes if e.ended is not Ended.ERROR]
    n = len(judged)
    steps = [s for e in judged for s in e.steps]
    kinds = sorted({e.kind for e in judged})
    return Row(
        task=task,
        policy=policy,
        **_solved(judged, samples),
        kinds={k: Solved(**_solved([e for e in judged if e.kind == k], samples)) for k in kinds},
        truncated=sum(e.ended is Ended.TRUNCATED for e in judged),
        errors=len(episodes) - n,
        failures=dict(Counter(e.stage for e in judged if not e.success).most_common()),
        events=dict(Counter(s.event for s in steps).most_common()),
        mean_steps=len(steps) / n if n else None,
        mean_progress=sum(e.progress for e in judged) / n if n else None,
        mean_reward=sum(e.reward for e in judged) / n if n else None,
        parse_rate=sum(not s.problem for s in steps) / len(steps) if steps else None,
        causes=dict(Counter(e.cause for e in judged if not e.success).most_common()),
        step_causes=dict(Counter(s.cause for s in steps if s.cause).most_common()),
    )


def _solved(judged: Sequence[Episode], samples: int) -> dict[str, Any]:
    """Return the fields of `Solved`."""
    starts: dict[tuple[str, int], list[bool]] = {}
    for e in judged:
        starts.setdefault((e.id.suite, e.id.index), []).append(e.success)
    counts = [(len(won), sum(won)) for won in starts.values()]
    n, successes = len(judged), sum(e.success for e in judged)
    passed = {}
    for k in sorted({samples, *(1 << i for i in range(samples.bit_length()))}):
        found = [pass_at(k, drawn, won) for drawn, won in counts if drawn >= k]
        if found:
            passed[str(k)] = sum(found) / len(found)
    return {
        "n": n,
        "starts": len(counts),
        "successes": successes,
        "success_rate": successes / n if n else None,
        "interval": clustered([won for _, won in counts], [drawn for drawn, _ in counts]),
        "pass_at": passed,
    }


def _passed(row: Solved, shown: Sequence[int]) -> list[str]:
    rates = [row.pass_at.get(str(k)) for k in shown]
    return ["-" if rate is None else f"{100 * rate:.1f} %" for rate in rates]


def _rate(row: Solved) -> tuple[str, str]:
    low, high = row.interval
    if row.success_rate is None:
        return "-", "-"
    return f"{100 * row.success_rate:.1f} %", f"{100 * low:.1f} to {100 * high:.1f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


_HEAD = "<tr><th>task<th>policy<th>success<th>95 % interval<th>n<th>lost<th>failures"
_PAGE = """<!doctype html>
<meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 15px sans-serif; margin: 2em; }}
td, th {{ padding: .2em .8em; text-align: left; border-bottom: 1px solid #ccc; }}
div {{ border-left: 6px solid; padding-left: 1em; margin: 1.5em 0; }}
.good {{ border-color: #147832; }} .bad {{ border-color: #b4281e; }}
img, video {{ vertical-align: top; margin-right: 1em; }}
</style>
<h1>{title}</h1>
{body}
"""
