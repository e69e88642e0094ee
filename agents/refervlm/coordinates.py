"""Coordinates as tokens on Fourier features, which visual tokens share, and a pointer to them."""

import math
from typing import NamedTuple, Self

import torch
from torch import nn

FREQUENCIES = 10
GROWTH = 1.5
"""from one frequency to the next"""
NARROW = 0.005
"""share of the picture: the least width of what a visual token says about a coordinate"""
REACH = 0.15
"""share of the picture: how far from its cell a visual token may point"""


def fourier(values: torch.Tensor) -> torch.Tensor:
    """Return features [..., 2 * FREQUENCIES] of values [...] in [0, 1]."""
    steps = torch.arange(FREQUENCIES, dtype=torch.float32, device=values.device)
    angles = values[..., None].float() * math.pi * GROWTH**steps
    return torch.cat([angles.sin(), angles.cos()], -1)


def cells(side: int) -> torch.Tensor:
    """Return the middles [side * side, 2] (u, v) of a grid's cells, row by row."""
    middle = (torch.arange(side) + 0.5) / side
    v, u = torch.meshgrid(middle, middle, indexing="ij")
    return torch.stack([u.reshape(-1), v.reshape(-1)], -1)


class Coordinates(nn.Module):
    """What coordinate tokens and visual tokens share: the features of a value in [0, 1]."""

    def __init__(self, count: int, side: int, width: int) -> None:
        """Make the maps from features to embeddings.

        Args:
            count: coordinate tokens; k stands for k / count.
            side: visual tokens along each side.
            width: of an embedding.
        """
        super().__init__()
        self.count, self.side = count, side
        features = 2 * FREQUENCIES
        self.said = nn.Linear(features, width, bias=False)
        self.answered = nn.Linear(features, width, bias=False)
        self.seen = nn.Linear(2 * features, width)

    def values(self) -> torch.Tensor:
        """Return what the coordinate tokens stand for, [count]."""
        return torch.arange(self.count, device=self.said.weight.device) / self.count

    def embeddings(self) -> torch.Tensor:
        """Return what is added to the coordinate tokens' embeddings, [count, width]."""
        out: torch.Tensor = self.said(self._features(self.values()))
        return out

    def rows(self) -> torch.Tensor:
        """Return what is added to the coordinate tokens' rows of the output layer."""
        out: torch.Tensor = self.answered(self._features(self.values()))
        return out

    def places(self) -> torch.Tensor:
        """Return what is added to the visual tokens of a picture, [side * side, width]."""
        grid = cells(self.side).to(self.seen.weight.device)
        out: torch.Tensor = self.seen(self._features(grid).flatten(-2))
        return out

    def _features(self, values: torch.Tensor) -> torch.Tensor:
        return fourier(values).to(self.said.weight.dtype)


class Pointer(nn.Module):
    """An attention over a picture's tokens that says which coordinates are likely."""

    def __init__(self, count: int, side: int, width: int) -> None:
        """Make the maps; see `Coordinates`."""
        super().__init__()
        self.count, self.side, self.width = count, side, width
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.offset = nn.Linear(width, 2)
        self.gate = nn.Linear(width, 2)
        self.narrow = nn.Parameter(torch.tensor(-3.0))

    def over(self, seen: torch.Tensor) -> "Pointed":
        """Go over pictures: what depends on them alone, for all texts about them.

        Args:
            seen: [B, N, width] of the picture's tokens.
        """
        grid = cells(self.side).to(seen.device)
        places = grid + REACH * torch.tanh(self.offset(seen).float())
        values = (torch.arange(self.count, device=seen.device) + 0.5) / self.count
        width = self.narrow.float().exp() + NARROW
        away = (values - places.transpose(1, 2)[..., None]) / width
        return Pointed(keys=self.key(seen), near=(-0.5 * away.square()).softmax(-1))

    def forward(
        self, states: torch.Tensor, pointed: "Pointed"
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Say for each state what a coordinate token is likely to be.

        Args:
            states: [B, T, width] of the text.
            pointed: of the pictures.

        Returns:
            Logits [B, T, count] to add to those of the coordinate tokens, and scores [B, T, N].
        """
        scores = self.query(states) @ pointed.keys.transpose(1, 2) / self.width**0.5
        share = scores.float().softmax(-1)
        gate = nn.functional.softplus(self.gate(states).float())
        total = states.new_zeros((*states.shape[:2], self.count), dtype=torch.float32)
        for axis in (0, 1):
            likely = (share @ pointed.near[:, axis]).clamp_min(1e-6).log()
            total = total + gate[..., axis, None] * likely
        return total, scores


class Pointed(NamedTuple):
    """Pictures that the pointer has gone over."""

    keys: torch.Tensor
    """[B, N, width]"""
    near: torch.Tensor
    """[B, 2, N, count] how likely each visual token makes each value of u and of v"""

    def of(self, which: torch.Tensor) -> Self:
        """Return those of some pictures, [R]."""
        return type(self)(self.keys[which], self.near[which])
