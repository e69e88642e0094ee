"""One HTML page of what `lift` did: rates, the course of learning, episodes before and after."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from refergym.rollouts import report
from refergym.rollouts.evaluate import Evaluation
from refergym.rollouts.plan import Media
from refergym.rollouts.report import Row

TITLE = "What closed-loop fine-tuning changed"
WIDTH, HEIGHT, MARGIN = 640, 160, 30
"""px, of the chart"""


def page(
    folder: Path,
    tables: Mapping[str, Sequence[Row]],
    lines: Sequence[str],
    journal: Sequence[Mapping[str, Any]],
    commands: Sequence[str],
    shown: Sequence[Evaluation],
) -> str:
    """Return the page.

    Args:
        folder: that it will stand in.
        tables: rows to show, by title.
        lines: what they mean.
        journal: of the training: a row for each step.
        commands: that did all this.
        shown: evaluations with pictures, of the same starts; their episodes stand side by side.
    """
    parts = [f"<h2>{_text(name)}</h2>{report.html_table(rows)}" for name, rows in tables.items()]
    parts += [f"<p>{_text(line)}</p>" for line in lines]
    rates = [float(row["success"]) for row in journal if "success" in row]
    if len(rates) > 1:
        parts.append(f"<h2>Success of what was learned from, by step</h2>{chart(rates)}")
    said = "\n".join(commands)
    parts.append(f"<h2>Commands</h2><pre>{_text(said)}</pre><h2>Episodes</h2>")
    medias = [
        Media(folder=str(e.folder), pictures=True, video=True, video_size=0) for e in shown
    ]  # fmt: skip
    for episodes in zip(*(e.episodes for e in shown), strict=True):
        parts.append(f"<h2>{_text(episodes[0].instruction)}</h2>")
        parts += [report.card(folder, m, e) for m, e in zip(medias, episodes, strict=True)]
    return report.page(TITLE, "\n".join(parts))


def chart(rates: Sequence[float]) -> str:
    """Draw rates in [0, 1] by step, each and the mean of those around it, as SVG."""
    count = len(rates)
    reach = max(1, count // 10)
    around = [rates[max(0, k - reach) : k + reach + 1] for k in range(count)]
    top, bottom = MARGIN / 2, HEIGHT - MARGIN / 2

    def at(k: int, rate: float) -> str:
        x = MARGIN + (WIDTH - 2 * MARGIN) * k / (count - 1)
        return f"{x:.1f},{bottom - (bottom - top) * rate:.1f}"

    each = " ".join(at(k, rate) for k, rate in enumerate(rates))
    mean = " ".join(at(k, sum(near) / len(near)) for k, near in enumerate(around))
    marks = "".join(
        f'<text x="0" y="{bottom - (bottom - top) * r + 4:.1f}" font-size="11">{r:.1f}</text>'
        for r in (0.0, 0.5, 1.0)
    )
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" role="img">{marks}'
        f'<polyline points="{each}" fill="none" stroke="#bbb"/>'
        f'<polyline points="{mean}" fill="none" stroke="#147832" stroke-width="2"/></svg>'
    )


def _text(words: str) -> str:
    return html.escape(words)
