"""`make`, `.ci/run` and what a fresh machine is told."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

TOOLS = ("sh", "dirname", "cksum", "cat", "cut", "id", "ls", "rm", "touch", "flock", "awk")
TEXT = (".cfg", ".json", ".md", ".py", ".toml", ".txt", ".urdf", ".yaml", ".yml", ".mtl", "")


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH with the tools of a small system and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    return folder


def environment(root: Path, run: Run, path: Path, venv: Path) -> str:
    done = run(["/bin/sh", root / ".ci" / "environment", venv], PATH=str(path))
    assert done.returncode != 0
    assert not venv.exists()
    return done.stderr


def test_a_machine_without_python_is_told_in_one_line_what_to_install(
    root: Path, run: Run, bare_path: Path, tmp_path: Path
) -> None:
    said = environment(root, run, bare_path, tmp_path / "venv").strip().splitlines()
    assert len(said) == 1
    assert "needs Python 3.11 or 3.12" in said[0]
    assert "apt install python3-venv" in said[0]


@pytest.mark.parametrize(
    "script",
    ["echo 'pyenv: python3.11: command not found' >&2; exit 127", "exit 1"],
    ids=["a shim without its Python", "a Python of another version"],
)
def test_an_interpreter_that_does_not_fit_is_passed_over(
    script: str, root: Path, run: Run, bare_path: Path, tmp_path: Path
) -> None:
    for name in ("python3.11", "python3.12", "python3"):
        (bare_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (bare_path / name).chmod(0o755)
    said = environment(root, run, bare_path, tmp_path / "venv").strip().splitlines()
    assert len(said) == 1
    assert "needs Python 3.11 or 3.12" in said[0]


def test_a_folder_that_is_no_environment_is_left_alone(
    root: Path, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    done = run(["/bin/sh", root / ".ci" / "environment", tmp_path])
    assert done.returncode == 1
    assert "choose another VENV" in done.stderr
    assert (tmp_path / "thesis.tex").exists()


def make(root: Path, run: Run, *words: str) -> str:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    done = run(["make", "--no-print-directory", "-C", root, *words])
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_make_alone_lists_the_commands(root: Path, run: Run) -> None:
    said = make(root, run)
    for command in ("run", "test", "test-all", "check", "bench", "doctor", "clean"):
        assert re.search(rf"^make {command} +\S", said, re.MULTILINE)


def test_a_second_call_does_not_install_again_until_the_pins_change(tree: Path, run: Run) -> None:
    first = make(tree, run, "-n", "test")
    assert ".ci/environment .venv dev" in first
    (tree / ".venv").mkdir()
    stamps = re.findall(r"touch (\S*\.stamp-\S+)", first)
    for stamp in stamps:
        (tree / stamp).touch()
    second = make(tree, run, "-n", "test")
    assert ".ci/environment" not in second
    assert "pytest" in second
    with (tree / "constraints.txt").open("a") as file:
        file.write("another==1.0\n")
    assert ".ci/environment .venv dev" in make(tree, run, "-n", "test")


def test_make_test_runs_every_check(root: Path, run: Run) -> None:
    said = make(root, run, "-n", "test")
    for command in ("ruff check", "ruff format --check", "mypy --strict", "lint-imports", "pytest"):
        assert command in said


def test_ci_runs_what_a_developer_runs(root: Path) -> None:
    script = root / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text()


def test_the_command_line_answers_before_anything_heavy_is_there(python: Run) -> None:
    code = "import sys; from refergym.rollouts.cli import main; sys.exit(main(['--help']))"
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert "doctor" in done.stdout
    assert "evaluate" in done.stdout


def test_no_file_names_a_folder_of_one_machine(pristine: Path) -> None:
    folders = "|".join(("home", "root", "Users", "work", "mnt", "opt"))
    machine = re.compile(rf"(?<![\w.~)}}/<-])/({folders})/\w")
    found = []
    for path in pristine.rglob("*"):
        if path.is_symlink() or not path.is_file() or path.suffix not in TEXT:
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if machine.search(line):
                found.append(f"{path.relative_to(pristine)}:{number}: {line.strip()[:80]}")
    assert found == []
