"""One RGB-D frame with oriented boxes: what a data set says of a real scene.

World frame: z up (against gravity), metres; where its origin is and where x points does not matter.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refergym.assets.spec import CameraSpec
from refergym.envs.annotated import checks
from refergym.envs.errors import SourceError
from refergym.envs.types import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Box:
    """An oriented box.

    Raises:
        SourceError: naming the field, if a number is not finite, a side is not positive, or the
            rotation is none.
    """

    centre: Array
    """[3] m, world"""
    sides: Array
    """[3] m, full lengths along the box's own axes"""
    rotation: Array
    """[3, 3], columns are the box's axes in the world"""

    def __post_init__(self) -> None:
        """Check the numbers."""
        checks.numbers(self.centre, (3,), "centre")
        if not (checks.numbers(self.sides, (3,), "sides") > 0).all():
            raise SourceError(f"sides: expected > 0, got {np.asarray(self.sides).tolist()}")
        checks.rotation(self.rotation, "rotation")


@dataclass(frozen=True, kw_only=True, eq=False)
class AnnotatedObject:
    """One object as somebody annotated it."""

    id: str
    """unique in the frame; never said"""
    category: str
    """English noun, singular, lower case"""
    box: Box
    colour: str | None = None
    """a name that may be said; none if it is not known"""
    material: str | None = None
    caption: str | None = None
    """free text that came with it; kept, not used"""
    mask: NDArray[np.bool_] | None = None
    """[H, W] its visible pixels; none if they are to be found from the box and the depth"""


@dataclass(frozen=True, kw_only=True, eq=False)
class AnnotatedFrame:
    """One picture with depth, camera and objects.

    Raises:
        SourceError: naming the field, if sizes differ, depths are not finite or negative, or two
            objects have one id.
    """

    name: str
    """unique in its source"""
    rgb: NDArray[np.uint8]
    """[H, W, 3]"""
    depth: NDArray[np.float32]
    """[H, W] m along the optical axis; 0 = not known"""
    camera: CameraSpec
    """intrinsics at the picture's size, and its pose in the world"""
    objects: tuple[AnnotatedObject, ...]
    """everything that is there, structure (walls, floor) included"""

    def __post_init__(self) -> None:
        """Check that the parts belong together."""
        expected = (self.camera.height, self.camera.width)
        checks.size(self.rgb, expected, "rgb")
        checks.size(self.depth, expected, "depth")
        if not np.isfinite(self.depth).all() or (self.depth < 0).any():
            raise SourceError("depth: expected finite metres >= 0, 0 where it is not known")
        seen: dict[str, int] = {}
        for k, o in enumerate(self.objects):
            if o.id in seen:
                raise SourceError(f"objects[{k}].id: {o.id!r} is already objects[{seen[o.id]}]")
            seen[o.id] = k
            if not o.category:
                raise SourceError(f"objects[{k}].category: expected a noun, got none")
            if o.mask is not None:
                checks.size(o.mask, expected, f"objects[{k}].mask")
