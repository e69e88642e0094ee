"""Splits and balance: each task of a file belongs to its split, and numbers of steps are as often.

Balanced files with moving tasks are the same however they are made.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from split_parts import SPLITS, problems

from refergym.assets.library import open_pack
from refergym.envs.starts import Start
from refergym.rollouts import generate, taskfile
from refergym.rollouts.errors import ConfigError, OutputError

QUICK = ["renderer.shadows=false", "renderer.antialias=none", "pictures=false"]
BALANCED = [
    *QUICK, "task=mixed", "task.weights={point_at_free_space: 0}", "steps=[2,3]", "balance=true",
    "per_scene=3", "seed=7",
]  # fmt: skip


def entries(folder: Path) -> list[taskfile.Entry]:
    found, bad = taskfile.read_tasks(folder / taskfile.FILE)
    assert not bad
    return found


@pytest.fixture(scope="module")
def balanced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("balanced") / "whole"
    generate.generate([*BALANCED, "count=5", "workers=0", f"out={out}"])
    return out


def test_numbers_of_steps_are_as_often(balanced: Path) -> None:
    made = entries(balanced)
    assert Counter(e.steps for e in made) in ({2: 3, 3: 2}, {2: 2, 3: 3})
    assert {e.start.task.kind for e in made} == {"point_at_object", "pick_place"}
    for entry in made:
        is_moving = entry.start.task.kind == "pick_place"
        assert (entry.start.task.certificate.proof is not None) == is_moving


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_no_balanced_file(balanced: Path, workers: int, tmp_path: Path) -> None:
    generate.generate([*BALANCED, "count=5", f"workers={workers}", f"out={tmp_path / 'out'}"])
    assert (tmp_path / "out" / taskfile.FILE).read_bytes() == (
        balanced / taskfile.FILE
    ).read_bytes()


def test_a_balanced_run_that_was_killed_goes_on(balanced: Path, tmp_path: Path) -> None:
    words = [*BALANCED, "count=5", "workers=0", f"out={tmp_path / 'out'}"]
    code = f"from refergym.rollouts import cli; cli.main({['generate', *words]!r})"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    file, until = tmp_path / "out" / taskfile.FILE, time.monotonic() + 120
    while not (file.exists() and file.read_bytes().count(b"\n") >= 2):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    generate.generate([*words, "resume=true"])
    assert file.read_bytes() == (balanced / taskfile.FILE).read_bytes()


def test_a_balanced_run_has_one_count(balanced: Path) -> None:
    before = (balanced / taskfile.FILE).read_bytes()
    with pytest.raises(OutputError, match="other settings"):
        generate.generate([*BALANCED, "count=12", "resume=true", f"out={balanced}"])
    assert (balanced / taskfile.FILE).read_bytes() == before


def test_balance_needs_steps(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"balance: needs steps=\[least,most\]"):
        generate.generate([*QUICK, "balance=true", f"out={tmp_path / 'out'}"])


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Start]]:
    """A few tasks of every split."""
    found = {}
    for name in SPLITS:
        out = tmp_path_factory.mktemp("splits") / name
        words = ["task=mixed", f"split={name}", "count=2", "per_scene=2", "seed=9"]
        generate.generate([*QUICK, *words, "patience=400", "workers=0", f"out={out}"])
        found[name] = [e.start for e in entries(out)]
    return found


@pytest.mark.parametrize("name", SPLITS)
def test_a_split_holds_what_it_is_for(name: str, starts: dict[str, list[Start]]) -> None:
    assert len(starts[name]) == 2
    for start in starts[name]:
        assert not list(problems(SPLITS[name], start, open_pack()))


@pytest.mark.parametrize("name", [n for n in SPLITS if n not in ("train", "seen")])
def test_training_leaves_out_what_the_others_hold(
    name: str, starts: dict[str, list[Start]]
) -> None:
    for start in starts[name]:
        assert list(problems(SPLITS["train"], start, open_pack()))
