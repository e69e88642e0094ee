"""Reads Open Images V7: pictures with 2D boxes (storage.googleapis.com/openimages).

Boxes are rows of a CSV file (oidv6-train-annotations-bbox.csv, validation- and test-annotations-
bbox.csv) with at least the columns of `COLUMNS`: x and y in [0, 1] of the picture's size, marks 1
or 0, or -1 where nobody looked. The rows of one picture stand together. Labels ("/m/02jvh9") get
their names from oidv7-class-descriptions-boxable.csv (older ones have no header line), and what is
a kind of what from bbox_labels_600_hierarchy.json.

A picture with anything wrong in it is refused whole: without one of its boxes, "the cup" might be
another one. Depth is nobody's part of the data set: a folder of relative depth maps, NAME.png, 8 or
16 bits, greater = nearer, of the picture's size, can be given beside it.
"""

import csv
import itertools
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refergym.envs.annotated import checks
from refergym.envs.annotated.checks import Refused
from refergym.envs.annotated.picture import FlatObject, Picture
from refergym.envs.errors import SourceError

MARKS = ("IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside")
COLUMNS = ("ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax", *MARKS)
UNSURE = ("IsGroupOf", "IsDepiction", "IsInside")
"""marks of boxes that hold several things, a drawing of one, or are seen from inside of one"""

Row = dict[str, str]


def read_openimages(
    boxes: Path,
    classes: Path,
    pictures: Path,
    *,
    hierarchy: Path | None = None,
    depths: Path | None = None,
    only: Collection[str] | None = None,
) -> Iterator[Picture | Refused]:
    """Yield the pictures that a file of boxes tells of; what is wrong with the others.

    Args:
        boxes: the CSV file of boxes.
        classes: the CSV file of labels and their names.
        pictures: folder with NAME.jpg.
        hierarchy: JSON of which label is a kind of which; without it "the person" is asked even
            where a man stands beside.
        depths: folder with NAME.png, relative depth, greater = nearer; none knows no depth.
        only: names of pictures to read; None reads all.

    Raises:
        SourceError: if one of the files is missing or has not these columns.
    """
    names = read_classes(classes)
    kinds = read_hierarchy(hierarchy) if hierarchy is not None else {}
    seen: set[str] = set()
    for name, rows in itertools.groupby(_rows(boxes), lambda r: r["ImageID"]):
        if only is not None and name not in only:
            continue
        try:
            if name in seen:
                raise SourceError(f"ImageID: the rows of {name} do not stand together")
            seen.add(name)
            yield _picture(name, list(rows), names, kinds, pictures, depths)
        except SourceError as e:
            yield Refused(item=name, reason=str(e))


def read_classes(path: Path) -> dict[str, str]:
    """Return labels' names in lower case; raises SourceError for a line without two columns."""
    found: dict[str, str] = {}
    for line, row in enumerate(_lines(path), 1):
        if len(row) != 2:
            raise SourceError(f"{path}:{line}: expected a label and a name, got {row}")
        if row != ["LabelName", "DisplayName"]:
            found[row[0]] = " ".join(row[1].lower().split())
    return found


def read_hierarchy(path: Path) -> dict[str, frozenset[str]]:
    """Return for each label those that it is a kind of.

    Raises:
        SourceError: if the file is missing or is no such tree.
    """
    found: dict[str, set[str]] = {}

    def walk(node: Any, above: tuple[str, ...]) -> None:
        if not isinstance(node, dict) or not isinstance(node.get("LabelName"), str):
            raise SourceError(f"{path}: expected LabelName in each node, got {str(node)[:60]}")
        label = node["LabelName"]
        found.setdefault(label, set()).update(above)
        for child in node.get("Subcategory", []):
            walk(child, (*above, label))

    walk(checks.parsed(_bytes(path), str(path)), ())
    return {label: frozenset(above) for label, above in found.items()}


def _rows(path: Path) -> Iterator[Row]:
    lines = _lines(path)
    header = next(lines, [])
    missing = [c for c in COLUMNS if c not in header]
    if missing:
        raise SourceError(f"{path}: no column {', '.join(missing)}")
    for row in lines:
        yield dict(itertools.zip_longest(header, row[: len(header)], fillvalue=""))


def _lines(path: Path) -> Iterator[list[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            yield from (row for row in csv.reader(file) if row)
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise SourceError(f"{path}: cannot read: {e}") from e


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise SourceError(f"{path}: cannot read: {e.strerror}") from e


def _picture(
    name: str,
    rows: list[Row],
    names: Mapping[str, str],
    kinds: Mapping[str, frozenset[str]],
    pictures: Path,
    depths: Path | None,
) -> Picture:
    path = pictures / f"{name}.jpg"
    rgb = checks.colours(checks.picture(_bytes(path), str(path)), str(path))
    height, width = rgb.shape[:2]
    unsure = _unsure(rows, kinds)
    return Picture(
        name=name,
        rgb=rgb,
        objects=tuple(_object(k, r, names, unsure, width, height) for k, r in enumerate(rows)),
        nearness=None if depths is None else _nearness(depths / f"{name}.png", (height, width)),
    )


def _object(
    k: int, row: Row, names: Mapping[str, str], unsure: set[str], width: int, height: int
) -> FlatObject:
    label = row["LabelName"]
    if label not in names:
        raise SourceError(f"row {k + 1}: LabelName: no name for {label!r}")
    box = []
    for key, length in (("XMin", width), ("YMin", height), ("XMax", width), ("YMax", height)):
        try:
            share = float(row[key])
        except ValueError:
            share = float("nan")
        if not 0 <= share <= 1:
            raise SourceError(f"row {k + 1}: {key}: expected in [0, 1], got {row[key]!r}")
        box.append(share * length)
    if not (box[0] < box[2] and box[1] < box[3]):
        raise SourceError(f"row {k + 1}: box: expected XMin < XMax and YMin < YMax")
    return FlatObject(
        id=f"{k + 1}",
        category=names[label],
        box=(box[0], box[1], box[2], box[3]),
        is_occluded=_is(row, "IsOccluded", k),
        is_cut=_is(row, "IsTruncated", k),
        is_sure=label not in unsure,
    )


def _is(row: Row, mark: str, k: int) -> bool:
    """Read a mark; where nobody looked, it may be."""
    if row[mark] not in ("0", "1", "-1"):
        raise SourceError(f"row {k + 1}: {mark}: expected 0, 1 or -1, got {row[mark]!r}")
    return row[mark] != "0"


def _unsure(rows: list[Row], kinds: Mapping[str, frozenset[str]]) -> set[str]:
    """Labels of which a picture's things cannot be counted, or that others are a kind of."""
    labels = {r["LabelName"] for r in rows}
    several = {r["LabelName"] for k, r in enumerate(rows) if any(_is(r, m, k) for m in UNSURE)}

    def related(a: str, b: str) -> bool:
        return a in kinds.get(b, ()) or b in kinds.get(a, ())

    return {
        label
        for label in labels
        if label in several or any(related(label, other) for other in labels if other != label)
    }


def _nearness(path: Path, size: tuple[int, int]) -> NDArray[np.float32]:
    raw = checks.picture(_bytes(path), str(path))
    if raw.ndim == 3 and (raw[..., :1] == raw[..., :3]).all():
        raw = raw[..., 0]  # grey in three channels
    if raw.ndim != 2:
        raise SourceError(f"{path}: expected one channel, got {list(raw.shape)}")
    checks.size(raw, size, str(path))
    return raw.astype(np.float32)
