"""Score answers as RefSpatial-Bench's script does, and with a denominator that leaves none out.

A sample scores the share of its points that lie in its mask. The script leaves out the samples at
which its parser fails: no answer at all, or a box that ends before it begins (Zhoues/RoboRefer,
Evaluation/summarize_acc.py). An answer without any point scores 0 there as well.
"""

import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from refergym.assets.records import Record
from refergym.rollouts.errors import DataError

_NUMBER = r"[-+]?\d+\.?\d*"
_TUPLE = re.compile(rf"\(({_NUMBER}(?:,\s*{_NUMBER})+)\)")
_FAR = 1 << 31
"""px; beyond it, one pixel is as wrong as another"""
_LARGEST = 64
"""pictures that a box may be as large as"""


class Score(Record, frozen=True, kw_only=True):
    """How a list of answers did."""

    official: float | None
    """mean over the samples that the script can score; none without any"""
    strict: float | None
    """mean over all samples, 0 for those that it cannot; none without any"""
    samples: int
    unscored: int
    """that the script leaves out"""


def score(answered: Iterable[tuple[str | None, NDArray[np.bool_]]]) -> Score:
    """Score answers.

    Args:
        answered: (the answer or None, its mask [H, W]) of each sample.
    """
    shares: list[float] = []
    samples = 0
    for text, mask in answered:
        samples += 1
        try:
            pixels = pixels_in(text, mask.shape[1], mask.shape[0])
        except DataError:
            continue
        shares.append(share(pixels, mask))
    return Score(
        official=sum(shares) / len(shares) if shares else None,
        strict=sum(shares) / samples if samples else None,
        samples=samples,
        unscored=samples - len(shares),
    )


def share(pixels: NDArray[np.int64], mask: NDArray[np.bool_]) -> float:
    """Return the share of pixels [K, 2] (x, y) that lie in a mask [H, W]; 0 without any."""
    if not len(pixels):
        return 0.0
    x, y = pixels.T
    inside = (x >= 0) & (x < mask.shape[1]) & (y >= 0) & (y < mask.shape[0])
    return float(mask[y[inside], x[inside]].sum() / len(pixels))


def pixels_in(text: str | None, width: int, height: int) -> NDArray[np.int64]:
    """Find the pixels [K, 2] (x, y) that an answer names.

    A pair with a decimal point in it is normalised, pixel int(x * W); one of whole numbers is a
    pixel; four numbers are a normalised box, all of whose pixels count. Anything else is passed
    over.

    Raises:
        DataError: where the script fails: without a text, or at a box that ends before it begins.
    """
    if text is None:
        raise DataError("answer: expected text, got none")
    found: list[NDArray[np.int64]] = []
    for match in _TUPLE.findall(text):
        words = match.split(",")
        is_normalised = len(words) == 4 or "." in match
        scales = (width, height) * 2 if is_normalised else (1,) * 4
        values = [_pixel(w, s) for w, s in zip(words, scales, strict=False)]
        if len(values) == 2:
            found.append(np.array([values], np.int64))
        elif len(values) == 4:
            found.append(_box(values, _LARGEST * width * height))
    return np.concatenate(found) if found else np.empty((0, 2), np.int64)


def _pixel(word: str, scale: int) -> int:
    return int(min(max(float(word) * scale, -_FAR), _FAR))


def _box(corners: list[int], most: int) -> NDArray[np.int64]:
    x0, y0, x1, y1 = corners
    if x1 < x0 or y1 < y0 or (x1 - x0) * (y1 - y0) > most:
        raise DataError(f"answer: a box from ({x0}, {y0}) to ({x1}, {y1})")
    ys, xs = np.mgrid[y0:y1, x0:x1]
    return np.column_stack([xs.ravel(), ys.ravel()]).astype(np.int64)
