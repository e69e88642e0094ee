"""RoboTracer: [(726, 624), ...] in thousandths of the image, or [(726, 624, 1.533), ...].

The third number is the depth in metres; it must be above 0.

Source: https://arxiv.org/abs/2512.13660, https://github.com/Zhoues/RoboTracer (Evaluation).
"""

from collections.abc import Sequence

from refergym.envs.dialects import reading
from refergym.envs.dialects.base import PointSeen, Size

_FORM = "[(726, 624, 1.533)]"


class RoboTracer:
    """Tuples of thousandths, with or without a depth in metres."""

    name = "robotracer"
    suffix = (
        "Answer with a list of tuples [(x, y, d)], where x and y run from 0 to 1000 over the width"
        " and the height of the image and d is the depth in meters."
    )
    wraps = False

    def parse(self, text: str, image_size: Size) -> tuple[PointSeen, ...]:
        """Read tuples of two numbers, and of three; see `base.Dialect`."""
        reading.check(text)
        read = reading.tuples(text, (2, 3))
        points = [
            reading.seen(v[0], v[1], reading.THOUSAND, depth=v[2] if len(v) == 3 else None)
            for v in read.values
        ]
        return reading.found(points, read.begun, _FORM, text)

    def format(self, points: Sequence[PointSeen], image_size: Size) -> str:
        """Write a list of tuples, the depth with three digits; see `base.Dialect`."""
        pairs = reading.written(points, reading.THOUSAND, 0)
        depths = ["" if p.depth is None else f", {max(p.depth, 0.001):.3f}" for p in points]
        zipped = zip(pairs, depths, strict=True)
        return "[" + ", ".join(f"({x}, {y}{d})" for (x, y), d in zipped) + "]"
