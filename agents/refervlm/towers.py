"""Towers: any vision model of transformers that gives tokens on a square grid, or a small one."""

from typing import Any

import torch
from torch import nn
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from refergym.agents.refervlm.configuration import ConvTowerConfig


class ConvTowerModel(PreTrainedModel):
    """A convolutional backbone; its output has one token for each `patch_size` px square."""

    config_class = ConvTowerConfig
    main_input_name = "pixel_values"
    supports_gradient_checkpointing = True

    def __init__(self, config: ConvTowerConfig) -> None:
        """Build the layers."""
        super().__init__(config)
        layers: list[nn.Module] = []
        before = config.num_channels
        for k, width in enumerate(config.widths or []):
            layers += _convolution(before, width, stride=2)
            if k:
                layers += _convolution(width, width)
            before = width
        self.stages = nn.Sequential(*layers)
        self.blocks = nn.ModuleList(_Residual(before) for _ in range(config.blocks))
        self.head = nn.Conv2d(before, config.hidden_size, 1)
        self.post_init()

    def forward(self, pixel_values: torch.Tensor, **kwargs: Any) -> BaseModelOutput:
        """Return tokens [B, N, hidden_size], row by row, of pictures [B, C, H, W]."""
        seen = self.stages(pixel_values.contiguous(memory_format=torch.channels_last))
        for block in self.blocks:
            seen = block(seen)
        return BaseModelOutput(last_hidden_state=self.head(seen).flatten(2).transpose(1, 2))


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            _norm(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            _norm(width),
        )

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        return torch.relu(seen + self.layers(seen))


def _convolution(before: int, width: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(before, width, 3, stride, 1, bias=False),
        _norm(width),
        nn.ReLU(inplace=True),
    ]


def _norm(width: int) -> nn.Module:
    # groups, not batches: an answer must not depend on what else is in the batch
    return nn.GroupNorm(max(1, width // 8), width)


def build_tower(config: PreTrainedConfig) -> PreTrainedModel:
    """Make a tower from its configuration, without a head that pools."""
    if hasattr(config, "vision_use_head"):
        config.vision_use_head = False
    tower: PreTrainedModel = AutoModel.from_config(config)
    return tower


def see(
    tower: nn.Module, pictures: torch.Tensor, scales: int = 1, layer: int | None = None
) -> torch.Tensor:
    """Return what a tower sees in pictures; see ReferVLMConfig for `scales` and `layer`.

    Args:
        tower: sees squares of S px.
        pictures: [B, C, scales * S, scales * S].
        scales: sizes at which it sees each.
        layer: which of its hidden states.

    Returns:
        [B, (scales * n)^2, scales * width] of a tower that gives n^2 tokens, row by row.
    """
    if scales == 1:
        return _states(tower, pictures, layer)
    seen = []
    for count in range(1, scales + 1):
        size = pictures.shape[-1] // scales * count
        states = _states(tower, _tiles(_resized(pictures, size), count), layer)
        side = int(states.shape[1] ** 0.5)
        grid = states.view(-1, count, count, side, side, states.shape[-1])
        whole = grid.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)
        seen.append(nn.functional.interpolate(whole.float(), size=scales * side, mode="area"))
    return torch.cat(seen, 1).flatten(2).transpose(1, 2).to(pictures.dtype)


def _states(tower: nn.Module, pictures: torch.Tensor, layer: int | None) -> torch.Tensor:
    if layer is None:
        states: torch.Tensor = tower(pictures).last_hidden_state
    else:
        states = tower(pictures, output_hidden_states=True).hidden_states[layer]
    return states


def _resized(pictures: torch.Tensor, size: int) -> torch.Tensor:
    if pictures.shape[-1] == size:
        return pictures
    small = nn.functional.interpolate(
        pictures.float(), size=(size, size), mode="bicubic", antialias=True
    )
    return small.clamp(-1, 1).to(pictures.dtype)  # bicubic goes beyond the values that there are


def _tiles(pictures: torch.Tensor, count: int) -> torch.Tensor:
    """Cut pictures [B, C, S, S] into count x count tiles, row by row: [B * count^2, C, ...]."""
    side = pictures.shape[-1] // count
    cut = pictures.unfold(2, side, side).unfold(3, side, side)
    return cut.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)


class Projector(nn.Module):
    """Space to depth, LayerNorm and an MLP with GELU: a tower's tokens to the language model's.

    As in NVILA (arXiv 2412.04468): 2x2 with one hidden layer, 3x3 with two, the first a third as
    wide as what comes in.
    """

    def __init__(self, before: int, width: int, downsample: int) -> None:
        """Build the layers.

        Args:
            before: width of the tower's tokens.
            width: of the language model's.
            downsample: how many tokens along each side become one.
        """
        super().__init__()
        self.downsample = downsample
        wide = before * downsample**2
        layers: list[nn.Module] = [nn.LayerNorm(wide)]
        if downsample == 3:
            layers += [nn.Linear(wide, 3 * before), nn.GELU(), nn.LayerNorm(3 * before)]
            wide = 3 * before
        layers += [nn.Linear(wide, width), nn.GELU(), nn.Linear(width, width)]
        self.layers = nn.Sequential(*layers)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return tokens [B, n, width] of tokens [B, N, before] on a square grid, row by row."""
        projected: torch.Tensor = self.layers(space_to_depth(tokens, self.downsample))
        return projected


def space_to_depth(tokens: torch.Tensor, factor: int) -> torch.Tensor:
    """Join squares of factor x factor tokens; zeros fill up what is left over at right and below.

    Args:
        tokens: [B, N, C] on a square grid, row by row.
        factor: tokens along each side that become one.

    Returns:
        [B, ceil(sqrt(N) / factor)^2, C * factor^2].
    """
    if factor == 1:
        return tokens
    batch, count, width = tokens.shape
    side = int(count**0.5)
    if side * side != count:
        raise ValueError(f"tokens: expected a square grid, got {count}")
    grid = tokens.view(batch, side, side, width)
    missing = -side % factor
    if missing:
        grid = nn.functional.pad(grid, (0, 0, 0, missing, 0, missing))
    small = (side + missing) // factor
    grid = grid.view(batch, small, factor, small, factor, width)
    return grid.permute(0, 1, 3, 2, 4, 5).reshape(batch, small * small, factor**2 * width)
