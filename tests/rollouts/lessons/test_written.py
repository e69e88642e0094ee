"""Lessons from a folder in RefSpatial's format, ours or the release."""

import json

import numpy as np
import pytest
from PIL import Image

from refergym.envs.replies import check_form, read_steps
from refergym.rollouts import export
from refergym.rollouts.errors import DataError
from refergym.rollouts.lessons.written import Written
from refergym.rollouts.refspatial import read_refspatial
from refergym.rollouts.refspatial.schema import SUFFIX


def picture(path, value, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (40, 30), value if mode == "L" else (value,) * 3).save(path)


def sample(name, images=1, depth=True, thought=""):
    asked = {"from": "human", "value": f"<image>\nPoint at {name}. {SUFFIX}"}
    made = {
        "id": name,
        "image": [f"{name}{k}.png" for k in range(images)],
        "conversations": [asked, {"from": "gpt", "value": "[(0.275, 0.443)]"}],
    }
    if depth:
        made["depth"] = [f"{name}{k}.png" for k in range(images)]
    if thought:
        made["think"] = [{"question_type": "any", "thinking": thought}]
    return made


def put(folder, *samples):
    for k, made in enumerate(samples):
        for name in made["image"]:
            picture(folder / "image" / name, 50 + k)
        for name in made.get("depth", ()):
            picture(folder / "depth" / name, 150 + k, "L")
    (folder / "metadata.json").write_text(json.dumps(samples))
    return folder


def words(lessons):
    return [lesson.questions[0].words for lesson in lessons]


def test_what_export_writes_is_taught(generated, tmp_path):
    _, folder = export.export([f"tasks={generated['object']}", f"out={tmp_path / 'out'}"])
    samples = list(read_refspatial(folder))
    group = Written(folder, size=len(samples), pixels=64).get(0)
    assert len(group) == len(samples) > 1
    for lesson, made in zip(group, samples, strict=True):
        assert lesson.rgb.shape == (64, 64, 3)
        with Image.open(made.images[0]) as image:
            small = np.asarray(image.convert("RGB").resize((64, 64)))
        assert np.abs(lesson.rgb.astype(int) - small).mean() < 3
        assert np.ptp(lesson.disparity.astype(int)) > 100
        assert lesson.names is None
        assert len(lesson.questions) == len(made.turns)
        for question, turn in zip(lesson.questions, made.turns, strict=True):
            assert SUFFIX not in question.words
            assert question.words
            assert turn.question.startswith(question.words)
            assert turn.thought is not None
            reply = check_form(question.answer)
            assert reply.answer.strip() == turn.answer
            assert reply.thought.strip() == turn.thought.thinking.strip()
            assert all(step.is_exact for step in read_steps(reply.thought))


def test_an_answer_without_a_thought_stands_alone(tmp_path):
    thought = "Step 1: [Position] [the cup]: [(0.275, 0.443)]"
    folder = put(tmp_path, sample("a"), sample("b", thought=thought))
    plain, reasoned = Written(folder, size=2, pixels=16).get(0)
    assert plain.questions[0].answer == "[(0.275, 0.443)]"
    assert plain.questions[0].words == "Point at a."
    assert check_form(reasoned.questions[0].answer).thought.strip() == thought


def test_groups_go_round_and_are_the_same_in_any_order(tmp_path):
    folder = put(tmp_path, *(sample(name) for name in "abc"))
    written = Written(folder, size=2, pixels=16)
    expected = [["Point at a.", "Point at b."], ["Point at c.", "Point at a."],
                ["Point at b.", "Point at c."]]  # fmt: skip
    assert [words(written.get(k)) for k in range(3)] == expected
    assert [words(written.get(k)) for k in (2, 0, 1)] == [expected[k] for k in (2, 0, 1)]
    assert words(Written(folder, size=2, pixels=16).get(2)) == expected[2]


def test_several_pictures_are_left_out_and_without_depth_all_is_as_near(tmp_path):
    folder = put(tmp_path, sample("a", images=2), sample("b"), sample("c", depth=False))
    b, c = Written(folder, size=2, pixels=16).get(0)
    assert words([b, c]) == ["Point at b.", "Point at c."]
    assert np.unique(b.disparity).tolist() == [151]
    assert np.unique(c.disparity).tolist() == [0]
    assert np.unique(c.rgb).tolist() == [52]
    assert c.disparity.shape == c.ids.shape == (16, 16)


def test_nothing_to_read_is_named(tmp_path):
    with pytest.raises(DataError, match="absent: no RefSpatial"):
        Written(tmp_path / "absent", size=2, pixels=16)
    put(tmp_path, sample("a", images=2))
    with pytest.raises(DataError, match="no sample with one picture"):
        Written(tmp_path, size=2, pixels=16)


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    folder = put(tmp_path, sample("a"))
    (folder / "image" / "a0.png").write_bytes(b"hello")
    with pytest.raises(DataError, match=r"a0\.png: no picture that can be read"):
        Written(folder, size=1, pixels=16).get(0)
