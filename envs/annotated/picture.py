"""One picture with boxes in 2D: what a data set without depth says of a scene."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refergym.envs.annotated import checks
from refergym.envs.errors import SourceError


@dataclass(frozen=True, kw_only=True)
class FlatObject:
    """One object of a picture."""

    id: str
    """unique in the picture; never said"""
    category: str
    """English noun, singular, lower case"""
    box: tuple[float, float, float, float]
    """left, top, right, bottom, px; the picture's left and upper edges are 0"""
    colour: str | None = None
    material: str | None = None
    is_occluded: bool = False
    """something hides part of it"""
    is_cut: bool = False
    """the picture's edge cuts it"""
    is_sure: bool = True
    """whether it may be asked for: false for groups and drawings, and for all that might be taken
    for one"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """One picture with its objects.

    Raises:
        SourceError: naming the field, if a box is empty or leaves the picture, or sizes differ.
    """

    name: str
    """unique in its source"""
    rgb: NDArray[np.uint8]
    """[H, W, 3]"""
    objects: tuple[FlatObject, ...]
    nearness: NDArray[np.float32] | None = None
    """[H, W] relative depth of any scale, greater = nearer; none where it is not known"""

    def __post_init__(self) -> None:
        """Check that the parts belong together."""
        height, width = self.rgb.shape[:2]
        if self.nearness is not None:
            checks.size(self.nearness, (height, width), "nearness")
            if not np.isfinite(self.nearness).all():
                raise SourceError("nearness: expected finite numbers")
        seen: dict[str, int] = {}
        for k, o in enumerate(self.objects):
            x0, y0, x1, y1 = checks.numbers(o.box, (4,), f"objects[{k}].box")
            if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
                raise SourceError(
                    f"objects[{k}].box: expected left < right and top < bottom inside {width} x"
                    f" {height} pixels, got {[float(v) for v in o.box]}"
                )
            if o.id in seen:
                raise SourceError(f"objects[{k}].id: {o.id!r} is already objects[{seen[o.id]}]")
            seen[o.id] = k
