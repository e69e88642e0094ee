"""Tasks on disk: a line of JSON for each, and the pictures of its scene beside it.

tasks.jsonl has one `Entry` a line. Pictures are named by the scene's number: rgb/NAME.jpg,
depth/NAME.png (16 bits, mm along the optical axis, 0 without return) and ids/NAME.png (16 bits,
the id of `envs.types` modulo 65536: objects from 0, what is no object from 65535 down).
"""

import contextlib
import gzip
import logging
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from refergym.assets import records
from refergym.assets.records import Record
from refergym.envs.starts import Start, check_start
from refergym.envs.types import Frame
from refergym.rollouts.errors import OutputError

log = logging.getLogger(__name__)

FILE = "tasks.jsonl"
CUT = "cut off"
"""what is wrong with a last line that has no end"""
VERSION = 2
QUALITY = 92
"""of the JPEG files"""
KINDS = (("rgb", "jpg"), ("depth", "png"), ("ids", "png"))


_PLAIN = re.compile(r"\w[\w.-]*", re.ASCII)


class Entry(Record, frozen=True, kw_only=True):
    """One task as it stands in a file."""

    version: int = VERSION
    id: str
    """unique in the file"""
    picture: str | None
    """name of its scene's pictures; none without"""
    steps: int
    """of its program"""
    start: Start


@dataclass(frozen=True)
class Bad:
    """A line that is no task."""

    line: int
    """from 1"""
    reason: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of a file."""

    number: int
    """from 1"""
    offset: int
    """bytes before it"""
    content: Entry | Bad


def lines(path: Path) -> Iterator[Line]:
    """Read a file line by line; packed by gzip where its name ends so.

    Raises:
        OutputError: if the file cannot be read.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    offset = 0
    try:
        with opened(path, "rb") as file:
            for number, line in enumerate(file, 1):
                content: Entry | Bad
                try:
                    content = _entry(line) if line.endswith(b"\n") else Bad(number, CUT)
                except ValueError as e:
                    content = Bad(number, str(e))
                yield Line(number=number, offset=offset, content=content)
                offset += len(line)
    except (OSError, EOFError, zlib.error) as e:
        raise OutputError(f"{path}: cannot read: {e}") from e


def read_tasks(path: Path) -> tuple[list[Entry], list[Bad]]:
    """Read all good lines of a file, and say what is wrong with the others.

    Raises:
        OutputError: if the file cannot be read.
    """
    entries: list[Entry] = []
    bad: list[Bad] = []
    for line in lines(path):
        if isinstance(line.content, Entry):
            entries.append(line.content)
        else:
            bad.append(line.content)
    return entries, bad


def _entry(line: bytes) -> Entry:
    entry = records.decode(line, Entry)
    if entry.version != VERSION:
        raise ValueError(f"version: expected {VERSION}, got {entry.version}")
    if entry.picture is not None and not _PLAIN.fullmatch(entry.picture):
        raise ValueError(f"picture: expected a plain name, got {entry.picture!r}")
    check_start(entry.start)
    return entry


def append(file: BinaryIO, entries: list[Entry]) -> None:
    """Append tasks; when this returns, they survive a kill."""
    file.write(b"".join(records.canonical_json(e) + b"\n" for e in entries))
    file.flush()
    os.fsync(file.fileno())


def write_pictures(folder: Path, name: str, frame: Frame) -> None:
    """Write a frame's three pictures, each whole or not at all.

    Raises:
        OutputError: if one cannot be written.
    """
    depth = np.clip(np.rint(frame.depth * 1000), 0, 65535).astype(np.uint16)
    arrays: tuple[NDArray[Any], ...] = (frame.rgb, depth, _coded(frame.ids))
    for (kind, ending), array in zip(KINDS, arrays, strict=True):
        path = folder / kind / f"{name}.{ending}"
        part = path.with_name(f".{name}.{os.getpid()}.{ending}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(part, quality=QUALITY, subsampling=0)  # PNG takes no notice
            part.replace(path)
        except OSError as e:
            with contextlib.suppress(OSError):
                part.unlink()
            raise OutputError(f"{path}: cannot write: {e.strerror or e}") from e


def read_pictures(folder: Path, name: str) -> Frame:
    """Read a frame's three pictures; depth in m, to the millimetre.

    Raises:
        OutputError: naming the picture that is missing or damaged.
    """
    arrays = []
    for kind, ending in KINDS:
        path = folder / kind / f"{name}.{ending}"
        try:
            with Image.open(path) as picture:
                arrays.append(np.asarray(picture))
        except (OSError, SyntaxError) as e:
            raise OutputError(f"{path}: no readable picture ({e})") from e
    rgb, depth, ids = arrays
    for (kind, ending), array in zip(KINDS, arrays, strict=True):
        expected = (*ids.shape[:2], 3) if kind == "rgb" else ids.shape[:2]
        if array.shape != expected:
            path = folder / kind / f"{name}.{ending}"
            raise OutputError(
                f"{path}: no readable picture (expected shape {expected}, got {array.shape})"
            )
    return Frame(
        rgb=rgb.astype(np.uint8),
        depth=(depth / 1000).astype(np.float32),
        ids=ids.astype(np.uint16).astype(np.int16).astype(np.int32),
    )


def _coded(ids: NDArray[np.int32]) -> NDArray[np.uint16]:
    return ids.astype(np.int16).view(np.uint16)
