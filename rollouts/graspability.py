"""`refergym graspability`: lift every asset with PyBullet's gripper; record it in the manifest.

Each try puts one asset alone on the table at a drawn place and yaw, points at a drawn spot of what
is seen of it from above, and picks with real contacts. It succeeds when the object is still held
after it was carried to the parked posture; then it is put down, and that is recorded too.
"""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from rich.progress import track

from refergym.assets import poses, records
from refergym.assets.builder import writing
from refergym.assets.camera import camera_from_fov, look_at
from refergym.assets.errors import PackError
from refergym.assets.library import PACK_DIR, GraspRecord, Pack
from refergym.assets.records import Record
from refergym.assets.seeding import generator
from refergym.assets.spec import ObjectSpec, Pose, Positive, SceneSpec, SupportSpec
from refergym.envs.backends.bullet import BulletBackend
from refergym.envs.geometry import heightmap
from refergym.envs.geometry.caster import Caster
from refergym.envs.types import Event
from refergym.rollouts import arguments, config
from refergym.rollouts.errors import ConfigError

_log = logging.getLogger(__name__)
_DOWN = np.array([0.5, 0.0, 0.0])


class Settings(Record, frozen=True, kw_only=True):
    """The keys of configs/graspability.yaml."""

    pack: str | None
    assets: tuple[str, ...] | None
    scales: tuple[Positive, ...]
    tries: Annotated[int, msgspec.Meta(ge=1)]
    seed: Annotated[int, msgspec.Meta(ge=0)]
    workers: Annotated[int, msgspec.Meta(ge=1)]


def main(argv: Sequence[str]) -> int:
    """Measure and rewrite the manifest; returns the exit status."""
    args = arguments.parse("graspability", "graspability", argv)
    composed = config.compose("graspability", args.overrides, args.config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    folder = Path(settings.pack) if settings.pack else PACK_DIR
    pack = Pack(folder)
    items = [a.name for a in pack.manifest.assets if a.use == "item"]
    names = settings.assets or tuple(items)
    for name in names:
        _ = pack[name]
    results = measure_all(
        folder,
        names,
        settings.scales,
        tries=settings.tries,
        seed=settings.seed,
        workers=settings.workers,
    )
    measured = dict(zip(names, track(results, total=len(names)), strict=True))
    write(pack, measured)
    good = sum(any(g.successes >= 0.8 * g.tries for g in m) for m in measured.values())
    _log.info(
        "%d assets measured, %d graspable at some scale; wrote %s",
        len(measured),
        good,
        folder / "manifest.json",
    )
    return 0


def measure_all(
    folder: Path,
    names: Sequence[str],
    scales: Sequence[float],
    *,
    tries: int,
    seed: int,
    workers: int,
) -> Iterator[tuple[GraspRecord, ...]]:
    """Yield the records of each asset of a pack, in the order of the names.

    Args:
        folder: of the pack.
        names: of the assets.
        scales: to try each at.
        tries: per scale.
        seed: of places, yaws and points.
        workers: processes.
    """
    return _run([(str(folder), name, tuple(scales), tries, seed) for name in names], workers)


def measure(
    pack: Pack, backend: BulletBackend, name: str, scales: Iterable[float], tries: int, seed: int
) -> tuple[GraspRecord, ...]:
    """Try one asset at each scale.

    Args:
        pack: where it is.
        backend: a bullet backend of that pack, with contact grasps.
        name: of the asset.
        scales: to try.
        tries: per scale.
        seed: of places, yaws and points.
    """
    return tuple(_at_scale(pack, backend, name, scale, tries, seed) for scale in scales)


def write(pack: Pack, measured: dict[str, tuple[GraspRecord, ...]]) -> None:
    """Put grasp records into a pack's manifest, all or nothing.

    What was added to the pack while they were measured stays in it.

    Raises:
        PackError: if it cannot be written.
    """
    manifest = Pack(pack.folder).manifest
    assets = tuple(
        msgspec.structs.replace(a, grasps=measured.get(a.name, a.grasps)) for a in manifest.assets
    )
    try:
        writing.write_manifest(pack.folder, msgspec.structs.replace(manifest, assets=assets))
    except OSError as e:
        raise PackError(f"{pack.folder}: cannot write the manifest ({e.strerror})") from e


def _at_scale(
    pack: Pack, backend: BulletBackend, name: str, scale: float, tries: int, seed: int
) -> GraspRecord:
    caster = Caster(pack)
    yaws, widths, placed = [], [], 0
    for k in range(tries):
        rng = generator(seed, f"graspability {name}", round(1000 * scale), k)
        spec = _alone(pack, name, scale, rng)
        spec = msgspec.structs.replace(spec, settled={backend.kind: backend.settle(spec)})
        backend.reset(spec)
        before = backend.state()
        low, high = heightmap.bounds(caster, spec, before, 0)
        view = heightmap.overhead(caster, spec, before, low[:2], high[:2])
        cells = np.argwhere(view.ids == 0)
        if not len(cells):
            continue  # too thin to be seen from above
        cell = cells[rng.integers(len(cells))]
        point = np.array([*view.centres(cell), view.heights[tuple(cell)]])
        if backend.pick(point).event is not Event.PICKED:
            continue
        held = backend.state()
        own = poses.rotation(before.objects[0, 3:])
        yaws.append(round(backend.hand_yaw - math.atan2(own[1, 0], own[0, 0]), 4))
        widths.append(round(float(held.joints[7:].sum()), 4))
        placed += backend.place(_DOWN).event is Event.PLACED
    return GraspRecord(
        scale=scale,
        tries=tries,
        successes=len(yaws),
        placed=placed,
        yaws=tuple(yaws),
        widths=tuple(widths),
    )


def _alone(pack: Pack, name: str, scale: float, rng: np.random.Generator) -> SceneSpec:
    radius, angle = rng.uniform(0.4, 0.6), rng.uniform(-0.45, 0.45)
    turn = poses.about_z(rng.uniform(-math.pi, math.pi))
    where = [radius * math.cos(angle), radius * math.sin(angle), 0.0]
    camera = camera_from_fov(64, 64, 60, look_at((1.2, 0.0, 0.6), (0.5, 0.0, 0.0)))
    table = SupportSpec(id="table", pose=Pose(position=(0.625, 0.0, -0.02)), size=(0.85, 1.3, 0.04))
    thing = ObjectSpec(id="it", asset=name, pose=poses.as_pose(np.r_[where, turn]), scale=scale)
    return SceneSpec(pack=pack.digest, supports=(table,), objects=(thing,), camera=camera)


_Job = tuple[str, str, tuple[float, ...], int, int]


def _run(jobs: Sequence[_Job], workers: int) -> Iterator[tuple[GraspRecord, ...]]:
    if workers == 1:
        yield from map(_job, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_job, jobs)


def _job(job: _Job) -> tuple[GraspRecord, ...]:
    folder, name, scales, tries, seed = job
    pack = Pack(Path(folder))
    backend = BulletBackend(pack=pack)
    try:
        return measure(pack, backend, name, scales, tries, seed)
    finally:
        backend.close()
