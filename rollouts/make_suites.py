"""`refergym suites`: make the suites that ship again, one for each split, and pack them.

Two of each three tasks point, the third picks and places; what moves things was solved by its
ground-truth points in the configured backend.
"""

import gzip
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from refergym.assets import records
from refergym.assets.records import Record
from refergym.assets.seeding import generator
from refergym.rollouts import arguments, config, generate, output, suites, taskfile
from refergym.rollouts.errors import ConfigError, OutputError

_log = logging.getLogger(__name__)

PATIENCE = 1000
"""scenes in a row without a task, after which a suite is given up; of those with few things of an
unseen category nine in ten have none"""


class Settings(Record, frozen=True, kw_only=True):
    """The keys of configs/suites.yaml; their defaults and their meaning stand there."""

    splits: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    count: Annotated[int, msgspec.Meta(ge=1)]
    per_scene: Annotated[int, msgspec.Meta(ge=1)]
    played_in: str
    seed: Annotated[int, msgspec.Meta(ge=0)]
    workers: Annotated[int, msgspec.Meta(ge=0, le=1024)]
    out: Annotated[str, msgspec.Meta(min_length=1)]


def main(argv: Sequence[str]) -> int:
    """Run the command; returns the exit status: 1 if a suite has fewer tasks than asked for."""
    args = arguments.parse("suites", "suites", argv)
    composed = config.compose("suites", args.overrides, args.config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    for split in settings.splits:  # all of them before any is made
        config.compose("generate", _overrides(settings, split, Path()), args.config_dir)
    try:
        return int(_make(settings, args.config_dir) > 0)
    except OSError as e:
        raise OutputError(f"out: cannot write {e.filename or settings.out}: {e.strerror}") from e


def _make(settings: Settings, config_dir: str | None) -> int:
    """Make all suites; returns how many have fewer tasks than asked for."""
    out = Path(settings.out)
    out.mkdir(parents=True, exist_ok=True)
    short = 0
    for split in settings.splits:
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "tasks"
            report = generate.generate(_overrides(settings, split, made), config_dir)
            path = pack(made / taskfile.FILE, out / f"{split}{suites.ENDING}")
        short += report.tasks < settings.count
        _log.info("%s: %d tasks, %d bytes", path, report.tasks, path.stat().st_size)
    found = {p.name.removesuffix(suites.ENDING): suites.digest(p)
             for p in sorted(out.glob(f"*{suites.ENDING}"))}  # fmt: skip
    output.write_json(out / suites.DIGESTS, found)
    return short


def pack(source: Path, target: Path) -> Path:
    """Pack a file of tasks; the same tasks give the same bytes. Returns the target."""
    target.write_bytes(gzip.compress(source.read_bytes(), 9, mtime=0))
    return target


def _overrides(settings: Settings, split: str, out: Path) -> list[str]:
    # the scenes of one split are not those of another
    seed = int(generator(settings.seed, f"suite {split}").integers(2**31))
    return [
        "task=mixed",
        f"split={split}",
        f"count={settings.count}",
        f"per_scene={settings.per_scene}",
        f"backend={settings.played_in}",
        f"patience={PATIENCE}",
        f"seed={seed}",
        f"workers={settings.workers}",
        "pictures=false",
        f"out={out}",
    ]
