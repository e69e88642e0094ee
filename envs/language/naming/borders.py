"""Other words for places of the table and of a row: "the table's back edge", "gap in the row"."""

import functools
from typing import Literal

from refergym.envs.language import place_forms as forms
from refergym.envs.language.naming.patterns import Pattern
from refergym.envs.language.naming.places import PLACES, all_of
from refergym.envs.types import Side

_TABLE = "(table|desk|tabletop|table surface|surface of table)"
_NEAR = "(near|close|closest|nearest|front|bottom|lower|nearer|frontmost)"
_FAR = "(far|farthest|back|rear|top|upper|farther|rearmost)"
_TOWARD = {"left": "left", "right": "right", "front": _NEAR, "behind": _FAR}
_WHOSE = {
    "left": "",
    "right": "",
    "front": " [(nearest|near|close|nearer) [to] viewer]",
    "behind": " [(farthest|far|farther|away|farthest away) from viewer]",
}


@functools.cache
def edge_words(side: Side) -> Pattern:
    """Return the words for the free table along an edge."""
    edge, end = _TOWARD[side], _WHOSE[side]
    ways = [
        f"[(at|along|by|near|on|next to|beside)] {edge} [side] (edge|rim|border) [of "
        f"{_TABLE}]{end}",
        f"[(at|along|by|near|on|next to|beside)] {_TABLE} 's {edge} [side] (edge|rim|border){end}",
        f"[(at|along|by|near|on)] {edge} {_TABLE} edge{end}",
        f"[(at|along|by|near|on)] {_TABLE} {edge} edge{end}",
        f"[(at|along|by|near|on)] edge [of {_TABLE}] (on|at|to) {edge} [side]{end}",
        f"[(at|along|by|near|on)] ({_TABLE} edge|{_TABLE} 's edge) (on|at|to) {edge} [side]{end}",
        f"[(at|along|by|near|on)] {edge} side of {_TABLE} edge",
    ]
    if end:
        bare = end.strip().removeprefix("[").removesuffix("]")
        ways += [
            f"[(at|along|by|near|on)] (edge|edge of {_TABLE}|{_TABLE} edge|{_TABLE} 's edge) {bare}"
        ]
    canonical = [f.format(edge=forms.EDGES[side]) for f in all_of(forms.EDGE)]
    return Pattern([*canonical, *ways], PLACES)


@functools.cache
def corner_words(side: Side, depth: Side) -> Pattern:
    """Return the words for the free table in a corner."""
    deep, end = _TOWARD[depth], _WHOSE[depth]
    both = f"({deep} [and] {side} [hand]|{side} [and] {deep})"
    at = "[(in|at|by|near|on|inside)]"
    deeper = f"(at|in|toward|on|to) {deep} [(side|edge|end)]"
    wide = f"(on|at|to|toward|in) {side} [(side|edge|end)]"
    ways = [
        f"{at} {both} corner [of {_TABLE}]{end}",
        f"{at} {_TABLE} 's {both} corner{end}",
        f"{at} {both} {_TABLE} corner [spot]{end}",
        f"{at} {_TABLE} corner {deeper} {wide}",
        f"{at} corner [of {_TABLE}] {deeper} [and] [{wide}|{side}] [of {_TABLE}]",
        f"{at} corner [of {_TABLE}] {wide} [and] ({deeper}|{deep}) [of {_TABLE}]",
        f"{at} {side} corner {deeper} [of {_TABLE}]",
        f"{at} {deep} corner {wide} [of {_TABLE}]",
        f"{at} corner [of {_TABLE}] {deeper} {side} [of {_TABLE}]",
        f"{at} {both} of {_TABLE}",
    ]
    if end:
        bare = end.strip().removeprefix("[").removesuffix("]")
        ways += [
            f"{at} {side} [{_TABLE}] corner [of {_TABLE}] {bare}",
            f"{at} {_TABLE} 's {side} corner {bare}",
            f"{at} corner [of {_TABLE}] {bare} {wide}",
            f"{at} corner [of {_TABLE}] {wide} {bare}",
        ]
    edge = forms.EDGES[depth]
    return Pattern([*(f.format(edge=edge, side=side) for f in all_of(forms.CORNER)), *ways], PLACES)


@functools.cache
def missing_words(place: Side | Literal["gap"]) -> Pattern:
    """Return the words for a place that is left out of a row of {many}, or goes on with it."""
    row = (
        "((row|line|sequence|series|grid|column) of {many}|{one} (row|line|column|grid)|{many} "
        "(row|line))"
    )
    if place == "gap":
        ways = [
            *(
                f"[in] {f.removeprefix('in ')}".replace("{a_one}", "{one}")
                for f in all_of(forms.GAP)
            ),
            f"[(in|at)] [(missing|empty|open|vacant|free|skipped|unfilled)] "
            f"(gap|place|spot|slot|position|hole|space) [missing] "
            f"(in|of|inside|within|from|along|between) {row}",
            f"[(in|at)] {row} 's [(missing|empty)] (gap|place|spot|slot|position|hole)",
            f"where {{one}} missing (from|in|of) {row}",
            f"where {row} has [its] gap",
            f"where {row} (misses|lacks) one",
            f"[(in|at)] (spot|place|position|gap) where {row} (interrupted|broken)",
            f"where [one|one more] {{one}} missing (from|in|of) ({row}|row|line)",
            f"[(in|at)] (gap|place|spot) of missing {{one}} [in {row}]",
            f"missing {{one}} 's (place|spot|position) [in {row}]",
            f"where one (more|) {{one}} should be in {row}",
            f"(in|at) (place|spot|slot|position) left (out|empty|free) (in|of) {row}",
            f"(place|spot|slot|position) left (out|empty|free) (in|of) {row}",
        ]
        return Pattern(ways, PLACES)
    side = _TOWARD[place]
    toward = {
        "left": "[(to|on|at|toward)] left [(end|side)]|leftward",
        "right": "[(to|on|at|toward)] right [(end|side)]|rightward",
        "front": "toward viewer|[(to|on|at|toward)] (front|near) [(end|side)]|forward|nearer to "
        "viewer",
        "behind": "away from viewer|[(to|on|at|toward)] (back|rear|far) [(end|side)]|backward"
        "|farther from viewer",
    }[place]
    toward = f"({toward})"
    place_ = "(place|spot|position|slot|space|point|location)"
    adds = (
        "(continues|continuing|extends|extending|would extend|would continue|goes "
        "on|continue|extend|prolongs|lengthens|that extends)"
    )
    ways = [
        *(
            f"[at] {f.removeprefix('at ')}".replace("{a_one}", "{one}").replace(
                "{to}", forms.TO[place]
            )
            for f in all_of(forms.END)
        ),
        f"[(at|in)] [next] [(free|empty)] {place_} (at|on|off|beyond|past|after) {side} "
        f"[(end|side)] of {row}",
        f"[(at|in)] (where|{place_} where|{place_}) {row} (goes on|continues|would go "
        f"on|would continue|extends|would extend|be continued|continued) {toward}",
        f"[(at|in)] [next] {place_} {adds} {row} {toward}",
        f"[(at|in)] next {place_} {side} of {row}",
        f"[(at|in)] next {place_} (of|in|for|along|on) {row} {toward}",
        f"[(at|in)] {place_} (for|of) [one] [(more|another|next|extra|additional)] {{one}} "
        f"{toward} of {row}",
        f"[(at|in)] (where|{place_} where|{place_} for|for) [(one|another)] "
        f"[(more|another|next|extra|additional)] {{one}} [(would|could|to)] {adds} {row} "
        f"{toward}",
        f"[(just|right)] (beyond|past|off|after) {side} end of {row}",
        f"[(at|in)] next {place_} {toward} (in|of|along) {row}",
        f"{side} end of {row} [(next|free|empty) {place_}]",
        f"[(at|in)] {place_} {adds} {row} by [one] [(more|another)] [{{one}}|one] {toward}",
        f"[(at|in)] next {place_} beyond {row} {toward}",
        f"[(at|in)] {side} continuation of {row}",
        f"continuation of {row} {toward}",
        f"[(at|in)] {place_} (for|of) next {{one}} [in {row}] {toward} [of {row}]",
        f"[(at|in)] {place_} (for|of) [one] [(more|another|next|extra|additional)] {{one}} "
        f"{toward} of row",
    ]
    return Pattern(ways, PLACES)
