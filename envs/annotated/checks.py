"""Checks of what others wrote: numbers that are numbers, rotations that are rotations."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from refergym.envs.errors import SourceError
from refergym.envs.types import Array

ORTHONORMAL = 1e-2
"""by which a rotation's rows may miss unit length and right angles; rounding is far less"""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """An item of a source that could not be read."""

    item: str
    """which frame or picture"""
    reason: str
    """the field, and what is wrong with it"""


def numbers(value: object, shape: tuple[int, ...], name: str) -> Array:
    """Return an array of finite numbers of a shape; lists of the same length are reshaped.

    Raises:
        SourceError: naming the value, if it has another size, or is not finite numbers.
    """
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError) as e:
        raise SourceError(f"{name}: expected numbers, got {_short(value)}") from e
    if array.size != np.prod(shape):
        raise SourceError(f"{name}: expected {list(shape)} numbers, got {list(array.shape)}")
    if not np.isfinite(array).all():
        raise SourceError(f"{name}: expected finite numbers, got {_short(value)}")
    return array.reshape(shape)


def rotation(value: object, name: str) -> Array:
    """Return a rotation matrix [3, 3], made exactly orthonormal.

    Raises:
        SourceError: if it is not one to within `ORTHONORMAL`.
    """
    m = numbers(value, (3, 3), name)
    off = float(np.abs(m @ m.T - np.eye(3)).max())
    if off > ORTHONORMAL or np.linalg.det(m) <= 0:
        raise SourceError(
            f"{name}: expected a rotation, got determinant {np.linalg.det(m):.3g} and rows off"
            f" unit length and right angles by {off:.3g}"
        )
    u, _, v = np.linalg.svd(m)
    return np.asarray(u @ v)


def parsed(data: bytes, name: str) -> Any:
    """Decode JSON; raises SourceError where it is none."""
    try:
        return json.loads(data)
    except ValueError as e:
        raise SourceError(f"{name}: not valid JSON: {e}") from e


def picture(data: bytes, name: str) -> NDArray[Any]:
    """Decode a PNG or JPEG into [H, W] or [H, W, C]; raises SourceError where it is none."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as e:
        raise SourceError(f"{name}: no readable picture ({e})") from e


def colours(image: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Return a picture as [H, W, 3] uint8; grey ones get three channels, alpha is dropped.

    Raises:
        SourceError: if its pixels are not 8 bits deep.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise SourceError(f"{name}: expected 8-bit colours, got {image.dtype} {list(image.shape)}")
    if image.ndim == 2 or image.shape[2] < 3:
        grey = image if image.ndim == 2 else image[..., 0]
        return np.repeat(grey[..., None], 3, axis=2)
    return np.ascontiguousarray(image[..., :3])


def size(array: ArrayLike, expected: Sequence[int], name: str) -> None:
    """Raise SourceError if an array [H, W, ...] has not the expected height and width."""
    found = np.shape(array)[:2]
    if tuple(found) != tuple(expected):
        raise SourceError(
            f"{name}: expected {expected[1]} x {expected[0]} pixels, got"
            f" {' x '.join(str(n) for n in found[::-1])}"
        )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
