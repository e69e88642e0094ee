"""What keeps Isaac Sim from starting is said beforehand; nothing is imported, answered or set."""

import os
import sys
from pathlib import Path

import pytest

from refergym.assets.composers.base import Wants
from refergym.assets.composers.tabletop import Tabletop
from refergym.envs.backends import isaac_found
from refergym.envs.backends.isaac import IsaacBackend
from refergym.envs.errors import BackendError

BOOBY_TRAP = "raise SystemExit('isaacsim was imported')\n"


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An interpreter with a package `isaacsim` that must not be imported."""
    for name in ("isaacsim", "omni"):
        (tmp_path / "site" / name).mkdir(parents=True)
    (tmp_path / "site" / "isaacsim" / "__init__.py").write_text(BOOBY_TRAP)
    path = tmp_path / "python.sh"
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path}/site" exec {sys.executable} "$@"\n')
    path.chmod(0o755)
    return path


def test_where_it_is_not_installed_that_is_said() -> None:
    assert "Isaac Sim is not installed for" in isaac_found.lacking(sys.executable, {})


def test_a_licence_that_was_not_accepted_is_the_users_to_accept(python: Path) -> None:
    said = isaac_found.lacking(str(python), {})
    assert "its licence was not accepted" in said
    assert "yourself" in said
    assert isaac_found.LICENCE_VARIABLE not in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("value", "accepted"), [("YES", 1), ("y", 1), ("1", 1), ("no", 0), ("", 0)]
)
def test_an_acceptance_by_variable_is_read(
    python: Path, value: str, accepted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # of another name: nothing here gives Isaac's own variable a value
    monkeypatch.setattr(isaac_found, "LICENCE_VARIABLE", "SOME_LICENCE")
    said = isaac_found.lacking(str(python), {"SOME_LICENCE": value})
    assert (said == "") == bool(accepted)


@pytest.mark.parametrize("folder", ["omni", "isaacsim/kit"])
def test_an_answer_that_the_user_gave_is_found(python: Path, folder: str) -> None:
    place = python.parent / "site" / folder
    place.mkdir(exist_ok=True)
    (place / "EULA_ACCEPTED").write_text("yes\n")
    assert isaac_found.lacking(str(python), {}) == ""


def test_looking_changes_nothing(python: Path) -> None:
    def everything() -> list[tuple[str, int]]:
        return sorted((str(p), p.stat().st_mtime_ns) for p in python.parent.rglob("*"))

    before, environment = everything(), dict(os.environ)
    isaac_found.lacking(str(python), {})
    assert everything() == before
    assert dict(os.environ) == environment


@pytest.mark.parametrize(
    ("body", "said"),
    [("exit 3", "failed"), ("echo hello", "is no Python"), ("exec sleep 60", "gave no answer in")],
)
def test_what_is_no_python_is_named(
    tmp_path: Path, body: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isaac_found, "_PROBE_S", 1.0)
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    with pytest.raises(BackendError, match=said) as error:
        isaac_found.look(str(path))
    assert "\n" not in str(error.value)


def test_the_backend_says_it_before_a_process_is_started() -> None:
    backend = IsaacBackend()
    scene = Tabletop().compose(11, 0, Wants())
    with pytest.raises(BackendError, match="backend=isaac: Isaac Sim is not installed"):
        backend.settle(scene)
    assert backend.pid is None
    backend.close()


def test_without_a_look_beforehand_isaacs_question_ends_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its question finds no terminal: nobody answers, nothing hangs."""
    package = tmp_path / "isaacsim"
    package.mkdir()
    (package / "__init__.py").write_text("input('Do you accept? ')\nclass SimulationApp: pass\n")
    roots = [str(Path(__file__).parents[3] / ".pkg"), str(tmp_path)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(roots))
    backend = IsaacBackend(precheck=False, start_s=60.0)
    with pytest.raises(BackendError, match="only you can accept") as error:
        backend.settle(Tabletop().compose(11, 0, Wants()))
    assert "\n" not in str(error.value)
    backend.close()
