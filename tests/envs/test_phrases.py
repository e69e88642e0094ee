"""What is said is what is meant: canonical phrases are read back, and no two trees share one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from program_parts import ASKED, trees

from refergym.envs.errors import TaskError
from refergym.envs.grammar import check_program
from refergym.envs.language import CHARSET, chooser, noun_phrase
from refergym.envs.language.parse import parse
from refergym.envs.language.words import article, plural
from refergym.envs.programs import (
    Select,
    Where,
)
from refergym.envs.relations.table import RELATIONS


@given(trees)
def test_the_canonical_phrase_is_read_back(select: Select) -> None:
    phrase = noun_phrase(select)
    assert parse(phrase) == select
    assert set(phrase) <= set(CHARSET)


@given(trees, st.integers(0, 99))
def test_other_ways_name_the_same_things(select: Select, seed: int) -> None:
    said = noun_phrase(select, chooser(np.random.default_rng(seed)))
    assert said.startswith("the ")
    assert "  " not in said
    assert "{" not in said
    assert "None" not in said


@pytest.mark.parametrize("relation", [r.name for r in ASKED])
def test_every_relation_is_said_in_several_ways(relation: str) -> None:
    r = RELATIONS[relation]
    frame = "viewer" if "viewer" in r.frames else "object"
    where = Where(
        relation=relation,
        anchors=(Select(category="bowl"), Select(category="plate"))[: r.anchors],
        frame=frame,
        side="handle" if "side" in r.needs else "",
        value=0.17 if "value" in r.needs else None,
    )
    select = Select(category="cup", where=(where,))
    check_program(select)
    said = {noun_phrase(select, chooser(np.random.default_rng(i))) for i in range(40)}
    assert len(said) >= 2


def test_a_clause_that_would_move_to_another_noun_is_not_said() -> None:
    behind = Where(relation="behind", anchors=(Select(category="plate"),))
    bowl = Select(category="bowl", where=(behind,))
    left = Where(relation="left", anchors=(bowl,))
    near = Where(relation="edge")
    assert noun_phrase(Select(category="cup", where=(near, left))) == (
        "the cup that is near the edge of the table and to the left of the bowl that is behind"
        " the plate"
    )
    with pytest.raises(TaskError, match="only the last thing"):
        noun_phrase(Select(category="cup", where=(
            left, Where(relation="right", anchors=(Select(category="pan"),)))))  # fmt: skip


@pytest.mark.parametrize(
    ("phrase", "message"),
    [
        ("a cup", "expected 'the', got 'a'"),
        ("the red", "expected a noun"),
        ("the cup that is yonder the plate", "expected a relation, got 'yonder the plate'"),
        ("the cup that is behind the plate from", "cannot read from 'from' on"),
    ],
)
def test_what_is_no_phrase_is_refused_where_it_goes_wrong(phrase: str, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        parse(phrase)


@pytest.mark.parametrize(
    ("one", "many"),
    [("cup", "cups"), ("wine glass", "wine glasses"), ("knife", "knives"), ("box", "boxes"),
     ("berry", "berries"), ("tray", "trays"), ("butter knife", "butter knives")],
)  # fmt: skip
def test_plurals(one: str, many: str) -> None:
    assert plural(one) == many


def test_articles() -> None:
    assert article("apple") == "an apple"
    assert article("red apple") == "a red apple"
