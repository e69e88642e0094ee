"""backend=auto takes the best that is there, and says why."""

import importlib.util
import logging
import sys
import types
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from refergym.envs import backends, make_env
from refergym.envs.backends import isaac_found
from refergym.envs.backends.isaac import IsaacBackend
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.backends.newton import NewtonBackend

Have = Callable[..., None]


@pytest.fixture
def have(monkeypatch: pytest.MonkeyPatch) -> Have:
    """Say which of the engines are installed; what is not asked for is as it is."""
    real = importlib.util.find_spec

    def only(*names: str) -> None:
        asked = {"isaacsim", "newton", "warp", "pybullet", "torch"}

        def find(name: str, package: str | None = None) -> ModuleSpec | None:
            if name in asked:
                return ModuleSpec(name, None) if name in names else None
            return real(name, package)

        monkeypatch.setattr(importlib.util, "find_spec", find)

    backends._say.cache_clear()
    return only


def gpus(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    warp = types.ModuleType("warp")
    warp.get_cuda_device_count = lambda: count  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "warp", warp)


def test_isaac_comes_first_where_its_licence_was_accepted(
    have: Have, monkeypatch: pytest.MonkeyPatch
) -> None:
    have("isaacsim", "newton", "warp", "pybullet")
    monkeypatch.setattr(isaac_found, "lacking", lambda python: "")
    assert backends.choose()[0] == "isaac"
    made = backends.auto(python=sys.executable)
    assert isinstance(made, IsaacBackend)
    assert made.pid is None
    made.close()


def test_a_licence_that_was_not_accepted_is_no_isaac(have: Have) -> None:
    have("isaacsim", "pybullet")  # this interpreter has no isaacsim in truth
    choice, why = backends.choose()
    assert choice == "bullet"
    assert "Isaac Sim" in why


def test_newton_is_next_but_only_on_a_gpu(have: Have, monkeypatch: pytest.MonkeyPatch) -> None:
    have("newton", "warp", "pybullet")
    gpus(0, monkeypatch)
    assert backends.choose() == (
        "bullet",
        "Isaac Sim is not installed; no GPU for Newton; PyBullet is installed",
    )
    gpus(1, monkeypatch)
    assert backends.choose()[0] == "newton"


def test_the_choice_of_newton_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("newton")
    monkeypatch.setattr(backends, "choose", lambda python: ("newton", "a GPU was found"))
    made = backends.auto()
    assert isinstance(made, NewtonBackend)
    made.close()


def test_kinematic_is_what_is_left_and_one_line_says_why(
    have: Have, caplog: pytest.LogCaptureFixture
) -> None:
    have()
    with caplog.at_level(logging.INFO, logger="refergym"):
        for _ in range(2):
            assert isinstance(backends.auto(), KinematicBackend)
    assert [r.message for r in caplog.records] == [
        "backend=auto: kinematic (Isaac Sim is not installed; Newton is not installed; PyBullet is "
        "not installed)"
    ]
    assert caplog.records[0].levelno == logging.WARNING


def test_a_python_that_does_not_run_is_no_isaac(have: Have, tmp_path: Path) -> None:
    have()
    choice, why = backends.choose(str(tmp_path / "nowhere"))
    assert choice == "kinematic"
    assert "cannot start" in why


def test_an_environment_is_made_with_it() -> None:
    env = make_env("point_at_object", "auto", overrides=["pictures=false"])
    env.reset(seed=0)
    assert env.unwrapped.backend.kind == backends.choose()[0]
    env.close()
