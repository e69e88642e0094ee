"""Lessons: pictures with what is asked about them and what a perfect policy answers."""

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from refergym.rollouts.errors import OutputError


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked about a picture."""

    words: str
    """the instruction, and what happened last"""
    answer: str
    """the perfect one: thought and point in blocks"""
    kind: str
    """of the task"""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One picture, and what is asked about it."""

    rgb: NDArray[np.uint8]
    """[H, W, 3]"""
    disparity: NDArray[np.uint8]
    """[H, W]: relative inverse depth, near is bright"""
    ids: NDArray[np.int32]
    """[H, W]: index of the object in `names`, or < 0"""
    names: tuple[tuple[str, str], ...] | None
    """category and colour of each object; None where that is not known"""
    questions: tuple[Question, ...]


def write_lessons(path: Path, found: Sequence[Lesson]) -> None:
    """Write lessons, of any number, as one compressed file, in one piece."""
    told = [
        {
            "names": lesson.names,
            "questions": [[q.words, q.answer, q.kind] for q in lesson.questions],
        }
        for lesson in found
    ]
    data = io.BytesIO()
    np.savez_compressed(
        data,
        rgb=_stacked([x.rgb for x in found]),
        disparity=_stacked([x.disparity for x in found]),
        ids=_stacked([x.ids for x in found]).astype(np.int16),
        told=np.frombuffer(json.dumps(told).encode(), np.uint8),
    )
    part = path.with_suffix(".part")
    part.write_bytes(data.getvalue())
    part.replace(path)


def read_lessons(path: Path) -> list[Lesson]:
    """Read what `write_lessons` wrote.

    Raises:
        OutputError: if the file is damaged.
    """
    try:
        with path.open("rb") as file, np.load(file) as data:
            told = json.loads(data["told"].tobytes())
            rgb, disparity, ids = data["rgb"], data["disparity"], data["ids"]
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as e:
        raise OutputError(f"{path}: damaged; delete it, and it is made anew") from e
    return [
        Lesson(
            rgb=rgb[k],
            disparity=disparity[k],
            ids=ids[k].astype(np.int32),
            names=None if t["names"] is None else tuple((str(a), str(b)) for a, b in t["names"]),
            questions=tuple(Question(words=w, answer=a, kind=n) for w, a, n in t["questions"]),
        )
        for k, t in enumerate(told)
    ]


def _stacked(arrays: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
    return np.stack(arrays) if arrays else np.zeros(0)
