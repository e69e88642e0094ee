"""The ways to say a place in an order and a relation.

Slots: {noun} kind and colour; {nth} "second" or nothing; {first} "first"; {0}, {1} things that are
named; {side} a direction of {0}; {length}, {angle} numbers; {way} which way round; and of what the
clause is about {its} "its" or "their", {own} its direction, {is} and {points} verbs.
"""

from refergym.envs.language.voices import Forms
from refergym.envs.programs import Axis
from refergym.envs.relations.bodies import Reference

Key = tuple[str, Reference, str]
"""of a relation's forms: relation, whose frame, and the value that has words of its own"""

RANKS: dict[tuple[Axis, bool], Forms] = {
    ("left-right", True): Forms(
        exact=("{nth} leftmost {noun}", "{first} {noun} from the left",
               "{noun} that is {nth} furthest to the left"),
        held=("{nth} furthest-left {noun}", "{first} {noun} counting from the left",
              "{noun} {nth} farthest left"),
    ),
    ("left-right", False): Forms(
        exact=("{nth} rightmost {noun}", "{first} {noun} from the right",
               "{noun} that is {nth} furthest to the right"),
        held=("{nth} furthest-right {noun}", "{first} {noun} counting from the right",
              "{noun} {nth} farthest right"),
    ),
    ("front-back", True): Forms(
        exact=("{nth} closest {noun}", "{first} {noun} from the front",
               "{noun} that is {nth} closest to the viewer"),
        held=("{nth} nearest {noun}", "{first} {noun} counting from the front"),
    ),
    ("front-back", False): Forms(
        exact=("{nth} farthest {noun}", "{first} {noun} from the back",
               "{noun} that is {nth} farthest from the viewer"),
        held=("{nth} most distant {noun}", "{first} {noun} counting from the back"),
    ),
    ("height", True): Forms(
        exact=("{nth} tallest {noun}", "{first} {noun} in order from tallest to shortest",
               "{noun} that is {nth} tallest"),
        held=("{nth} highest {noun}", "{noun} {nth} greatest in height",
              "{first} {noun} going from tall to short"),
    ),
    ("height", False): Forms(
        exact=("{nth} shortest {noun}", "{first} {noun} in order from shortest to tallest",
               "{noun} that is {nth} shortest"),
        held=("{nth} least tall {noun}", "{first} {noun} going from short to tall"),
    ),
    ("size", True): Forms(
        exact=("{nth} largest {noun}", "{nth} biggest {noun}", "{noun} that is {nth} largest"),
        held=("{nth} bulkiest {noun}", "{noun} {nth} greatest in size",
              "{first} {noun} going from big to small"),
    ),
    ("size", False): Forms(
        exact=("{nth} smallest {noun}", "{first} {noun} in order from smallest to largest",
               "{noun} that is {nth} smallest"),
        held=("{nth} least big {noun}", "{first} {noun} going from small to big"),
    ),
    ("width", True): Forms(
        exact=("{nth} widest {noun}", "{nth} broadest {noun}", "{noun} that is {nth} widest"),
        held=("{nth} most wide {noun}", "{noun} {nth} greatest in width",
              "{first} {noun} going from wide to narrow"),
    ),
    ("width", False): Forms(
        exact=("{nth} narrowest {noun}", "{nth} slimmest {noun}",
               "{noun} that is {nth} narrowest"),
        held=("{nth} least wide {noun}", "{first} {noun} going from narrow to wide"),
    ),
}  # fmt: skip
"""axis and whether from its first end"""

NEAREST: dict[bool, Forms] = {
    True: Forms(
        exact=("{nth} nearest to {0}", "{nth} closest to {0}"),
        held=("{nth} least far from {0}", "at the {nth} smallest distance from {0}"),
    ),
    False: Forms(
        exact=("{nth} farthest from {0}", "{nth} furthest away from {0}"),
        held=("{nth} most distant from {0}", "at the {nth} greatest distance from {0}"),
    ),
}
"""a rank by distance, and whether from the near end"""

_AHEAD = "when one faces where its {side} points"
_LOOKING = "looking the way its {side} points"
_IF = "if one looks where its {side} points"

CLAUSES: dict[Key, Forms] = {
    ("left", "viewer", ""): Forms(
        exact=("to the left of {0}", "on the left side of {0}", "left of {0}"),
        loose=("somewhere on the left of {0}", "off to the left of {0}"),
        held=("on the left-hand side of {0}", "towards the left from {0}"),
        held_loose=("over on the left of {0}",),
    ),
    ("right", "viewer", ""): Forms(
        exact=("to the right of {0}", "on the right side of {0}", "right of {0}"),
        loose=("somewhere on the right of {0}", "off to the right of {0}"),
        held=("on the right-hand side of {0}", "towards the right from {0}"),
        held_loose=("over on the right of {0}",),
    ),
    ("front", "viewer", ""): Forms(
        exact=("in front of {0}", "on the near side of {0}"),
        loose=("somewhere in front of {0}", "on this side of {0}"),
        held=("to the front of {0}", "on the viewer's side of {0}"),
        held_loose=("over in front of {0}",),
    ),
    ("behind", "viewer", ""): Forms(
        exact=("behind {0}", "on the far side of {0}"),
        loose=("somewhere behind {0}", "back behind {0}"),
        held=("to the rear of {0}", "at the back of {0}"),
        held_loose=("over behind {0}",),
    ),
    ("left", "robot", ""): Forms(
        exact=("to the robot's left of {0}", "to the left of {0} from the robot's point of view"),
        held=("on the robot's left-hand side of {0}", "to the left of {0} as the robot sees it"),
    ),
    ("right", "robot", ""): Forms(
        exact=("to the robot's right of {0}",
               "to the right of {0} from the robot's point of view"),
        held=("on the robot's right-hand side of {0}", "to the right of {0} as the robot sees it"),
    ),
    ("front", "robot", ""): Forms(
        exact=("on the robot's side of {0}", "in front of {0} from the robot's point of view"),
        held=("towards the robot from {0}", "in front of {0} as the robot sees it"),
    ),
    ("behind", "robot", ""): Forms(
        exact=("on the far side of {0} from the robot",
               "behind {0} from the robot's point of view"),
        held=("behind {0} as the robot sees it", "away from the robot beyond {0}"),
    ),
    ("left", "object", ""): Forms(
        exact=(f"on the left of {{0}} {_AHEAD}", f"on the left of {{0}}, {_LOOKING}"),
        held=(f"to the left of {{0}} {_IF}",),
    ),
    ("right", "object", ""): Forms(
        exact=(f"on the right of {{0}} {_AHEAD}", f"on the right of {{0}}, {_LOOKING}"),
        held=(f"to the right of {{0}} {_IF}",),
    ),
    ("front", "object", ""): Forms(
        exact=(f"ahead of {{0}} {_AHEAD}", f"ahead of {{0}}, {_LOOKING}"),
        held=(f"in front of {{0}} {_IF}",),
    ),
    ("behind", "object", ""): Forms(
        exact=(f"behind {{0}} {_AHEAD}", f"behind {{0}}, {_LOOKING}"),
        held=(f"at the back of {{0}} {_IF}",),
    ),
    ("close", "viewer", ""): Forms(
        exact=("closer to the camera than {0}", "nearer to the camera than {0}"),
        held=("less far from the camera than {0}",
              "at a smaller distance from the camera than {0}"),
    ),
    ("far", "viewer", ""): Forms(
        exact=("farther from the camera than {0}", "more distant from the camera than {0}"),
        held=("further away from the camera than {0}",
              "at a greater distance from the camera than {0}"),
    ),
    ("close", "robot", ""): Forms(
        exact=("closer to the robot than {0}", "nearer to the robot than {0}"),
        held=("less far from the robot than {0}",
              "at a smaller distance from the robot than {0}"),
    ),
    ("far", "robot", ""): Forms(
        exact=("farther from the robot than {0}", "more distant from the robot than {0}"),
        held=("further away from the robot than {0}",
              "at a greater distance from the robot than {0}"),
    ),
    ("above", "viewer", ""): Forms(
        exact=("higher in the picture than {0}", "further up in the picture than {0}"),
        held=("higher up in the image than {0}", "farther up in the view than {0}"),
    ),
    ("below", "viewer", ""): Forms(
        exact=("lower in the picture than {0}", "further down in the picture than {0}"),
        held=("lower down in the image than {0}", "farther down in the view than {0}"),
    ),
    ("depth", "viewer", ""): Forms(
        exact=("at a smaller depth than {0}", "less deep in the picture than {0}"),
        held=("at less depth than {0}", "not as deep in the picture as {0}"),
    ),
    ("tall", "viewer", ""): Forms(
        exact=("taller than {0}", "of greater height than {0}"),
        held=("greater in height than {0}", "not so short as {0}"),
    ),
    ("short", "viewer", ""): Forms(
        exact=("shorter than {0}", "less tall than {0}"),
        held=("smaller in height than {0}", "not so tall as {0}"),
    ),
    ("big", "viewer", ""): Forms(
        exact=("bigger than {0}", "larger than {0}"),
        held=("greater in size than {0}", "of a larger size than {0}"),
    ),
    ("small", "viewer", ""): Forms(
        exact=("smaller than {0}", "less big than {0}"),
        held=("not so big as {0}", "of a smaller size than {0}"),
    ),
    ("wide", "viewer", ""): Forms(
        exact=("wider than {0}", "broader than {0}"),
        held=("greater in width than {0}", "of a larger width than {0}"),
    ),
    ("thin", "viewer", ""): Forms(
        exact=("narrower than {0}", "less wide than {0}"),
        held=("not so wide as {0}", "of a smaller width than {0}"),
    ),
    ("world_above", "viewer", ""): Forms(
        exact=("above {0}", "higher up than {0}"),
        held=("higher off the floor than {0}", "further from the floor than {0}"),
    ),
    ("world_below", "viewer", ""): Forms(
        exact=("below {0}", "lower down than {0}"),
        held=("less high off the floor than {0}", "nearer to the floor than {0}"),
    ),
    ("distance", "viewer", ""): Forms(
        exact=("{length} from {0}", "{length} away from {0}"),
        held=("at a distance of {length} from {0}", "{length} off from {0}"),
    ),
    ("between", "viewer", ""): Forms(
        exact=("between {0} and {1}", "in the middle between {0} and {1}"),
        loose=("somewhere between {0} and {1}",),
        held=("in between {0} and {1}", "in the space from {0} to {1}"),
        held_loose=("somewhere in between {0} and {1}",),
    ),
    ("face", "object", ""): Forms(
        exact=("on the {side} side of {0}", "where the {side} of {0} points"),
        loose=("somewhere on the {side} side of {0}",),
        held=("on the side of the {side} of {0}", "in the direction of the {side} of {0}"),
    ),
    ("back", "object", ""): Forms(
        exact=("on the side opposite to the {side} of {0}",
               "on the side of {0} away from its {side}",
               "opposite to where the {side} of {0} points"),
        held=("on the other side from the {side} of {0}",
              "on the side facing away from the {side} of {0}"),
    ),
    ("edge", "viewer", ""): Forms(
        exact=("near the edge of the table", "close to the table's edge"),
        loose=("somewhere near the edge of the table",),
        held=("by the edge of the table", "not far from the table's edge"),
    ),
    ("corner", "viewer", ""): Forms(
        exact=("near a corner of the table", "close to one of the table's corners"),
        loose=("somewhere near a corner of the table",),
        held=("by a corner of the table", "not far from one of the table's corners"),
    ),
    ("inside", "viewer", ""): Forms(
        exact=("inside {0}", "in {0}"),
        loose=("somewhere in {0}",),
        held=("within {0}", "contained in {0}"),
    ),
    ("outside", "viewer", ""): Forms(
        exact=("outside {0}", "not in {0}"),
        held=("not inside {0}", "outside of {0}"),
    ),
    ("touch", "viewer", ""): Forms(
        exact=("touching {0}", "in contact with {0}"),
        held=("in touch with {0}", "up against {0}"),
    ),
    ("far_from", "viewer", ""): Forms(
        exact=("far from {0}", "far away from {0}"),
        loose=("quite far from {0}",),
        held=("a long way from {0}", "at a great distance from {0}"),
        held_loose=("nowhere near {0}",),
    ),
    ("vertical_rotate", "viewer", ""): Forms(
        exact=("tipped by {angle} from upright", "leaning {angle} from upright"),
        held=("tilted {angle} away from upright", "inclined by {angle} against upright"),
    ),
    ("vertical_rotate", "viewer", "upright"): Forms(
        exact=("standing upright", "upright"),
        held=("standing straight up", "not tipped at all"),
    ),
    ("horizontal_rotate", "object", ""): Forms(
        exact=("turned so that {its} {own} {is} {angle} {way} from that of {0}",
               "turned so that {its} {own} {points} {angle} {way} from where that of {0} does"),
        held=("rotated so that {its} {own} {is} {angle} {way} of that of {0}",
              "rotated {angle} {way} from {0}, going by the {side}"),
    ),
    ("horizontal_rotate", "object", "same"): Forms(
        exact=("turned so that {its} {own} {points} the same way as that of {0}",
               "turned so that {its} {own} {points} where that of {0} does"),
        held=("rotated so that {its} {own} {points} just like that of {0}",
              "rotated like {0}, going by the {side}"),
    ),
    ("angle", "viewer", ""): Forms(
        exact=("where {0} and {1} are {angle} apart", "from where {0} and {1} lie {angle} apart"),
        held=("in a place that has {0} and {1} {angle} apart",),
    ),
}  # fmt: skip
"""a relation, as it stands after "that is" """
