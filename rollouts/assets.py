"""`refergym assets SUBCOMMAND`: build, check, draw and extend asset packs."""

import difflib
import importlib
import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec

from refergym.assets import records
from refergym.assets.builder import adding, contact_sheet
from refergym.assets.builder.adding import Addition
from refergym.assets.builder.checking import Report, check_pack
from refergym.assets.library import Pack
from refergym.assets.records import Record
from refergym.rollouts import arguments, config
from refergym.rollouts.errors import ConfigError, OutputError

_log = logging.getLogger(__name__)

SUBCOMMANDS = {
    "build": "make a pack with Infinigen",
    "check": "find what is wrong with a pack",
    "sheet": "draw what a pack holds",
    "add": "put a mesh of yours into a pack",
}
USAGE = "usage: refergym assets SUBCOMMAND [--help] [arguments ...]"
PICTURES = (".png", ".jpg", ".jpeg")


class CheckSettings(Record, frozen=True, kw_only=True):
    """The keys of configs/assets_check.yaml."""

    strict: bool


class SheetSettings(Record, frozen=True, kw_only=True):
    """The keys of configs/assets_sheet.yaml."""

    out: str
    columns: Annotated[int, msgspec.Meta(ge=1)]
    size: Annotated[int, msgspec.Meta(ge=16, le=2048)]
    labels: bool
    furniture: bool


def main(argv: Sequence[str]) -> int:
    """Run a subcommand; returns the exit status."""
    if not argv or argv[0] in ("-h", "--help"):
        lines = [USAGE, "", "subcommands:"]
        lines += [f"  {name:<8}{about}" for name, about in SUBCOMMANDS.items()]
        _say(*lines, "", "refergym assets SUBCOMMAND --help tells more.")
        return 0 if argv else 2
    name, *rest = argv
    if name == "build":
        module = importlib.import_module("refergym.rollouts.assets_build")
        return int(module.main(rest))
    if name in SUBCOMMANDS:
        return {"check": check, "sheet": sheet, "add": add}[name](rest)
    near = difflib.get_close_matches(name, SUBCOMMANDS, 1)
    hint = f" did you mean {near[0]}?" if near else ""
    raise ConfigError(f"no subcommand {name!r};{hint} subcommands: {', '.join(SUBCOMMANDS)}")


def check(argv: Sequence[str]) -> int:
    """Check a pack; returns 1 if it has faults."""
    from rich.console import Console
    from rich.progress import track

    args = arguments.parse("assets check", "assets_check", argv, "DIR")
    composed = config.compose("assets_check", args.overrides, args.config_dir)
    settings = records.convert(composed.config, CheckSettings, error=ConfigError)
    console = Console(stderr=True)
    bar = partial(
        track,
        description="checking",
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    report = check_pack(Path(args.subject), bar)
    _say(*(f"fault: {f}" for f in report.faults), *(f"warning: {f}" for f in report.warnings))
    _say(*summary_lines(report))
    return int(bool(report.faults) or (settings.strict and bool(report.warnings)))


def sheet(argv: Sequence[str]) -> int:
    """Draw a pack's contact sheet."""
    args = arguments.parse("assets sheet", "assets_sheet", argv, "DIR")
    composed = config.compose("assets_sheet", args.overrides, args.config_dir)
    settings = records.convert(composed.config, SheetSettings, error=ConfigError)
    out = Path(settings.out)
    if out.suffix.lower() not in PICTURES:
        raise ConfigError(f"out: expected a file that ends in {', '.join(PICTURES)}, got {out}")
    pack = Pack(args.subject)
    shown = [a for a in pack.manifest.assets if settings.furniture or a.use == "item"]
    if not shown:
        raise ConfigError(f"{args.subject}: the pack holds nothing to draw")
    picture = contact_sheet.contact_sheet(
        [(a.name if settings.labels else None, pack.mesh(a.name)) for a in shown],
        columns=min(settings.columns, len(shown)),
        size=settings.size,
    )
    part = out.with_name(f"{out.stem}.part{out.suffix}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            picture.save(part)
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)
    except OSError as e:
        raise OutputError(f"out: cannot write {out} ({e.strerror}); choose another out=") from e
    _log.info("drew %d assets; wrote %s", len(shown), out)
    return 0


def add(argv: Sequence[str]) -> int:
    """Put a mesh into a pack."""
    args = arguments.parse("assets add", "assets_add", argv, "MESH")
    composed = config.compose("assets_add", args.overrides, args.config_dir)
    keys = dict(composed.config)
    for key, example in (("category", "mug"), ("out", "my_pack")):
        if keys[key] is None:
            raise ConfigError(f"{key}: needed, as in {key}={example}")
    pack = Path(str(keys.pop("out")))
    wanted = records.convert(keys, Addition, error=ConfigError)
    info = adding.add(Path(args.subject), pack, wanted)
    colour = info.colour or "mixed colours"
    size = " x ".join(f"{x:.3f}" for x in info.size)
    _log.info(
        "added %s: %s m, %.3g kg, %d triangles, %s; its grasps are not measured yet:"
        " refergym graspability pack=%s assets=[%s]",
        info.name, size, info.mass, info.triangles, colour, pack, info.name,
    )  # fmt: skip
    return 0


def summary_lines(report: Report) -> list[str]:
    """Say in a few lines what a pack holds and whether it is all right."""
    s = report.summary
    items = s.assets - s.furniture
    lines = [
        f"{s.assets} assets: {items} items of {s.categories} categories, {s.furniture} pieces of"
        f" furniture; {s.shapes} shapes, {s.textures} textures, {s.scenes} scenes,"
        f" {s.size / 1e6:.1f} MB",
        f"colours: {_counts(s.colours)}; splits: {_counts(s.splits)}",
        f"graspable at scale 1: {s.graspable:.0%} of the items, in {s.graspable_categories} of"
        f" {s.categories} categories",
    ]
    found = f"{len(report.faults)} faults, {len(report.warnings)} warnings"
    return [*lines, found if report.faults or report.warnings else "no faults"]


def _counts(pairs: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {count}" for name, count in pairs) or "none"


def _say(*lines: str) -> None:
    sys.stdout.writelines(line + "\n" for line in lines)
