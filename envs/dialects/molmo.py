"""Molmo: <point x="63.5" y="44.5" alt="mug">mug</point>, or <points x1=".." y1=".." x2=".. ..>.

In percent of the width and the height. `alt` is the label; what stands in it behind a quote that is
not escaped is lost.

Source: https://huggingface.co/allenai/Molmo-7B-O-0924/discussions/1, arXiv 2409.17146.
"""

import itertools
from collections.abc import Sequence

from refergym.envs.dialects import reading, tags
from refergym.envs.dialects.base import PointSeen, Size

_FORM = '<point x="63.5" y="44.5" alt="mug">mug</point>'


class Molmo:
    """Tags with a pair of attributes for each point, in percent."""

    name = "molmo"
    suffix = (
        'Answer with <point x="x" y="y" alt="what is there">what is there</point>, x and y in'
        " percent of the width and the height of the image."
    )
    wraps = False

    def parse(self, text: str, image_size: Size) -> tuple[PointSeen, ...]:
        """Read the pairs of all tags; see `base.Dialect`."""
        reading.check(text)
        points: list[PointSeen] = []
        begun = False
        for tag in tags.tags(text, "point", "points"):
            label = next((value for key, value in tag.attributes if key == "alt"), "")
            pairs = _pairs(tag)
            begun |= tag.ends and (not pairs or any(len(pair) < 2 for pair in pairs.values()))
            for pair in pairs.values():
                if len(pair) < 2 and tag.ends:
                    continue
                x, y = (reading.number(pair.get(axis, "").strip()) for axis in "xy")
                if x is None or y is None:
                    raise reading.malformed("expected a number for each x and its y", str(pair))
                points.append(reading.seen(x, y, reading.PERCENT, label=label))
        return reading.found(points, begun, _FORM, text)

    def format(self, points: Sequence[PointSeen], image_size: Size) -> str:
        """Write a tag for each run of points with one label, one digit; see `base.Dialect`."""
        pairs = reading.written(points, reading.PERCENT, 1)
        runs = itertools.groupby(zip(points, pairs, strict=True), lambda pair: pair[0].label)
        return " ".join(_tag(label, [pair for _, pair in run]) for label, run in runs)


def _pairs(tag: tags.Tag) -> dict[str, dict[str, str]]:
    """Sort the attributes of a tag by the number behind their x and y."""
    pairs: dict[str, dict[str, str]] = {}
    for key, value in tag.attributes:
        if key.rstrip("0123456789") in ("x", "y"):
            pair = pairs.setdefault(key[1:], {})
            if key[0] in pair:
                raise reading.malformed("expected each attribute once", f'{key}="{value}"')
            pair[key[0]] = value
    return pairs


def _tag(label: str, pairs: Sequence[tuple[str, str]]) -> str:
    label = tags.escaped(label)
    if len(pairs) == 1:
        x, y = pairs[0]
        return f'<point x="{x}" y="{y}" alt="{label}">{label}</point>'
    numbered = " ".join(f'x{i}="{x}" y{i}="{y}"' for i, (x, y) in enumerate(pairs, 1))
    return f'<points {numbered} alt="{label}">{label}</points>'
