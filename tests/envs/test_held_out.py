"""The sentences written by hand: enough, of every kind, and none that the forms could say."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from program_parts import ASKED

from refergym.assets.library import open_pack
from refergym.envs.errors import TaskError
from refergym.envs.grammar import steps
from refergym.envs.language import (
    CHARSET,
    MAX_LENGTH,
    Voice,
    held_out_sentences,
    instruct,
)
from refergym.envs.programs import (
    AXES,
    Beside,
    Direction,
    Floor,
    Missing,
    Rank,
    Select,
    Where,
    walk,
)

SENTENCES = held_out_sentences()
NODES = [node for s in SENTENCES for _, node in walk(s.program)]
VOICES = [
    Voice(style=style, forms=forms)
    for style in ("any", "vague")
    for forms in ("training", "held_out")
]


def normal(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9.']+", text.lower().replace(". ", " ").rstrip(".?!")))


def test_there_are_many_and_no_two_alike() -> None:
    assert len(SENTENCES) >= 160
    assert len({normal(s.text) for s in SENTENCES}) == len(SENTENCES)


def test_their_characters_and_length_fit_an_instruction() -> None:
    for s in SENTENCES:
        assert set(s.text) <= set(CHARSET), s.text
        assert len(s.text) <= MAX_LENGTH
        assert s.text == s.text.strip()
        assert s.text[-1] in ".?!"


def test_no_form_says_a_sentence() -> None:
    for s in SENTENCES:
        said = {normal(instruct(s.kind, s.program))}
        for voice in VOICES:
            for seed in range(8):
                rng = np.random.default_rng(seed)
                said.add(normal(instruct(s.kind, s.program, rng, voice)))
        assert len(said) > 5
        assert normal(s.text) not in said


def test_kinds_agree_with_their_programs() -> None:
    for s in SENTENCES:
        is_order = s.program.__struct_config__.tag in ("move", "moves", "gather", "arrange")
        assert is_order == (s.kind == "move"), s.text
        assert s.kind != "pick" or isinstance(s.program, Select), s.text


def test_every_operation_occurs_several_times() -> None:
    tags = Counter(node.__struct_config__.tag for node in NODES)
    expected = {
        "select", "rank", "where", "direction", "between", "onto", "into", "beside", "meets",
        "turn", "edge", "corner", "missing", "floor", "facing", "move", "moves", "gather",
        "arrange",
    }  # fmt: skip
    assert set(tags) == expected
    assert min(tags.values()) >= 3


def test_every_relation_occurs_twice() -> None:
    relations = Counter(n.relation for n in NODES if isinstance(n, Where))
    assert set(relations) == {r.name for r in ASKED}
    assert min(relations.values()) >= 2


def test_orders_sides_frames_and_steps_are_covered() -> None:
    ranks = [n for n in NODES if isinstance(n, Rank)]
    assert {(r.axis, r.position > 0) for r in ranks} == {
        (a, s) for a in AXES for s in (True, False)
    }
    frames = {(type(n), n.frame) for n in NODES if isinstance(n, Where | Beside | Direction)}
    assert frames == {
        (kind, f) for kind in (Where, Beside, Direction) for f in ("viewer", "object", "robot")
    }
    assert {n.place for n in NODES if isinstance(n, Missing)} >= {"gap", "right", "front", "behind"}
    floors = {n.side for n in NODES if isinstance(n, Floor)}
    assert floors == {"left", "right", "front", "behind", "under"}
    counts = Counter(steps(s.program) for s in SENTENCES)
    assert all(counts[k] >= 5 for k in range(1, 6))


def test_they_name_what_the_pack_has() -> None:
    pack = open_pack()
    named = {n.category for n in NODES if isinstance(n, Select | Missing)} - {None}
    items = {a.category for a in pack.manifest.assets if a.use == "item"}
    assert named == items
    furniture = {a.category for a in pack.manifest.assets if a.use == "furniture"}
    assert {n.furniture for n in NODES if isinstance(n, Floor)} == furniture


def test_a_wrong_line_is_named(tmp_path: Path) -> None:
    good = '{"text": "That cup.", "kind": "point", "program": {"op": "select", "category": "cup"}}'
    path = tmp_path / "mine.jsonl"
    path.write_text(good + "\n" + good.replace("point", "shove"))
    with pytest.raises(TaskError, match=r"mine.jsonl, line 2: kind: expected one of"):
        held_out_sentences(path)
    path.write_text(good + "\n" + good.replace('"cup"', '""'))
    with pytest.raises(TaskError, match=r"mine.jsonl, line 2: category: expected something"):
        held_out_sentences(path)
    path.write_text(good)
    assert held_out_sentences(path)[0].program == Select(category="cup")
