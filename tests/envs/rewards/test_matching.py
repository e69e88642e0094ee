"""Which phrases mean a target, over phrases that a person wrote."""

import json
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from refergym.envs.programs import Program
from refergym.envs.rewards.matching import means

RECALL = {"phrases.jsonl": 0.95, "phrases_held_out.jsonl": 0.86}
"""least share of the phrases of a file that are known; the first has been looked at"""
PRECISION = 0.98
FILES = [p for p in (Path(__file__).with_name(name) for name in RECALL) if p.exists()]


class Asked(NamedTuple):
    program: Program
    target: str
    phrase: str
    is_same: bool


def asked(path: Path) -> list[Asked]:
    """Each target with all phrases of its program: its own, of other targets, of nothing."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        program: Program = msgspec.convert(row["program"], Program)  # type: ignore[arg-type]
        said = {p for phrases in row["targets"].values() for p in phrases} | set(row["others"])
        for target, phrases in row["targets"].items():
            found += [Asked(program, target, p, p in phrases) for p in sorted(said)]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_what_people_write_is_matched_and_little_else(path: Path) -> None:
    rows = asked(path)
    matched = [r for r in rows if means(r.program, r.target, r.phrase)]
    right = sum(r.is_same for r in matched)
    assert right >= RECALL[path.name] * sum(r.is_same for r in rows)
    assert right >= PRECISION * len(matched), [r for r in matched if not r.is_same]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_target_means_itself_and_no_other_of_its_program(path: Path) -> None:
    for row in (json.loads(r) for r in path.read_text(encoding="utf-8").splitlines()):
        program: Program = msgspec.convert(row["program"], Program)  # type: ignore[arg-type]
        for target in row["targets"]:
            assert [t for t in row["targets"] if means(program, target, t)] == [target]
