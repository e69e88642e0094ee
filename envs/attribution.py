"""What a failed step failed by: exactly one cause, from the simulator's truth.

The first that applies, in the order in which a step goes wrong:

- unparsable: no point could be read in the answer
- wrong_object: the point shows another thing than the one that is meant
- bad_point: the right thing is meant, but the point misses what it should show, or its lifted 3D
  point lies beside that
- grasp_failed: the point was right, and the object is not in the gripper
- place_failed: the place was right, and the object does not rest in it
- unstable: it was let go in its place and did not stay
- out_of_steps: nothing went wrong, but the episode was cut off
"""

import math
from collections.abc import Mapping
from typing import Any, Literal

from refergym.assets import camera as pinhole
from refergym.envs.task_spec import Act, PutGoal
from refergym.envs.types import Array, Event, Verdict

Cause = Literal[
    "unparsable", "wrong_object", "bad_point", "grasp_failed", "place_failed", "unstable",
    "out_of_steps",
]  # fmt: skip
"""what a step failed by"""
OFF = 0.05
"""m: a lifted point farther than this from all that is right is a bad one"""


def attribute(
    truth: Mapping[str, Any], act: Act, after: Mapping[str, Any], verdict: Verdict, *, is_cut: bool
) -> Cause | None:
    """Return what a step failed by; None if it did what it should.

    Args:
        truth: `info["truth"]` before the step.
        act: the step.
        after: `info["truth"]` after it.
        verdict: of the state after it.
        is_cut: whether the episode was cut off behind it, undecided.
    """
    if act.event == Event.INVALID:
        return "unparsable"
    stage, _, name = truth["stage"].partition(" ")
    if not stage or _is_done(stage, name, truth, act, after, verdict):
        return "out_of_steps" if is_cut and not verdict.success else None
    if not _is_right(truth, act):
        return "wrong_object" if _shows_another(truth, act, stage) else "bad_point"
    if act.point_w is None or _is_off(truth["mask_w"], act.point_w) or stage == "point":
        return "bad_point"
    if stage == "pick":
        return "wrong_object" if act.event == Event.PICKED else "grasp_failed"
    return "unstable" if act.event == Event.UNSTABLE else "place_failed"


def _is_done(
    stage: str,
    name: str,
    truth: Mapping[str, Any],
    act: Act,
    after: Mapping[str, Any],
    verdict: Verdict,
) -> bool:
    """Tell whether a step did what its stage asks for."""
    if stage == "point":
        return verdict.success
    if stage == "pick":
        return act.event == Event.PICKED and act.object == truth["target"]
    if act.event == Event.AIMED:
        return _is_right(truth, act)
    is_left = after["stage"].partition(" ")[2] == name
    return act.event == Event.PLACED and not is_left and verdict.stage not in ("place", "turn")


def _is_right(truth: Mapping[str, Any], act: Act) -> bool:
    """Tell whether a step's pixel is a right one, or near enough to the best place."""
    if act.point_uv is None:
        return False
    x, y = pinhole.pixel_of_point(truth["scene"].camera, *act.point_uv)
    if bool(truth["mask"][y, x]):
        return True
    goal = truth["task"].goal
    if truth["stage"].startswith("place") and isinstance(goal, PutGoal) and act.hit_w is not None:
        return bool(math.dist(act.hit_w[:2], goal.area.goal[:2]) <= goal.tolerance)
    return False


def _shows_another(truth: Mapping[str, Any], act: Act, stage: str) -> bool:
    """Tell whether a wrong point shows an object other than the one that is meant."""
    if stage == "pick" and act.event == Event.PICKED:
        return True
    if act.hit < 0:
        return False
    if stage == "pick" or (truth["target"] >= 0 and stage == "point"):
        return bool(act.hit != truth["target"])
    goal = truth["task"].goal
    anchors = goal.anchors if isinstance(goal, PutGoal) and goal.relation != "table" else ()
    return bool(anchors) and act.hit != int(truth["scene"].index(anchors[0]))


def _is_off(right: Array, lifted: Array) -> bool:
    """Tell whether a lifted point [3] lies off all points [K, 3] that are right, m."""
    return not len(right) or float(((right - lifted) ** 2).sum(1).min()) > OFF**2
