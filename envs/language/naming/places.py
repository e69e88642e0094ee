"""Other words for places: "room at the table's back edge", "halfway from the cup to the plate"."""

import functools

from refergym.envs.language import place_forms as forms
from refergym.envs.language.naming.clause_forms import MACROS
from refergym.envs.language.naming.clauses import beside_words
from refergym.envs.language.naming.patterns import Pattern
from refergym.envs.language.voices import Forms
from refergym.envs.types import Side

PLACES = {
    **MACROS,
    "space": "[some] "
    "[(free|empty|clear|open|vacant|unoccupied|bare|available|unused|inner|exact|target"
    "|(free|empty)"
    " table)]"
    " "
    "(space|spot|place|area|room|region|patch|location|position|point|surface|zone|section"
    "|part|bit|stretch|slot|gap|strip|spots)"
    " [of] [(table|table surface|free space|space)]",
    "where": "[of] [(on|along|at)] (table|desk)|where [it] (free|empty|clear)|(free|empty|clear) "
    "(part|space|area|spot)|[one] (free|empty|clear)"
    "|in (empty|free|clear) (area|space)|~",
    "middle": "(middle of {0}|{0} 's middle|{0} middle|{0}|middle point of {0})",
}
"""parts of templates"""
SPACE = Pattern(["<space>", "free", "empty"], PLACES)
"""what may stand before a place"""
WHERE = Pattern(["<where>", "and", "~", "where [it]"], PLACES)
"""what may stand about it"""


@functools.cache
def between_words() -> Pattern:
    """Return the words for the place between {0} and {1}, in either order."""
    ways = [
        *all_of(forms.BETWEEN),
        "[in] between [of] {0} and {1}",
        "(halfway|midway|half way|mid way) [(between|from)] {0} (and|to) {1}",
        "[(in|at)] [exact] (middle|midpoint|mid point|centerpoint) (of|between) {0} and {1}",
        "in middle between {0} and {1}",
        "from {0} to {1}",
        "separating {0} (and|from) {1}",
        "that separates {0} (and|from) {1}",
        "with {0} on one side and {1} on other [side]",
        "where {0} on one side and {1} on other [side]",
        "flanked by {0} and {1}",
    ]
    return Pattern(
        [
            *ways,
            *(w.replace("{0}", "{2}").replace("{1}", "{0}").replace("{2}", "{1}") for w in ways),
        ],
        PLACES,
    )


@functools.cache
def onto_words() -> Pattern:
    """Return the words for the top of {0}."""
    top = "(top|upper (side|face|surface|part)|top (side|face|surface|part)|surface|upside)"
    return Pattern(
        [
            *all_of(forms.TOP),
            *all_of(forms.ONTO),
            f"[on] {top} of {{0}}",
            f"[on] {{0}} 's {top}",
            "[right] on [top of] {0}",
            "[on] {0} top",
            "[area|space] on top of {0}",
            "surface on top of {0}",
            "atop {0}",
        ],
        PLACES,
    )


@functools.cache
def into_words() -> Pattern:
    """Return the words for the inside of {0}."""
    inner = (
        "(inside|interior|hollow|cavity|inner (area|space|part|side|region|volume|surface)"
        "|insides|inner|bottom inside)"
    )
    return Pattern(
        [
            *all_of(forms.INSIDE),
            *all_of(forms.INTO),
            f"[(in|at|into)] {inner} of {{0}}",
            f"[(in|into)] {{0}} 's {inner}",
            "[(in|into)] inside [of] {0}",
            "[in] {0} interior",
            "within {0}",
            "into {0}",
            "{0} 's inside (space|area)",
            "enclosed by {0}",
            "contained (by|in) {0}",
        ],
        PLACES,
    )


@functools.cache
def direction_words(frame: str, side: Side) -> Pattern:
    """Return the words for the place at a distance from the middle of {0}."""
    at = "[at] [a] [distance of] {length} [distance] [away] [off] [out]"
    ways = [*all_of(forms.DIRECTION[frame, side])]  # type: ignore[index]
    if frame != "object":
        robot = frame == "robot"
        ahead = {
            "left": (
                "[(off|over)] (to|on|at|toward) left [side] (of|from)",
                "left (of|from)",
                "leftward (of|from)",
            ),
            "right": (
                "[(off|over)] (to|on|at|toward) right [side] (of|from)",
                "right (of|from)",
                "rightward (of|from)",
            ),
            "front": (
                "in front of",
                "toward viewer from",
                "nearer [to] viewer than",
                "before",
                "nearer than",
                "[(on|at)] near side of",
                "ahead of",
                "(out|forward) from",
                "forward of",
            ),
            "behind": (
                "[back] behind",
                "beyond",
                "farther back than",
                "(in|at|to) (back|rear) of",
                "away from viewer (from|beyond|behind)",
                "farther [away] from viewer than",
                "past",
                "back from",
                "[(on|at)] far side of",
                "farther away than",
                "backward from",
            ),
        }[side]
        end = {
            "left": ("(to|on|toward) [its] left", "leftward", "left"),
            "right": ("(to|on|toward) [its] right", "rightward", "right"),
            "front": ("toward viewer", "(to|in) front", "forward"),
            "behind": ("away from viewer", "(to|in) back", "behind it", "backward"),
        }[side]
        seen = "<robot>" if robot else "[<viewer>]"
        toward, sided = "|".join(ahead), "|".join(end)
        ways += [
            f"{at} ({toward}) <middle> {seen}",
            f"{at} from <middle> ({sided}) {seen}",
            f"({toward}) <middle> {seen} [(by|at|at distance of)] {{length}} [(away|off)]",
        ]
        if side in ("left", "right"):
            ways.append(f"{{length}} (to|on) {{0}} 's {side} {seen}")
        if robot:
            ways.append(f"<robot> {at} ({toward}) <middle>")
            ways += {
                "left": [f"{at} (to|on) robot 's left [side] of <middle>"],
                "right": [f"{at} (to|on) robot 's right [side] of <middle>"],
                "front": [
                    f"{at} (toward|nearer [to]) robot (from|than) <middle>",
                    f"{at} from <middle> toward robot",
                ],
                "behind": [
                    f"{at} away from robot (beyond|from|behind) <middle>",
                    f"{at} from <middle> away from robot",
                ],
            }[side]
        return Pattern(ways, PLACES)
    out = {
        "front": (
            "(in|along) direction [of] <its> {side} [<points>]",
            "<line>",
            "out along <its> {side}",
            "(in|along) <line>",
            "straight [out] <line>",
            "toward [where] <its> {side} [<points>]",
        ),
        "behind": (
            "(in|along) [direction] (opposite|away) [(to|of|from)] <its> {side} [<points>]",
            "straight away from <its> {side}",
            "(opposite [(to|of)]|away from) [where] (<its> {side}|{side} of {0}) [<points>]",
            "(in|on) (opposite direction|other side|opposite side) (to|of|from) <its> {side}",
            "backward from <its> {side}",
        ),
    }.get(side, ())
    ways += [f"{at} from <middle> {w}" for w in out]
    core = {
        "left": "(to|on|at) left [side] of|left of",
        "right": "(to|on|at) right [side] of|right of",
        "front": "in front of|ahead of|out in front of",
        "behind": "[back] behind|(in|at) back of",
    }[side]
    return Pattern(
        [*ways, f"{at} ({core}) <middle> <own>", f"<own> {at} ({core}) <middle>"], PLACES
    )


@functools.cache
def turn_words(is_turned: bool) -> tuple[Pattern, Pattern, Pattern]:
    """Return the words for a place after a turn: in one piece, how far, and in which direction."""
    far = [
        "[at] [a] [distance of] {length} [distance] [(away|out)] (from|off|of) <middle>",
        "[and] {length} away from <middle>",
    ]
    to = (
        "[(direction|line|way|bearing|heading|path)] [(to|toward|of|from <middle> to|pointing to)]"
        " {1} [(direction|line)]"
    )
    if is_turned:
        way = [
            "[at|and] [an] [angle of] [(turned|rotated|swung)] [by] {angle} {way} "
            "(of|from|off|to|relative to|away from) " + to,
            "(turned|rotated|swung) {way} by {angle} (from|off|of|relative to) " + to,
            "{angle} (turned|rotated) {way} (from|off|of) " + to,
        ]
        whole = [
            "[when|if] (facing|face|looking at|looking toward|look at|look toward) {1} from"
            " <middle> [and] (turn|rotate|turning) [by] {angle} [to] {way} [and] [then] "
            "(go|move|walk|step|goes) [out] {length}",
            "[when|if] (facing|face|looking at|look at) {1} from <middle> {length} [away] "
            "{angle} [to] {way}",
            "from <middle> facing {1} (turn|rotate|turning) [by] {angle} [to] {way}"
            " [and] [then] (go|move|walk|step) [out] {length}",
            "from <middle> (look|face) [at|toward] {1} (turn|rotate) [by] {angle} [to] "
            "{way} [and] [then] (go|move|walk|step) [out] {length}",
        ]
        whole += all_of(forms.TURNED)
    else:
        way = [
            "[straight] [directly] (toward|to) {1}",
            "[straight] (in|along|on) (direction|line|way|path) (of|to|toward) {1}",
            "[straight] (in|on) " + to,
            "[straight] along " + to,
        ]
        whole = [
            *all_of(forms.STRAIGHT),
            "from <middle> {length} [straight] toward {1}",
            "{length} [along] [way|line|path] from <middle> (to|toward) {1}",
            "from <middle> (go|move|walk) {length} [straight] (toward|to) {1}",
            "{length} toward {1} from <middle>",
            "[on|along] line from <middle> to {1} {length} [(out|along|from {0})]",
        ]
    return Pattern(whole, PLACES), Pattern(far, PLACES), Pattern(way, PLACES)


@functools.cache
def floor_words(side: str) -> Pattern:
    """Return the words for beside {0}, or under it."""
    if side != "under":
        return beside_words("viewer", side)
    return Pattern([*all_of(forms.UNDER), "(under|beneath|below) {0}"], PLACES)


FLOOR = Pattern(
    [
        *(f for f in (*forms.FLOOR.exact, *forms.FLOOR.loose, *forms.FLOOR.held)),
        "[(on)] [(free|empty|clear|open|bare|unoccupied|vacant|available)] (floor|ground) "
        "[(space|area|spot|patch|room)]",
        "<space> (on|of) (floor|ground)",
    ],
    PLACES,
)
"""the floor, whatever side"""


def all_of(f: Forms) -> tuple[str, ...]:
    """Return the forms of all voices."""
    return f.exact + f.loose + f.held + f.held_loose
