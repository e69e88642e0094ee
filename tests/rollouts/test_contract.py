"""`refergym contract`: what is kept, what is broken, and a report of both."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from refergym.assets.spec import Pose, SceneSpec
from refergym.envs.backends.kinematic import KinematicBackend
from refergym.envs.errors import BackendError
from refergym.envs.types import Backend, Event, SkillResult, State
from refergym.rollouts import contract
from refergym.rollouts.cli import main
from refergym.rollouts.contract_checks import CHECKS


class Drifting(KinematicBackend):
    """Each reset is a little off, by the same much more."""

    kind = "drifting"
    step = 1e-5
    resets = 0

    def state(self) -> State:
        found = super().state()
        return dataclasses.replace(found, objects=found.objects + self.step * self.resets)

    def reset(self, spec: SceneSpec) -> None:
        self.resets += 1
        super().reset(spec)


class Sharing(KinematicBackend):
    """Hands out its own memory."""

    def state(self) -> State:
        found = super().state()
        return dataclasses.replace(found, objects=self._objects)


class Clumsy(KinematicBackend):
    """Never holds what it grasps."""

    def pick(self, point_w: np.ndarray) -> SkillResult:
        result = super().pick(point_w)
        if result.event is Event.PICKED:
            self._held = -1
            return dataclasses.replace(result, event=Event.NOTHING_HELD)
        return result


class Mute(KinematicBackend):
    """Says no reasons."""

    def pick(self, point_w: np.ndarray) -> SkillResult:
        return dataclasses.replace(super().pick(point_w), detail="")


class Immortal(KinematicBackend):
    """Goes on after close."""

    def close(self) -> None:
        pass


class Falling(KinematicBackend):
    """Breaks in settle after the first."""

    settles = 0

    def settle(self, spec: SceneSpec) -> tuple[Pose, ...]:
        self.settles += 1
        if self.settles > 3:
            raise RuntimeError("out of\nmemory")
        return super().settle(spec)


SETTINGS = contract.Settings(
    backend={}, scenes=4, seed=11, exact=("kinematic",), tolerance=0.001, out=""
)


def broken(make: Callable[[], Backend]) -> dict[str, str]:
    report = contract.run(make, SETTINGS)
    return {row.check: row.seen for row in report.rows if row.outcome == "broken"}


@pytest.mark.parametrize(
    ("make", "check", "seen"),
    [
        (Sharing, "states_share_no_memory_and_do_change", "share memory"),
        (Clumsy, "picking_lifts_the_object_under_the_point", "picked in 0 of 4"),
        (Mute, "points_on_nothing_graspable_have_a_named_cause", "without a reason"),
        (Immortal, "misuse_is_refused_with_the_fix", "not refused"),
    ],
)
def test_a_broken_promise_is_found_by_its_check(
    make: Callable[[], Backend], check: str, seen: str
) -> None:
    assert seen in broken(make)[check]


def test_equal_states_are_equal_by_the_tolerance() -> None:
    assert "reset_is_repeatable" not in broken(Drifting)

    class Far(Drifting):
        step = 1e-3

    found = broken(Far)
    assert "apart; allowed 0.001 m and rad" in found["reset_is_repeatable"]

    class Exact(Drifting):
        kind = "kinematic"

    assert "not the same bits" in broken(Exact)["reset_is_repeatable"]


def test_a_fault_in_one_check_is_a_row_and_the_others_go_on() -> None:
    report = contract.run(Falling, SETTINGS)
    outcomes = {row.outcome for row in report.rows}
    assert outcomes == {"kept", "failed"}
    assert len(report.rows) == len(CHECKS)
    assert not report.is_kept
    said = next(row.seen for row in report.rows if row.outcome == "failed")
    assert said == "RuntimeError: out of memory"


def test_the_command_writes_a_report(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    out = tmp_path / "deep" / "report.json"
    assert main(["contract", "backend=kinematic", f"out={out}"]) == 0
    report = msgspec.json.decode(out.read_bytes(), type=contract.Report)
    assert report.backend == "kinematic"
    assert [row.check for row in report.rows] == [check.__name__ for check in CHECKS]
    assert all(row.promise.endswith(".") for row in report.rows)
    assert report.is_kept
    said = [record.message for record in caplog.records]
    assert "backend kinematic: 11 of 11 promises kept; states equal bit by bit" in said
    assert said[-1] == f"wrote {out}"
    assert json.loads(out.read_text())["config"]["scenes"] == 4


def test_a_backend_that_cannot_start_is_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.json"
    assert main(["contract", "backend=isaac", f"out={out}"]) == 2
    said = capfd.readouterr().err.strip()
    assert said.startswith("refergym contract: backend=isaac: Isaac Sim is not installed")
    assert "\n" not in said
    assert not out.exists()


def test_wrong_settings_are_named(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["contract", "scenes=3"]) == 2
    assert "scenes: expected >= 4, got 3" in capfd.readouterr().err


def test_a_backend_error_at_the_start_is_no_broken_promise() -> None:
    class Absent(KinematicBackend):
        def settle(self, spec: SceneSpec) -> tuple[Pose, ...]:
            raise BackendError("not here")

    with pytest.raises(BackendError, match="not here"):
        contract.run(Absent, SETTINGS)
