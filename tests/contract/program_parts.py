"""Random programs that the grammar allows and English can say."""

from hypothesis import strategies as st

from refergym.envs.errors import TaskError
from refergym.envs.grammar import check_program
from refergym.envs.language import check_sayable
from refergym.envs.programs import (
    AXES,
    Arrange,
    Beside,
    Between,
    Corner,
    Direction,
    Edge,
    Facing,
    Floor,
    Gather,
    Into,
    Meets,
    Missing,
    Move,
    Moves,
    Onto,
    Program,
    Rank,
    Select,
    Turn,
    Where,
)
from refergym.envs.relations.table import RELATIONS
from refergym.envs.types import SIDES

ASKED = [r for r in RELATIONS.values() if "point" not in r.needs]

lengths = st.integers(1, 99).map(lambda c: c / 100)
angles = st.integers(1, 179).map(float)
turns = st.integers(-180, 180).map(float)
tilts = st.integers(0, 180).map(float)
facings = st.sampled_from(["handle", "spine", "spout"])
FRAMED = ("left", "right", "front", "behind", "close", "far")
"""relations that differ by whose they are"""


def rank_of(selects: st.SearchStrategy[Select]) -> st.SearchStrategy[Rank]:
    axis = st.sampled_from(AXES)
    position = st.integers(1, 5).flatmap(lambda k: st.sampled_from((k, -k)))
    return axis.flatmap(
        lambda a: st.builds(
            Rank,
            axis=st.just(a),
            position=position,
            anchor=selects if a == "distance" else st.none(),
        )
    )


@st.composite
def clause_of(draw: st.DrawFn, selects: st.SearchStrategy[Select]) -> Where:
    relation = draw(st.sampled_from(ASKED))
    frames = [f for f in relation.frames if f != "world"]
    if relation.name not in FRAMED:
        frames = frames[:1]
    frame = draw(st.sampled_from(frames))
    needs_side = "side" in relation.needs or frame == "object"
    values = {"m": lengths, "deg": turns if relation.name == "horizontal_rotate" else tilts}
    return Where(
        relation=relation.name,
        anchors=tuple(draw(selects) for _ in range(relation.anchors)),
        frame=frame,
        side=draw(facings) if needs_side else "",
        value=draw(values[relation.unit]) if "value" in relation.needs else None,
    )


def extended(selects: st.SearchStrategy[Select]) -> st.SearchStrategy[Select]:
    return st.builds(
        Select,
        category=st.none() | st.sampled_from(["cup", "wine glass", "apple", "glass"]),
        colour=st.none() | st.sampled_from(["red", "blue"]),
        material=st.none() | st.sampled_from(["glass", "metal"]),
        where=st.lists(clause_of(selects), max_size=2).map(tuple),
        rank=st.none() | rank_of(selects),
    ).filter(is_good)


def is_good(program: Program) -> bool:
    try:
        check_program(program)
        check_sayable(program)
    except TaskError:
        return False
    return True


plain = st.builds(
    Select,
    category=st.sampled_from(["cup", "wine glass", "apple"]),
    colour=st.none() | st.sampled_from(["red", "blue"]),
)
trees = st.recursive(plain, extended, max_leaves=3)

sets = st.builds(
    Select,
    category=st.none() | st.sampled_from(["cup", "wine glass", "apple", "knife", "strawberry"]),
    colour=st.none() | st.sampled_from(["red", "blue"]),
    where=st.lists(clause_of(plain), max_size=2).map(tuple),
).filter(is_good)
"""of which all that fit are meant"""

sides = st.sampled_from(SIDES)
places = st.fixed_dictionaries(
    {"anchor": trees, "side": sides, "frame": st.sampled_from(["viewer", "robot"])}
)
own_places = st.fixed_dictionaries(
    {"anchor": trees, "side": sides, "frame": st.just("object"), "facing": facings}
)
besides = st.builds(lambda k: Beside(**k), places | own_places)
regions = st.one_of(
    besides,
    st.builds(lambda k, d: Direction(distance=d, **k), places | own_places, lengths),
    st.builds(Between, a=plain, b=trees),
    st.builds(Onto, anchor=trees),
    st.builds(Into, anchor=trees),
    st.builds(Meets, parts=st.lists(besides, min_size=2, max_size=4).map(tuple)),
    st.builds(Turn, anchor=trees, toward=trees, angle=turns, distance=lengths),
    st.builds(Edge, side=sides),
    st.builds(
        Corner, side=st.sampled_from(["left", "right"]), depth=st.sampled_from(["front", "behind"])
    ),
    st.builds(
        Missing,
        category=st.sampled_from(["cup", "wine glass", "knife"]),
        colour=st.none() | st.just("red"),
        place=st.sampled_from(["gap", *SIDES]),
    ),
).filter(is_good)
floors = st.builds(
    Floor, furniture=st.sampled_from(["table", "coffee table"]), side=sides | st.just("under")
)
turned = st.one_of(
    st.builds(Facing, side=facings, to=sides),
    st.builds(Facing, side=facings, toward=trees, angle=st.none() | turns),
)
moves = st.builds(Move, what=trees, where=regions, facing=st.none() | turned)
orders = st.one_of(
    moves,
    st.builds(Moves, parts=st.lists(moves, min_size=2, max_size=3).map(tuple)),
    st.builds(Gather, what=sets, where=regions),
    st.builds(Arrange, what=sets, axis=st.sampled_from(["left-right", "front-back"])),
)
programs = st.one_of(trees, regions, floors, orders)
