"""`refergym agreement`: do backends agree on what succeeds, over episodes with mixed outcomes?

Agreement on easy successes says nothing, so a fifth of the episodes each aims at ground truth, off
the middle, at random, at things that the gripper can't lift, and at places that are taken. Both
backends get the same start and the same points.
"""

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from rich.progress import track

from refergym.assets import camera as pinhole
from refergym.assets import records
from refergym.assets.library import open_pack
from refergym.assets.records import Record
from refergym.assets.seeding import generator
from refergym.envs import make_env
from refergym.envs.refer_env import ReferEnv
from refergym.envs.starts import Start
from refergym.envs.task_spec import PutGoal
from refergym.envs.types import Event
from refergym.rollouts import arguments, config
from refergym.rollouts.errors import ConfigError
from refergym.rollouts.shared_starts import shared_start
from refergym.rollouts.statistics import cohen_kappa

_log = logging.getLogger(__name__)
Aim = Literal["truth", "off_centre", "random", "ungraspable", "blocked"]
AIMS: tuple[Aim, ...] = ("truth", "off_centre", "random", "ungraspable", "blocked")
Point = tuple[float, float]
ANY_TARGET = ("task.min_grasp_rate=null", "task.min_place_rate=null", "task.rehearsed=false")
"""overrides that also ask for what the arm can't do"""
PLAIN = ("renderer.shadows=false", "renderer.antialias=none")
"""overrides for pictures that nobody looks at; what is seen where stays the same"""
_SEARCH, _STRIDE = 50, 100_000
_HOPELESS = 0.2
"""grasp rate below which an object counts as one that the gripper can't lift"""


class Settings(Record, frozen=True, kw_only=True):
    """The keys of configs/agreement.yaml."""

    backends: tuple[str, str]
    episodes: Annotated[int, msgspec.Meta(ge=5)]
    seed: Annotated[int, msgspec.Meta(ge=0)]
    out: str


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One episode as two backends saw it."""

    index: int
    aim: Aim
    success: tuple[bool, bool]
    events: tuple[tuple[str, ...], tuple[str, ...]]
    """per backend: the names of the events, in order"""
    details: tuple[str, str]

    @property
    def cause(self) -> str:
        """What the two say, where they disagree: "picked, placed | nothing_held"."""
        return " | ".join(", ".join(e).lower() for e in self.events)


def main(argv: Sequence[str]) -> int:
    """Run, print kappa and the disagreements by cause, write them to `out`."""
    args = arguments.parse("agreement", "agreement", argv)
    composed = config.compose("agreement", args.overrides, args.config_dir)
    settings = records.convert(composed.config, Settings, error=ConfigError)
    trials = study(settings.backends, range(settings.episodes), settings.seed, progress=True)
    report = summary(trials, settings.backends)
    path = Path(settings.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**report, "trials": [asdict(t) for t in trials]}, indent=1))
    for line in lines(report):
        _log.info("%s", line)
    _log.info("wrote %s", path)
    return 0


def study(
    backends: tuple[str, str], indices: Sequence[int], seed: int, *, progress: bool = False
) -> list[Trial]:
    """Play the same episodes in two backends.

    Args:
        backends: names of two choices of the group `backend`.
        indices: numbers of the episodes; the aim follows from the number.
        seed: of the starts and the points.
        progress: whether to draw a bar.
    """
    liftable = [_env(b) for b in backends]
    anything = [_env(b, *ANY_TARGET) for b in backends]
    trials = []
    try:
        for i in track(indices, disable=not progress):
            aim = AIMS[i % len(AIMS)]
            envs = anything if aim == "ungraspable" else liftable
            trials.append(_trial(envs, aim, seed, i))
    finally:
        for env in (*liftable, *anything):
            env.close()
    return trials


def summary(trials: Sequence[Trial], backends: tuple[str, str]) -> dict[str, Any]:
    """Kappa of success, the counts behind it, and the disagreements by cause."""
    first, second = zip(*(t.success for t in trials), strict=True)
    causes = Counter((t.aim, t.cause) for t in trials if t.success[0] != t.success[1])
    return {
        "backends": backends,
        "episodes": len(trials),
        "kappa": cohen_kappa(first, second),
        "successes": (sum(first), sum(second)),
        "agree": sum(a == b for a, b in zip(first, second, strict=True)),
        "by_aim": {
            aim: {
                "episodes": len(of),
                "successes": tuple(sum(t.success[k] for t in of) for k in (0, 1)),
                "agree": sum(t.success[0] == t.success[1] for t in of),
            }
            for aim in AIMS
            if (of := [t for t in trials if t.aim == aim])
        },
        "disagreements": [
            {"aim": aim, "events": cause, "episodes": n} for (aim, cause), n in causes.most_common()
        ],
    }


def lines(report: Mapping[str, Any]) -> list[str]:
    """Render a summary as lines of text."""
    a, b = report["backends"]
    out = [
        f"Cohen's kappa {report['kappa']:.3f} over {report['episodes']} episodes; "
        f"same outcome in {report['agree']}; {a} {report['successes'][0]} successes, "
        f"{b} {report['successes'][1]}"
    ]
    for aim, row in report["by_aim"].items():
        out.append(
            f"  {aim:<12} {row['agree']} of {row['episodes']} agree, successes {row['successes']}"
        )
    out += [f"  {d['episodes']} x {d['aim']}: {d['events']}" for d in report["disagreements"]]
    return out


def _env(backend: str, *overrides: str) -> ReferEnv:
    return make_env("pick_place", backend, overrides=["max_steps=2", *PLAIN, *overrides])


def _trial(envs: Sequence[ReferEnv], aim: Aim, seed: int, index: int) -> Trial:
    for attempt in range(_SEARCH):
        start = shared_start(envs, seed, index + _STRIDE * attempt)
        if aim != "ungraspable" or _rate(start) < _HOPELESS:
            break
    else:
        raise ConfigError(f"none of {_SEARCH} starts asks for something that can't be lifted")
    outcomes = [_play(env, start, aim, seed, index) for env in envs]
    success, events, details = zip(*outcomes, strict=True)
    return Trial(index=index, aim=aim, success=success, events=events, details=details)


def _rate(start: Start) -> float:
    goal = start.task.goal
    assert isinstance(goal, PutGoal), "of pick_place"
    thing = start.scene.objects[start.scene.index(goal.object)]
    return open_pack()[thing.asset].grasp_rate(thing.scale)


def _play(
    env: ReferEnv, start: Start, aim: Aim, seed: int, index: int
) -> tuple[bool, tuple[str, ...], str]:
    _, info = env.reset(options={"episode": start})
    rng = generator(seed, "agreement", index)
    events: list[str] = []
    done = False
    while not done:
        point = _aim(info["truth"], aim, len(events), rng)
        _, _, terminated, truncated, info = env.step(np.array(point))
        events.append(Event(info["event"]).name)
        done = terminated or truncated
    return bool(info["verdict"].success), tuple(events), str(info["detail"])


def _aim(truth: Mapping[str, Any], aim: Aim, step: int, rng: np.random.Generator) -> Point:
    """The point to name; draws as many numbers in either backend."""
    drawn = rng.uniform(size=4)
    right: Point = truth["point_uv"] or (float(drawn[0]), float(drawn[1]))
    if aim == "random":
        return float(drawn[0]), float(drawn[1])
    if aim == "off_centre":
        if step == 0:
            ys, xs = np.nonzero(truth["mask"])
            k = min(int(drawn[2] * len(xs)), len(xs) - 1)
            return pinhole.point_of_pixel(truth["scene"].camera, int(xs[k]), int(ys[k]))
        shift = (drawn[2:] - 0.5) * 0.16
        u, v = np.clip(np.add(right, shift), 0, 1)
        return float(u), float(v)
    if aim == "blocked" and step > 0:
        scene, state = truth["scene"], truth["state"]
        others = [i for i in range(len(scene.objects)) if i != state.held]
        taken = others[min(int(drawn[3] * len(others)), len(others) - 1)]
        pixel, _ = pinhole.project(scene.camera, state.objects[taken : taken + 1, :3])
        u, v = np.clip(pixel[0] / (scene.camera.width, scene.camera.height), 0, 1)
        return float(u), float(v)
    return right
