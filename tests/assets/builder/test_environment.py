"""Infinigen's environment: what is said when it cannot be made."""

import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from refergym.assets.builder import environment
from refergym.assets.errors import BuildError

Usage = namedtuple("Usage", "total used free")


def fake_python(folder: Path, version: str, status: int = 0, said: str = "") -> str:
    """A program that says a version when asked, and fails at everything else."""
    path = folder / "python"
    path.write_text(
        f'#!/bin/sh\ncase "$*" in *version_info*) echo {version};;\n'
        f'*venv*) mkdir -p "$3/bin"; touch "$3/pyvenv.cfg"; cp "$0" "$3/bin/python";;\n'
        f'*) echo "{said}" >&2; exit {status};; esac\n'
    )
    path.chmod(0o755)
    return str(path)


def test_an_environment_that_is_complete_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / f".complete-{environment.INFINIGEN}").touch()
    assert environment.ensure(tmp_path) == tmp_path / "bin" / "python"


def test_another_python_is_refused_with_the_reason(tmp_path: Path) -> None:
    python = fake_python(tmp_path, "3.12")
    with pytest.raises(BuildError, match=r"expected Python 3\.11 .*found 3\.12"):
        environment.ensure(tmp_path / "env", python)
    assert not (tmp_path / "env").exists()


def test_a_python_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="found nothing that runs"):
        environment.ensure(tmp_path / "env", str(tmp_path / "nowhere"))


def test_without_any_python_3_11_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_version", lambda python: "3.12")
    with pytest.raises(BuildError, match=r"no Python 3\.11 .*install it"):
        environment.find_python()


def test_too_little_disk_is_said_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 10**6))
    with pytest.raises(BuildError, match=r"1 MB free, .* needs 4096: make room"):
        environment.ensure(tmp_path / "deep" / "env", fake_python(tmp_path, "3.11"))
    assert not (tmp_path / "deep").exists()


def test_without_a_network_the_index_is_named(tmp_path: Path) -> None:
    python = fake_python(tmp_path, "3.11", 1, "ERROR: No matching distribution found for bpy")
    with pytest.raises(BuildError, match=r"No matching distribution .*is the network"):
        environment.ensure(tmp_path / "env", python)
    assert not (tmp_path / "env" / f".complete-{environment.INFINIGEN}").exists()


def test_an_unfinished_environment_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / "env"
    folder.mkdir()
    (folder / "pyvenv.cfg").touch()
    (folder / "half").touch()
    environment.ensure(folder, fake_python(tmp_path, "3.11"))
    assert not (folder / "half").exists()
    assert (folder / f".complete-{environment.INFINIGEN}").exists()


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "thesis.txt").touch()
    with pytest.raises(BuildError, match="not empty and no virtual environment"):
        environment.ensure(folder, fake_python(tmp_path, "3.11"))
    assert (folder / "thesis.txt").exists()


def test_this_python_counts_if_it_is_the_right_one() -> None:
    if sys.version_info[:2] != (3, 11):
        pytest.skip("another Python runs these tests")
    assert environment.find_python() == sys.executable
