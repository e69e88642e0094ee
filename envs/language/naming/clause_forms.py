"""Other ways to say a relation than those of `name_forms.CLAUSES`; slots are as there."""

from refergym.envs.language.name_forms import Key

_POINTS = (
    "(points|point|faces|face|facing|turned|turns|looks|looking|directed|aims|aimed|goes|heads"
    "|oriented) [(to|toward|in|at|along)]"
)
_VIEW = (
    "(perspective|view|viewpoint|viewing point|point of view|side|frame|eyes|angle|vantage point"
    "|standpoint|reference frame|frame of reference|position)"
)
MACROS = {
    "points": _POINTS,
    "robot": "[as] [when] [(seen|viewed|looking|judged|taken)] (from|in|by|for|to|according to"
    f"|with respect to|relative to) robot"
    f" ['s] [own] [{_VIEW}]|as robot (sees|views) [it|things]|in robot 's {_VIEW}|robot 's {_VIEW}",
    "viewer": f"[as] [(seen|viewed|looking)] (from|in|by|for) viewer ['s] [{_VIEW}]"
    "|as viewer sees it",
    "its": "(its|{0} 's|{0})",
    "ahead": "[(as|to be|for|being|taken as|becomes|counts as)] [its] front",
    "look": "[as] [seen] [when|if|while|as] [(one|viewer|someone)]"
    " (facing|looking|faces|looks|look|face|faced|going|going by|judged by|judging "
    "by|seen|relative to|based on|taking"
    "|with respect to|according to|by|in|along|from|in terms of|using|considering)"
    " [out|outward] [(in|along|to|at|by)]",
    "line": "where <its> [own] {side} <points>|[same] way <its> [own] {side} <points>|[along] <its>"
    " [own] {side} ['s] [direction]"
    "|along <its> [own] {side} ['s] [direction]|direction of <its> [own] {side}|direction "
    "<its> [own] {side} <points>"
    "|{side} ['s] direction|where {side} <points>|where {side} of {0} <points>|{side} of "
    "{0}|direction of {side} [of {0}]|way {side} <points>|out along <its> {side}",
    "own": "<look> <line>|[(with|if|when|taking|where|as if)] [viewer] [take|takes] <its> [own] "
    "{side} <ahead>|(with|taking) {side} <ahead>"
    "|{side} <ahead>|in {0} 's own frame [with] {side} <ahead>"
    "|(on|in) side ahead <look> <line>"
    "|(in|along) direction <its> [own] {side} <points>|(in|along) direction of <its> [own] "
    "{side}|in <its> {side} 's direction|<line>"
    "|(in|from) (its|{0} 's) [own] {ownview}",
}
"""parts of templates"""

_BESIDE: dict[str, tuple[str, ...]] = {
    side: (
        f"[(off|over)] (to|on|at|toward) [far] {side} [side] (of|from) {{0}}",
        f"{side} [side] (of|from) {{0}}",
        f"(to|on|at) {{0}} 's [own] {side} [side]",
        f"{side}ward (of|from) {{0}}",
        f"farther [(to|toward|on)] {side} than {{0}}",
        f"more [(to|toward)] {side} than {{0}}",
        f"(beside|next to|by|alongside) {{0}} [(on|to|at)] [its] {side} [side]",
        f"(on|to|at) [its] {side} [side] (beside|next to|by) {{0}}",
        f"(with|has|having) {{0}} (on|to|at) [its] {other} [side]",
        f"past {{0}} (on|to) {side}",
        f"{side} of {{0}}",
    )
    for side, other in (("left", "right"), ("right", "left"))
}
_FRONT = (
    "in front of {0}",
    "(on|at) (near|front|close|nearer|this|viewer 's) side of {0}",
    "(to|at|toward|in) front [side] of {0}",
    "before {0}",
    "(on|at|to|in) {0} 's (front|near side|front side|near)",
    "farther (forward|front|to front|toward viewer) than {0}",
    "(with|has|having) {0} behind it",
    "forward of {0}",
    "[(on|at)] front [side] of {0}",
    "nearer side of {0}",
    "ahead of {0}",
    "out in front of {0}",
)
_BEHIND = (
    "[back] behind {0}",
    "(on|at) (far|back|rear|farther) side of {0}",
    "(in|at|to|toward) (back|rear) [side] of {0}",
    "beyond {0}",
    "farther back than {0}",
    "(on|at|in|to) {0} 's (back|rear|far side|back side|rear side)",
    "past {0}",
    "[(to|at)] (back|rear) [side] of {0}",
    "farther (backward|to back|toward back) than {0}",
    "(with|has|having) {0} in front of it",
)
CORE: dict[str, tuple[str, ...]] = {**_BESIDE, "front": _FRONT, "behind": _BEHIND}
"""sides of {0}, whoever's"""
FACE = (
    "in front of {0} 's {side}",
    "in front of {side} of {0}",
    "(on|to|at|by) {0} 's {side} side",
    "[(on|to|at)] {side} side of {0}",
    "(on|to|at) {0} {side} side",
    "[(on|to|at|in) (side|direction|way)] [where|that|to] {0} ['s] {side} <points>",
    "(on|at) side of {0} [where|to] [its] {side} <points>",
    "(on|to|at) side [where|to] {side} of {0} <points>",
    "[where|to|at] {side} of {0} <points>",
    "[(along|in)] direction of {0} 's {side}",
    "(in|along) direction {0} 's {side} <points>",
    "(in|along) direction {side} of {0} <points>",
    "(on|at) side of {0} with [its] {side}",
    "ahead of {0} 's {side}",
    "(on|at|by|beside|next to) {0} 's {side} [side]",
    "(beside|next to|by|on|at) {side} of {0}",
    "(on|at|to) same side of {0} as [its] {side}",
    "(on|at|to) same side as {0} 's {side}",
    "{facing}",
    "(on|at) side of {0} 's {side}",
)
_OPPOSED = (
    "(opposite [(to|of|from)]|[(away|facing away|far|turned away|pointing away)] from|across"
    " from|on far side from)"
)
BACK = (
    f"[(on|at|to)] [(side|direction|end|in direction)] {_OPPOSED} {{0}} 's {{side}} [<points>]",
    f"[(on|at|to)] [side] of {{0}} {_OPPOSED} [(its|{{0}} 's)] {{side}}",
    f"[(on|at|to)] [side] {_OPPOSED} {{side}} of {{0}}",
    f"[(on|at|to)] side {_OPPOSED} where ({{0}} 's {{side}}|{{side}} of {{0}}) <points>",
    "(on|at|to) (opposite|far|other) side of {0} (from|to|of) [its] {side}",
    "(on|at|to) (opposite|far|other) side (from|to|of) {0} 's {side}",
    "(on|at|to) (opposite|other|far) side (from|to|of) {side} of {0}",
    "(on|at|to) {0} 's side (opposite|away from) [to] [its] {side}",
    "(on|at|to) side of {0} where (its {side}|{side}) not [opposite it]",
    "(on|at|to) side of {0} [that] (opposite|opposed) [to] [its] {side}",
    "(on|at|to) (opposite|other) side of {0} (from|to|than) [its] {side}",
    "where {0} 's {side} <points> away from",
    "(on|at|to) side of {0} (without|not) [its|having] {side}",
    f"{_OPPOSED} where {{side}} of {{0}} <points>",
    f"{_OPPOSED} where {{0}} 's {{side}} <points>",
    "(on|at|to) side [of] {0} 's {side} <points> away from",
    "(on|at|to) side {0} 's {side} (points|faces|facing|turned) away from",
)
"""of the direction {side} of {0}, and of the opposite one"""


def _pictured(higher: str) -> tuple[str, ...]:
    where = "(in|within|on) (picture|view|frame)"
    up = f"({higher}) [(up|down)]"
    return (f"{up} {where} than {{0}}", f"{up} [than] {{0}} {where}", f"{where} {up} [than] {{0}}")


EXTRA: dict[Key, tuple[str, ...]] = {
    ("close", "viewer", ""): (
        "nearer [(to|toward)] [viewer] than {0}",
        "less (far|distant) [away] [from viewer] than {0}",
        "at (smaller|shorter|lesser) distance (from|to) viewer than {0}",
        "not as far [away] [from viewer] as {0}",
    ),
    ("far", "viewer", ""): (
        "farther [away] [from viewer] than {0}",
        "more distant [from viewer] than {0}",
        "at (greater|larger|longer) distance (from|to) viewer than {0}",
        "farther off [from viewer] than {0}",
        "not as (near|close) [to] viewer as {0}",
        "less (near|close) [to] viewer than {0}",
    ),
    ("close", "robot", ""): (
        "nearer [(to|toward)] robot than {0}",
        "less (far|distant) [away] from robot than {0}",
        "at (smaller|shorter|lesser) distance (from|to) robot than {0}",
        "not as far [away] from robot as {0}",
    ),
    ("far", "robot", ""): (
        "farther [away] from robot than {0}",
        "more distant from robot than {0}",
        "farther off from robot than {0}",
        "at (greater|larger|longer) distance (from|to) robot than {0}",
        "not as (near|close) to robot as {0}",
    ),
    ("above", "viewer", ""): _pictured("higher|farther up|above|upper|over"),
    ("below", "viewer", ""): _pictured("lower|farther down|below|beneath|under"),
    ("depth", "viewer", ""): (
        "(at|with|of|having|has) [a] (smaller|lesser|lower|less|shallower) depth [value] than {0}",
        "less deep [in (picture|view|scene)] than {0}",
        "shallower [in [(picture|view|scene|depth)]] than {0}",
        "smaller in depth than {0}",
        "whose depth (smaller|less|lower) than {0} ['s]",
        "not as deep [in (picture|view|scene)] as {0}",
        "(with|at) depth (smaller|less|lower) than {0} ['s]",
    ),
    ("world_above", "viewer", ""): (
        "[up] above {0}",
        "~ higher than {0}",
        "higher [up] (off|above|from) (floor|ground|table) than {0}",
        "higher up than {0}",
        "over {0}",
        "(at|on) [a] (greater|higher) (height|elevation|level|altitude) than {0}",
        "above level of {0}",
        "farther (up|off floor|off ground) than {0}",
        "physically (higher|above) [than] {0}",
        "(higher|at higher height) in (space|world|room) than {0}",
    ),
    ("world_below", "viewer", ""): (
        "[down] below {0}",
        "~ lower than {0}",
        "lower [down] than {0}",
        "(beneath|under) {0}",
        "nearer [to] (ground|floor|table) than {0}",
        "(at|on) [a] (smaller|lower|lesser|less) (height|elevation|level|altitude) than {0}",
        "(below|beneath|under) level of {0}",
        "farther down than {0}",
        "less high [up] than {0}",
        "physically (lower|below) [than] {0}",
        "lower in (space|world|room) than {0}",
    ),
    ("distance", "viewer", ""): (
        "{length} [distance] [(away|off|distant|apart)] (from|off|of|to) {0}",
        "(at|with) [a] [distance of] {length} [distance] [away] [from|to|off] {0}",
        "{length} off {0}",
        "whose distance (from|to) {0} {length}",
        "(at|with) distance (from|to) {0} of {length}",
    ),
    ("between", "viewer", ""): (
        "[in] between {0} and {1}",
        "[in] between of {0} and {1}",
        "with {0} on one side and {1} on other [side]",
        "(in|at) middle (of|between) {0} and {1}",
        "flanked by {0} and {1}",
        "(halfway|midway) (between|from) {0} (and|to) {1}",
        "in (gap|space) between {0} and {1}",
        "with {0} and {1} on either side",
        "from {0} to {1}",
        "which {0} and {1} flank",
        "has {0} on one side and {1} on other [side]",
        "amid {0} and {1}",
        "sandwiched between {0} and {1}",
    ),
    ("edge", "viewer", ""): (
        "[right] (near|close to|by|at|next to|along|beside|on|toward|nearby) (table "
        "edge|edge|edge of table|table 's edge|rim of table|border of table)",
        "edge",
        "near table 's edge",
        "not far from (table edge|edge [of table])",
        "edge side",
    ),
    ("corner", "viewer", ""): (
        "[right] (near|close to|by|at|next to|in|beside|toward) [one of] (table "
        "corner|corner|corner of table|table 's corner|table 's corners|corners of "
        "table|table corners)",
        "corner",
        "not far from (table corner|corner of table|one of (corners of table|table 's corners))",
    ),
    ("inside", "viewer", ""): (
        "inside [of] {0}",
        "[contained] (in|within) {0}",
        "held (in|by|inside) {0}",
        "{0} 's",
        "contained (by|inside) {0}",
        "in (interior|inside) of {0}",
        "(in|inside) {0} 's (inside|interior)",
        "enclosed (in|by) {0}",
        "{0} (holds|contains)",
    ),
    ("outside", "viewer", ""): (
        "outside [of] {0}",
        "not (in|inside|within|inside of|contained in) {0}",
        "out of {0}",
    ),
    ("touch", "viewer", ""): (
        "(touching|touches|touch) {0}",
        "[~] in (contact|touch) with {0}",
        "[right] [up] against {0}",
        "(makes|make|making|has|in direct|in physical) contact with {0}",
        "(in|with) [physical] contact (with|to) {0}",
        "{0} ['s] touching",
        "(contacting|contacts|abutting|adjoining) {0}",
        "touched by {0}",
        "leaning against {0}",
        "flush against {0}",
    ),
    ("far_from", "viewer", ""): (
        "[quite] (far|distant) [(away|off)] from {0}",
        "[a] long (way|distance) [(away|off)] from {0}",
        "at [a] (great|large|long|big) distance from {0}",
        "(not|nowhere|not anywhere) (near|close to) {0}",
        "well away from {0}",
        "not near {0}",
        "remote from {0}",
    ),
    ("vertical_rotate", "viewer", ""): (
        "(tipped|tilted|leaning|inclined|knocked|turned|rotated|toppled|leans|tilts|angled|~)"
        " [(over|by|at|down)] [by|at|through] {angle} [away] [(from|against|to|of|off) "
        "(upright|vertical|its upright|being upright|upright position)] [~]",
        "at {angle} [tilt] (from|to|off) (upright|vertical)",
        "(with|at) [a] {angle} (tilt|lean|tip|inclination) [from (upright|vertical)]",
        "{tipped}",
        "(with|at) [a] (tilt|lean|tip|inclination) of {angle} [from (upright|vertical)]",
        "{angle} (off|from|away from) (upright|vertical)",
    ),
    ("vertical_rotate", "viewer", "upright"): (
        "[~] [fully|perfectly|bolt] upright",
        "~ (up|straight up|vertically|erect)",
        "not (tipped|tilted|leaning|toppled|fallen|inclined) [over] [at all]",
        "vertical",
        "erect",
        "in upright position",
        "upright position",
        "right side up",
    ),
    ("horizontal_rotate", "object", ""): (
        "[(turned|rotated)] (so|such) (its|{own}) [{own}] <points> {angle} {way} "
        "(from|of|to|relative to) [(that of|where)] {0} ['s] [{own}] [<points>]",
        "(with|whose) [its] {own} [<points>] {angle} {way} (from|of|to|relative to) [that "
        "of] {0} ['s] [{own}]",
        "(with|whose) [its] {own} [(turned|rotated)] [by] {angle} {way} "
        "(from|of|to|relative to|compared with) ([that of] {0}|{0} 's {own}|{own} of {0})",
        "(turned|rotated) [by] {angle} {way} (from|of|to|relative to|compared with) {0} "
        "[going by {own}]",
    ),
    ("horizontal_rotate", "object", "same"): (
        "(with|whose|[(turned|rotated)] (so|such)) [its] {own} <points> [in] same "
        "(way|direction) as ([that of] {0}|{0} 's [{own}]|{own} of {0}) [does]",
        "(with|whose) [its] {own} (parallel to|aligned with) ([that of] {0}|{0} 's "
        "{own}|{own} of {0})",
        "turned same way as {0} [(by|going by|judged by) {own}]",
        "(with|whose) [its] {own} <points> like ([that of] {0}|{0} 's {own})",
        "oriented like {0} [(by|going by|judged by) {own}]",
    ),
    ("angle", "viewer", ""): (
        "[from] (where|which|at) {0} and {1} [~] [at] {angle} [angle] [apart] [from each other]",
        "{0} and {1} {angle} apart [from]",
        "from {0} and {1} [~] {angle} apart",
        "at lines to {0} and {1} (form|make|meet at) [a] {angle} [angle]",
        "(sees|seeing) {0} and {1} [at] [a] {angle} [angle] [apart]",
        "(with|at) [a] {angle} [angle] between {0} and {1}",
        "at (vertex|corner|apex) of [a] {angle} [angle] [formed|made] (with|by|to|between) "
        "{0} and {1}",
        "[from] where [directions to] {0} and {1} (form|make|~|at|differ by) [at] [a] "
        "{angle} [angle] [apart]",
        "at lines to {0} and to {1} (form|make) [a] {angle} [angle]",
        "(forming|forms|making|makes) [a] {angle} [angle] (with|between|to) {0} and {1}",
        "where angle between {0} and {1} {angle}",
        "seen from {0} and {1} {angle} apart",
    ),
}
"""relation -> other words for it"""
