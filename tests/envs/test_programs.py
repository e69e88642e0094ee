import pytest
from hypothesis import given
from program_parts import programs, regions

from refergym.assets.errors import SpecError
from refergym.assets.records import canonical_json
from refergym.envs.errors import TaskError
from refergym.envs.grammar import check_program, load_program, steps
from refergym.envs.programs import (
    Beside,
    Between,
    Direction,
    Edge,
    Floor,
    Into,
    Meets,
    Move,
    Onto,
    Rank,
    Select,
    Where,
    anchors_of,
)

CUP, BOWL, PLATE = (Select(category=c) for c in ("cup", "bowl", "plate"))


@given(programs)
def test_json_round_trip_is_the_identity(program):
    assert load_program(canonical_json(program)) == program


@given(regions)
def test_anchors_are_in_the_region(region):
    text = canonical_json(region)
    assert all(canonical_json(a) in text for a in anchors_of(region))


def test_anchors_come_in_the_order_of_the_words():
    assert anchors_of(Between(a=CUP, b=BOWL)) == (CUP, BOWL)
    parts = (Beside(anchor=BOWL, side="left"), Beside(anchor=CUP, side="front"))
    assert anchors_of(Meets(parts=parts)) == (BOWL, CUP)
    assert anchors_of(Edge(side="left")) == ()


def behind(select, of, rank=None):
    return Select(
        category=select.category, where=(Where(relation="behind", anchors=(of,)),), rank=rank
    )


FIRST = Rank(axis="left-right", position=1)


@pytest.mark.parametrize(
    ("program", "count"),
    [
        (CUP, 1),
        (Select(category="cup", colour="red"), 1),
        (Select(category="cup", rank=FIRST), 1),
        (behind(CUP, BOWL), 2),
        (behind(CUP, BOWL, FIRST), 3),
        (behind(CUP, behind(BOWL, PLATE)), 4),
        (behind(CUP, behind(BOWL, PLATE, FIRST)), 5),
        (Select(category="cup", rank=Rank(axis="distance", position=1, anchor=BOWL)), 2),
        (Beside(anchor=BOWL, side="left"), 2),
        (Direction(anchor=Select(category="cup", rank=FIRST), side="left", distance=0.2), 3),
        (Between(a=CUP, b=BOWL), 3),
        (Edge(side="left"), 1),
        (Meets(parts=(Beside(anchor=CUP, side="left"), Beside(anchor=BOWL, side="front"))), 4),
        (Move(what=CUP, where=Into(anchor=BOWL)), 3),
        (Floor(furniture="desk", side="left"), 2),
    ],
)
def test_steps_are_anchors_and_directions(program, count):
    assert steps(program) == count


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"op": "select", "category": "cup",'
         ' "rank": {"op": "rank", "axis": "up-down", "position": 1}}',
         "rank.axis"),
        ('{"op": "select", "category": "cup",'
         ' "rank": {"op": "rank", "axis": "size", "position": 0}}',
         "rank.position: expected 1 or more"),
        ('{"op": "onto", "anchor": {"op": "select"}}',
         "anchor.category: expected something that tells which object is meant"),
        ('{"op": "select", "category": "cup", "where": [{"op": "where", "relation": "beyond"}]}',
         r"where\[0\].relation: expected one of close, far"),
        ('{"op": "select", "category": "cup", "where": [{"op": "where", "relation": "left"}]}',
         r"where\[0\].anchors: left has 1 of them, got 0"),
        ('{"op": "select", "category": "cup", "rank": {"op": "rank", "axis": "distance",'
         ' "position": 1}}', "rank.anchor: a rank by distance has an anchor"),
        ('{"op": "beside", "anchor": {"op": "select", "category": "cup"}, "side": "left",'
         ' "frame": "object"}', "facing: frame object has one of the anchor's directions here"),
        ('{"op": "direction", "anchor": {"op": "select", "category": "cup"}, "side": "left",'
         ' "distance": -0.1}', "distance: expected > 0"),
        ('{"op": "beneath"}', r"op: expected one of 'select', .*, got 'beneath'"),
        ('{"op": "onto", "anchor": {"op": "edge", "side": "left"}}',
         r"anchor.op: expected one of 'select', got 'edge'"),
        ('{"op": "floor", "furniture": "desk", "side": "north"}', "side: .*, 'under', got"),
        ('{"op": "edge", "side": "north"}',
         "^side: expected one of 'behind', 'front', 'left', 'right', got 'north'"),
        ('{"op": "floor", "furniture": "", "side": "left"}', "furniture: expected a word, got an"),
        ('{"op": "missing", "category": " "}', "category: expected a word, got an empty one"),
        ('{"op": "missing", "category": "cup", "colour": ""}', "colour: expected a word or null"),
        ('{"op": "select", "category": "cup", "color": "red"}', "color"),
    ],
)  # fmt: skip
def test_errors_point_at_the_node(text, message):
    with pytest.raises(TaskError, match=message):
        load_program(text)


def nested(levels):
    program = CUP
    for _ in range(levels):
        program = behind(CUP, program)
    return program


def test_programs_are_six_levels_deep_at_most():
    check_program(nested(6))
    check_program(Onto(anchor=nested(5)))
    for program in (nested(7), Onto(anchor=nested(6))):
        with pytest.raises(TaskError, match="more than 6 levels of anchors"):
            check_program(program)


@pytest.mark.parametrize("levels", [150, 300, 3000])
def test_programs_without_end_are_refused_by_name(levels):
    where = '{"op": "select", "where": [{"op": "where", "relation": "left", "anchors": ['
    cup = '{"op": "select", "category": "cup"}'
    text = levels * where + cup + levels * "]}]}"
    with pytest.raises(TaskError, match="nested too deeply: more than 100 levels"):
        load_program(text)


def test_what_is_nested_without_end_has_no_json():
    with pytest.raises(SpecError, match="nested too deeply"):
        canonical_json(nested(400))
