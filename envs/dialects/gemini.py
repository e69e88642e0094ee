"""Gemini and Gemini Robotics-ER: JSON [{"point": [480, 512], "label": "cup"}], y first.

In thousandths of the image, y ahead of x. Boxes (`box_2d`) are no points and are passed over.

Source: https://ai.google.dev/gemini-api/docs/robotics-overview.
"""

from collections.abc import Sequence

from refergym.envs.dialects import objects, reading
from refergym.envs.dialects.base import PointSeen, Size

_FORM = '[{"point": [y, x], "label": "cup"}]'


class Gemini:
    """JSON with `point`, y ahead of x; also the dialect of Gemini Robotics-ER."""

    name = "gemini"
    suffix = (
        'Answer in JSON: [{"point": [y, x], "label": "what is there"}],'
        " with y and x from 0 to 1000."
    )
    wraps = False

    def parse(self, text: str, image_size: Size) -> tuple[PointSeen, ...]:
        """Read `point` of all objects; see `base.Dialect`."""
        return objects.parse(text, "point", reading.THOUSAND, _FORM, y_first=True)

    def format(self, points: Sequence[PointSeen], image_size: Size) -> str:
        """Write a list of objects; see `base.Dialect`."""
        return (
            "[" + ", ".join(objects.format(points, "point", reading.THOUSAND, y_first=True)) + "]"
        )
