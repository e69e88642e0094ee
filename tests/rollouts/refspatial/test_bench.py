"""RefSpatial-Bench's layout: written, read back, and scored by its masks."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from refergym.assets.library import open_pack
from refergym.envs import grammar
from refergym.envs.starts import rest_state
from refergym.envs.truth import mask_of, point_of
from refergym.envs.view import View
from refergym.rollouts import export, taskfile
from refergym.rollouts.errors import DataError
from refergym.rollouts.refspatial import Bad, Item, read_bench, read_mask, score
from refergym.rollouts.refspatial.schema import SUFFIX

KEYS = ["id", "object", "prompt", "suffix", "rgb_path", "mask_path", "category", "step"]


def exported(tasks: Path, out: Path, *more: str) -> tuple[list[Item], Path]:
    report, folder = export.export(
        [f"tasks={tasks}", "format=refspatial_bench", f"out={out}", *more]
    )
    assert not report.left_out
    bad: list[Bad] = []
    items = list(read_bench(folder, on_bad=bad.append))
    assert not bad
    assert sum(report.samples.values()) == len(items)
    return items, folder


def views(tasks: Path) -> list[tuple[taskfile.Entry, View]]:
    entries, _ = taskfile.read_tasks(tasks / taskfile.FILE)
    found = []
    for entry in entries:
        start = entry.start
        state = rest_state(start.scene, start.task.certificate.backend)
        assert entry.picture is not None
        frame = taskfile.read_pictures(tasks, entry.picture)
        found.append((entry, View(start.scene, state, frame, open_pack())))
    return found


@pytest.mark.parametrize(
    ("kind", "split"), [("object", "Location"), ("place", "Placement"), ("floor", "Placement")]
)
def test_what_points_is_written_with_its_mask_and_the_oracle_scores_one(
    kind: str, split: str, generated: dict[str, Path], tmp_path: Path
) -> None:
    items, folder = exported(generated[kind], tmp_path / "bench", "unseen=[]")
    oracle, middle = [], []
    for item, (entry, view) in zip(items, views(generated[kind]), strict=True):
        task = entry.start.task
        assert (item.split, item.prompt, item.suffix) == (split, task.instruction, SUFFIX)
        assert item.step == entry.steps == grammar.steps(task.program)
        mask = read_mask(item.mask)
        assert np.array_equal(mask, mask_of(task, view))
        point = point_of(task, view)
        assert point is not None
        oracle.append((f"[({point[0]:.3f}, {point[1]:.3f})]", mask))
        middle.append(("[(0.5, 0.5)]", mask))
        assert (
            Path(item.image).read_bytes()
            == (generated[kind] / "rgb" / f"{entry.picture}.jpg").read_bytes()
        )
    assert score(oracle).official == score(oracle).strict == 1.0
    share = np.mean([m[m.shape[0] // 2, m.shape[1] // 2] for _, m in middle])
    assert score(middle).strict == pytest.approx(share)
    raw = json.loads((folder / split / "question.json").read_text())
    assert [list(r) for r in raw] == [KEYS] * len(items)
    assert [r["id"] for r in raw] == list(range(len(items)))
    assert raw[0]["rgb_path"] == "image/0.jpg"
    with Image.open(folder / split / raw[0]["mask_path"]) as picture:
        assert picture.mode == "L"
        assert set(np.unique(np.asarray(picture))) == {0, 255}


def test_unseen_holds_what_names_a_thing_of_those_splits(
    generated: dict[str, Path], tmp_path: Path
) -> None:
    every = exported(
        generated["object"], tmp_path / "all", "unseen=[seen,unseen_instance,unseen_category]"
    )[0]
    by_split = {s: [i for i in every if i.split == s] for s in ("Location", "Unseen")}
    assert len(by_split["Location"]) == len(by_split["Unseen"]) == 8
    for known, unseen in zip(by_split["Location"], by_split["Unseen"], strict=True):
        assert (known.object, known.step) == (unseen.object, unseen.step)
        assert np.array_equal(read_mask(known.mask), read_mask(unseen.mask))
    some = exported(generated["object"], tmp_path / "some", "unseen=[unseen_instance]")[0]
    held_out = [
        any(
            o.id == task.goal.object and pack_split(o.asset) == "unseen_instance"
            for o in entry.start.scene.objects
        )
        for entry, _ in views(generated["object"])
        if (task := entry.start.task)
    ]
    names = [i.object for i in some if i.split == "Location"]
    targets = {n for n, is_held in zip(names, held_out, strict=True) if is_held}
    assert targets <= {i.object for i in some if i.split == "Unseen"}


def pack_split(asset: str) -> str:
    return open_pack()[asset].split


def test_bad_items_are_named_and_the_others_are_kept(
    generated: dict[str, Path], tmp_path: Path
) -> None:
    _, folder = exported(generated["object"], tmp_path / "bench", "unseen=[]")
    path = folder / "Location" / "question.json"
    raw = json.loads(path.read_text())
    del raw[1]["mask_path"]
    raw[2]["step"] = "two"
    (folder / "Location" / raw[3]["mask_path"]).unlink()
    raw[4]["scene"] = "indoor"
    path.write_text(json.dumps(raw)[:-30])
    bad: list[Bad] = []
    items = list(read_bench(folder, on_bad=bad.append))
    assert [i.id for i in items] == [0, 4, 5, 6]
    assert [(b.index, b.reason.split(":")[0]) for b in bad] == [
        (1, "mask_path"), (2, "step"), (3, "mask_path"), (7, "cut off"),
    ]  # fmt: skip


def test_a_bench_of_one_split_is_one(generated: dict[str, Path], tmp_path: Path) -> None:
    _, folder = exported(generated["object"], tmp_path / "bench")
    for split in ("Placement", "Unseen"):
        shutil.rmtree(folder / split)
    assert len(list(read_bench(folder))) == 8
    with pytest.raises(DataError, match="no RefSpatial-Bench; expected one of Location"):
        read_bench(tmp_path)


def test_masks_of_three_channels_are_read_and_missing_ones_named(tmp_path: Path) -> None:
    grey = np.array([[0, 1], [255, 0]], np.uint8)
    rgb = np.dstack([grey, np.full_like(grey, 9), grey])
    Image.fromarray(rgb).save(tmp_path / "mask.png")
    assert np.array_equal(read_mask(tmp_path / "mask.png"), grey > 0)
    with pytest.raises(DataError, match="no readable picture"):
        read_mask(tmp_path / "none.png")
