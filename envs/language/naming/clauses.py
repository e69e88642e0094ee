"""The words for relations: "in back of the pot", "20 cm off the pan"."""

import functools
import re

from refergym.envs.language.name_forms import CLAUSES, Key
from refergym.envs.language.naming.clause_forms import BACK, CORE, EXTRA, FACE, MACROS
from refergym.envs.language.naming.lexicon import DIMENSIONS
from refergym.envs.language.naming.patterns import Pattern
from refergym.envs.language.place_forms import BESIDE
from refergym.envs.language.voices import Forms

_COMPARED = {
    "tall": ("height", True),
    "short": ("height", False),
    "big": ("size", True),
    "small": ("size", False),
    "wide": ("width", True),
    "thin": ("width", False),
}
_AGREEING = re.compile(r"\{(its|points|is)\}")
_AGREED = {"its": "its", "points": "<points>", "is": ""}
SIDES = ("left", "right", "front", "behind")
"""relations that are sides of a thing"""
SYMMETRIC = ("between", "angle")
"""relations whose anchors may be said in either order"""


@functools.cache
def clause_words(key: Key) -> Pattern:
    """Return the words for a relation, by its key in `name_forms.CLAUSES`."""
    relation, frame, _ = key
    extra = list(EXTRA.get(key, ()))
    core = CORE.get(relation)
    if core and frame == "viewer":
        extra += [f"({'|'.join(core)}) [<viewer>]"]
    elif core and frame == "robot":
        extra += _of_robot(relation, core)
    elif core:
        extra += _own(core)
    elif relation in _COMPARED:
        extra += _compared(*_COMPARED[relation])
    elif relation in ("face", "back"):
        extra += FACE if relation == "face" else BACK
    forms = [*_said(CLAUSES[key]), *extra]
    if relation in SYMMETRIC:
        forms += [_swapped(f) for f in forms]
    return Pattern(forms, MACROS)


@functools.cache
def beside_words(frame: str, side: str) -> Pattern:
    """Return the words for a place beside {0}, as for `place_forms.BESIDE`."""
    forms = [*_said(BESIDE[frame, side]), *_beside(frame, side)]  # type: ignore[index]
    return Pattern(forms, MACROS)


@functools.cache
def hints(relation: str) -> Pattern | None:
    """Return what agrees with a comparison and says less: "tall", of the taller."""
    if relation not in _COMPARED:
        return None
    axis, is_more = _COMPARED[relation]
    return Pattern([f"({DIMENSIONS[axis][3 if is_more else 6]})"])


@functools.cache
def parted_words(relation: str) -> Pattern | None:
    """Return the words for a comparison about the noun: "a smaller {noun} than {0}"."""
    if relation not in _COMPARED:
        return None
    axis, is_more = _COMPARED[relation]
    more = DIMENSIONS[axis][2 if is_more else 5]
    return Pattern([f"({more}) {{noun}} than {{0}}"])


@functools.cache
def robot_words(side: str) -> tuple[Pattern, Pattern]:
    """Return the words for a side of {0}, and apart from them that the robot sees it so."""
    return Pattern(CORE[side], MACROS), Pattern(["<robot>"], MACROS)


def _beside(frame: str, side: str) -> list[str]:
    core = CORE[side]
    if frame == "viewer":
        return [f"({'|'.join(core)}) [<viewer>]"]
    if frame == "robot":
        return _of_robot(side, core)
    more = {"front": list(FACE), "behind": list(BACK)}.get(side, [])
    return more + _own(core)


def _of_robot(side: str, core: tuple[str, ...]) -> list[str]:
    native = {
        "left": ["(to|on|at) robot 's left [side] (of|from) {0}", "robot 's left [side] of {0}"],
        "right": ["(to|on|at) robot 's right [side] (of|from) {0}", "robot 's right [side] of {0}"],
        "front": [
            "(on|at|to) (robot 's|robot) side of {0}",
            "between robot and {0}",
            "on near side of {0} (from|to) robot",
            "toward robot from {0}",
            "on side of {0} (toward|facing|near|nearest|nearest to|near to) robot",
        ],
        "behind": [
            "(on|at) {0} 's far side [as] [seen] (from|to) robot",
            "(on|at) far side of {0} (from|to) robot",
            "away from robot beyond {0}",
            "on side of {0} (away|facing away|farthest|far) from robot",
            "on (other|opposite) side of {0} (from|than|to) robot",
            "beyond {0} from robot",
        ],
    }[side]
    plain = "|".join(core)
    return [*native, f"({plain}) <robot>", f"<robot> ({plain})"]


def _own(core: tuple[str, ...]) -> list[str]:
    plain = "|".join(core)
    return [f"({plain}) <own>", f"<own> ({plain})"]


def _compared(axis: str, is_more: bool) -> list[str]:
    noun, _, more, much, _, less, little = DIMENSIONS[axis]
    other = little
    greater = "greater|larger|more|bigger|higher"
    if not is_more:
        more, much, other, greater = less, little, much, "smaller|lesser|less|lower|shorter"
    ways = [
        f"({more}) [in ({noun})] than {{0}} [does]",
        f"({greater}) in ({noun}) than {{0}}",
        f"(of|with|has|having) [a] ({greater}) ({noun}) than {{0}} ['s]",
        f"(not as|not so|less) ({other}) (as|than) {{0}}",
        f"whose ({noun}) ({greater}) than {{0}} ['s]",
        f"more ({much}) than {{0}}",
    ]
    if is_more:
        ways += [
            f"(exceeds|exceeding|surpasses|surpassing|beats) {{0}} in ({noun})",
            f"exceeding {{0}} 's ({noun})",
        ]
        if axis == "height":
            ways += ["higher than {0}", "towering (over|above) {0}", "taller in height than {0}"]
    else:
        ways += [f"(exceeded by|surpassed by) {{0}} in ({noun})"]
    return ways


def _said(forms: Forms) -> list[str]:
    every = forms.exact + forms.loose + forms.held + forms.held_loose
    return [_AGREEING.sub(lambda m: _AGREED[m[1]], f) for f in every]


def _swapped(form: str) -> str:
    return form.replace("{0}", "{2}").replace("{1}", "{0}").replace("{2}", "{1}")
