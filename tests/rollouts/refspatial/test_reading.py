"""The released schema, all of its parts: good samples are read, bad ones are named."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from refergym.rollouts.errors import DataError
from refergym.rollouts.refspatial import Bad, Sample, Thought, Turn, parts, read_refspatial
from refergym.rollouts.refspatial import json_items as stream
from refergym.rollouts.refspatial.schema import SUFFIX, decode, encode

TYPE = "Identifying object distances from a reference object."


def simulated(name: str = "a") -> dict[str, Any]:
    return {
        "id": f"{name}_0",
        "image": [f"{name}.jpg"],
        "depth": [f"{name}.png"],
        "conversations": [
            {"from": "human", "value": f"<image>\nPoint at the cup. {SUFFIX}"},
            {"from": "gpt", "value": "[(0.275, 0.443)]"},
            {"from": "human", "value": f"Point at the bowl nearest to it. {SUFFIX}"},
            {"from": "gpt", "value": "[(0.500, 0.125)]"},
        ],
        "think": [
            {"question_type": TYPE, "thinking": "Step 1: [Position] [the cup]: [(0.275, 0.443)]"},
            {"question_type": TYPE, "thinking": ""},
        ],
    }


def talk(*words: str) -> list[dict[str, str]]:
    return [{"from": ("human", "gpt")[k % 2], "value": w} for k, w in enumerate(words)]


CHOICE = {
    "id": 7,
    "image": "b.jpg",
    "depth": "b.png",
    "conversations": talk("<image>\nWhich is nearer? (A) cup (B) bowl", "(B) bowl"),
}
VIEWS = {
    "id": "v",
    "image": ["v0.jpg", "v1.jpg"],
    "depth": ["v0.png", "v1.png"],
    "conversations": talk("<image> <depth>\n<image> <depth>\nWhere was it from?", "From the left."),
}
PLAIN = {"id": "p", "image": ["a.jpg"], "conversations": talk("How many cups?", "Two."), "new": 1}


def put(folder: Path, name: str, data: object, *pictures: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    for picture in pictures:
        file = path.parent / picture
        file.parent.mkdir(exist_ok=True)
        file.touch()
    return path


def read(path: Path, **words: bool) -> tuple[list[Sample], list[Bad]]:
    bad: list[Bad] = []
    return list(read_refspatial(path, on_bad=bad.append, **words)), bad


def test_the_simulated_part_is_read_with_its_thoughts(tmp_path: Path) -> None:
    put(tmp_path, "Simulator/metadata.json", [simulated()], "image/a.jpg", "depth/a.png")
    (sample,), bad = read(tmp_path)
    assert not bad
    assert sample == Sample(
        part="Simulator/metadata",
        id="a_0",
        images=(str(tmp_path / "Simulator/image/a.jpg"),),
        depths=(str(tmp_path / "Simulator/depth/a.png"),),
        turns=(
            Turn(
                question=f"Point at the cup. {SUFFIX}",
                answer="[(0.275, 0.443)]",
                thought=Thought(
                    question_type=TYPE,
                    thinking="Step 1: [Position] [the cup]: [(0.275, 0.443)]",
                ),
            ),
            Turn(
                question=f"Point at the bowl nearest to it. {SUFFIX}",
                answer="[(0.500, 0.125)]",
                thought=Thought(question_type=TYPE, thinking=""),
            ),
        ),
    )


def test_every_part_of_a_release_is_read_with_its_own_pictures(tmp_path: Path) -> None:
    put(tmp_path, "Simulator/metadata.json", [simulated()], "image/a.jpg", "depth/a.png")
    put(tmp_path, "2D/choice_qa.json", [CHOICE], "image/b.jpg", "depth/b.png")
    put(tmp_path, "3D/visual_choice_qa.json", [CHOICE], "image_visual_choice/b.jpg", "depth/b.png")
    views = [f"{k}_multi_view/v{n}.{e}" for k, e in (("image", "jpg"), ("depth", "png"))
             for n in (0, 1)]  # fmt: skip
    put(tmp_path, "3D/multi_view_qa.json", [VIEWS], *views)
    samples, bad = read(tmp_path)
    assert not bad
    found = {s.part: s for s in samples}
    assert list(found) == [
        "2D/choice_qa", "3D/multi_view_qa", "3D/visual_choice_qa", "Simulator/metadata",
    ]  # fmt: skip
    assert found["2D/choice_qa"].id == "7"
    assert found["2D/choice_qa"].turns[0].answer == "(B) bowl"
    assert found["2D/choice_qa"].turns[0].question == "Which is nearer? (A) cup (B) bowl"
    assert found["2D/choice_qa"].turns[0].thought is None
    assert found["3D/multi_view_qa"].turns[0].question == "Where was it from?"
    assert [Path(p).parent.name for p in found["3D/multi_view_qa"].depths] == [
        "depth_multi_view"
    ] * 2
    assert Path(found["3D/visual_choice_qa"].images[0]).parent.name == "image_visual_choice"
    assert [s.part for s in read(tmp_path / "3D")[0]] == ["3D/multi_view_qa", "3D/visual_choice_qa"]
    assert [p.name for p in parts(tmp_path / "2D/choice_qa.json")] == ["2D/choice_qa"]


def test_samples_without_depth_or_thought_are_as_good(tmp_path: Path) -> None:
    path = put(tmp_path, "2D/choice_qa.json", [PLAIN, CHOICE], "image/a.jpg", "image/b.jpg")
    samples, bad = read(path)
    assert [s.id for s in samples] == ["p"]
    assert samples[0].depths == ()
    assert "depth: no picture" in bad[0].reason
    samples, bad = read(path, with_depth=False)
    assert [s.depths for s in samples] == [(), ()]
    assert not bad


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"conversations": []}, "conversations: expected pairs, got 0"),
    ({"conversations": talk("a", "b", "c")}, "expected pairs, got 3"),
    ({"conversations": talk("a", "b")[::-1]}, r"\[0\].from: expected 'human', got 'gpt'"),
    ({"conversations": talk("<image>\n", "b")}, r"conversations\[0\].value: expected words"),
    ({"conversations": [{"from": "human"}] * 2}, r"conversations\[0\].value: required"),
    ({"think": [{"question_type": TYPE, "thinking": "x"}]}, "think: expected 2, .* got 1"),
    ({"think": [{"thinking": "x"}] * 2}, r"think\[0\].question_type: required"),
    ({"image": []}, "image: expected one at least"),
    ({"image": 3}, "image: expected"),
    ({"depth": ["a.png", "a.png"]}, "depth: expected as many as images, got 2 for 1"),
    ({"image": ["gone.jpg"]}, "image: no picture .*gone.jpg"),
    ({"image": ["../image/a.jpg"]}, "image: expected a name inside image"),
    ({"image": [300 * "a"]}, "image: no picture "),
    ({"image": ["/etc/passwd"]}, "image: expected a name inside image"),
]


@pytest.mark.parametrize(("change", "reason"), BROKEN)
def test_a_bad_sample_is_named_and_the_others_are_kept(
    change: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    items = [simulated(), {**simulated(), **change}, simulated()]
    path = put(tmp_path, "Simulator/metadata.json", items, "image/a.jpg", "depth/a.png")
    samples, bad = read(path)
    assert len(samples) == 2
    assert [b.index for b in bad] == [1]
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(bad[0].reason)


@pytest.mark.parametrize("item", ["a sentence", 3, None, [], {}])
def test_an_item_that_is_no_sample_is_named(item: object, tmp_path: Path) -> None:
    path = put(tmp_path, "metadata.json", [item, simulated()], "image/a.jpg", "depth/a.png")
    samples, bad = read(path)
    assert ([b.index for b in bad], len(samples)) == ([0], 1)


@pytest.mark.parametrize("chunk", [1, 7, 64, 1 << 20])
def test_a_file_that_is_cut_off_gives_what_stands_before(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "CHUNK", chunk)
    text = json.dumps([simulated() for _ in range(3)], indent=1)
    second = text.index("\n },") + 4
    for end in (len(text), len(text) - 2, second + 3, second, 40, 1, 0):
        path = put(tmp_path, "metadata.json", text[:end], "image/a.jpg", "depth/a.png")
        samples, bad = read(path)
        whole = 3 if end >= len(text) - 2 else 1 if end >= second else 0
        assert len(samples) == whole, end
        assert len(bad) == (end < len(text))
        if 0 < end < len(text):
            assert (bad[0].index, bad[0].reason) == (whole, "cut off")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a JSON array"),
        ('{"id": 1}', "expected a JSON array"),
        ("[1 2]", "expected ',', got '2'"),
        ("[{'id': 1}" + " " * 40 + "]", "not valid JSON"),
        ("[1, nonsense and more than sixteen characters]", "not valid JSON"),
        ("[" + "[" * 100_000, "too deep"),
    ],
)
def test_what_is_no_json_is_said(text: str, reason: str, tmp_path: Path) -> None:
    samples, bad = read(put(tmp_path, "metadata.json", text))
    assert not samples
    assert reason in bad[-1].reason


def test_other_encodings_are_refused_and_a_byte_order_mark_is_not(tmp_path: Path) -> None:
    path = put(tmp_path, "metadata.json", "[]")
    path.write_bytes(b'["\xff\xfe"]')
    assert "UTF-8" in read(path)[1][0].reason
    path.write_bytes(b"\xef\xbb\xbf[]")
    assert read(path) == ([], [])


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 1000])
def test_items_do_not_depend_on_how_the_file_is_read(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "CHUNK", chunk)
    items = [12, -3.5e2, 'a \\ " ü [', {"k": [1, {"x": None}]}, [], True, "", 123456]
    for text in (json.dumps(items), json.dumps(items, indent=2, ensure_ascii=False)):
        assert list(stream.json_items(put(tmp_path, "x.json", text))) == items


# In a process of its own: what other tests left running would be counted too.
PEAK = """
import sys, tracemalloc
from pathlib import Path
from refergym.rollouts.refspatial import json_items, read_refspatial
json_items.CHUNK = 1 << 14
path = Path(sys.argv[1])
next(read_refspatial(path, check_pictures=False))  # what is imported or cached at first use
tracemalloc.start()
count = sum(1 for _ in read_refspatial(path, check_pictures=False))
print(count, tracemalloc.get_traced_memory()[1])
"""


def test_a_large_file_is_never_held_whole(tmp_path: Path) -> None:
    path = put(tmp_path, "metadata.json", [simulated()] * 4_000)
    said = subprocess.run(
        [sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True
    )
    count, most = map(int, said.stdout.split())
    assert count == 4_000
    assert most < path.stat().st_size / 4


def test_where_there_is_nothing_it_is_said_at_once(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "x.json"):
        with pytest.raises(DataError, match="no RefSpatial; expected a JSON file, or a folder"):
            read_refspatial(path)


@pytest.mark.parametrize("raw", [simulated(), CHOICE, VIEWS, PLAIN])
def test_what_is_written_is_read_back(raw: dict[str, Any]) -> None:
    sample = decode(raw, 0, "part")
    assert decode(json.loads(encode(sample)), 0, "part") == sample


def test_the_written_form_is_the_released_one() -> None:
    written = json.loads(encode(decode(simulated(), 0, "")))
    assert written == simulated()
    assert list(written) == ["id", "image", "depth", "conversations", "think"]
    assert ",  where each tuple" in SUFFIX


def test_thoughts_for_some_questions_alone_are_not_written() -> None:
    sample = decode(simulated(), 0, "")
    first, second = sample.turns
    half = msgspec.structs.replace(
        sample, turns=(first, msgspec.structs.replace(second, thought=None))
    )
    with pytest.raises(DataError, match="a_0: 1 thoughts for 2 questions"):
        encode(half)
