"""Folders that are replaced as a whole: a kill leaves the old one or the new one."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

PART, OLD = ".part", ".old"
"""behind the name of a folder that is being written, or replaced"""


def replace(folder: Path, fill: Callable[[Path], None]) -> None:
    """Write a folder in one piece.

    What stands in the way is moved aside for an instant; `recover` puts it back after a kill just
    then.

    Args:
        folder: to write, or to replace.
        fill: writes the files into an empty folder.
    """
    recover(folder)
    part, old = (folder.with_name(folder.name + end) for end in (PART, OLD))
    for rest in (part, old):
        shutil.rmtree(rest, ignore_errors=True)
    part.mkdir(parents=True)
    fill(part)
    if folder.exists():
        os.replace(folder, old)
    os.replace(part, folder)
    shutil.rmtree(old, ignore_errors=True)


def recover(folder: Path) -> None:
    """Put a folder back that a killed `replace` had moved aside."""
    old = folder.with_name(folder.name + OLD)
    if old.exists() and not folder.exists():
        os.replace(old, folder)


def digest(folder: Path) -> str:
    """Name the weights in a model's folder, its safetensors: 16 hex digits of their sha256.

    Empty if there are none.
    """
    files = sorted(folder.glob("*.safetensors"))
    whole = hashlib.sha256()
    for path in files:
        whole.update(path.name.encode() + b"\0")
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()[:16] if files else ""
