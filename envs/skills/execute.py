"""Carry out planned picks and places on anything that has an arm, phase by phase.

Each phase is bounded in simulated time, and each way to fail has its own event.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from refergym.assets.robots.kinematics import FINGER_MAX
from refergym.assets.spec import SceneSpec
from refergym.envs.skills import ways
from refergym.envs.skills.pick import PickPlan
from refergym.envs.skills.place import PlacePlan
from refergym.envs.types import Event, SkillResult

Array = NDArray[np.float64]

FREE_SPEED = 2.17
"""rad/s, peak, empty-handed"""
HELD_SPEED = 2.1
DOWN_SPEED = 1.5
CLOSE_SECONDS = 0.4
OPEN_SECONDS = 0.2
REST_SECONDS = 2.0
"""s of simulated time that things get to come to rest"""
PLACED_WITHIN = 0.05
"""m, an object whose middle rests farther than this from where it was put did not stay there"""


class ArmWorld(Protocol):
    """What a simulator offers to these skills."""

    def follow(self, way: Sequence[Array], speed: float) -> None:
        """Move the arm through postures [7] rad at no more than `speed` rad/s."""
        ...

    def grip(self, finger: float, seconds: float) -> None:
        """Drive both fingers to a position (m) for some simulated time."""
        ...

    def gripped(self) -> int:
        """Index of the object that touches both fingers, or -1."""
        ...

    def rest(self, seconds: float) -> None:
        """Step until everything is calm, at most so long."""
        ...

    def box(self, index: int) -> tuple[Array, Array]:
        """Axis-aligned box of an object: (low [3], high [3]) m, world."""
        ...


def between_fingers(
    touched: Callable[[], tuple[set[int], set[int]]], step: Callable[[int], None]
) -> int:
    """Return the index of an object that both fingers touch, or -1.

    Contacts flicker, so a few steps are looked at.

    Args:
        touched: indices of the objects that each finger touches now.
        step: advances the simulator by so many steps.
    """
    for _ in range(4):
        left, right = touched()
        if left & right:
            return min(left & right)
        step(3)
    return -1


def pick(world: ArmWorld, spec: SceneSpec, plan: PickPlan) -> SkillResult:
    """Approach, close, lift, check, carry to the parked posture, check again."""
    parked = np.array(spec.robot.parked)
    world.grip(FINGER_MAX, 0.0)
    world.follow([ways.hover(plan.above), plan.above], FREE_SPEED)
    world.follow(plan.down, DOWN_SPEED)
    world.grip(0.0, CLOSE_SECONDS)
    world.follow([*plan.down[::-1], plan.above], DOWN_SPEED)
    lifted = world.gripped()
    if lifted < 0:
        world.grip(FINGER_MAX, OPEN_SECONDS)
        world.follow([ways.hover(plan.above), parked], FREE_SPEED)
        world.rest(REST_SECONDS)
        return SkillResult(
            event=Event.NOTHING_HELD, object=plan.object, detail="slipped out while lifting"
        )
    world.follow([ways.hover(plan.above), parked], HELD_SPEED)
    world.rest(REST_SECONDS)
    if world.gripped() != lifted:
        world.grip(FINGER_MAX, OPEN_SECONDS)
        return SkillResult(
            event=Event.DROPPED, object=lifted, detail="lost on the way to the parked posture"
        )
    return SkillResult(event=Event.PICKED, object=lifted)


def place(world: ArmWorld, spec: SceneSpec, plan: PlacePlan, held: int) -> SkillResult:
    """Carry, lower, check, let go, retreat, park, and see whether the object stayed."""
    parked = np.array(spec.robot.parked)
    world.follow([ways.hover(plan.above), plan.above], HELD_SPEED)
    world.follow(plan.down, DOWN_SPEED)
    arrived = world.gripped()
    world.grip(plan.opening, OPEN_SECONDS)
    world.follow([*plan.down[::-1], plan.above], DOWN_SPEED)
    world.grip(FINGER_MAX, 0.0)
    world.follow([ways.hover(plan.above), parked], FREE_SPEED)
    world.rest(REST_SECONDS)
    if arrived != held:
        return SkillResult(event=Event.DROPPED, object=held, detail="lost on the way to the place")
    return judge_rest(*world.box(held), plan, held)


def judge_rest(low: Array, high: Array, plan: PlacePlan, held: int) -> SkillResult:
    """PLACED if an object's box [3], [3] m, world, is about where it was put, else UNSTABLE."""
    off = float(np.linalg.norm(((low + high) / 2 - plan.point)[:2]))
    fallen = float(plan.point[2] - low[2])
    if off > PLACED_WITHIN or fallen > PLACED_WITHIN:
        detail = (
            f"came to rest {1000 * off:.0f} mm beside and {1000 * fallen:.0f} mm below the point"
        )
        return SkillResult(event=Event.UNSTABLE, object=held, detail=detail)
    return SkillResult(event=Event.PLACED, object=held)
