"""What the last step did, in words that a policy may read: the event, nothing of the truth."""

from collections.abc import Mapping
from types import MappingProxyType

from refergym.envs.types import Event

FEEDBACK: Mapping[Event, str] = MappingProxyType(
    {
        Event.NONE: "",
        Event.POINTED: "The point was taken.",
        Event.PICKED: "Something was picked up and is held.",
        Event.PLACED: "What was held was put down.",
        Event.NO_SURFACE: "Nothing was done: no surface was found at the point.",
        Event.OUT_OF_REACH: "Nothing was done: the arm does not reach the point.",
        Event.NO_GRASP: "Nothing was grasped: there is no grasp at the point.",
        Event.NOTHING_HELD: "Nothing was grasped: the gripper closed and came up empty.",
        Event.DROPPED: "What was held was lost on the way.",
        Event.PLACE_BLOCKED: "It was not put down: no room at the point. It is still held.",
        Event.UNSTABLE: "What was held was let go, but did not stay where it was put.",
        Event.INVALID: "Nothing was done: no point could be read in the answer.",
        Event.AIMED: "The place was taken. The next point tells which way to turn what is held.",
    }
)
"""for each event, one sentence; none before the first step"""
