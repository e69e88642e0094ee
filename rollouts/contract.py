"""`refergym contract`: does a backend keep, on this machine, what every backend promises?"""

import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from rich.progress import track

from refergym.assets import records
from refergym.assets.composers.base import Wants
from refergym.assets.composers.tabletop import Tabletop
from refergym.assets.records import Record
from refergym.envs.geometry.caster import Caster
from refergym.envs.types import Backend
from refergym.rollouts import arguments, config, output
from refergym.rollouts.contract_checks import CHECKS, Bench, Broken, NotApplicable, settled
from refergym.rollouts.errors import ConfigError

_log = logging.getLogger(__name__)
Outcome = Literal["kept", "broken", "failed", "not applicable"]


class Settings(Record, frozen=True, kw_only=True):
    """The keys of configs/contract.yaml."""

    backend: dict[str, Any]
    scenes: Annotated[int, msgspec.Meta(ge=4)]
    seed: Annotated[int, msgspec.Meta(ge=0)]
    exact: tuple[str, ...]
    tolerance: Annotated[float, msgspec.Meta(ge=0)]
    out: str


class Row(Record, frozen=True, kw_only=True):
    """What came of one check."""

    check: str
    promise: str
    outcome: Outcome
    seen: str
    """what was seen instead, or why it does not apply; empty where it is kept"""
    seconds: float
    """wall clock"""


class Report(Record, frozen=True, kw_only=True):
    """What `out` holds."""

    backend: str
    """its kind"""
    tolerance: float
    """m and rad; 0 asked for every bit"""
    config: dict[str, Any]
    versions: dict[str, str]
    rows: tuple[Row, ...]

    @property
    def is_kept(self) -> bool:
        """Whether every promise that applies is kept."""
        return all(row.outcome in ("kept", "not applicable") for row in self.rows)


def main(argv: Sequence[str]) -> int:
    """Run the checks, print a line for each, write the report to `out`.

    Returns:
        Exit status: 0 if every promise that applies is kept, else 1.

    Raises:
        BackendError: if the backend cannot even start; says what to do.
    """
    args = arguments.parse("contract", "contract", argv)
    composed = config.compose("contract", args.overrides, args.config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    report = run(lambda: config.instantiate(settings.backend, "backend"), settings, progress=True)
    path = Path(settings.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    output.write_json(path, report)
    for line in lines(report):
        _log.info("%s", line)
    _log.info("wrote %s", path)
    return int(not report.is_kept)


def run(make: Callable[[], Backend], settings: Settings, *, progress: bool = False) -> Report:
    """Run all checks against a backend.

    Args:
        make: makes one; called for each that a check needs besides the first.
        settings: how many scenes, and how equal equal is.
        progress: whether to draw a bar.

    Raises:
        BackendError: if it cannot be made, or settle a scene.
    """
    scenes = [
        Tabletop().compose(settings.seed, i, Wants(graspable=2)) for i in range(settings.scenes)
    ]
    backend = make()
    try:
        settled(backend, scenes[0])  # what keeps it from starting is no broken promise
        kind = backend.kind
        tolerance = 0.0 if kind in settings.exact else settings.tolerance
        bench = Bench(
            backend=backend, make=make, scenes=scenes, caster=Caster(), tolerance=tolerance
        )
        rows = [_row(check, bench) for check in track(CHECKS, disable=not progress)]
    finally:
        backend.close()
    return Report(
        backend=kind,
        tolerance=tolerance,
        config=json.loads(records.canonical_json(settings)),
        versions=output.package_versions(),
        rows=tuple(rows),
    )


def lines(report: Report) -> list[str]:
    """Render a report as lines of text."""
    out = [
        f"{row.outcome:<15}{row.check.replace('_', ' ')}{': ' * bool(row.seen)}{row.seen}"
        for row in report.rows
    ]
    kept = sum(row.outcome == "kept" for row in report.rows)
    asked = sum(row.outcome != "not applicable" for row in report.rows)
    equal = f"equal within {report.tolerance:g}" if report.tolerance else "equal bit by bit"
    return [*out, f"backend {report.backend}: {kept} of {asked} promises kept; states {equal}"]


def _row(check: Callable[[Bench], None], bench: Bench) -> Row:
    begun = time.monotonic()
    outcome: Outcome = "kept"
    seen = ""
    try:
        check(bench)
    except NotApplicable as e:
        outcome, seen = "not applicable", str(e)
    except Broken as e:
        outcome, seen = "broken", str(e)
    except Exception as e:  # noqa: BLE001 - whatever a backend raises is the finding
        outcome, seen = "failed", f"{type(e).__name__}: {' '.join(str(e).split())}"
    return Row(
        check=check.__name__,
        promise=" ".join((check.__doc__ or "").split()),
        outcome=outcome,
        seen=seen,
        seconds=round(time.monotonic() - begun, 3),
    )
