"""Items of a JSON array, one after the other, whatever the size of the file."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from refergym.rollouts.errors import DataError

CHUNK = 1 << 20
"""characters read at once"""
LONGEST = 1 << 26
"""characters of one item at most"""
_SPACE = re.compile(r"[ \t\r\n]*")
_END = 16
"""characters before the end of what was read in which an error may be due to the cut"""
_DECODER = json.JSONDecoder()


def json_items(path: Path) -> Iterator[Any]:
    """Yield the items of a file that holds one JSON array, as plain data.

    No more of the file is kept than the item at hand and what was read along with it.

    Raises:
        DataError: naming the file and the item (from 0) where it is cut off or no JSON; those
            before have been yielded.
    """
    try:
        file = path.open(encoding="utf-8-sig")
    except OSError as e:
        raise DataError(f"{path}: cannot read: {e.strerror}") from e
    with file:
        yield from _Reader(file, path).items()


class _Reader:
    def __init__(self, file: TextIO, path: Path) -> None:
        self.file = file
        self.path = path
        self.text = ""
        self.at = 0
        self.index = 0

    def items(self) -> Iterator[Any]:
        if self.next() != "[":
            raise DataError(f"{self.path}: expected a JSON array, a list of samples in [ ]")
        self.at += 1
        if self.next() == "]":
            return
        while True:
            yield self.value()
            self.index += 1
            found = self.next()
            if found == "]":
                return
            if found != ",":
                raise self.wrong("cut off" if not found else f"expected ',', got {found!r}")
            self.at += 1

    def next(self) -> str:
        """Return the next character that is no white space; "" at the end."""
        while True:
            space = _SPACE.match(self.text, self.at)
            self.at = space.end() if space else self.at
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def value(self) -> Any:
        if not self.next():
            raise self.wrong("cut off")
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError as e:
                cut = e.msg.startswith("Unterminated") or e.pos >= len(self.text) - _END
                if not cut:
                    raise self.wrong(f"not valid JSON: {e.msg}") from e
                if len(self.text) - self.at > LONGEST:
                    raise self.wrong(f"longer than {LONGEST} characters") from e
                if not self.more():
                    raise self.wrong("cut off") from e
                continue
            except RecursionError as e:
                raise self.wrong("not valid JSON: too deep") from e
            # a number at the end may go on, even behind ".", "e" or "e+"
            at_end = end >= len(self.text) - 2
            if at_end and isinstance(value, int | float) and self.more():
                continue
            self.at = end
            return value

    def more(self) -> bool:
        """Read on, as much again as an unfinished item has already."""
        try:
            chunk = self.file.read(max(CHUNK, len(self.text) - self.at))
        except UnicodeDecodeError as e:
            raise self.wrong("not valid UTF-8") from e
        if chunk:
            self.text = self.text[self.at :] + chunk
            self.at = 0
        return bool(chunk)

    def wrong(self, reason: str) -> DataError:
        return DataError(f"{self.path}: item {self.index}: {reason}")
