"""What a dialect is, what it reads, and which of several points is taken.

A dialect is the written form that one family of models gives a point. The policy declares it; the
scale of a number follows from the dialect and the image's size, never from how large the number is.

What holds in all of them:
    - All points of the text are read, in its order, in prose and in code fences as well.
    - What is not meant as a point is passed over. What is, and cannot be read (nan, a word, digits
      of other scripts, too few or too many numbers), is malformed, and with it the whole text.
    - A text that ends within a point was cut off at the limit of tokens: that point does not count,
      as its last number may not be whole; the points ahead of it do. A text with no other point is
      malformed.
    - Every point lies within the image or on its edge (0, and the scale itself, are allowed);
      one that does not makes the whole text out_of_range.
"""

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

from refergym.assets.records import Record
from refergym.assets.spec import Unit
from refergym.envs.errors import AnswerError, AnswerFault

__all__ = ["AnswerError", "AnswerFault", "Dialect", "PointSeen", "Several", "Size", "choose"]

Several: TypeAlias = Literal["first", "mean", "reject"]
Size: TypeAlias = tuple[int, int]
"""width, height in px"""


class PointSeen(Record, frozen=True, kw_only=True):
    """A point that a model names in the image it saw."""

    u: Unit
    """to the right, as a share of the image's width"""
    v: Unit
    """down, as a share of its height"""
    depth: float | None = None
    """m along the optical axis, > 0; None where the dialect or the model gives none"""
    label: str = ""
    """what the model calls it"""


class Dialect(Protocol):
    """One written form of points."""

    name: str
    suffix: str
    """the words that ask a model for this form"""
    wraps: bool
    """whether models of this family put <think>..</think><answer>..</answer> round it"""

    def parse(self, text: str, image_size: Size) -> tuple[PointSeen, ...]:
        """Read all points of an answer.

        Args:
            text: the answer without its thoughts; <answer> tags may be left on.
            image_size: of the image that the model saw, after any resizing.

        Returns:
            At least one point, in the order of the text.

        Raises:
            AnswerError: if there is no point, or one that cannot be used.
        """
        ...

    def format(self, points: Sequence[PointSeen], image_size: Size) -> str:
        """Write points as a model of this family would, without <think> and <answer>.

        What the form has no room for (depth, labels) is left out.

        Args:
            points: at least one.
            image_size: of the image that the model sees.

        Raises:
            AnswerError: no_point if there is none, out_of_range if one lies outside the image.
        """
        ...


def choose(points: Sequence[PointSeen], several: Several) -> PointSeen:
    """Make one point of those that an answer has.

    Args:
        points: as parsed.
        several: what to do with more than one: take the first, or the mean (its depth only if
            all have one, its label only if all have the same), or refuse them.

    Raises:
        AnswerError: no_point if there is none; several if there are more and they are refused.
    """
    if not points:
        raise AnswerError("no_point", "no point to choose from")
    if len(points) == 1 or several == "first":
        return points[0]
    if several == "reject":
        raise AnswerError("several", f"expected one point, got {len(points)}")
    depths = [p.depth for p in points if p.depth is not None]
    labels = {p.label for p in points}
    return PointSeen(
        u=_mean([p.u for p in points]),
        v=_mean([p.v for p in points]),
        depth=_mean(depths) if len(depths) == len(points) else None,
        label=labels.pop() if len(labels) == 1 else "",
    )


def _mean(values: Sequence[float]) -> float:
    # rounding must not carry a mean out of the range of what it is the mean of
    return min(max(sum(values) / len(values), min(values)), max(values))
