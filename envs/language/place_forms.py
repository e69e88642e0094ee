"""The ways to say a place, a turn, and what to do.

Slots as in `name_forms`; {to} is a side of the viewer's, {one}, {many} and {a_one} are kinds of a
row's things, {place} is a place, {what} what is moved.
"""

from typing import Literal

from refergym.envs.language.name_forms import CLAUSES
from refergym.envs.language.voices import Forms
from refergym.envs.relations.bodies import Reference
from refergym.envs.types import Side

EDGES: dict[Side, str] = {"left": "left", "right": "right", "front": "front", "behind": "back"}
"""a side of the table"""
TO: dict[Side, str] = {
    "left": "to the left",
    "right": "to the right",
    "front": "towards the viewer",
    "behind": "away from the viewer",
}
"""a direction"""
AXES: dict[Literal["left-right", "front-back"], str] = {
    "left-right": "from left to right",
    "front-back": "from front to back",
}
"""of a row"""

BESIDE: dict[tuple[Reference, Side], Forms] = {
    ("viewer", "left"): CLAUSES["left", "viewer", ""],
    ("viewer", "right"): CLAUSES["right", "viewer", ""],
    ("viewer", "front"): CLAUSES["front", "viewer", ""],
    ("viewer", "behind"): CLAUSES["behind", "viewer", ""],
    ("robot", "left"): CLAUSES["left", "robot", ""],
    ("robot", "right"): CLAUSES["right", "robot", ""],
    ("robot", "front"): CLAUSES["front", "robot", ""],
    ("robot", "behind"): CLAUSES["behind", "robot", ""],
    ("object", "left"): CLAUSES["left", "object", ""],
    ("object", "right"): CLAUSES["right", "object", ""],
    ("object", "front"): CLAUSES["face", "object", ""],
    ("object", "behind"): CLAUSES["back", "object", ""],
}

_FACING = "when one faces where its {side} points"
_LOOKING = "if one looks where its {side} points"

DIRECTION: dict[tuple[Reference, Side], Forms] = {
    ("viewer", "left"): Forms(
        exact=("{length} to the left of the middle of {0}",
               "{length} left of the middle of {0}"),
        held=("{length} to the left of the centre of {0}",
              "{length} leftwards from the centre of {0}"),
    ),
    ("viewer", "right"): Forms(
        exact=("{length} to the right of the middle of {0}",
               "{length} right of the middle of {0}"),
        held=("{length} to the right of the centre of {0}",
              "{length} rightwards from the centre of {0}"),
    ),
    ("viewer", "front"): Forms(
        exact=("{length} in front of the middle of {0}",
               "{length} towards the viewer from the middle of {0}"),
        held=("{length} in front of the centre of {0}",
              "{length} nearer to the viewer than the centre of {0}"),
    ),
    ("viewer", "behind"): Forms(
        exact=("{length} behind the middle of {0}",
               "{length} away from the viewer beyond the middle of {0}"),
        held=("{length} behind the centre of {0}",
              "{length} farther from the viewer than the centre of {0}"),
    ),
    ("robot", "left"): Forms(
        exact=("{length} to the robot's left of the middle of {0}",
               "{length} to the left of the middle of {0} from the robot's point of view"),
        held=("{length} to the robot's left of the centre of {0}",
              "{length} to the left of the centre of {0} as the robot sees it"),
    ),
    ("robot", "right"): Forms(
        exact=("{length} to the robot's right of the middle of {0}",
               "{length} to the right of the middle of {0} from the robot's point of view"),
        held=("{length} to the robot's right of the centre of {0}",
              "{length} to the right of the centre of {0} as the robot sees it"),
    ),
    ("robot", "front"): Forms(
        exact=("{length} towards the robot from the middle of {0}",
               "{length} in front of the middle of {0} from the robot's point of view"),
        held=("{length} towards the robot from the centre of {0}",
              "{length} in front of the centre of {0} as the robot sees it"),
    ),
    ("robot", "behind"): Forms(
        exact=("{length} away from the robot beyond the middle of {0}",
               "{length} behind the middle of {0} from the robot's point of view"),
        held=("{length} away from the robot beyond the centre of {0}",
              "{length} behind the centre of {0} as the robot sees it"),
    ),
    ("object", "left"): Forms(
        exact=(f"{{length}} on the left of the middle of {{0}} {_FACING}",),
        held=(f"{{length}} to the left of the centre of {{0}} {_LOOKING}",),
    ),
    ("object", "right"): Forms(
        exact=(f"{{length}} on the right of the middle of {{0}} {_FACING}",),
        held=(f"{{length}} to the right of the centre of {{0}} {_LOOKING}",),
    ),
    ("object", "front"): Forms(
        exact=("{length} from the middle of {0} in the direction of its {side}",
               "{length} from the middle of {0} the way its {side} points"),
        held=("{length} from the centre of {0} out along its {side}",),
    ),
    ("object", "behind"): Forms(
        exact=("{length} from the middle of {0} in the direction opposite to its {side}",
               "{length} from the middle of {0} straight away from its {side}"),
        held=("{length} from the centre of {0} opposite to its {side}",),
    ),
}  # fmt: skip

BETWEEN = Forms(
    exact=("between {0} and {1}", "in the gap between {0} and {1}"),
    loose=("somewhere between {0} and {1}",),
    held=("in between {0} and {1}", "midway between {0} and {1}"),
    held_loose=("somewhere in between {0} and {1}",),
)
ONTO = Forms(exact=("onto {0}", "on {0}", "on top of {0}"), held=("upon {0}", "atop {0}"))
INTO = Forms(
    exact=("into {0}", "in {0}", "inside {0}"),
    held=("down into {0}", "within {0}"),
)
TOP = Forms(
    exact=("the top of {0}", "the upper side of {0}"),
    held=("the upper face of {0}", "the surface on top of {0}"),
)
INSIDE = Forms(
    exact=("the inside of {0}", "the interior of {0}"),
    held=("the hollow of {0}", "the space inside {0}"),
)
TURNED = Forms(
    exact=("{length} from the middle of {0}, {angle} {way} of the direction to {1}",
           "{length} from the middle of {0}, turned {angle} {way} from the direction to {1}"),
    held=("{length} from the centre of {0}, {angle} {way} from the line to {1}",
          "{length} from the centre of {0}, at {angle} {way} of the way to {1}"),
)  # fmt: skip
STRAIGHT = Forms(
    exact=("{length} from the middle of {0}, straight towards {1}",
           "{length} from the middle of {0}, in the direction of {1}"),
    held=("{length} from the centre of {0}, on the line to {1}",
          "{length} from the centre of {0}, on the way to {1}"),
)  # fmt: skip
EDGE = Forms(
    exact=("at the {edge} edge of the table", "along the {edge} edge of the table"),
    loose=("somewhere along the {edge} edge of the table",),
    held=("by the {edge} edge of the table", "at the table's {edge} edge"),
)
CORNER = Forms(
    exact=("in the {edge} {side} corner of the table",
           "in the {side} corner at the {edge} of the table"),
    loose=("somewhere in the {edge} {side} corner of the table",),
    held=("in the table's {edge} {side} corner", "at the {edge} {side} corner of the table"),
)  # fmt: skip
GAP = Forms(
    exact=("in the missing place of the row of {many}", "in the gap in the row of {many}"),
    held=("in the spot where {a_one} is missing from the row of {many}",
          "in the empty slot of the row of {many}"),
)  # fmt: skip
END = Forms(
    exact=("at the place where one more {one} continues the row {to}",
           "at the place where the row of {many} goes on {to}"),
    held=("at the spot where {a_one} would extend the row of {many} {to}",
          "at the next place of the row of {many} {to}"),
)  # fmt: skip

FREE = Forms(
    exact=("the free space", "a free spot on the table", "an empty place on the table"),
    loose=("some free space",),
    held=("a clear spot on the table", "the clear space"),
    held_loose=("some free room",),
)
BARE = Forms(
    exact=("the free space", "a free spot", "an empty place"),
    loose=("some free space",),
    held=("a clear spot", "the clear space"),
    held_loose=("some free room",),
)
"""of places whose words name the table"""
EXACT = Forms(
    exact=("the point", "the spot", "the place on the table"),
    held=("the position", "the location on the table"),
)
FLOOR = Forms(
    exact=("the free floor", "a free spot on the floor", "the empty floor"),
    loose=("some free floor",),
    held=("the clear floor", "a clear patch of floor"),
)
UNDER = Forms(
    exact=("under {0}", "underneath {0}"), loose=("somewhere under {0}",), held=("beneath {0}",)
)

FACING_SIDE = Forms(
    exact=("with {its} {side} pointing {to}", "so that {its} {side} points {to}"),
    held=("and have {its} {side} point {to}", "in such a way that {its} {side} points {to}"),
)
FACING_THING = Forms(
    exact=("with {its} {side} pointing towards {0}", "so that {its} {side} points towards {0}"),
    held=("and have {its} {side} point at {0}", "in such a way that {its} {side} points at {0}"),
)
FACING_TURNED = Forms(
    exact=("with {its} {side} turned by {angle} {way} from that of {0}",
           "so that {its} {side} is {angle} {way} from that of {0}"),
    held=("and have {its} {side} point {angle} {way} of where that of {0} points",
          "in such a way that {its} {side} is {angle} {way} of that of {0}"),
)  # fmt: skip
FACING_SAME = Forms(
    exact=("with {its} {side} pointing the same way as that of {0}",
           "so that {its} {side} points the same way as that of {0}"),
    held=("and have {its} {side} point just like that of {0}",
          "in such a way that {its} {side} points just like that of {0}"),
)  # fmt: skip

POINT = Forms(
    exact=("Point at {what}.", "Point to {what}.", "Show me {what}."),
    loose=("Could you point to {what}?", "Where is {what}?", "I am looking for {what}."),
    held=("Indicate {what}.", "Mark {what} with a point."),
    held_loose=("Can you show me {what}?", "Would you point out {what}, please?"),
)
PICK = Forms(
    exact=("Pick up {what}.", "Grasp {what} and lift it.", "Take {what}."),
    loose=("Could you pick up {what}?", "I need {what}."),
    held=("Lift {what} up.", "Get hold of {what} and raise it."),
    held_loose=("Can you get me {what}?", "Please grab {what} for me."),
)
MOVE = Forms(
    exact=("put {what} {place}", "place {what} {place}", "pick up {what} and put it {place}"),
    held=("set {what} down {place}", "take {what} and place it {place}"),
)
GATHER = Forms(
    exact=("put {what} {place}", "place {what} {place}", "pick up {what} and put them {place}"),
    held=("set {what} down {place}", "take {what} and place them {place}"),
)
ARRANGE = Forms(
    exact=("arrange {what} in an evenly spaced row {to}", "line up {what} with equal gaps {to}"),
    held=("set {what} out in a regular line {to}", "make {what} into an even row {to}"),
)
THEN = Forms(exact=(", then ", ", and then "), held=(", and after that ", "; next, "))
DO = Forms(
    exact=("{what}.", "your task is to {what}."),
    loose=("could you {what}?", "I want you to {what}."),
    held=("please {what}.", "the job is to {what}."),
    held_loose=("would you {what}, please?", "I would like you to {what}."),
)
