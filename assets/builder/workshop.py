"""A build's work folder: every piece complete or absent, so that a build that was stopped goes on.

A piece is a folder that is renamed into place when it is done. It holds what was made, and
`done.json` with the key of what it was made from and a record.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from refergym.assets.errors import BuildError

RECORD = "done.json"


def key_of(*parts: object) -> str:
    """Digest plain data that a piece is made from, [64] hex."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class Shelf:
    """Pieces of one kind."""

    def __init__(self, folder: Path) -> None:
        """Keep pieces in `folder`; what a stopped build left half-made there is removed."""
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for half in folder.glob(".*.part"):
                shutil.rmtree(half)
        except OSError as e:
            raise BuildError(f"{folder}: cannot be used to build in ({e.strerror})") from e

    def __getitem__(self, name: str) -> Path:
        """Return the folder of a piece, done or not."""
        return self.folder / name

    def find(self, name: str, key: str) -> dict[str, Any] | None:
        """Return the record of a piece that was made from the same; None if it is to be made."""
        try:
            found = json.loads((self[name] / RECORD).read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(found, dict) or found.get("key") != key:
            return None
        record = found.get("record")
        return record if isinstance(record, dict) else None

    def begin(self, name: str) -> Path:
        """Return an empty folder to make a piece in."""
        part = self.folder / f".{name}.part"
        if part.exists():
            shutil.rmtree(part)
        part.mkdir()
        return part

    def end(self, name: str, key: str, record: Mapping[str, Any]) -> None:
        """Put a piece that is complete into place, with its record of plain data."""
        part = self.folder / f".{name}.part"
        (part / RECORD).write_text(json.dumps({"key": key, "record": dict(record)}, indent=1))
        if self[name].exists():
            shutil.rmtree(self[name])
        part.rename(self[name])

    def drop(self, name: str) -> None:
        """Throw away a piece that failed half-way."""
        shutil.rmtree(self.folder / f".{name}.part", ignore_errors=True)
