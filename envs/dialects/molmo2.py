"""Molmo2: <points coords="1 1 990 800 2 900 700">cup</points>, in thousandths of the image.

`coords` is the number of an image (or a time of a video), then (id, x, y) for each point; a tab,
";", ":" or "," begins another image. The ids count on and are passed over. The number of the image
is the caller's to know: it is read, and points in two images are malformed. The label is `alt`, or
else what stands between the tags. MolmoPoint's tokens are no text, and none of this.

Source: https://github.com/allenai/molmo2 (olmo/preprocessing/point_formatter.py), arXiv 2601.10611.
"""

import itertools
import re
from collections.abc import Sequence

from refergym.envs.dialects import reading, tags
from refergym.envs.dialects.base import PointSeen, Size

_FORM = '<points coords="1 1 990 800">cup</points>'
_IMAGES = re.compile(r"[\t;:,]")


class Molmo2:
    """Tags with triples of an id and two thousandths."""

    name = "molmo2"
    suffix = (
        'Answer with <points coords="1 1 x y">what is there</points>, x and y from 0 to 1000 over'
        " the width and the height of the image."
    )
    wraps = False

    def parse(self, text: str, image_size: Size) -> tuple[PointSeen, ...]:
        """Read the triples of all tags; see `base.Dialect`."""
        reading.check(text)
        points: list[PointSeen] = []
        images: set[float] = set()
        begun = False
        for tag in tags.tags(text, "points", "tracks"):
            values = dict(tag.attributes)
            begun |= tag.ends and "coords" not in values
            cut = tag.cut is not None and tag.cut[0] == "coords"
            label = values.get("alt") or tag.inner.strip()
            for image in _IMAGES.split(tag.cut[1] if tag.cut and cut else values.get("coords", "")):
                numbers = [reading.number(n) for n in image.split()]
                if cut:
                    del numbers[-1:]  # it may not be whole
                    del numbers[1 + (len(numbers) - 1) // 3 * 3 :]
                whole = [n for n in numbers if n is not None]
                if len(whole) < len(numbers) or (whole and len(whole) % 3 != 1):
                    raise reading.malformed(
                        f"expected an image, then (id, x, y), as {_FORM}", image
                    )
                for x, y in zip(whole[2::3], whole[3::3], strict=True):
                    images.add(whole[0])
                    points.append(reading.seen(x, y, reading.THOUSAND, label=label))
        if len(images) > 1:
            raise reading.malformed("expected points in one image", f"{sorted(images)}")
        return reading.found(points, begun, _FORM, text)

    def format(self, points: Sequence[PointSeen], image_size: Size) -> str:
        """Write a tag for each run of points with one label, in image 1; see `base.Dialect`."""
        pairs = reading.written(points, reading.THOUSAND, 0)
        triples = [f"{i} {x:0>3} {y:0>3}" for i, (x, y) in enumerate(pairs, 1)]
        written = []
        for label, run in itertools.groupby(
            zip(points, triples, strict=True), lambda pair: pair[0].label
        ):
            coords = " ".join(triple for _, triple in run)
            written.append(f'<points coords="1 {coords}">{tags.escaped(label)}</points>')
        return " ".join(written)
