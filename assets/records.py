"""Frozen records: strict decoding with the path of the wrong field, canonical JSON, digests."""

import hashlib
import re
from typing import Any, TypeVar

import msgspec

from refergym.assets.errors import SpecError

T = TypeVar("T")


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all plain-data records: immutable, keyword-only, unknown fields refused."""


def canonical_json(record: object) -> bytes:
    """Encode a record as canonical JSON: sorted keys, shortest floats, no negative zero."""
    return msgspec.json.encode(_clean(msgspec.to_builtins(record)), order="sorted")


def digest(record: object) -> str:
    """Return the sha256 (hex) of a record's canonical JSON."""
    return hashlib.sha256(canonical_json(record)).hexdigest()


def decode(data: bytes | str, kind: type[T], *, error: type[ValueError] = SpecError) -> T:
    """Decode JSON into a record.

    Args:
        data: the JSON text.
        kind: the record type to build.
        error: the ValueError subclass to raise.

    Raises:
        error: naming the field by path, what was expected and what was found.
    """
    try:
        raw = msgspec.json.decode(data)
    except msgspec.DecodeError as e:
        raise error(f"not valid JSON: {e}") from e
    return convert(raw, kind, error=error)


def convert(raw: Any, kind: type[T], *, error: type[ValueError] = SpecError) -> T:  # noqa: ANN401
    """Turn plain dicts and lists into a record; errors as in `decode`."""
    try:
        return msgspec.convert(raw, kind, strict=True)
    except msgspec.ValidationError as e:
        raise error(_explain(str(e), raw)) from e


def _explain(message: str, raw: Any) -> str:  # noqa: ANN401
    text, _, path = message.partition(" - at ")
    path = path.strip("`").removeprefix("$").removeprefix(".") or "(top level)"
    value = _lookup(raw, path)
    text = text.replace("Expected `", "expected `").replace("`", "")
    text = re.sub(r"expected (float|int|str) (>=|<=|>|<) ", r"expected \2 ", text)
    shown = "" if value is _MISSING or isinstance(value, dict | list) else f", got {value!r}"
    if ", got " in text:
        text = text.split(", got ")[0] if shown else text
    return f"{path}: {text[:1].lower()}{text[1:]}{shown}"


_MISSING = object()


def _lookup(raw: Any, path: str) -> Any:  # noqa: ANN401
    for part in re.findall(r"[^.\[\]]+", path):
        if isinstance(raw, list) and part.isdigit() and int(part) < len(raw):
            raw = raw[int(part)]
        elif isinstance(raw, dict) and part in raw:
            raw = raw[part]
        else:
            return _MISSING
    return raw


def _clean(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {k: _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v) for v in value]
    if isinstance(value, float):
        return value + 0.0
    return value
