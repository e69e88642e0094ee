"""`refergym settled`: do the things of solved scenes stay where the solver put them?

Each solved scene is composed whole and unchanged, and comes to rest in each backend. A thing's
displacement is how far its frame's origin is then from where the solver left it; letting it down
onto what carries it is part of that.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.progress import track

from refergym.assets import records
from refergym.assets.composers.base import Wants
from refergym.assets.composers.infinigen import Infinigen
from refergym.assets.errors import ComposeError
from refergym.assets.library import PACK_DIR, Pack
from refergym.assets.records import Record
from refergym.assets.spec import Count, Pose, Positive, Unit
from refergym.envs.types import Backend
from refergym.rollouts import arguments, config, output
from refergym.rollouts.errors import ConfigError, OutputError

_log = logging.getLogger(__name__)
WANTS = Wants(graspable=1, receptacles=1, duplicates=True)
"""what the most demanding task asks of a scene"""


class Settings(Record, frozen=True, kw_only=True):
    """The keys of configs/settled.yaml."""

    pack: str | None
    scenes: tuple[str, ...] | None
    backends: tuple[str, ...]
    limit: Positive
    share: Unit
    seeds: Count
    out: str


class ThingReport(Record, frozen=True, kw_only=True):
    """How one thing came to rest, by backend."""

    id: str
    asset: str
    moved: dict[str, float]
    """m"""
    turned: dict[str, float]
    """degrees"""


class SceneReport(Record, frozen=True, kw_only=True):
    """One solved scene."""

    name: str
    kind: str
    things: tuple[ThingReport, ...]
    composed: int
    """of the tries to compose from it, those that succeeded"""
    trouble: str = ""
    """why the last of the others did not"""

    def stayed(self, backend: str, limit: float) -> int:
        """Count the things that moved no farther than `limit` m."""
        return sum(t.moved[backend] <= limit for t in self.things)


class Report(Record, frozen=True, kw_only=True):
    """All scenes."""

    pack: str
    """digest of the manifest"""
    limit: float
    """m"""
    seeds: int
    shares: dict[str, float]
    """of all things, by backend: those that stayed within the limit"""
    scenes: tuple[SceneReport, ...]


def main(argv: Sequence[str]) -> int:
    """Measure, print and write the report; returns 1 where too few things stayed."""
    args = arguments.parse("settled", "settled", argv)
    composed = config.compose("settled", args.overrides, args.config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    pack = Pack(Path(settings.pack) if settings.pack else PACK_DIR)
    backends = {name: _backend(name, pack) for name in settings.backends}
    try:
        report = measure(
            pack, backends, settings.scenes, settings.limit, settings.seeds, progress=True
        )
    finally:
        for backend in backends.values():
            backend.close()
    for line in lines(report):
        _log.info("%s", line)
    path = Path(settings.out)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        output.write_json(path, report)
    except OSError as e:
        raise OutputError(f"out: cannot write {path}: {e.strerror}") from e
    _log.info("wrote %s", path)
    return int(min(report.shares.values(), default=1.0) < settings.share)


def measure(
    pack: Pack,
    backends: Mapping[str, Backend],
    scenes: Sequence[str] | None,
    limit: float,
    seeds: int,
    *,
    progress: bool = False,
) -> Report:
    """Let solved scenes come to rest.

    Args:
        pack: where they are.
        backends: in which, by name.
        scenes: names; None takes all of the pack.
        limit: m.
        seeds: scenes composed from each.
        progress: whether to draw a bar.

    Raises:
        ComposeError: if the pack has no such scene.
        PackError: if a scene is damaged.
    """
    names = Infinigen(pack=pack, scenes=scenes).scenes
    if not names:
        raise ComposeError(f"pack {pack.manifest.name!r} has no solved scenes to measure")
    kinds = {s.name: s.kind for s in pack.manifest.scenes}
    reports = tuple(
        _scene(pack, name, kinds[name], backends, seeds)
        for name in track(names, description="settling", disable=not progress)
    )
    total = sum(len(r.things) for r in reports)
    shares = {b: sum(r.stayed(b, limit) for r in reports) / max(total, 1) for b in backends}
    return Report(pack=pack.digest, limit=limit, seeds=seeds, shares=shares, scenes=reports)


def lines(report: Report) -> list[str]:
    """Render a report: each scene, what strayed in it, the shares."""
    out = []
    for scene in report.scenes:
        n = len(scene.things)
        counts = ", ".join(f"{b} {scene.stayed(b, report.limit)}" for b in report.shares)
        told = f"; {scene.trouble}" if scene.trouble else ""
        out.append(
            f"{scene.name} ({scene.kind}): of {n} things stayed {counts}; "
            f"composed {scene.composed} of {report.seeds}{told}"
        )
        for thing in scene.things:
            far = {b: d for b, d in thing.moved.items() if d > report.limit}
            if far:
                how = ", ".join(f"{b} {d:.3f} m, {thing.turned[b]:.0f} deg" for b, d in far.items())
                out.append(f"  {thing.id} ({thing.asset}): {how}")
    total = sum(len(s.things) for s in report.scenes)
    shares = ", ".join(f"{b} {100 * share:.1f} %" for b, share in report.shares.items())
    limit = f"{100 * report.limit:g} cm"
    out.append(f"{len(report.scenes)} scenes, {total} things; stayed within {limit}: {shares}")
    return out


def _scene(
    pack: Pack, name: str, kind: str, backends: Mapping[str, Backend], seeds: int
) -> SceneReport:
    composer = Infinigen(pack=pack, scenes=[name])
    composed, trouble = 0, ""
    for seed in range(seeds):
        try:
            composer.compose(seed, wants=WANTS)
            composed += 1
        except ComposeError as e:
            trouble = str(e)
    try:
        scene, solved = composer.as_solved(name)
    except ComposeError as e:
        return SceneReport(name=name, kind=kind, things=(), composed=composed, trouble=str(e))
    rests = {b: backend.settle(scene) for b, backend in backends.items()}
    things = tuple(
        ThingReport(
            id=thing.id,
            asset=thing.asset,
            moved={b: _apart(solved[k], rest[k]) for b, rest in rests.items()},
            turned={b: _turn(solved[k], rest[k]) for b, rest in rests.items()},
        )
        for k, thing in enumerate(scene.objects)
    )
    return SceneReport(name=name, kind=kind, things=things, composed=composed, trouble=trouble)


def _backend(name: str, pack: Pack) -> Backend:
    node = {**config.choice("backend", name), "_partial_": True}
    backend: Backend = config.instantiate(node, "backend")(pack=pack)
    return backend


def _apart(a: Pose, b: Pose) -> float:
    return round(math.dist(a.position, b.position), 5)


def _turn(a: Pose, b: Pose) -> float:
    """Angle in degrees between two attitudes."""
    p, q = a.orientation, b.orientation
    half = min(math.dist(p, q), math.dist(p, [-v for v in q])) / 2
    return round(math.degrees(4 * math.asin(min(1.0, half))), 2)
