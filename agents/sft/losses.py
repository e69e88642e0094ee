"""What an answer costs: its words, its coordinates, and where the pointer looked.

Coordinates have soft targets, since a neighbour is nearly right. Where the pointer looks while it
says one is taught directly: small models do not ground words at all without.
"""

from dataclasses import dataclass

import torch

from refergym.agents.refervlm.configuration import ReferVLMConfig
from refergym.agents.refervlm.coordinates import cells
from refergym.agents.refervlm.modeling import IGNORED


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What counts how much in the loss."""

    words: float = 1.0
    coordinates: float = 1.0
    pointer: float = 0.5
    dense: float = 0.5
    spread: float = 0.01
    """share of the picture: standard deviation of a coordinate's soft target"""


def answer_loss(
    logits: torch.Tensor, targets: torch.Tensor, config: ReferVLMConfig, weights: Weights
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return the loss of the answers' tokens and its parts.

    Args:
        logits: [B, K, V].
        targets: [B, K] tokens to say; IGNORED where none is.
        config: of the model.
        weights: of the parts.
    """
    kept = targets != IGNORED
    scores, said = logits[kept].float(), targets[kept]
    is_number = _is_number(said, config)
    likely = scores.log_softmax(-1)
    words = -likely[~is_number].gather(-1, said[~is_number, None]).squeeze(-1)
    numbers = likely.new_zeros(0)
    first, count = config.coordinate_token_id, config.coordinates
    if bool(is_number.any()):
        values = torch.arange(count, device=scores.device) / count
        true = (said[is_number] - first) / count
        near = (-0.5 * ((values - true[:, None]) / weights.spread) ** 2).softmax(-1)
        numbers = -(near * likely[is_number][:, first : first + count]).sum(-1)
    total = weights.words * words.sum() + weights.coordinates * numbers.sum()
    parts = {"words": _mean(words.detach()), "coordinates": _mean(numbers.detach())}
    return total / max(1, len(said)), parts


def pointer_loss(
    scores: torch.Tensor, targets: torch.Tensor, config: ReferVLMConfig, width: float = 0.6
) -> torch.Tensor:
    """Return how far the pointer looks from where the answer points.

    Args:
        scores: [B, K, N] of the pointer.
        targets: [B, K] tokens to say; IGNORED where none is.
        config: of the model.
        width: variance of the target, in cells.
    """
    rows, spans, points = points_of(targets, config)
    if not len(rows):
        return scores.new_zeros(())
    grid = cells(config.side).to(scores.device)
    away = ((points[:, None] - grid) * config.side).square().sum(-1)
    target = (-0.5 * away / width).softmax(-1)
    losses = [
        -(target * scores[rows, spans[:, axis]].float().log_softmax(-1)).sum(-1) for axis in (0, 1)
    ]
    return torch.stack(losses).mean()


def points_of(
    targets: torch.Tensor, config: ReferVLMConfig, apart: int = 3
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Find the points that answers say: two coordinates close together, as in "(0.510, 0.255)".

    Three close together are a direction, no point.

    Returns:
        Their rows [P], the positions [P, 2] of u and v, and what they are [P, 2].
    """
    row, at = _is_number(targets, config).nonzero(as_tuple=True)
    where = list(zip(row.tolist(), at.tolist(), strict=True))
    runs: list[list[tuple[int, int]]] = []
    for r, k in where:
        if runs and runs[-1][-1][0] == r and k - runs[-1][-1][1] <= apart:
            runs[-1].append((r, k))
        else:
            runs.append([(r, k)])
    pairs = [(run[0][0], run[0][1], run[1][1]) for run in runs if len(run) == 2]
    found = torch.tensor(pairs, device=targets.device, dtype=torch.long).view(-1, 3)
    spans = found[:, 1:]
    values = (targets[found[:, :1], spans] - config.coordinate_token_id).float()
    return found[:, 0], spans, values / max(1, config.coordinates)


def _is_number(targets: torch.Tensor, config: ReferVLMConfig) -> torch.Tensor:
    first = config.coordinate_token_id
    return (targets >= first) & (targets < first + config.coordinates)


def _mean(values: torch.Tensor) -> torch.Tensor:
    return values.mean() if len(values) else values.new_zeros(())


def schedule(step: int, steps: int, warmup: float = 0.03, floor: float = 0.0) -> float:
    """Return the share of the learning rate at a step: linear warm-up, then a cosine to `floor`."""
    rise = max(1, int(steps * warmup))
    if step < rise:
        return (step + 1) / rise
    done = min(1.0, (step - rise) / max(1, steps - rise))
    return floor + (1 - floor) * 0.5 * (1 + float(torch.cos(torch.tensor(done * torch.pi))))
