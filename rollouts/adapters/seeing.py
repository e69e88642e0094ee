"""How large a picture is once a model's processor has resized it: what its pixels count."""

from typing import Any

import numpy as np


def seen_size(processor: Any, size: tuple[int, int]) -> tuple[int, int]:
    """Return px (width, height) of a picture as a model sees it.

    Args:
        processor: of the model, with an image processor; one that tells no grid of patches (only
            Qwen's do) leaves the size as it is.
        size: px (width, height) of the picture itself.
    """
    images = getattr(processor, "image_processor", None)
    if images is None:
        return size
    blank = np.zeros((size[1], size[0], 3), np.uint8)
    grid = images(images=[blank], return_tensors="np").get("image_grid_thw")
    if grid is None:
        return size
    _, rows, columns = (int(n) for n in np.asarray(grid)[0])
    patch = int(images.patch_size)
    return columns * patch, rows * patch
