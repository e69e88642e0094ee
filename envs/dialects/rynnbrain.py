"""RynnBrain: <affordance> <frame 0>: (235, 419) </affordance>, in thousandths of the frame.

<area> and <trajectory> hold lists of points; <object> holds two corners of a box, whose centre is
meant. Between the frame and the tuples stand ":", ";", both or neither, and the frame may lack. The
number of the frame is the caller's to know: it is read, and points in two frames are malformed.

Source: https://github.com/alibaba-damo-academy/RynnBrain (reasoning/README.md, planning/models,
cookbooks/5_area_location.ipynb, cookbooks/6_affordance_location.ipynb).
"""

import re
from collections.abc import Sequence

from refergym.envs.dialects import reading
from refergym.envs.dialects.base import PointSeen, Size

_FORM = "<affordance><frame 0>: (235, 419)</affordance>"
_FRAME = re.compile(r"<frame\s*([0-9]{1,9})>")


class RynnBrain:
    """Tags that say what the tuples of thousandths in them are."""

    name = "rynnbrain"
    suffix = (
        "Answer with <affordance><frame 0>: (x, y)</affordance>, x and y from 0 to 1000 over the"
        " width and the height of the image."
    )
    wraps = False

    def parse(self, text: str, image_size: Size) -> tuple[PointSeen, ...]:
        """Read the tuples of all tags; see `base.Dialect`."""
        reading.check(text)
        points: list[PointSeen] = []
        frames: set[int] = set()
        begun = False
        for tag in reading.tagged(text, "affordance", "area", "trajectory", "object"):
            read = reading.tuples(tag.body, (2,), closed=tag.closed)
            values, corners = read.values, tag.name == "object"
            if tag.closed and (len(values) != 2 if corners else not values):
                raise reading.malformed(f"expected points as in {_FORM}", tag.body)
            begun |= not tag.closed
            frames.update(int(frame) for frame in _FRAME.findall(tag.body))
            if not corners:
                points += [reading.seen(x, y, reading.THOUSAND) for x, y in values]
            elif len(values) == 2:
                points.append(reading.seen_box(values[0] + values[1], reading.THOUSAND))
        if len(frames) > 1:
            raise reading.malformed("expected points in one frame", f"{sorted(frames)}")
        return reading.found(points, begun, _FORM, text)

    def format(self, points: Sequence[PointSeen], image_size: Size) -> str:
        """Write an affordance, or an area if there are several points; see `base.Dialect`."""
        pairs = [f"({x}, {y})" for x, y in reading.written(points, reading.THOUSAND, 0)]
        name = "affordance" if len(pairs) == 1 else "area"
        return f"<{name}><frame 0>: {', '.join(pairs)}</{name}>"
