"""A copy of the source tree to build from and to break."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP_LEVEL = (
    ".ci",
    ".pkg",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "NOTICE",
    "README.md",
    "agents",
    "assets",
    "configs",
    "constraints.txt",
    "docs",
    "envs",
    "pyproject.toml",
    "rollouts",
    "tests",
)
PACKAGES = ("agents", "assets", "configs", "envs", "rollouts")

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def packages() -> tuple[str, ...]:
    return PACKAGES


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources without caches or environments; not to be changed."""
    copy = tmp_path_factory.mktemp("sources") / "refergym"
    copy_tree(ROOT, copy)
    return copy


@pytest.fixture
def tree(pristine: Path, tmp_path: Path) -> Path:
    """A copy of the sources that a test may change."""
    copy = tmp_path / "refergym"
    shutil.copytree(pristine, copy, symlinks=True)
    return copy


@pytest.fixture(scope="session")
def run() -> Run:
    """Run a command to its end with a clean environment; never raises for its status."""

    # These tests may themselves be run by make, which hands its variables down.
    dropped = ("COV_", "EXTRAS", "JOBS", "MAKE", "MFLAGS", "PYTHON", "VENV")

    def call(
        command: Sequence[str | Path], cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
        return subprocess.run(
            [str(c) for c in command],
            cwd=cwd,
            env=inherited | env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return call


@pytest.fixture(scope="session")
def python(run: Run) -> Run:
    """Run a program in this interpreter."""

    def call(
        code: str, *flags: str, cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return run([sys.executable, *flags, "-c", code], cwd=cwd, **env)

    return call


def copy_tree(source: Path, copy: Path) -> None:
    """Copy what belongs to the project; links stay links."""
    copy.mkdir()
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache", ".hypothesis")
    for name in (*TOP_LEVEL, ".gitignore"):
        path = source / name
        if path.is_dir():
            shutil.copytree(path, copy / name, symlinks=True, ignore=unwanted)
        elif path.exists():
            shutil.copy2(path, copy / name)
