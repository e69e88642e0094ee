"""Texts about pictures where nothing may be cached: each picture with its texts as one sequence.

Gradient checkpointing runs a layer anew in the backward pass, so transformers takes the cache from
it. Weights that are spread over processes (FSDP2) are there for a layer's pass alone: each process
must make as many passes as the others, and a gradient that comes to a layer through a cache, not
through its output, finds none. Here the texts stand one behind the other, each blind to those
before it and counted from the end of the picture: the same sums as with a cache, in one pass.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from refergym.agents.refervlm.modeling import ReferVLMForConditionalGeneration, ReferVLMOutput
from refergym.agents.refervlm.sharing import Rows, look, say

FILLED = -1
"""segment of what only fills up; the picture is 0, its texts are 1, 2, ..."""


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What a model gives for pictures and the texts about them."""

    features: torch.Tensor | None
    """[B, M, C] of the RGB tower"""
    depth_features: torch.Tensor | None
    """[B, M, C] of depth pictures"""
    answers: Iterator[tuple[Rows, ReferVLMOutput]]
    """each batch of texts with its logits [R, K, V] and scores [R, K, N]"""


@dataclass(frozen=True, kw_only=True)
class _Packed:
    input_ids: torch.Tensor
    """[B, L]"""
    positions: torch.Tensor
    """[B, L]"""
    segments: torch.Tensor
    """[B, L]"""
    at: torch.Tensor
    """[B, K] of the tokens that say something"""
    where: list[torch.Tensor]
    """of each batch of texts: [R, K] places in `at`"""


def share(
    model: ReferVLMForConditionalGeneration,
    input_ids: torch.Tensor,
    pixel_values: torch.Tensor,
    depth_values: torch.Tensor | None,
    chunks: Sequence[Rows],
) -> Shared:
    """Run the model over pictures and the texts about them, each picture once.

    Args:
        model: the model.
        input_ids: [B, P] the marks of the pictures' tokens, nothing else.
        pixel_values: [B, 3, H, W].
        depth_values: the same of depth pictures.
        chunks: the texts.
    """
    if not _in_one_pass(model):
        prefix = look(model, input_ids, pixel_values, depth_values)
        return Shared(
            features=prefix.features,
            depth_features=prefix.depth_features,
            answers=say(model, prefix, chunks),
        )
    packed = _packed(input_ids.cpu(), chunks)
    device = input_ids.device
    out = model(
        input_ids=packed.input_ids.to(device), pixel_values=pixel_values,
        depth_values=depth_values, attention_mask=_bias(packed.segments, model.dtype).to(device),
        position_ids=packed.positions.to(device), logits_to_keep=packed.at.to(device),
        use_cache=False,
    )  # fmt: skip
    return Shared(
        features=out.features,
        depth_features=out.depth_features,
        answers=_answers(out, packed, chunks),
    )


def _in_one_pass(model: ReferVLMForConditionalGeneration) -> bool:
    is_spread = hasattr(model, "unshard")  # what FSDP2 gives a module
    return is_spread or bool(model.training and model.is_activation_checkpointing)


def _answers(
    out: ReferVLMOutput, packed: _Packed, chunks: Sequence[Rows]
) -> Iterator[tuple[Rows, ReferVLMOutput]]:
    assert out.logits is not None, "a pass gives them"
    for rows, where in zip(chunks, packed.where, strict=True):
        index = (rows.pictures[:, None].to(out.logits.device), where.to(out.logits.device))
        scores = None if out.scores is None else out.scores[index]
        yield rows, ReferVLMOutput(logits=out.logits[index], scores=scores)


def _packed(marks: torch.Tensor, chunks: Sequence[Rows]) -> _Packed:
    count, before = marks.shape
    ids = [row.tolist() for row in marks]
    positions = [list(range(before)) for _ in range(count)]
    segments = [[0] * before for _ in range(count)]
    at: list[list[int]] = [[] for _ in range(count)]
    where = []
    for rows in chunks:
        places = torch.zeros_like(rows.at)
        for r, picture in enumerate(rows.pictures.tolist()):
            length, start = int(rows.at[r].max()) + 1, len(ids[picture])
            places[r] = torch.arange(rows.at.shape[1]) + len(at[picture])
            ids[picture] += rows.input_ids[r, :length].tolist()
            positions[picture] += range(before, before + length)
            segments[picture] += [segments[picture][-1] + 1] * length
            at[picture] += (rows.at[r] + start).tolist()
        where.append(places)
    return _Packed(
        input_ids=_rectangle(ids, 0),
        positions=_rectangle(positions, 0),
        segments=_rectangle(segments, FILLED),
        at=_rectangle(at, 0),
        where=where,
    )


def _rectangle(rows: list[list[int]], fill: int) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [fill] * (width - len(row)) for row in rows])


def _bias(segments: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return what is added to attention's scores, [B, 1, L, L]."""
    looking, seen = segments[:, :, None], segments[:, None, :]
    length = segments.shape[1]
    is_before = torch.ones(length, length, dtype=torch.bool).tril()
    may_see = is_before & ((seen == 0) | (seen == looking))
    return torch.zeros(1, dtype=dtype).where(may_see, torch.finfo(dtype).min)[:, None]
