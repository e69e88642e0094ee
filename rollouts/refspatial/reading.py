"""RefSpatial as released, and what `refergym export` writes, as a stream of samples.

The release has three parts (2D, 3D, Simulator), eight JSON files, and folders of pictures beside
them; an export has the form of the third.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import msgspec

from refergym.rollouts.errors import DataError
from refergym.rollouts.refspatial.json_items import json_items
from refergym.rollouts.refspatial.schema import Sample, decode

log = logging.getLogger(__name__)

SIMULATED = "metadata.json"
"""the file of the simulated part, and of an export"""
RELEASE = (
    "2D/choice_qa.json",
    "2D/reasoning_template_qa.json",
    "3D/choice_qa.json",
    "3D/reasoning_template_qa.json",
    "3D/vacant_qa.json",
    "3D/multi_view_qa.json",
    "3D/visual_choice_qa.json",
    f"Simulator/{SIMULATED}",
)
FOLDERS = MappingProxyType(
    {
        "multi_view_qa.json": ("image_multi_view", "depth_multi_view"),
        "visual_choice_qa.json": ("image_visual_choice", "depth"),
    }
)
"""pictures of the files that have their own; of all others: image, depth"""


@dataclass(frozen=True, kw_only=True)
class Bad:
    """An item that is no sample, or the place where a file ends too early."""

    path: str
    index: int
    """from 0"""
    reason: str


@dataclass(frozen=True, kw_only=True)
class Part:
    """One JSON file and the folders of its pictures."""

    name: str
    path: Path
    image: Path
    depth: Path


def parts(path: Path | str) -> tuple[Part, ...]:
    """Find the files of a release, of a part of it, or of an export.

    Args:
        path: a folder with 2D, 3D or Simulator in it (others are left out), the folder of an
            export, or one JSON file with its pictures beside it.

    Raises:
        DataError: if there is none.
    """
    path = Path(path)
    if path.is_file():
        return (_part(path),)
    found = [path / name for name in (*RELEASE, SIMULATED) if (path / name).is_file()]
    found = found or [p for p in sorted(path.glob("*.json")) if p.name in _NAMES]
    if not found:
        raise DataError(
            f"{path}: no RefSpatial; expected a JSON file, or a folder with one of "
            f"{', '.join((*RELEASE, SIMULATED))}"
        )
    return tuple(_part(p) for p in found)


_NAMES = {PurePosixPath(name).name for name in RELEASE}


def log_bad(bad: Bad) -> None:
    """Log an item that was left out."""
    log.warning("%s: item %d: %s", bad.path, bad.index, bad.reason)


def read_refspatial(
    path: Path | str,
    *,
    with_depth: bool = True,
    check_pictures: bool = True,
    on_bad: Callable[[Bad], None] = log_bad,
) -> Iterator[Sample]:
    """Read samples one by one; what is wrong with an item costs this item alone.

    A file that is cut off or broken in the middle gives the samples before that place.

    Args:
        path: as `parts` takes it.
        with_depth: False leaves the depth pictures out, as half of RoboRefer's training does.
        check_pictures: whether a sample whose pictures are missing is bad.
        on_bad: told of each item that is left out.

    Raises:
        DataError: at once, if there is nothing to read.
    """
    found = parts(path)
    return (s for part in found for s in _samples(part, with_depth, check_pictures, on_bad))


def _samples(
    part: Part, with_depth: bool, check_pictures: bool, on_bad: Callable[[Bad], None]
) -> Iterator[Sample]:
    items = json_items(part.path)
    index = -1
    while True:
        index += 1
        try:
            item = next(items)
        except StopIteration:
            return
        except DataError as e:
            reason = str(e).removeprefix(f"{part.path}: ").removeprefix(f"item {index}: ")
            on_bad(Bad(path=str(part.path), index=index, reason=reason))
            return
        try:
            sample = decode(item, index, part.name)
            depths = sample.depths if with_depth else ()
            sample = msgspec.structs.replace(
                sample,
                images=_paths("image", part.image, sample.images, check_pictures),
                depths=_paths("depth", part.depth, depths, check_pictures),
            )
        except DataError as e:
            on_bad(Bad(path=str(part.path), index=index, reason=str(e)))
            continue
        yield sample


def is_file(path: Path) -> bool:
    """Tell whether there is such a file; False also for names that no file can have."""
    try:
        return path.is_file()
    except OSError:
        return False


def _paths(key: str, folder: Path, names: tuple[str, ...], check: bool) -> tuple[str, ...]:
    found = []
    for name in names:
        pure = PurePosixPath(name)
        if not name or pure.is_absolute() or ".." in pure.parts:
            raise DataError(f"{key}: expected a name inside {folder.name}, got {name!r}")
        path = folder / name
        if check and not is_file(path):
            raise DataError(f"{key}: no picture {path}")
        found.append(str(path))
    return tuple(found)


def _part(path: Path) -> Part:
    image, depth = FOLDERS.get(path.name, ("image", "depth"))
    folder = path.resolve().parent
    return Part(
        name=f"{folder.name}/{path.stem}",
        path=path,
        image=path.parent / image,
        depth=path.parent / depth,
    )
