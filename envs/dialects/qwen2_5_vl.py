"""Qwen2.5-VL: JSON [{"point_2d": [412, 233], "label": "cup"}] in pixels, mostly in a code fence.

Pixels of the image after the processor's resizing (multiples of 28 px), so that is the image size
to give. Boxes (`bbox_2d`) are no points and are passed over.

Source: https://arxiv.org/abs/2502.13923, https://github.com/QwenLM/Qwen3-VL/issues/931.
"""

from collections.abc import Sequence

from refergym.envs.dialects import objects, reading
from refergym.envs.dialects.base import PointSeen, Size

_FORM = '{"point_2d": [412, 233], "label": "cup"}'


class Qwen25VL:
    """JSON with `point_2d`, in pixels."""

    name = "qwen2_5_vl"
    suffix = (
        'Answer in JSON: [{"point_2d": [x, y], "label": "what is there"}],'
        " with pixel coordinates of the image."
    )
    wraps = False

    def parse(self, text: str, image_size: Size) -> tuple[PointSeen, ...]:
        """Read `point_2d` of all objects; see `base.Dialect`."""
        return objects.parse(text, "point_2d", reading.pixels(image_size), _FORM)

    def format(self, points: Sequence[PointSeen], image_size: Size) -> str:
        """Write a list of objects in a code fence; see `base.Dialect`."""
        written = objects.format(points, "point_2d", reading.pixels(image_size))
        return "```json\n[\n\t" + ",\n\t".join(written) + "\n]\n```"
