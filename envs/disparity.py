"""Relative inverse depth: the depth picture that RoboRefer's depth encoder takes."""

import numpy as np
from numpy.typing import NDArray


def relative_inverse_depth(depth: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Turn metric depth into a picture of relative inverse depth: near is bright.

    The disparity 1 / z, scaled so that the picture's least is 0 and its greatest 255, rounded down
    as the public server does. A picture of one disparity alone is black.

    Args:
        depth: [H, W] m along the optical axis; what is not finite or not above 0 had no return and
            counts as infinitely far.

    Returns:
        [H, W, 3] uint8, three equal channels.

    Source: arXiv 2506.04308, section 3; the scaling is that of API/api.py in Zhoues/RoboRefer.
    """
    depth = np.asarray(depth, np.float64)
    seen = np.isfinite(depth) & (depth > 0)
    disparity = np.divide(1.0, depth, out=np.zeros_like(depth), where=seen)
    least, greatest = disparity.min(initial=np.inf), disparity.max(initial=0.0)
    grey = np.zeros(depth.shape, np.uint8)
    if greatest > least:
        grey = ((disparity - least) / (greatest - least) * 255).astype(np.uint8)
    return np.repeat(grey[..., np.newaxis], 3, axis=-1)
