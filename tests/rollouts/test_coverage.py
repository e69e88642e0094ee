"""Reports of files of tasks: counted again from their lines, in constant memory."""

import gc
import json
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest

from refergym.rollouts import generate, taskfile
from refergym.rollouts.coverage import Tally
from refergym.rollouts.taskfile import Entry

QUICK = ["renderer.shadows=false", "renderer.antialias=none", "workers=0", "pictures=false"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("coverage") / "out"
    few = ["task=mixed", "steps=[1,3]", "count=16", "per_scene=4", "seed=10"]
    generate.generate([*QUICK, *few, f"out={out}"])
    return out


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / generate.REPORT).read_text())
    return found


@pytest.fixture(scope="module")
def raw(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / taskfile.FILE).read_bytes().splitlines()]


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All nodes of a program."""
    if isinstance(tree, dict):
        if "op" in tree:
            yield tree
        for part in tree.values():
            yield from nodes(part)
    if isinstance(tree, list):
        for part in tree:
            yield from nodes(part)


def name(node: dict[str, Any]) -> str:
    return {
        "where": node.get("relation", ""),
        "rank": f"rank by {node.get('axis')}",
    }.get(node["op"], node["op"])


def test_the_report_counts_what_is_in_the_file(
    raw: list[dict[str, Any]], report: dict[str, Any]
) -> None:
    tasks = [e["start"]["task"] for e in raw]
    named = [[name(n) for n in nodes(t["program"]) if n["op"] != "select"] for t in tasks]
    kinds = [
        [n.get("category") or "any" for n in nodes(t["program"]) if n["op"] == "select"]
        for t in tasks
    ]
    assert report["tasks"] == len(raw) == 16
    assert report["scenes"] == len({t["scene"] for t in tasks})
    assert report["kinds"] == Counter(t["kind"] for t in tasks)
    assert report["steps"] == Counter(str(e["steps"]) for e in raw)
    assert report["relations"] == Counter(n for names in named for n in names)
    assert report["categories"] == Counter(c for some in kinds for c in some)
    covered = Counter(
        (n, str(e["steps"])) for e, names in zip(raw, named, strict=True) for n in set(names)
    )
    assert {(n, s): k for n, row in report["coverage"].items() for s, k in row.items()} == covered
    pairs = {p for names, some in zip(named, kinds, strict=True) for p in product(names, some)}
    assert report["pairs"] == len(pairs) > 0
    programs = Counter(json.dumps(t["program"], sort_keys=True) for t in tasks)
    assert report["duplicates"] == len(raw) - len(programs)


def test_a_share_of_the_tries_came_to_nothing(report: dict[str, Any]) -> None:
    tries = 4 * (report["scenes"] + report["barren"])
    made = (1 - report["rejected"]) * tries
    assert made == pytest.approx(round(made), abs=0.01)
    assert report["tasks"] <= made <= report["tasks"] + 3, "those of the last scene are left over"


def test_resumed_reports_count_the_whole_file(
    folder: Path, report: dict[str, Any], tmp_path: Path
) -> None:
    few = [*QUICK, "task=mixed", "steps=[1,3]", "per_scene=4", "seed=10", f"out={tmp_path / 'out'}"]
    generate.generate([*few, "count=5"])
    generate.generate([*few, "count=16", "resume=true"])
    again = json.loads((tmp_path / "out" / generate.REPORT).read_text())
    of_a_run = ("barren", "rejections", "rejected")
    assert {k: v for k, v in again.items() if k not in of_a_run} == {
        k: v for k, v in report.items() if k not in of_a_run
    }


def test_programs_that_come_twice_are_counted(folder: Path) -> None:
    entry = taskfile.read_tasks(folder / taskfile.FILE)[0][0]
    other = msgspec.structs.replace(entry.start, index=entry.start.index + 1)
    tally = Tally()
    for k in range(3):
        tally.add(msgspec.structs.replace(entry, id=str(k), start=other))
        assert tally.report().duplicates == k
    assert tally.report().scenes == 1


def test_counting_keeps_no_tasks(folder: Path) -> None:
    line = (folder / taskfile.FILE).read_bytes().splitlines()[0]
    tally = Tally()
    gc.collect()
    tracemalloc.start()
    try:
        for k in range(2000):
            tally.add(numbered(line, k))
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert tally.tasks == 2000
    assert grown < 2e6, "one task takes about 20 kB"


def numbered(line: bytes, k: int) -> Entry:
    """A task of its own, with a program of its own."""
    raw = json.loads(line)
    raw["start"]["index"] = k
    raw["start"]["task"]["program"]["category"] = f"thing {k}"
    entry: Entry = msgspec.convert(raw, Entry)
    return entry


def test_a_relation_that_stands_twice_in_a_task_covers_one(folder: Path) -> None:
    line = (folder / taskfile.FILE).read_bytes().splitlines()[0]
    raw = json.loads(line)
    left = {"op": "where", "relation": "left", "anchors": [{"op": "select", "category": "cup"}]}
    raw["start"]["task"]["program"] = {"op": "select", "category": "fork", "where": [left, left]}
    raw["steps"] = 4
    tally = Tally()
    tally.add(msgspec.convert(raw, Entry))
    report = tally.report()
    assert (report.relations, report.coverage) == ({"left": 2}, {"left": {"4": 1}})
    assert (report.categories, report.pairs) == ({"cup": 2, "fork": 1}, 2)
