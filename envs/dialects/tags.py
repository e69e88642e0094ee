"""Tags with attributes in prose, as in <points x1="1.0" y1="2.0" alt="cup">cup</points>."""

import html
import re
from typing import NamedTuple

_ATTRIBUTE = re.compile(r"""[\s,]*([A-Za-z]{1,10}[0-9]{0,6})\s*=\s*(?:"([^"]*)("?)|'([^']*)('?))""")
_INNER = re.compile(r"\s*/?>([^<]*)")
_REST = re.compile(r"[^<>]*")


class Tag(NamedTuple):
    """One tag, as far as it could be read."""

    attributes: list[tuple[str, str]]
    """in their order"""
    cut: tuple[str, str] | None
    """the attribute that the end of the text cuts off"""
    ends: bool
    """the text ends within the tag"""
    inner: str
    """the text behind it, up to the next tag"""


def tags(text: str, *names: str) -> list[Tag]:
    """Find all tags of some names; what is no attribute ends a tag's attributes."""
    found = []
    opening = re.compile("<(?:" + "|".join(map(re.escape, names)) + r")(?=[\s,]|\Z)")
    start = opening.search(text)
    while start:
        attributes: list[tuple[str, str]] = []
        at, cut = start.end(), None
        while pair := _ATTRIBUTE.match(text, at):
            at, double = pair.end(), pair[2] is not None
            attribute = pair[1], html.unescape(pair[2] if double else pair[4])
            if pair[3 if double else 5]:
                attributes.append(attribute)
            else:
                cut = attribute
        inner = _INNER.match(text, at)
        rest = _REST.match(text, at)
        ends = rest is not None and rest.end() == len(text)
        found.append(Tag(attributes, cut, ends, html.unescape(inner[1]) if inner else ""))
        start = opening.search(text, at)
    return found


def escaped(label: str) -> str:
    """Write a label so that it can stand in a tag and in an attribute."""
    return html.escape(label)
