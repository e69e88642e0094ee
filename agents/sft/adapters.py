"""LoRA (arXiv 2106.09685) in the language model: small factors learn, its own weights stay.

A checkpoint holds the sum of both, so that it is a plain ReferVLM; what going on needs beside that
is kept apart.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

WANTED = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
NAME = "default"
"""peft's, of the only adapter"""
BASE = ".base_layer."
"""stands in the names of weights that have an adapter"""


def add_lora(model: nn.Module, rank: int) -> None:
    """Give every projection of the language model an adapter, which does nothing at first."""
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(WANTED))
    inject_adapter_in_model(config, model.language_model)


def is_adapter(name: str) -> bool:
    """Say whether a weight is an adapter's."""
    return ".lora_" in name


def is_adapted(model: nn.Module) -> bool:
    """Say whether a model has adapters."""
    return any(is_adapter(name) for name, _ in model.named_parameters())


def choose_learned(model: nn.Module, learns: Sequence[str]) -> None:
    """Let the parts learn whose names begin so, all where none is named.

    With adapters the language model's own weights stay, and the adapters always learn.
    """
    stays = "language_model." if is_adapted(model) else None
    for name, parameter in model.named_parameters():
        wanted = not learns or name.startswith(tuple(learns))
        if stays is not None and name.startswith(stays):
            wanted = is_adapter(name)
        parameter.requires_grad_(wanted)


def merged_state(
    model: nn.Module, held: Mapping[str, torch.Tensor] | None = None
) -> dict[str, torch.Tensor] | None:
    """Return the weights with the adapters added, under the names without; None without any.

    Args:
        model: with adapters or not.
        held: its weights where it holds them in shards.
    """
    if not is_adapted(model):
        return None
    held = model.state_dict() if held is None else held
    state = {k.replace(BASE, "."): v for k, v in held.items() if not is_adapter(k)}
    with torch.no_grad():
        for name, module in model.named_modules():
            if hasattr(module, "get_delta_weight"):
                weight = held[f"{name}{BASE}weight"]
                low, high = (held[f"{name}.lora_{x}.{NAME}.weight"] for x in "AB")
                state[f"{name}.weight"] = weight + (high @ low * module.scaling[NAME]).to(weight)
    return state


def kept_state(
    model: nn.Module, held: Mapping[str, torch.Tensor] | None = None
) -> dict[str, torch.Tensor]:
    """Return what a merged checkpoint has lost: the adapters, and what they were added to.

    Args:
        model: with adapters or not.
        held: its weights where it holds them in shards.
    """
    if not is_adapted(model):
        return {}
    held = model.state_dict() if held is None else held
    return {k: v for k, v in held.items() if is_adapter(k) or BASE in k}


def restore(model: nn.Module, kept: Mapping[str, torch.Tensor]) -> None:
    """Undo the merging that a loaded checkpoint went through.

    Raises:
        ValueError: if the adapters are others.
    """
    own = kept_state(model)
    if {k: v.shape for k, v in own.items()} != {k: v.shape for k, v in kept.items()}:
        raise ValueError("lora: the checkpoint has other adapters")
    for name, value in kept.items():
        own[name].copy_(value)
