"""Open Images: what is read of its files, and what is said of damaged ones."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from refergym.envs.annotated.checks import Refused
from refergym.envs.annotated.openimages import read_classes, read_openimages
from refergym.envs.annotated.picture import Picture
from refergym.envs.errors import SourceError

HEADER = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside"  # noqa: E501
CLASSES = "LabelName,DisplayName\n/m/cup,Coffee cup\n/m/man,Man\n/m/person,Person\n/m/tree,Tree\n"
TREE = {
    "LabelName": "/m/entity",
    "Subcategory": [
        {"LabelName": "/m/person", "Subcategory": [{"LabelName": "/m/man"}]},
        {"LabelName": "/m/cup"},
        {"LabelName": "/m/tree"},
    ],
}
GOOD = "good,xclick,/m/cup,1,0.1,0.3,0.2,0.6,0,0,0,0,0"


def row(image="bad", label="/m/cup", box="0.5,0.7,0.1,0.3", marks="0,0,0,0,0"):
    return f"{image},xclick,{label},1,{box},{marks}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "classes.csv").write_text(CLASSES)
    (tmp_path / "tree.json").write_text(json.dumps(TREE))
    (tmp_path / "depth").mkdir()
    for name in ("good", "bad", "third"):
        Image.fromarray(np.full((50, 100, 3), 120, np.uint8)).save(tmp_path / f"{name}.jpg")
        ramp = np.linspace(0, 255, 100).astype(np.uint8) * np.ones((50, 1), np.uint8)
        Image.fromarray(ramp).save(tmp_path / "depth" / f"{name}.png")
    return tmp_path


def read(folder: Path, *rows: str, header: str = HEADER, **options):
    (folder / "boxes.csv").write_text("\n".join((header, *rows)) + "\n")
    return list(read_openimages(folder / "boxes.csv", folder / "classes.csv", folder, **options))


def test_a_picture_has_its_boxes_and_marks(folder):
    (found,) = read(folder, GOOD, row("good", "/m/tree", "0.5,1,0,1", "1,1,0,0,0"))
    assert isinstance(found, Picture)
    cup, tree = found.objects
    assert (found.name, found.rgb.shape, found.nearness) == ("good", (50, 100, 3), None)
    assert (cup.category, cup.box) == ("coffee cup", pytest.approx((10, 10, 30, 30)))
    assert not cup.is_occluded
    assert not cup.is_cut
    assert cup.is_sure
    assert (tree.box, tree.is_occluded, tree.is_cut) == ((50, 0, 100, 50), True, True)


def test_relative_depth_is_read_beside_it(folder):
    (found,) = read(folder, GOOD, depths=folder / "depth")
    assert found.nearness.shape == (50, 100)
    assert found.nearness[0, 0] < found.nearness[0, -1]


def test_groups_drawings_and_kinds_of_one_another_are_not_sure(folder):
    rows = [
        row("good", "/m/cup", marks="0,0,1,0,0"), row("good", "/m/cup", "0,0.2,0,0.2"),
        row("good", "/m/man"), row("good", "/m/person", "0,0.4,0,0.9"),
        row("good", "/m/tree", "0.8,0.9,0,0.9"),
    ]  # fmt: skip
    (found,) = read(folder, *rows, hierarchy=folder / "tree.json")
    assert [o.is_sure for o in found.objects] == [False, False, False, False, True]
    (found,) = read(folder, *rows)
    assert [o.is_sure for o in found.objects] == [False, False, True, True, True]
    (found,) = read(folder, row("good", "/m/tree", marks="0,0,0,-1,0"))
    assert not found.objects[0].is_sure


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([row(label="/m/none")], "row 1: LabelName: no name for '/m/none'"),
        ([row(), row(box="0.5,1.2,0.1,0.3")], "row 2: XMax: expected in [0, 1], got '1.2'"),
        ([row(box="nan,0.5,0.1,0.3")], "row 1: XMin: expected in [0, 1]"),
        ([row(box="wide,0.5,0.1,0.3")], "row 1: XMin: expected in [0, 1], got 'wide'"),
        ([row(box="0.7,0.5,0.1,0.3")], "row 1: box: expected XMin < XMax"),
        ([row(marks="0,0,2,0,0")], "row 1: IsGroupOf: expected 0, 1 or -1"),
        ([row().rpartition(",")[0]], "row 1: IsInside: expected 0, 1 or -1, got ''"),
    ],
)
def test_a_damaged_picture_is_named_and_the_others_are_kept(folder, rows, reason):
    bad, good = read(folder, *rows, GOOD)
    assert isinstance(bad, Refused)
    assert bad.item == "bad"
    assert reason in bad.reason
    assert isinstance(good, Picture)


def test_pictures_and_depths_that_are_missing_or_of_another_size_are_named(folder):
    (folder / "bad.jpg").write_bytes(b"no picture")
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(folder / "depth" / "third.png")
    gone, bad, third, good = read(
        folder, row("gone"), row(), row("third"), GOOD, depths=folder / "depth"
    )
    assert "gone.jpg: cannot read" in gone.reason
    assert "bad.jpg: no readable picture" in bad.reason
    assert "third.png: expected 100 x 50 pixels, got 20 x 20" in third.reason
    assert isinstance(good, Picture)


def test_rows_of_one_picture_stand_together(folder):
    first, _, again = read(folder, GOOD, row(), GOOD)
    assert isinstance(first, Picture)
    assert "do not stand together" in again.reason
    assert [p.name for p in read(folder, GOOD, row(), only={"good"})] == ["good"]


def test_further_columns_do_no_harm_and_missing_ones_are_named(folder):
    (found,) = read(folder, GOOD + ",0.5", header=HEADER + ",XClick1X")
    assert isinstance(found, Picture)
    with pytest.raises(SourceError, match="no column XMin, YMax"):
        read(folder, header=HEADER.replace("XMin", "x").replace("YMax", "y"))
    (folder / "classes.csv").unlink()
    with pytest.raises(SourceError, match=r"classes\.csv: cannot read"):
        read(folder, GOOD)


def test_classes_with_and_without_a_header(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("/m/011k07,Tortoise\n/m/0cmf2,Fixed-wing aircraft\n")
    assert read_classes(path) == {"/m/011k07": "tortoise", "/m/0cmf2": "fixed-wing aircraft"}
    path.write_text("/m/011k07\n")
    with pytest.raises(SourceError, match=r"c\.csv:1: expected a label and a name"):
        read_classes(path)


def test_a_tree_that_is_none_is_refused(folder):
    (folder / "tree.json").write_text('{"Subcategory": []}')
    with pytest.raises(SourceError, match="expected LabelName"):
        read(folder, GOOD, hierarchy=folder / "tree.json")
