"""Weights on their way to another process: arrays of bytes, which travel without being copied."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Packed:
    """One tensor."""

    data: NDArray[np.uint8]
    """[bytes]"""
    dtype: str
    """name in torch: numpy has no bfloat16"""
    shape: tuple[int, ...]


def pack(weights: Mapping[str, torch.Tensor]) -> dict[str, Packed]:
    """Turn tensors into bytes."""
    return {
        name: Packed(
            data=tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy(),
            dtype=str(tensor.dtype).removeprefix("torch."),
            shape=tuple(tensor.shape),
        )
        for name, tensor in weights.items()
    }


def load(model: torch.nn.Module, packed: Mapping[str, Packed]) -> None:
    """Let a model have weights; one tensor at a time is copied.

    Raises:
        ValueError: if they are another model's.
    """
    own = model.state_dict()
    other = sorted(own.keys() ^ packed.keys())
    if other:
        raise ValueError(f"weights of another model: {other[0]} is in one of them alone")
    with torch.no_grad():
        for name, one in packed.items():
            # what came by shared memory is read-only, of which torch warns
            bytes_ = torch.from_numpy(np.array(one.data))
            own[name].copy_(bytes_.view(getattr(torch, one.dtype)).reshape(one.shape))
