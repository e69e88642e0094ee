"""A folder of files that are made once: by content, and whole or not at all."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path


def default_folder() -> Path:
    """Where the files lie if nobody says otherwise."""
    return Path.home() / ".cache" / "refergym" / "usd"


def key(parts: Iterable[object]) -> str:
    """Return the sha256 (hex) of the texts of what an entry is made from."""
    return hashlib.sha256("\0".join(str(p) for p in parts).encode()).hexdigest()


def file_sum(path: Path) -> str:
    """Return the sha256 (hex) of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def entry(folder: Path, key: str, make: Callable[[Path], object]) -> Path:
    """Return the folder of an entry, making it first if it is not there.

    Args:
        folder: of the cache.
        key: of the entry.
        make: writes the entry's files into an empty folder.

    Raises:
        OSError: if the cache cannot be written.
    """
    path = folder / key
    if path.is_dir():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as parts:
        part = Path(parts) / key
        part.mkdir()
        make(part)
        # another process may have been faster: its files are the same
        with contextlib.suppress(OSError):
            part.rename(path)
    return path


def copy(source: Path, destination: Path) -> None:
    """Copy the files of an entry into a folder, which is made; each in one piece."""
    destination.mkdir(parents=True, exist_ok=True)
    for file in sorted(os.listdir(source)):
        # a stage that is open has the old file mapped: it must not shrink
        part = destination / f"{file}.part"
        shutil.copyfile(source / file, part)
        part.replace(destination / file)
