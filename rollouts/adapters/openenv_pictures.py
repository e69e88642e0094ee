"""Pictures on OpenEnv's wire: PNG in base64, depth in whole millimetres."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MM = 1000.0


def depth_png(depth: NDArray[np.float32]) -> str:
    """Encode depth [H, W] m as a 16-bit PNG of mm; beyond 65.535 m is 65.535 m."""
    mm = np.clip(np.rint(depth.astype(np.float64) * MM), 0, np.iinfo(np.uint16).max)
    file = io.BytesIO()
    Image.fromarray(mm.astype(np.uint16)).save(file, format="PNG", compress_level=3)
    return base64.b64encode(file.getvalue()).decode("ascii")


def rgb_of(png: str) -> NDArray[np.uint8]:
    """Decode a picture [H, W, 3]."""
    return np.array(_opened(png).convert("RGB"), np.uint8)


def depth_of(png: str) -> NDArray[np.float32]:
    """Decode depth [H, W] m, to half a mm; 0 = no return."""
    return (np.array(_opened(png), np.float64) / MM).astype(np.float32)


def _opened(png: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(png, validate=True)))
