"""RoboBrain 2.0: [(376, 309), ...] in pixels, behind <think>..</think> and in <answer>..</answer>.

Its own prompt speaks of normalized locations; what it writes are pixels of the image it was given.

Source: https://github.com/FlagOpen/RoboBrain2.0 (README, inference.py), arXiv 2507.02029.
"""

from collections.abc import Sequence

from refergym.envs.dialects import reading
from refergym.envs.dialects.base import PointSeen, Size

_FORM = "[(376, 309)]"


class RoboBrain2:
    """Tuples of pixels, with thoughts ahead of them."""

    name = "robobrain2"
    suffix = (
        "Think first, then answer in <answer></answer> with a list of tuples [(x, y)], the pixel"
        " coordinates of the point in the image."
    )
    wraps = True

    def parse(self, text: str, image_size: Size) -> tuple[PointSeen, ...]:
        """Read tuples of two numbers; see `base.Dialect`."""
        reading.check(text)
        scale = reading.pixels(image_size)
        read = reading.tuples(text, (2,))
        points = [reading.seen(x, y, scale) for x, y in read.values]
        return reading.found(points, read.begun, _FORM, text)

    def format(self, points: Sequence[PointSeen], image_size: Size) -> str:
        """Write a list of tuples of whole pixels; see `base.Dialect`."""
        pairs = reading.written(points, reading.pixels(image_size), 0)
        return "[" + ", ".join(f"({x}, {y})" for x, y in pairs) + "]"
