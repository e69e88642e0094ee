"""RoboRefer, and RoboPoint before it: [(0.510, 0.255), ...], shares of the width and the height.

(x, y, x, y) is a box and means its centre; (0.341, 0.610) without a list is what the model writes
after reinforcement learning. A tuple above 1 is out of range: the families' own scripts take whole
numbers for pixels there, which is to guess the scale.

Source: https://arxiv.org/abs/2506.04308, https://github.com/Zhoues/RoboRefer (API, Evaluation),
https://github.com/wentaoyuan/RoboPoint.
"""

from collections.abc import Sequence

from refergym.envs.dialects import reading
from refergym.envs.dialects.base import PointSeen, Size

_FORM = "[(0.510, 0.255)]"


class RoboRefer:
    """Tuples of shares; also the dialect of RoboPoint."""

    name = "roborefer"
    # Word for word what the public server and benchmark append, with its two spaces.
    suffix = (
        "Your answer should be formatted as a list of tuples, i.e. [(x1, y1)],  where each tuple"
        " contains the x and y coordinates of a point satisfying the conditions above. The"
        " coordinates should be between 0 and 1, indicating the normalized pixel locations of the"
        " points in the image."
    )
    wraps = False

    def parse(self, text: str, image_size: Size) -> tuple[PointSeen, ...]:
        """Read tuples of two numbers, and of four; see `base.Dialect`."""
        reading.check(text)
        read = reading.tuples(text, (2, 4))
        points = [
            reading.seen(v[0], v[1], reading.UNIT)
            if len(v) == 2
            else reading.seen_box(v, reading.UNIT)
            for v in read.values
        ]
        return reading.found(points, read.begun, _FORM, text)

    def format(self, points: Sequence[PointSeen], image_size: Size) -> str:
        """Write a list of tuples, three digits; see `base.Dialect`."""
        pairs = reading.written(points, reading.UNIT, 3)
        return "[" + ", ".join(f"({x}, {y})" for x, y in pairs) + "]"
