"""Random programs that the grammar allows and English can say."""

from hypothesis import strategies as st

from refergym.envs.errors import TaskError
from refergym.envs.grammar import check_program
from refergym.envs.language.nouns import check_sayable
from refergym.envs.programs import (
    AXES,
    Beside,
    Between,
    Corner,
    Direction,
    Edge,
    Floor,
    Into,
    Meets,
    Missing,
    Move,
    Onto,
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
    frames = [f for f in relation.frames if f != "world"] or list(relation.frames)
    if "viewer" in frames and relation.name in ("tall", "distance", "inside", "edge", "between"):
        frames = ["viewer"]
    sided = {"left", "right", "front", "behind"}
    if relation.name not in sided | {"close", "far"}:
        frames = [frames[0]]
    frame = draw(st.sampled_from(frames))
    needs_side = "side" in relation.needs or frame == "object"
    return Where(
        relation=relation.name,
        anchors=tuple(draw(selects) for _ in range(relation.anchors)),
        frame=frame,
        side=draw(st.sampled_from(["handle", "spine", "spout"])) if needs_side else "",
        value=None
        if "value" not in relation.needs
        else draw(lengths if relation.unit == "m" else angles),
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


def is_good(select: Select) -> bool:
    try:
        check_program(select)
        check_sayable(select)
    except TaskError:
        return False
    return True


plain = st.builds(
    Select,
    category=st.sampled_from(["cup", "wine glass", "apple"]),
    colour=st.none() | st.sampled_from(["red", "blue"]),
)
trees = st.recursive(plain, extended, max_leaves=3)

sides = st.sampled_from(SIDES)


besides = st.one_of(
    st.builds(Beside, anchor=trees, side=sides, frame=st.sampled_from(["viewer", "robot"])),
    st.builds(Beside, anchor=trees, side=sides, frame=st.just("object"), facing=st.just("handle")),
)
regions = st.one_of(
    besides,
    st.builds(Direction, anchor=trees, side=sides, distance=lengths),
    st.builds(Between, a=plain, b=trees),
    st.builds(Onto, anchor=trees),
    st.builds(Into, anchor=trees),
    st.builds(Meets, parts=st.lists(besides, min_size=2, max_size=3).map(tuple)),
    st.builds(Turn, anchor=plain, toward=trees, angle=angles, distance=lengths),
    st.builds(Edge, side=sides),
    st.builds(
        Corner, side=st.sampled_from(["left", "right"]), depth=st.sampled_from(["front", "behind"])
    ),
    st.builds(Missing, category=st.just("cup"), place=st.sampled_from(["gap", *SIDES])),
)
floors = st.builds(
    Floor, furniture=st.sampled_from(["table", "desk"]), side=sides | st.just("under")
)
programs = st.one_of(trees, regions, floors, st.builds(Move, what=trees, where=regions))
