import pytest
from hypothesis import given
from hypothesis import strategies as st

from refergym.assets.records import canonical_json
from refergym.envs.errors import TaskError
from refergym.envs.programs import (
    AXES,
    Beside,
    Between,
    Direction,
    Floor,
    Into,
    Move,
    Onto,
    Rank,
    Select,
    anchors_of,
    load_program,
)
from refergym.envs.types import SIDES

positions = st.integers(-9, 9).filter(bool)
ranks = st.builds(Rank, axis=st.sampled_from(AXES), position=positions)
words = st.sampled_from(["cup", "wine glass", "apple"])
selects = st.builds(
    Select,
    category=words,
    colour=st.none() | st.sampled_from(["red", "blue"]),
    rank=st.none() | ranks,
)
sides = st.sampled_from(SIDES)
regions = st.one_of(
    st.builds(Direction, anchor=selects, side=sides, distance=st.floats(0.01, 1)),
    st.builds(Between, a=selects, b=selects),
    st.builds(Onto, anchor=selects),
    st.builds(Into, anchor=selects),
    st.builds(Beside, anchor=selects, side=sides),
)
floors = st.builds(Floor, furniture=st.sampled_from(["table", "desk"]), side=sides)
programs = st.one_of(selects, regions, floors, st.builds(Move, what=selects, where=regions))


@given(programs)
def test_json_round_trip_is_the_identity(program):
    assert load_program(canonical_json(program)) == program


@given(regions)
def test_anchors_come_in_the_order_of_the_words(region):
    expected = (region.a, region.b) if isinstance(region, Between) else (region.anchor,)
    assert anchors_of(region) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"op": "select", "category": "cup",'
         ' "rank": {"op": "rank", "axis": "up-down", "position": 1}}',
         "rank.axis"),
        ('{"op": "select", "category": "cup",'
         ' "rank": {"op": "rank", "axis": "size", "position": 0}}',
         "rank.position: expected 1 or more"),
        ('{"op": "onto", "anchor": {"op": "select"}}', "anchor.category: required, but missing"),
        ('{"op": "direction", "anchor": {"op": "select", "category": "cup"}, "side": "left",'
         ' "distance": -0.1}', "distance: expected > 0"),
        ('{"op": "beneath"}', "op: invalid value"),
        ('{"op": "floor", "furniture": "desk", "side": "north"}', "side: "),
        ('{"op": "select", "category": "cup", "color": "red"}', "color"),
    ],
)  # fmt: skip
def test_errors_point_at_the_node(text, message):
    with pytest.raises(TaskError, match=message):
        load_program(text)
