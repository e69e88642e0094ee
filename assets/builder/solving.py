"""Solved scenes: jobs for the script `assets/infinigen/solve.py`, and what it answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refergym.assets import records
from refergym.assets.builder import workers
from refergym.assets.builder.environment import INFINIGEN, SCRIPTS, script_text
from refergym.assets.builder.workshop import Shelf, key_of
from refergym.assets.footprints import outline
from refergym.assets.library import AssetInfo, Pack
from refergym.assets.solved import SolvedScene

SOLVE = SCRIPTS / "solve.py"
TIMEOUT = 900.0
"""seconds that one scene may take"""
STEPS = 120
"""moves of the annealing that puts things on the table"""
TALLEST = 0.30
"""m, of what the solver puts on a table"""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A kind of table top: where the table stands, and how many of what are on it."""

    kind: str
    room: str
    """one of Infinigen's room types"""
    tables: tuple[str, ...]
    """categories of furniture"""
    items: Mapping[str, tuple[int, int]]
    """category: least and most"""
    seeds: tuple[int, ...]
    """of the scenes that ship"""
    against_wall: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting(
        kind="dining table",
        room="dining-room",
        tables=("dining table",),
        items={
            "cup": (1, 2), "mug": (0, 2), "bowl": (1, 2), "plate": (1, 3), "wine glass": (0, 2),
            "bottle": (0, 2), "fork": (0, 2), "knife": (0, 2), "spoon": (0, 2), "apple": (0, 2),
            "vase": (0, 1), "star fruit": (0, 1), "towel": (0, 1), "pot": (0, 1),
        },
        seeds=(0, 1, 3, 4, 5),
    ),
    Setting(
        kind="desk",
        room="bedroom",
        tables=("desk",),
        items={
            "book": (1, 3), "book stack": (0, 1), "mug": (1, 2), "lamp": (0, 1), "can": (0, 2),
            "snack bag": (0, 1), "monitor": (0, 1), "seashell": (0, 1), "cushion": (0, 1),
            "crate": (0, 1), "bottle": (0, 1), "apple": (0, 1),
        },
        seeds=(0, 1, 2, 3),
        against_wall=True,
    ),
    Setting(
        kind="kitchen counter",
        room="kitchen",
        tables=("kitchen counter",),
        items={
            "pan": (0, 2), "pot": (0, 2), "pot lid": (0, 1), "bottle": (2, 4),
            "box": (1, 2), "snack bag": (0, 1), "spatula": (0, 1), "bowl": (0, 2),
            "can": (1, 2), "pineapple": (0, 1), "coconut": (0, 1), "apple": (0, 2),
            "towel": (0, 1), "knife": (0, 1),
        },
        seeds=(0, 1, 2, 3),
    ),
    Setting(
        kind="coffee table",
        room="living-room",
        tables=("coffee table",),
        items={
            "book": (1, 2), "book stack": (0, 1), "cup": (1, 2), "bowl": (0, 1), "vase": (0, 1),
            "strawberry": (0, 2), "apple": (0, 2), "snack bag": (0, 1), "can": (0, 2),
            "seashell": (0, 1), "crate": (0, 1), "wine glass": (0, 1),
            "cushion": (0, 1),
        },
        seeds=(0, 1, 2, 3),
    ),
)  # fmt: skip


def jobs(pack: Pack, settings: Sequence[Setting] = SETTINGS) -> list[dict[str, Any]]:
    """Return a job for each scene whose table the pack has; things it lacks are left out."""
    by_category: dict[str, list[dict[str, Any]]] = {}
    for info in pack.manifest.assets:
        if info.use == "furniture" or info.size[2] <= TALLEST:
            by_category.setdefault(info.category, []).append(_thing(pack, info))
    made = []
    for setting in settings:
        tables = [t for category in setting.tables for t in by_category.get(category, [])]
        items = {
            category: {"count": list(count), "things": by_category[category]}
            for category, count in setting.items.items()
            if category in by_category
        }
        if not tables or not items:
            continue
        for seed in setting.seeds:
            made.append(
                {
                    "name": f"{setting.kind.replace(' ', '_')}_{seed}",
                    "kind": setting.kind,
                    "room": setting.room,
                    "seed": seed,
                    "steps": STEPS,
                    "tables": tables,
                    "against_wall": setting.against_wall,
                    "items": items,
                }
            )
    return made


def solve(
    todo: Sequence[Mapping[str, Any]],
    shelf: Shelf,
    python: Path,
    *,
    processes: int,
    log: Path,
    on_done: Callable[[str], None] = lambda name: None,
) -> tuple[list[SolvedScene], dict[str, str]]:
    """Solve the scenes that are not on the shelf yet.

    Args:
        todo: from `jobs`.
        shelf: where solved scenes are kept.
        python: of Infinigen's environment.
        processes: how many run at once.
        log: file that takes what the solver says.
        on_done: called with the name of each scene when it is there or has failed.

    Returns:
        The scenes, and the cause of each failure by name.
    """
    script = script_text(SOLVE)
    keys = {job["name"]: key_of(dict(job), INFINIGEN, script) for job in todo}
    found: dict[str, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    for name, key in keys.items():
        record = shelf.find(name, key)
        if record is not None:
            found[name] = record
            on_done(name)
    missing = [job for job in todo if job["name"] not in found]
    for answer in workers.answers(
        [str(python), str(SOLVE)],
        missing,
        processes=processes,
        timeout=TIMEOUT,
        log=log,
        jobs_per_process=1,  # Infinigen's solver keeps state between scenes
    ):
        name = answer["name"]
        if answer["error"] is None:
            shelf.begin(name)
            found[name] = {"scene": answer["scene"], "figures": answer["figures"]}
            shelf.end(name, keys[name], found[name])
        else:
            failed[name] = str(answer["error"])
        on_done(name)
    order = [job["name"] for job in todo if job["name"] in found]
    scenes = [records.convert(found[name]["scene"], SolvedScene) for name in order]
    return scenes, failed


def _thing(pack: Pack, info: AssetInfo) -> dict[str, Any]:
    if info.top is not None:
        corners, height = list(info.top.outline), info.top.height
    else:
        corners, height = outline(pack, info.name).points.tolist(), info.size[2]
    plain = [[round(float(x), 5), round(float(y), 5)] for x, y in corners]
    return {"name": info.name, "outline": plain, "height": round(height, 5)}
