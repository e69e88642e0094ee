"""Qwen3-VL: JSON {"point_2d": [925, 618], "label": "cup"} in thousandths of the image.

As Qwen2.5-VL otherwise: often in a code fence, a list or a single object.

Source: https://github.com/QwenLM/Qwen3-VL (cookbooks/spatial_understanding.ipynb).
"""

from collections.abc import Sequence

from refergym.envs.dialects import objects, reading
from refergym.envs.dialects.base import PointSeen, Size

_FORM = '{"point_2d": [412, 233], "label": "cup"}'


class Qwen3VL:
    """JSON with `point_2d`, in thousandths of the image."""

    name = "qwen3_vl"
    suffix = (
        'Answer in JSON: [{"point_2d": [x, y], "label": "what is there"}],'
        " with x and y from 0 to 1000."
    )
    wraps = False

    def parse(self, text: str, image_size: Size) -> tuple[PointSeen, ...]:
        """Read `point_2d` of all objects; see `base.Dialect`."""
        return objects.parse(text, "point_2d", reading.THOUSAND, _FORM)

    def format(self, points: Sequence[PointSeen], image_size: Size) -> str:
        """Write a list of objects in a code fence; see `base.Dialect`."""
        written = objects.format(points, "point_2d", reading.THOUSAND)
        return "```json\n[\n\t" + ",\n\t".join(written) + "\n]\n```"
