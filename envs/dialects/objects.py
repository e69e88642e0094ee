"""JSON objects in prose: read as far as they go, in linear time and without recursion.

An object begins at any "{" and may stand in a code fence, in a list, or in another object. What is
taken from it is the numbers of one key and the text of "label". Read as well: single quotes,
quotes within a label that are not escaped (unless a comma, colon or bracket follows one), commas
too many, True and None; and an object that goes wrong or is cut off behind its point has named it.
"""

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from refergym.envs.dialects import reading
from refergym.envs.dialects.base import PointSeen, Size

# Keys are short: whatever else follows a "{" is given up at once.
_KEY = re.compile(r"""[\s,]*(?:"([^"\\{}]{0,40})"|'([^'\\{}]{0,40})')\s*:\s*""")
_STRING = {
    q: re.compile(rf"{q}((?:[^{q}\\]|\\.|{q}(?!\s*(?:[,:\]}}]|\Z)))*)({q}?)", re.DOTALL)
    for q in "\"'"
}
_LIST = re.compile(r"""\[[^{}"']*""")
_BRACKET = re.compile(r"[\[\]]")
_WORD = re.compile(r"""[^\s,{}\[\]"']*""")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Named(NamedTuple):
    """The numbers of one key of one object."""

    values: list[tuple[float, ...]]
    label: str


class Objects(NamedTuple):
    """What the objects of a text have under one key."""

    named: list[Named]
    begun: bool
    """the text ends within the numbers of one more"""


def parse(
    text: str, key: str, scale: Size, form: str, *, y_first: bool = False
) -> tuple[PointSeen, ...]:
    """Read the points, with their labels, that the objects of an answer have under a key.

    Args:
        text: the answer.
        key: of [x, y], or of a list of such.
        scale: what the right and the lower edge are called.
        form: what a point looks like, for people.
        y_first: whether it is [y, x].

    Raises:
        AnswerError: as any dialect.
    """
    reading.check(text)
    read = objects(text, key)
    points = [
        reading.seen(pair[y_first], pair[not y_first], scale, label=named.label)
        for named in read.named
        for pair in named.values
    ]
    return reading.found(points, read.begun, form, text)


def format(
    points: Sequence[PointSeen], key: str, scale: Size, *, y_first: bool = False
) -> list[str]:
    """Write an object for each point: whole numbers under a key, and the label.

    Raises:
        AnswerError: as any dialect.
    """
    written = []
    for point, (x, y) in zip(points, reading.written(points, scale, 0), strict=True):
        pair = f"{y}, {x}" if y_first else f"{x}, {y}"
        label = json.dumps(point.label, ensure_ascii=False)
        written.append(f'{{"{key}": [{pair}], "label": {label}}}')
    return written


def objects(text: str, key: str) -> Objects:
    """Read the pairs of numbers that objects have under a key: [x, y], or a list of such.

    Args:
        text: to be read.
        key: of the numbers; an object without it is passed over.

    Raises:
        AnswerError: malformed, if the key has another value; an empty list is none.
    """
    found: list[Named] = []
    begun = False
    at = text.find("{")
    while at >= 0:
        values: list[tuple[float, ...]] = []
        label, at = "", at + 1
        while pair := _KEY.match(text, at):
            name = pair[1] if pair[1] is not None else pair[2]
            value, at = _value(text, pair.end())
            if name == key:
                read = reading.tuples(value, (2,), "[]", closed=at < len(text))
                begun |= read.begun or (not value and at == len(text))
                if not (read.values or begun or "".join(value.split()) == "[]"):
                    raise reading.malformed(
                        f"expected [number, number] for {key!r}", text[pair.start() :]
                    )
                values += read.values
            elif name == "label" and value[:1] in ('"', "'"):
                label = _unescaped(value[1:-1])
        if values:
            found.append(Named(values, label))
        at = text.find("{", at)
    return Objects(found, begun)


def _value(text: str, at: int) -> tuple[str, int]:
    """Return the text of the value at a place, and where it ends; "" if it is cut off or none."""
    if text[at : at + 1] in _STRING:
        string = _STRING[text[at]].match(text, at)
        if string is None or not string[2]:
            return "", len(text)
        return string[0], string.end()
    if content := _LIST.match(text, at):
        depth = 0
        for bracket in _BRACKET.finditer(content[0]):
            depth += 1 if bracket[0] == "[" else -1
            if depth == 0:
                return content[0][: bracket.end()], at + bracket.end()
        return content[0], content.end()
    word = _WORD.match(text, at)
    return (word[0], word.end()) if word else ("", at)


def _unescaped(body: str) -> str:
    """Read the inside of a string; half surrogates become U+FFFD, as no UTF-8 file can hold one."""
    text = _ESCAPE.sub(_character, body)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _character(escape: re.Match[str]) -> str:
    code = escape[1]
    return chr(int(code[1:], 16)) if len(code) == 5 else _ESCAPED.get(code, code)
