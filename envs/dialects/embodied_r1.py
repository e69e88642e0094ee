"""Embodied-R1: <point>[[412, 233], ...]</point> in pixels, in <answer> behind <think>.

Pixels of the image as the model sees it, after the resizing of Qwen2.5-VL, its base. A list outside
of a tag is not meant as points, as in the family's own scripts.

Source: https://arxiv.org/abs/2508.13998, https://github.com/pickxiguapi/Embodied-R1 (eval).
"""

from collections.abc import Sequence

from refergym.envs.dialects import reading
from refergym.envs.dialects.base import PointSeen, Size

_FORM = "<point>[[412, 233]]</point>"


class EmbodiedR1:
    """A tag with lists of pixels, with thoughts ahead of it."""

    name = "embodied_r1"
    suffix = (
        "Think first, then answer in <answer></answer> with <point>[[x, y]]</point>, the pixel"
        " coordinates of the point in the image."
    )
    wraps = True

    def parse(self, text: str, image_size: Size) -> tuple[PointSeen, ...]:
        """Read the pairs of all tags; see `base.Dialect`."""
        reading.check(text)
        scale = reading.pixels(image_size)
        points: list[PointSeen] = []
        begun = False
        for tag in reading.tagged(text, "point"):
            read = reading.tuples(tag.body, (2,), "[]", closed=tag.closed)
            if tag.closed and not read.values:
                raise reading.malformed("expected [[x, y]] in <point>", tag.body)
            begun |= not tag.closed
            points += [reading.seen(x, y, scale) for x, y in read.values]
        return reading.found(points, begun, _FORM, text)

    def format(self, points: Sequence[PointSeen], image_size: Size) -> str:
        """Write one tag with a list of whole pixels; see `base.Dialect`."""
        pairs = reading.written(points, reading.pixels(image_size), 0)
        return "<point>[" + ", ".join(f"[{x}, {y}]" for x, y in pairs) + "]</point>"
