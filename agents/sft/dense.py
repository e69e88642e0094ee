"""What a tower's tokens show: category, colour, offset to the middle. Towers learn to see by it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from refergym.agents.refervlm.coordinates import cells
from refergym.agents.refervlm.modeling import IGNORED


class DenseHead(nn.Module):
    """Says what each of a tower's tokens shows: category, colour, offset to its middle."""

    def __init__(self, width: int, categories: Sequence[str], colours: Sequence[str] = ()) -> None:
        """Make the maps; the first class of each is nothing. Without colours none is asked."""
        super().__init__()
        self.categories, self.colours = tuple(categories), tuple(colours)
        self.category = nn.Linear(width, len(categories) + 1)
        self.colour = nn.Linear(width, len(colours) + 1) if colours else None
        self.offset = nn.Linear(width, 2)

    def loss(
        self, features: torch.Tensor, targets: "DenseTargets"
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the loss of tokens [B, N, width] and the shares that are named rightly."""
        category = self.category(features).float()
        is_thing = targets.category > 0
        loss = _classes(category, targets.category)
        right = {"category": _right(category, targets.category, is_thing)}
        if self.colour is not None:
            colour = self.colour(features).float()
            loss = loss + _classes(colour, targets.colour)
            right["colour"] = _right(colour, targets.colour, is_thing & (targets.colour > 0))
        if bool(is_thing.any()):
            off = (self.offset(features).float() - targets.offset)[is_thing]
            loss = loss + 20 * off.abs().mean()
        return loss, right


@dataclass(frozen=True, kw_only=True)
class DenseTargets:
    """What each token of a picture shows; 0 is nothing, IGNORED is not known."""

    category: torch.Tensor
    """[B, N]"""
    colour: torch.Tensor
    """[B, N]; IGNORED where a thing's colour has no name"""
    offset: torch.Tensor
    """[B, N, 2] share of the picture: from the token's middle to the thing's"""

    def to(self, device: torch.device) -> "DenseTargets":
        """Move all."""
        return DenseTargets(
            category=self.category.to(device),
            colour=self.colour.to(device),
            offset=self.offset.to(device),
        )


def dense_targets(
    ids: NDArray[np.integer],
    names: Sequence[Sequence[tuple[str, str]] | None],
    head: DenseHead,
    side: int,
    least: float = 0.15,
) -> DenseTargets:
    """Work out what tokens show.

    Args:
        ids: [B, H, W] index of the object in names, < 0 for none.
        names: for each picture (category, colour) of its objects; None where that is not known.
        head: knows the classes.
        side: tokens along each side.
        least: share of a token's pixels that a thing must have for the token to show it.

    Raises:
        ValueError: if the picture is not a multiple of `side`.
    """
    batch, height, width = ids.shape
    if height != width or height % side:
        raise ValueError(f"ids: expected squares of a multiple of {side} px, got {ids.shape}")
    cut = height // side
    squares = ids.reshape(batch, side, cut, side, cut).swapaxes(2, 3).reshape(batch, side**2, -1)
    category = np.zeros((batch, side**2), np.int64)
    colour = np.zeros_like(category)
    offset = np.zeros((batch, side**2, 2), np.float32)
    most = np.full((batch, side**2), least * cut * cut)
    grid = cells(side).numpy()
    for b, things in enumerate(names):
        if things is None:
            category[b] = colour[b] = IGNORED
            continue
        for k, (kind, tint) in enumerate(things):
            shown = ids[b] == k
            rows, columns = shown.any(1).nonzero()[0], shown.any(0).nonzero()[0]
            if not len(rows):
                continue
            middle = (columns[0] + columns[-1] + 1, rows[0] + rows[-1] + 1)
            count = (squares[b] == k).sum(-1)
            here = count > most[b]
            most[b] = np.where(here, count, most[b])
            category[b, here] = _class(kind, head.categories, IGNORED)
            colour[b, here] = _class(tint, head.colours, IGNORED)
            offset[b, here] = np.array(middle) / 2 / height - grid[here]
    return DenseTargets(
        category=torch.from_numpy(category),
        colour=torch.from_numpy(colour),
        offset=torch.from_numpy(offset),
    )


def _class(name: str, known: Sequence[str], other: int) -> int:
    return known.index(name) + 1 if name in known else other


def _classes(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    if not bool((target != IGNORED).any()):
        return logits.sum() * 0.0
    weight = torch.ones(logits.shape[-1], device=logits.device)
    weight[0] = 0.3  # most of a picture is nothing
    return functional.cross_entropy(
        logits.flatten(0, 1), target.flatten(), weight=weight, ignore_index=IGNORED
    )


def _right(logits: torch.Tensor, target: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    hits = (logits.argmax(-1) == target)[where].float()
    return hits.mean() if len(hits) else hits.new_zeros(())
