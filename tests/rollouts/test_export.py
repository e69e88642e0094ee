"""`refergym export`: what is written is the released form, true to the tasks, and read back."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from refergym.assets.library import open_pack
from refergym.envs.disparity import relative_inverse_depth
from refergym.envs.key_steps import key_steps
from refergym.envs.starts import rest_state
from refergym.envs.task_spec import PointObjectGoal, PutGoal
from refergym.envs.view import View
from refergym.rollouts import cli, export, generate, taskfile
from refergym.rollouts.errors import ConfigError, OutputError
from refergym.rollouts.refspatial import Bad, Sample, read_bench, read_mask, read_refspatial
from refergym.rollouts.refspatial.questions import Question, questions
from refergym.rollouts.refspatial.schema import SUFFIX
from refergym.rollouts.refspatial.scoring import pixels_in

KINDS = ("object", "place", "floor", "pick", "put", "sequence")


def exported(tasks: Path, out: Path, *more: str) -> tuple[list[Sample], export.Report]:
    report, folder = export.export([f"tasks={tasks}", f"out={out}", *more])
    bad: list[Bad] = []
    samples = list(read_refspatial(folder, on_bad=bad.append))
    assert not bad
    assert report.samples.get("metadata", 0) == len(samples)
    return samples, report


def asked(tasks: Path) -> dict[str, list[tuple[taskfile.Entry, View, Question]]]:
    """Every question of a folder, by picture."""
    found: dict[str, list[tuple[taskfile.Entry, View, Question]]] = {}
    for entry in taskfile.read_tasks(tasks / taskfile.FILE)[0]:
        assert entry.picture is not None
        start = entry.start
        state = rest_state(start.scene, start.task.certificate.backend)
        frame = taskfile.read_pictures(tasks, entry.picture)
        view = View(start.scene, state, frame, open_pack())
        for question in questions(start.task, view):
            found.setdefault(entry.picture, []).append((entry, view, question))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_exported_is_read_back_and_is_right(
    kind: str, generated: dict[str, Path], tmp_path: Path
) -> None:
    tasks = generated[kind]
    samples, report = exported(tasks, tmp_path / "out")
    assert not report.left_out
    expected = asked(tasks)
    assert [s.id for s in samples] == list(expected)
    for sample in samples:
        assert (
            Path(sample.images[0]).read_bytes() == (tasks / "rgb" / f"{sample.id}.jpg").read_bytes()
        )
        for turn, (entry, view, question) in zip(sample.turns, expected[sample.id], strict=True):
            task = entry.start.task
            if kind in ("object", "place", "floor"):
                assert turn.question == f"{task.instruction} {SUFFIX}"
            ((x, y),) = pixels_in(turn.answer, *question.mask.shape[::-1]).tolist()
            assert question.mask[y, x]
            if question.kind == "location":
                goal = question.task.goal
                assert isinstance(goal, PointObjectGoal)
                shown = view.frame.ids == view.scene.index(goal.object)
                assert np.array_equal(question.mask, shown)
            assert turn.thought is not None
            steps = key_steps(question.task, view)
            lines = turn.thought.thinking.splitlines()
            assert lines[:-1] == [f"Step {k}: {s.text}" for k, s in enumerate(steps[:-1], 1)]
            assert lines[-1] == (
                f"Step {len(steps)}: [Position] [{question.target}]: {turn.answer}"
            )


def test_the_files_have_the_released_form(generated: dict[str, Path], tmp_path: Path) -> None:
    tasks, out = generated["object"], tmp_path / "out"
    samples, _ = exported(tasks, out)
    raw = json.loads((out / "metadata.json").read_text())
    assert len(raw) == len(samples)
    for item, sample in zip(raw, samples, strict=True):
        assert list(item) == ["id", "image", "depth", "conversations", "think"]
        assert item["image"] == [f"{item['id']}.jpg"]
        assert item["depth"] == [f"{item['id']}.png"]
        assert len(item["conversations"]) == 2 * len(item["think"]) == 2 * len(sample.turns)
        markers = [m["value"].count("<image>") for m in item["conversations"]]
        assert markers == [1] + [0] * (len(markers) - 1)
        with Image.open(sample.depths[0]) as picture:
            depth = np.asarray(picture)
        frame = taskfile.read_pictures(tasks, item["id"])
        assert np.array_equal(depth, relative_inverse_depth(frame.depth))
        assert depth.dtype == np.uint8
        assert (depth.min(), depth.max()) == (0, 255)


def test_moves_are_asked_as_an_object_and_a_place(
    generated: dict[str, Path], tmp_path: Path
) -> None:
    _, report = exported(generated["put"], tmp_path / "out")
    assert report.questions["location"] == 8
    assert 1 <= report.questions["placement"] <= 8
    for found in asked(generated["put"]).values():
        for entry, view, question in found:
            goal = entry.start.task.goal
            assert isinstance(goal, PutGoal)
            x, y = (
                int(p * n) for p, n in zip(question.point, question.mask.shape[::-1], strict=True)
            )
            moved = view.scene.index(goal.object)
            assert (view.frame.ids[y, x] == moved) == (question.kind == "location")
    export.export([f"tasks={generated['put']}", f"out={tmp_path / 'b'}", "format=refspatial_bench"])
    items = [i for i in read_bench(tmp_path / "b") if i.split != "Unseen"]
    assert {i.split for i in items} == {"Location", "Placement"}
    assert all(read_mask(i.mask).any() for i in items)


def test_many_questions_on_one_picture_become_several_samples(
    generated: dict[str, Path], tmp_path: Path
) -> None:
    whole, _ = exported(generated["object"], tmp_path / "whole")
    parts, report = exported(generated["object"], tmp_path / "parts", "turns=3")
    assert len(parts) > len(whole)
    assert max(len(s.turns) for s in parts) == 3
    assert len({s.id for s in parts}) == len(parts)
    assert [t for s in parts for t in s.turns] == [t for s in whole for t in s.turns]
    assert {Path(s.images[0]).name for s in parts} == {Path(s.images[0]).name for s in whole}
    assert report.pictures == len(whole)


def test_an_export_is_the_same_each_time(generated: dict[str, Path], tmp_path: Path) -> None:
    for name in ("a", "b"):
        exported(generated["place"], tmp_path / name)
    files = [p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file()]
    assert len(files) > 4
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_what_cannot_be_exported_is_named_and_the_rest_is_written(
    generated: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = tmp_path / "tasks"
    shutil.copytree(generated["object"], tasks)
    lines = (tasks / taskfile.FILE).read_bytes().splitlines(keepends=True)
    other = json.loads(lines[1])
    other["version"] = 99
    lines[1] = json.dumps(other).encode() + b"\n"
    (tasks / taskfile.FILE).write_bytes(b"".join(lines)[:-20])
    last = json.loads(lines[-2])["picture"]
    gone = sum(json.loads(line)["picture"] == last for line in lines[:-1])
    (tasks / "ids" / f"{last}.png").write_bytes(b"no picture")
    with caplog.at_level("INFO", "refergym"):
        assert cli.main(["export", f"tasks={tasks}", f"out={tmp_path / 'out'}"]) == 0
    assert "tasks.jsonl:2: version: expected 2, got 99" in caplog.text
    assert "tasks.jsonl:8: cut off" in caplog.text
    assert f"{last}.png: no readable picture" in caplog.text
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["left_out"] == {"a damaged line": 2, "no readable picture": gone}
    samples = list(read_refspatial(tmp_path / "out"))
    assert sum(len(s.turns) for s in samples) == 8 - 2 - gone
    assert f"{6 - gone} questions from {6 - gone} of 8 tasks" in caplog.text


def test_pictures_that_are_not_the_cameras_are_left_out(
    generated: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = tmp_path / "tasks"
    shutil.copytree(generated["object"], tasks)
    grey, coloured, small, *_ = names = sorted(p.stem for p in (tasks / "rgb").iterdir())
    with Image.open(tasks / "rgb" / f"{grey}.jpg") as picture:
        picture.convert("L").save(tasks / "rgb" / f"{grey}.jpg")
    with Image.open(tasks / "ids" / f"{coloured}.png") as picture:
        picture.convert("RGB").save(tasks / "ids" / f"{coloured}.png")
    for path in tasks.glob(f"*/{small}.*"):
        with Image.open(path) as picture:
            picture.resize((50, 60)).save(path)
    samples, report = exported(tasks, tmp_path / "out")
    assert [s.id for s in samples] == names[3:]
    assert list(report.left_out) == ["no readable picture"]
    assert f"{grey}.jpg: no readable picture (expected shape (224, 224, 3)" in caplog.text
    assert f"{coloured}.png: no readable picture" in caplog.text
    assert f"{small}: pictures of 50 x 60 pixels, the camera has 224 x 224" in caplog.text


@pytest.mark.parametrize("name", ["../rgb/00000000", "", "/etc/passwd", "a\0b"])
def test_names_of_pictures_are_plain(name: str, generated: dict[str, Path], tmp_path: Path) -> None:
    lines = (generated["object"] / taskfile.FILE).read_bytes().splitlines(keepends=True)
    raw = {**json.loads(lines[0]), "picture": name}
    path = tmp_path / taskfile.FILE
    path.write_bytes(json.dumps(raw).encode() + b"\n" + lines[1])
    entries, bad = taskfile.read_tasks(path)
    assert len(entries) == len(bad) == 1
    assert bad[0].reason == f"picture: expected a plain name, got {name!r}"


def test_nothing_to_write_is_a_failure(
    generated: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = tmp_path / "tasks"
    shutil.copytree(generated["object"], tasks)
    shutil.rmtree(tasks / "rgb")
    assert cli.main(["export", f"tasks={tasks}", f"out={tmp_path / 'out'}"]) == 1
    assert "8 x no readable picture" in caplog.text
    assert json.loads((tmp_path / "out" / "metadata.json").read_text()) == []


def test_tasks_without_pictures_say_what_to_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = tmp_path / "tasks"
    generate.generate(["count=2", "workers=0", "pictures=false", f"out={tasks}"])
    assert cli.main(["export", f"tasks={tasks}", f"out={tmp_path / 'out'}"]) == 1
    assert "no picture: generate with pictures=true" in caplog.text


def test_folders_without_tasks_are_refused(generated: dict[str, Path], tmp_path: Path) -> None:
    out = f"out={tmp_path / 'out'}"
    for tasks in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(OutputError, match=r"tasks\.jsonl: cannot read"):
            export.export([f"tasks={tasks}", out])
    (tmp_path / taskfile.FILE).touch()
    with pytest.raises(OutputError, match="tasks: no good task in"):
        export.export([f"tasks={tmp_path}", out])
    assert not (tmp_path / "out").exists()


def test_another_pack_is_refused(generated: dict[str, Path], tmp_path: Path) -> None:
    tasks = tmp_path / "tasks"
    shutil.copytree(generated["object"], tasks)
    run = json.loads((tasks / "run.json").read_text())
    run["pack_digest"] = "0" * 64
    (tasks / "run.json").write_text(json.dumps(run))
    with pytest.raises(OutputError, match="made with another pack; name its folder by pack="):
        export.export([f"tasks={tasks}", f"out={tmp_path / 'out'}"])


def test_a_folder_with_anything_in_it_is_refused(
    generated: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    words = [f"tasks={generated['object']}", f"out={tmp_path}"]
    with pytest.raises(OutputError, match="is not empty; choose another folder"):
        export.export(words)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(OutputError, match="cannot write"):
        export.export([words[0], f"out={tmp_path / 'thesis.txt'}"])


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("format=llava", "format: .*'refspatial', 'refspatial_bench'.*, got 'llava'"),
        ("turns=0", "turns: "),
        ("unseen=[new]", r"unseen\[0\]: .*'unseen_category'"),
        ("fromat=refspatial", "did you mean format"),
        ("out=", "out: "),
    ],
)
def test_wrong_settings_are_named(word: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        export.export([f"tasks={tmp_path}", f"out={tmp_path / 'out'}", word])
