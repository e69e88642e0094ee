"""Frozen records: strict decoding with the path of the wrong field, canonical JSON, digests."""

import hashlib
import math
import re
from itertools import accumulate
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from refergym.assets.errors import SpecError

T = TypeVar("T")
MOST_LEVELS = 100
"""of brackets in a JSON text; a program with six levels of anchors takes some forty"""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all plain-data records: immutable, keyword-only, unknown fields refused."""


def canonical_json(record: object) -> bytes:
    """Encode a record as canonical JSON: sorted keys, shortest numbers, no negative zero.

    Raises:
        SpecError: naming the field that holds a number which JSON cannot (NaN, infinity), or that
            it is nested too deeply.
    """
    try:
        return msgspec.json.encode(_clean(msgspec.to_builtins(record), ""), order="sorted")
    except RecursionError as e:
        raise SpecError("nested too deeply") from e


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
    # How deep a decoder goes depends on the stack that is left: this is the same everywhere.
    if _levels(data) > MOST_LEVELS:
        raise error(f"nested too deeply: more than {MOST_LEVELS} levels")
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError) as e:
        raise error(f"not valid JSON: {e}") from e
    return convert(raw, kind, error=error)


def convert(raw: Any, kind: type[T], *, error: type[ValueError] = SpecError, path: str = "") -> T:
    """Turn plain dicts and lists into a record; errors as in `decode`, below `path` if given."""
    try:
        return msgspec.convert(raw, kind, strict=True)
    except msgspec.ValidationError as e:
        text = _explain(str(e), raw, kind)
        if path:
            text = text.removeprefix(f"{_path([])}: ") if text.startswith(_path([])) else text
            text = f"{path}{'' if text.startswith('[') else '.'}{text}"
        raise error(text) from e
    except RecursionError as e:
        raise error("nested too deeply") from e


def _levels(data: bytes | str) -> int:
    """Return how deep the brackets of a JSON text go; texts in it don't count."""
    raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
    brackets = _TEXTS.sub(b"", raw).translate(_STEPS, _OTHERS)
    return max(accumulate(memoryview(brackets).cast("b")), default=0)


_TEXTS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""a bracket as the step that it is up or down, of 8 bits"""
_OTHERS = bytes(set(range(256)) - set(b"[{]}"))
_MISSING = object()
_KEY = "..."


def _explain(message: str, raw: Any, kind: Any) -> str:
    text, _, where = message.partition(" - at ")
    parts = re.findall(r"[^.\[\]]+|(?<=\[)\.\.\.(?=\])", where.strip("`").removeprefix("$"))
    parts = _name_keys(parts, message, raw, kind)
    if found := re.fullmatch(r"Object (contains unknown|missing required) field `(.*)`", text):
        parts.append(found[2])
        known = found[1] == "missing required"
        return f"{_path(parts)}: {'required, but missing' if known else 'unknown field'}"
    if found := re.match(r"([a-z_]\w*): (?=expected|[^:]*$)", text):  # a record's own complaint
        parts.append(found[1])
        return f"{_path(parts)}: {text[found.end() :]}"
    text = text.replace("`", "")
    text = re.sub(r"^Expected (float|int|str) (>=|<=|>|<) ", r"Expected \2 ", text)
    text = re.sub(r"^(Expected \S+ -?\d+)\.0$", r"\1", text)
    value = _lookup(raw, parts)
    if text.startswith(("Invalid enum value", "Invalid value")):
        text = f"Expected one of {_allowed(kind, parts, raw)}"
    if value is not _MISSING and not isinstance(value, dict | list):
        text = f"{text.split(', got ')[0]}, got {_shown(value)}"
    return f"{_path(parts)}: {text[:1].lower()}{text[1:]}"


def _path(parts: list[str]) -> str:
    """Join the parts of a path as in "objects[2].scale"."""
    joined = "".join(f"[{p}]" if p.isdigit() else f".{p}" for p in parts)
    return joined.removeprefix(".") or "(top level)"


def _shown(value: Any) -> str:
    return "null" if value is None else repr(value)


def _name_keys(parts: list[str], message: str, raw: Any, kind: Any) -> list[str]:
    """Find the dict keys that msgspec leaves out of its paths ("settled[...]")."""
    while _KEY in parts:
        at = parts.index(_KEY)
        for key in _lookup(raw, parts[:at]):
            try:
                msgspec.convert(_narrowed(raw, parts[:at], key), kind, strict=True)
            except msgspec.ValidationError as e:
                if str(e) == message:
                    parts = [*parts[:at], key, *parts[at + 1 :]]
                    break
        else:
            return parts
    return parts


def _narrowed(raw: Any, parts: list[str], key: str) -> Any:
    """Copy plain data with the dict at a path cut down to one key."""
    if not parts:
        return {key: raw[key]}
    if isinstance(raw, list):
        k = int(parts[0])
        return [*raw[:k], _narrowed(raw[k], parts[1:], key), *raw[k + 1 :]]
    return {**raw, parts[0]: _narrowed(raw[parts[0]], parts[1:], key)}


def _lookup(raw: Any, parts: list[str]) -> Any:
    for part in parts:
        if isinstance(raw, list) and part.isdigit() and int(part) < len(raw):
            raw = raw[int(part)]
        elif isinstance(raw, dict) and part in raw:
            raw = raw[part]
        else:
            return _MISSING
    return raw


def _allowed(kind: Any, parts: list[str], raw: Any) -> str:
    """List the values that a field of literals, an enum or a tag may have."""
    found: list[str] = []
    pending = [(inspect.type_info(kind), parts)]
    while pending:
        info, rest = pending.pop()
        at = _lookup(raw, parts[: len(parts) - len(rest)])
        match info:
            case inspect.LiteralType():
                found += [repr(v) for v in info.values]
            case inspect.EnumType():
                found += [repr(v.value) for v in info.cls]
            case inspect.UnionType():
                tagged = [t for t in info.types if _has_tag(t, at)]
                pending += [(t, rest) for t in reversed(tagged or info.types)]
            case inspect.StructType() if rest == [info.tag_field]:
                found.append(repr(info.tag))
            case inspect.StructType() if rest:
                pending += [(f.type, rest[1:]) for f in info.fields if f.encode_name == rest[0]]
            case inspect.TupleType() if rest and int(rest[0]) < len(info.item_types):
                pending.append((info.item_types[int(rest[0])], rest[1:]))
            case inspect.ListType() | inspect.VarTupleType() if rest:
                pending.append((info.item_type, rest[1:]))
            case inspect.DictType() if rest:
                pending.append((info.value_type, rest[1:]))
            case inspect.Metadata():
                pending.append((info.type, rest))
    return ", ".join(found) or "a fixed set of values"


def _has_tag(info: inspect.Type, raw: Any) -> bool:
    """Tell whether plain data is tagged as this type of record."""
    return (
        isinstance(info, inspect.StructType)
        and isinstance(raw, dict)
        and info.tag_field is not None
        and raw.get(info.tag_field) == info.tag
    )


def _clean(value: Any, path: str) -> Any:
    if isinstance(value, dict):
        return {k: _clean(v, f"{path}.{k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v, f"{path}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise SpecError(f"{path.removeprefix('.')}: expected a finite number, got {value}")
        # 1 and 1.0 are one number and have one text
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value
