"""A learner's processes, and weights that are spread over them (FSDP2, arXiv 2304.11277).

One process is a group of one: everything here works without torch.distributed too.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.checkpoint import state_dict as whole

from refergym.agents.rft.errors import RftError

WHOLE = whole.StateDictOptions(full_state_dict=True, cpu_offload=True)
"""of weights and optimisers that are saved: not in shards, whatever they are held in"""


def processes() -> int:
    """Return how many learn together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this one; 0 is the main process."""
    return dist.get_rank() if processes() > 1 else 0


def reduced(values: torch.Tensor) -> torch.Tensor:
    """Add up what all processes have, in place; on the device that the model is on."""
    if processes() > 1:
        dist.all_reduce(values)
    return values


def gathered(value: Any) -> list[Any]:
    """Return what each process has."""
    if processes() == 1:
        return [value]
    told: list[Any] = [None] * processes()
    dist.all_gather_object(told, value)
    return told


def full_weights(model: Any) -> dict[str, torch.Tensor]:
    """Return all weights, whole, on the CPU.

    Where they are spread all processes must ask together, and the main one alone is told.
    """
    if hasattr(model, "unshard"):
        found: dict[str, Any] = dict(whole.get_model_state_dict(model, options=WHOLE))
    else:
        found = {name: value.cpu() for name, value in model.state_dict().items()}
    # what the model has once under several names stays one: it is saved once
    names: dict[int, str] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        first = names.setdefault(id(parameter), name)
        if first != name and first in found:
            found[name] = found[first]
    return found


def shard(model: Any) -> None:
    """Spread the weights over the processes: each layer by itself, then the rest.

    FSDP2 takes no weight without a dimension: each process holds those (`is_alone`).

    Raises:
        RftError: in one process.
    """
    from torch.distributed.fsdp import fully_shard

    if processes() == 1:
        raise RftError("spread: shards needs several processes; use torchrun, or spread=copies")
    # it warns of views that are written to; what a model gives is not, anywhere here
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view")
    alone = {p for p in model.parameters() if is_alone(p)}
    for module in list(model.modules()):
        if type(module).__name__ in (getattr(model, "_no_split_modules", None) or ()):
            fully_shard(module, ignored_params=alone)
    fully_shard(model, ignored_params=alone)


def is_alone(parameter: torch.Tensor) -> bool:
    """Say whether a weight is a single number, without a dimension to be cut."""
    return parameter.dim() == 0


def add_gradients(parameters: Sequence[torch.nn.Parameter], *, is_spread: bool) -> None:
    """Let each process have the gradient of all processes' parts; FSDP2 has done so for shards."""
    if processes() == 1:
        return
    for parameter in parameters:
        if is_spread and not is_alone(parameter):
            continue
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        reduced(parameter.grad)
        if is_spread:
            parameter.grad /= processes()


def clipped(parameters: Sequence[torch.nn.Parameter], longest: float) -> torch.Tensor:
    """Shorten a gradient to a norm, and return the norm that it had; shards or not."""
    kinds: dict[bool, list[torch.nn.Parameter]] = {}
    for parameter in parameters:
        kinds.setdefault(is_alone(parameter), []).append(parameter)
    norms = []
    for kind in kinds.values():
        norm = torch.nn.utils.get_total_norm([p.grad for p in kind if p.grad is not None])
        norms.append(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)
    total: torch.Tensor = torch.linalg.vector_norm(torch.stack(norms))
    for kind in kinds.values():
        torch.nn.utils.clip_grads_with_norm_(kind, longest, total)
    return total
