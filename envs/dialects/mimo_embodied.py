"""MiMo-Embodied: JSON [{"points": [412, 233], "label": "cup"}] in pixels.

`points` holds one pair or a list of pairs. Pixels of the image after the processor's resizing
(Qwen's smart_resize): the family's own scoring resizes its masks alike, and so must the image size
that is given here.

Source: https://github.com/XiaomiMiMo/MiMo-Embodied (lmms_eval/tasks/refspatialbench/utils.py,
lmms_eval/tasks/_task_utils/eval_utils.py), arXiv 2511.16518.
"""

from collections.abc import Sequence

from refergym.envs.dialects import objects, reading
from refergym.envs.dialects.base import PointSeen, Size

_FORM = '[{"points": [412, 233], "label": "cup"}]'


class MiMoEmbodied:
    """JSON with `points`, in pixels of the resized image."""

    name = "mimo_embodied"
    suffix = (
        'Answer in JSON: [{"points": [x, y], "label": "what is there"}], with pixel coordinates of'
        " the image."
    )
    wraps = False

    def parse(self, text: str, image_size: Size) -> tuple[PointSeen, ...]:
        """Read `points` of all objects; see `base.Dialect`."""
        return objects.parse(text, "points", reading.pixels(image_size), _FORM)

    def format(self, points: Sequence[PointSeen], image_size: Size) -> str:
        """Write a list of objects, one for each point; see `base.Dialect`."""
        return "[" + ", ".join(objects.format(points, "points", reading.pixels(image_size))) + "]"
