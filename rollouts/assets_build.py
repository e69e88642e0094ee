"""`refergym assets build`: spawn, finish, measure grasps, solve scenes, install; resumable.

The stages up to the finished assets are in `refergym.assets.builder`; grasps need PyBullet.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from refergym.assets import records
from refergym.assets.builder import building, environment, solving, spawning
from refergym.assets.builder.recipes import RECIPES, Recipe
from refergym.assets.builder.workshop import Shelf, key_of
from refergym.assets.errors import BuildError
from refergym.assets.library import AssetInfo, GraspRecord, Pack
from refergym.assets.records import Record
from refergym.assets.solved import SolvedScene
from refergym.assets.spec import Positive
from refergym.rollouts import arguments, config, graspability
from refergym.rollouts.errors import ConfigError

_log = logging.getLogger(__name__)

PIECE = 6_000_000
"""bytes on disk for each asset while it is built"""


T = TypeVar("T")
Seed = Annotated[int, msgspec.Meta(ge=0)]


class Settings(Record, frozen=True, kw_only=True):
    """The keys of configs/assets_build.yaml."""

    out: str | None
    category: tuple[str, ...] | str | None
    seeds: tuple[Seed, ...] | Seed | None
    jobs: Annotated[int, msgspec.Meta(ge=1)]
    work: str | None
    environment: str | None
    python: str | None
    name: str | None
    scenes: bool | None
    scales: tuple[Positive, ...]
    tries: Annotated[int, msgspec.Meta(ge=0)]


def main(argv: Sequence[str]) -> int:
    """Build a pack; returns the exit status: 1 if nothing could be made."""
    args = arguments.parse("assets build", "assets_build", argv)
    composed = config.compose("assets_build", args.overrides, args.config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    return build(settings)


def build(settings: Settings) -> int:
    """Build what the settings say; returns the exit status."""
    if not settings.out:
        raise ConfigError("out: expected the folder of the pack, got none: out=DIR")
    out = Path(settings.out).absolute()
    work = Path(settings.work).absolute() if settings.work else out.with_name(out.name + ".work")
    building.check_target(out)
    chosen = _chosen(_several(settings.category))
    shapes = spawning.raws(chosen, _several(settings.seeds))
    if not shapes:
        raise BuildError("category, seeds: nothing to build; name at least one of each, or null")
    environment.check_room(work, PIECE * len(shapes), f"a build of {len(shapes)} shapes")
    shelves = {kind: Shelf(work / kind) for kind in ("raw", "done", "grasps", "scenes")}
    home = Path(settings.environment) if settings.environment else environment.default_folder()
    python = environment.ensure(home.absolute(), settings.python)
    log, spent = work / "log.txt", {}
    started = time.monotonic()

    with _bar("spawning", len(shapes)) as done:
        failed = spawning.spawn(
            shapes, shelves["raw"], python, processes=settings.jobs, log=log, on_done=done
        )
    spent["spawning"] = round(time.monotonic() - started)
    there = [s for s in shapes if s.name not in failed]
    with _bar("finishing", len(there)) as done:
        made = building.finish_all(
            there, shelves["raw"], shelves["done"], processes=settings.jobs, on_done=done
        )
    failed |= made.failed
    spent["finishing"] = round(time.monotonic() - started) - sum(spent.values())
    if not made.assets:
        _report(work, failed, spent, ())
        raise BuildError(f"no asset could be made; causes are in {work / 'report.json'}")

    name = settings.name or out.name
    staged = work / "pack"
    building.assemble(staged, name, made.assets, shelves["done"])
    assets = made.assets
    if settings.tries:
        assets = _measured(staged, assets, shelves["grasps"], settings)
    spent["grasps"] = round(time.monotonic() - started) - sum(spent.values())
    scenes: list[SolvedScene] = []
    if settings.scenes or (settings.scenes is None and settings.category is None):
        todo = solving.jobs(Pack(staged))
        with _bar("solving", len(todo)) as done:
            scenes, unsolved = solving.solve(
                todo, shelves["scenes"], python, processes=settings.jobs, log=log, on_done=done
            )
        failed |= unsolved
    spent["solving"] = round(time.monotonic() - started) - sum(spent.values())
    manifest = building.assemble(out, name, assets, shelves["done"], scenes)
    _report(work, failed, spent, manifest.assets)
    for asset, cause in sorted(failed.items()):
        _log.warning("left out %s: %s", asset, cause)
    _log.info("%d assets, %d scenes in %s", len(manifest.assets), len(manifest.scenes), out)
    return 0


def _several(given: T | tuple[T, ...] | None) -> tuple[T, ...] | None:
    return given if given is None or isinstance(given, tuple) else (given,)


def _chosen(wanted: Sequence[str] | None) -> Mapping[str, Recipe]:
    if wanted is None:
        return RECIPES
    chosen: dict[str, Recipe] = {}
    for word in wanted:
        found = {k: r for k, r in RECIPES.items() if word in (k, r.category.noun)}
        if not found:
            raise BuildError(f"category: {word!r} is not known (known: {', '.join(RECIPES)})")
        chosen |= found
    return chosen


def _measured(
    staged: Path, assets: Sequence[AssetInfo], shelf: Shelf, settings: Settings
) -> tuple[AssetInfo, ...]:
    """Put grasps into records; those of an asset whose convex parts did not change are kept."""
    # A colour does not change a grasp: one asset is measured of each shape.
    first: dict[str, AssetInfo] = {}
    for info in assets:
        if info.use == "item":
            first.setdefault(info.shape, info)
    keys = {
        shape: key_of(i.collision_sha256, i.mass, i.friction, settings.tries, settings.scales)
        for shape, i in first.items()
    }
    found: dict[str, tuple[GraspRecord, ...]] = {}
    for shape, key in keys.items():
        record = shelf.find(shape, key)
        if record is not None:
            found[shape] = records.convert(record["grasps"], tuple[GraspRecord, ...])
    missing = [info for shape, info in first.items() if shape not in found]
    with _bar("grasping", len(missing)) as done:
        results = graspability.measure_all(
            staged,
            [info.name for info in missing],
            settings.scales,
            tries=settings.tries,
            seed=0,
            workers=settings.jobs,
        )
        for info, grasps in zip(missing, results, strict=True):
            shelf.begin(info.shape)
            plain = {"grasps": msgspec.to_builtins(grasps)}
            shelf.end(info.shape, keys[info.shape], plain)
            found[info.shape] = grasps
            done(info.name)
    return tuple(msgspec.structs.replace(a, grasps=found.get(a.shape, ())) for a in assets)


def _report(
    work: Path, failed: dict[str, str], spent: dict[str, int], assets: Sequence[AssetInfo]
) -> None:
    report = {"assets": len(assets), "failed": failed, "wall_s": spent}
    (work / "report.json").write_text(json.dumps(report, indent=1) + "\n")


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[str], None]]:
    columns = (
        TextColumn(f"{what:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns) as progress:
        task = progress.add_task("", total=total)

        def done(name: str) -> None:
            progress.update(task, advance=1, description=name)

        yield done
