"""Splits are frozen: what is held out today is held out for ever."""

import json

import pytest

from refergym.assets.library import open_pack
from refergym.envs.grammar import load_program
from refergym.envs.programs import Program
from refergym.envs.registration import make_env
from refergym.envs.splits import Only, combination, held_out
from refergym.envs.starts import Start

CUP, PLATE = {"op": "select", "category": "cup"}, {"op": "select", "category": "plate"}


def cup(*relations: str, rank: str = "") -> dict[str, object]:
    """A cup that stands in relations to the plate, and in an order."""
    where = [{"op": "where", "relation": r, "anchors": [PLATE]} for r in relations]
    order = {"op": "rank", "axis": rank, "position": 1} if rank else None
    return {"op": "select", "category": "cup", "where": where, "rank": order}


def put(what: object, where: object) -> dict[str, object]:
    return {"op": "move", "what": what, "where": where}


def place(kind: str, anchor: object = PLATE, **more: object) -> dict[str, object]:
    return {"op": kind, "anchor": anchor, **more}


FROZEN: list[tuple[dict[str, object], str, bool]] = [
    (CUP, "", False),
    (cup("left"), "left", False),
    (cup("left", "left"), "left", False),
    (cup("front", "left"), "front+left", True),
    (cup("left", "front"), "front+left", True),
    (cup("behind", "left"), "behind+left", False),
    (cup("front", rank="height"), "front+rank height", True),
    (cup("front", rank="left-right"), "front+rank left-right", False),
    (place("beside", cup("behind"), side="left"), "behind+beside", True),
    (place("into", cup("left")), "into+left", False),
    (put(cup("left"), place("onto")), "left+onto", True),
    (put(CUP, place("onto", cup("left"))), "left+onto", True),
    (put(CUP, place("into")), "into", False),
    (
        {"op": "moves", "parts": [put(CUP, place("into")), put(cup("left"), place("onto"))]},
        "into+left+onto",
        True,
    ),
    (
        {"op": "moves", "parts": [put(cup("left"), place("into")), put(CUP, place("onto"))]},
        "into+left+onto",
        False,
    ),
    ({"op": "floor", "furniture": "table", "side": "left"}, "", False),
]


@pytest.mark.parametrize(("tree", "names", "is_held_out"), FROZEN)
def test_what_is_held_out_is_frozen(tree: dict[str, object], names: str, is_held_out: bool) -> None:
    program: Program = load_program(json.dumps(tree))
    assert "+".join(combination(program)) == names
    assert held_out(program) is is_held_out


@pytest.fixture(scope="module")
def start() -> Start:
    env = make_env("point_at_object", "kinematic", overrides=["task.steps=[1,1]"])
    _, info = env.reset(seed=2)
    env.close()
    made: Start = info["start"]
    return made


@pytest.mark.parametrize(
    ("only", "reason"),
    [
        (Only(), None),
        (Only(combinations="trained"), None),
        (Only(combinations="held_out"), "a combination of relations that is not held_out"),
        (Only(involves="unseen_category"), "nothing unseen_category is named"),
        (Only(involves="unseen_instance"), "nothing unseen_instance is named"),
    ],
)
def test_why_a_task_does_not_belong(start: Start, only: Only, reason: str | None) -> None:
    named = {n for b in start.task.bound for n in b.objects}
    splits = {open_pack()[o.asset].split for o in start.scene.objects if o.id in named}
    assert splits == {"seen"}
    assert only.reason(start, open_pack()) == reason
