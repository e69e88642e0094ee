"""Backends agree on what succeeds, over episodes with mixed outcomes."""

import importlib.util

import pytest

from refergym.rollouts import agreement

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pybullet") is None,
    reason="PyBullet has no wheel for this Python (3.11 has one)",
)


@pytest.mark.parametrize(
    ("episodes", "least_kappa"), [(20, 0.5), pytest.param(300, 0.7, marks=pytest.mark.slow)]
)
def test_kinematic_and_bullet_agree_on_mixed_outcomes(episodes: int, least_kappa: float) -> None:
    trials = agreement.study(("kinematic", "bullet"), range(episodes), seed=0)
    report = agreement.summary(trials, ("kinematic", "bullet"))
    shown = "\n".join(agreement.lines(report))
    assert {t.aim for t in trials} == set(agreement.AIMS)
    assert all(0.1 < n / episodes < 0.9 for n in report["successes"]), shown
    assert report["kappa"] >= least_kappa, shown


def test_disagreements_are_listed_by_cause() -> None:
    def trial(index: int, success: tuple[bool, bool], second: str) -> agreement.Trial:
        events = (("PICKED", "PLACED"), ("PICKED", second))
        return agreement.Trial(
            index=index, aim="truth", success=success, events=events, details=("", "")
        )

    trials = [
        trial(0, (True, True), "PLACED"),
        trial(1, (False, False), "PLACED"),
        trial(2, (True, False), "DROPPED"),
        trial(3, (True, False), "DROPPED"),
    ]
    report = agreement.summary(trials, ("a", "b"))
    assert report["agree"] == 2
    assert report["kappa"] == pytest.approx(0.2)
    assert report["disagreements"] == [
        {"aim": "truth", "events": "picked, placed | picked, dropped", "episodes": 2}
    ]
