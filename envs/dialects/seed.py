"""Seed1.5-VL, Doubao and UI-TARS: <point>450 417</point> or <|box_start|>(450,417)<|box_end|>.

In thousandths of the image (the models write 0 to 999). Read as well: <bbox>x y x y</bbox>, a box
whose centre is meant; four numbers between the box tokens, alike; and start_box='(450,417)', which
is left of UI-TARS where the decoder drops special tokens. UI-TARS-1.5 writes pixels of the resized
image instead, as it builds on Qwen2.5-VL, and is none of this.

Source: https://github.com/ByteDance-Seed/Seed1.5-VL (GUI, 3D-Understanding), arXiv 2505.07062;
https://github.com/bytedance/UI-TARS (README_v1.md, codes/ui_tars/action_parser.py).
"""

import re
from collections.abc import Sequence
from typing import Literal

from refergym.envs.dialects import reading
from refergym.envs.dialects.base import PointSeen, Size
from refergym.envs.errors import EnvError

_FORM = "<point>450 417</point>"
_PLACE = re.compile(
    r"""(?:<(point)>|<(bbox)>|<\|box_start\|>|(?:start|end)_(?:box|point)=["']?(?=[(\[]))"""
    r"""([^<"']*)"""
)
_BETWEEN = str.maketrans("()[],", "     ")
_WRITTEN = {"point": ("<point>{} {}</point>", "seed"),
            "box": ("<|box_start|>({},{})<|box_end|>", "ui_tars")}  # fmt: skip


class Seed:
    """Tags or tokens round thousandths; both forms are read, one is written."""

    wraps = False

    def __init__(self, form: Literal["point", "box"] = "point") -> None:
        """Choose the form that is written and asked for: `box` is UI-TARS's.

        Raises:
            EnvError: if it is neither.
        """
        if form not in _WRITTEN:
            raise EnvError(f"form: expected 'point' or 'box', got {form!r}")
        self._written, self.name = _WRITTEN[form]
        self.suffix = (
            f"Answer with {self._written.format('x', 'y')}, x and y from 0 to 1000 over the width"
            " and the height of the image."
        )

    def parse(self, text: str, image_size: Size) -> tuple[PointSeen, ...]:
        """Read the numbers of all tags and tokens; see `base.Dialect`."""
        reading.check(text)
        points: list[PointSeen] = []
        begun = False
        for place in _PLACE.finditer(text):
            if place.end() == len(text):
                begun = True
                break
            lengths = (2,) if place[1] else (4,) if place[2] else (2, 4)
            parts = place[3].translate(_BETWEEN).split()
            numbers = [n for n in map(reading.number, parts) if n is not None]
            if len(numbers) < len(parts) or len(parts) not in lengths:
                raise reading.malformed(f"expected numbers as in {_FORM}", place[0])
            if len(numbers) == 2:
                points.append(reading.seen(numbers[0], numbers[1], reading.THOUSAND))
            else:
                points.append(reading.seen_box(numbers, reading.THOUSAND))
        return reading.found(points, begun, _FORM, text)

    def format(self, points: Sequence[PointSeen], image_size: Size) -> str:
        """Write one tag, or pair of tokens, for each point; see `base.Dialect`."""
        pairs = reading.written(points, reading.THOUSAND, 0)
        return " ".join(self._written.format(x, y) for x, y in pairs)
