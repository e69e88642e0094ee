"""What the dialects share: numbers, tuples, tags, and places in the image, in linear time.

A number is what JSON calls one, or .5, 5. and +5, in ASCII digits, at most 40 characters. No text
is evaluated, and no pattern here can go over the same characters more than a few times.
"""

import math
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Literal, NamedTuple, TypeAlias

from refergym.envs.dialects.base import PointSeen, Size
from refergym.envs.errors import AnswerError, EnvError

LONGEST = 100_000
"""characters of an answer"""
UNIT: Size = (1, 1)
PERCENT: Size = (100, 100)
THOUSAND: Size = (1000, 1000)

Brackets: TypeAlias = Literal["()", "[]"]

_QUOTED = 80
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LONGEST_NUMBER = 40
_NOT_FINITE = {"nan", "inf", "infinity"}
_GROUPS: dict[Brackets, re.Pattern[str]] = {
    "()": re.compile(r"\(([^()]*)(\)?)"),
    "[]": re.compile(r"\[([^\[\]]*)(\]?)"),
}
_ROUNDING = 1e-9


class Read(NamedTuple):
    """Tuples of numbers."""

    values: list[tuple[float, ...]]
    begun: bool
    """the text ends within one more"""


class Tagged(NamedTuple):
    """What stands between a tag and its end."""

    name: str
    body: str
    closed: bool
    """False if the text ends first"""


def check(text: str) -> None:
    """Refuse what no dialect reads.

    Raises:
        AnswerError: too_long above LONGEST characters; empty if there are none but space.
    """
    if len(text) > LONGEST:
        raise AnswerError("too_long", f"expected at most {LONGEST} characters, got {len(text)}")
    if not text or text.isspace():
        raise AnswerError("empty", "the answer is empty")


def number(text: str) -> float | None:
    """Read a number, or return None; one too large for a float is infinite."""
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return None
    return float(text)


def tuples(
    text: str, lengths: Collection[int], brackets: Brackets = "()", *, closed: bool = False
) -> Read:
    """Read the innermost brackets that hold numbers apart by commas.

    Brackets of one part or of words are prose; a comma at the end is no part.

    Args:
        text: to be read.
        lengths: how many numbers a tuple may have.
        brackets: of a tuple.
        closed: whether something follows the text, so that its end has cut off nothing.

    Raises:
        AnswerError: malformed, if what begins like a tuple of numbers is none.
    """
    values: list[tuple[float, ...]] = []
    begun = False
    for group in _GROUPS[brackets].finditer(text):
        parts = [part.strip() for part in group[1].split(",")]
        if not group[2] and group.end() == len(text) and not closed:
            begun = _is_meant(parts[0])
            break
        if len(parts) < 2 or not _is_meant(parts[0]):
            continue
        if group[2] and not parts[-1]:
            parts.pop()
        numbers = [n for n in map(number, parts) if n is not None]
        if not group[2] or len(numbers) < len(parts) or len(parts) not in lengths:
            wanted = " or ".join(str(n) for n in sorted(lengths))
            raise malformed(f"expected {wanted} numbers in {brackets}", group[0])
        values.append(tuple(numbers))
    return Read(values, begun)


def tagged(text: str, *names: str) -> Iterator[Tagged]:
    """Find what stands in <name>..</name>; a new tag ends the one before it."""
    ends = re.compile("<(/?)(" + "|".join(map(re.escape, names)) + ")>")
    opened: re.Match[str] | None = None
    for tag in ends.finditer(text):
        if opened:
            yield Tagged(opened[2], text[opened.end() : tag.start()], True)
        opened = None if tag[1] else tag
    if opened:
        yield Tagged(opened[2], text[opened.end() :], False)


def seen(
    x: float, y: float, scale: Size, *, depth: float | None = None, label: str = ""
) -> PointSeen:
    """Make a point of what a model wrote.

    Args:
        x: to the right, 0 to scale[0].
        y: down, 0 to scale[1].
        scale: what the right and the lower edge are called.
        depth: m.
        label: its name.

    Raises:
        AnswerError: out_of_range.
    """
    wide, high = scale
    if not (0 <= x <= wide and 0 <= y <= high):
        raise AnswerError(
            "out_of_range",
            f"({x:g}, {y:g}) lies outside the image: expected 0 to {wide} and 0 to {high}",
        )
    if depth is not None and not 0 < depth < math.inf:
        raise AnswerError("out_of_range", f"expected a depth above 0 m, got {depth:g}")
    return PointSeen(u=_share(x, wide), v=_share(y, high), depth=depth, label=label)


def seen_box(corners: Sequence[float], scale: Size, *, label: str = "") -> PointSeen:
    """Make a point of the centre of a box (x, y, x, y), both corners of which are in the image."""
    a, b = seen(corners[0], corners[1], scale), seen(corners[2], corners[3], scale)
    return PointSeen(u=(a.u + b.u) / 2, v=(a.v + b.v) / 2, label=label)


def pixels(image_size: Size) -> Size:
    """Return the scale of a dialect that counts pixels: its right edge is called `width`.

    The whole number x is the left edge of column x, and its share of the width falls into it.

    Raises:
        EnvError: if that is no size; the caller's mistake, not the model's.
    """
    width, height = image_size
    if width < 1 or height < 1:
        raise EnvError(
            f"image_size: expected a width and a height of 1 px or more, got {image_size}"
        )
    return width, height


def found(points: Sequence[PointSeen], begun: bool, form: str, text: str) -> tuple[PointSeen, ...]:
    """Return the points of a text.

    Args:
        points: those read.
        begun: whether one more was cut off.
        form: what a point looks like, for people.
        text: all of it.

    Raises:
        AnswerError: if there are none.
    """
    if points:
        return tuple(points)
    if begun:
        raise AnswerError("malformed", f"cut off within its first point: {quoted(text)}")
    raise AnswerError("no_point", f"expected a point as in {form}, got {quoted(text)}")


def malformed(problem: str, text: str) -> AnswerError:
    """Make the error for what is meant as a point and is none."""
    return AnswerError("malformed", f"{problem}, got {quoted(text)}")


def quoted(text: str) -> str:
    """Quote the beginning of a text on one line, in at most 80 characters."""
    shown = repr(text[:_QUOTED])
    return shown if len(shown) <= _QUOTED else shown[: _QUOTED - 3] + "..."


def written(points: Sequence[PointSeen], scale: Size, digits: int) -> list[tuple[str, str]]:
    """Write the x and y of points on a scale.

    Args:
        points: at least one.
        scale: what the right and the lower edge are called.
        digits: behind the point. With none, halves go down, so that the middle of a pixel is
            written as that pixel.

    Raises:
        AnswerError: no_point if there is none, out_of_range if one lies outside the image.
    """
    if not points:
        raise AnswerError("no_point", "no point to write")
    for p in points:
        seen(p.u, p.v, UNIT, depth=p.depth)
    wide, high = scale
    return [(_text(p.u * wide, digits), _text(p.v * high, digits)) for p in points]


def _is_meant(part: str) -> bool:
    """Tell whether the first part of a group is meant as a number."""
    if part.lstrip("+-").lower() in _NOT_FINITE or number(part) is not None:
        return True
    return not any(c.isalpha() for c in part)


def _share(x: float, size: int) -> float:
    share = x / size
    if share * size < x:  # or floor(share * size) would be the column before
        share = math.nextafter(share, 1)
    return share + 0.0  # no negative zero


def _text(value: float, digits: int) -> str:
    if digits:
        return f"{abs(value):.{digits}f}"
    return str(max(0, math.ceil(value - 0.5 - _ROUNDING)))
