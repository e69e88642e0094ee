"""Many texts about one picture: towers and language model go over the picture once.

The picture's tokens are run first; each text then goes on from their keys and values, as if it were
alone behind the picture. Gradients flow through both passes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from transformers.cache_utils import DynamicCache

from refergym.agents.refervlm.coordinates import Pointed
from refergym.agents.refervlm.modeling import (
    IGNORED,
    ReferVLMForConditionalGeneration,
    ReferVLMOutput,
)

CHUNKS = 3
"""texts are run in so many parts, short ones with short ones, so that less is filled up"""


@dataclass(frozen=True, kw_only=True)
class Text:
    """Tokens behind a picture."""

    picture: int
    """which one, in the batch"""
    asked: Sequence[int]
    """read only"""
    answered: Sequence[int]
    """what is to be said"""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Texts of about one length as a batch."""

    pictures: torch.Tensor
    """[R]"""
    input_ids: torch.Tensor
    """[R, T], filled up at the end"""
    at: torch.Tensor
    """[R, K] positions of the tokens that say `targets`"""
    targets: torch.Tensor
    """[R, K]; IGNORED fills up"""
    texts: tuple[int, ...]
    """[R] where each stood among the texts"""


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """Pictures that the model has gone over."""

    keys: list[torch.Tensor]
    """of each layer: [B, heads, P, width]"""
    values: list[torch.Tensor]
    """the same"""
    pointed: Pointed | None
    """as the pointer goes over them"""
    features: torch.Tensor | None
    """[B, M, C] of the RGB tower"""
    depth_features: torch.Tensor | None
    """[B, M, C] of depth pictures"""


def rows_of(texts: Sequence[Text], pad: int = 0, chunks: int = CHUNKS) -> list[Rows]:
    """Sort texts by their length and make batches of them.

    Args:
        texts: the last token of each `asked` says the first of `answered`; it must have one.
        pad: token that fills up.
        chunks: how many batches at most.

    Raises:
        ValueError: if nothing is asked, or nothing is answered.
    """
    for text in texts:
        if not text.asked or not text.answered:
            raise ValueError("texts: expected tokens that are asked and tokens that are answered")
    order = sorted(range(len(texts)), key=lambda k: len(texts[k].asked) + len(texts[k].answered))
    size = -(-len(order) // chunks)
    return [
        _rows([texts[k] for k in part], tuple(part), pad)
        for part in (order[k : k + size] for k in range(0, len(order), size))
    ]


def _rows(texts: Sequence[Text], numbers: tuple[int, ...], pad: int) -> Rows:
    # nothing comes behind the last token of an answer
    ids = [[*t.asked, *t.answered[:-1]] for t in texts]
    at = [list(range(len(t.asked) - 1, len(t.asked) + len(t.answered) - 1)) for t in texts]
    return Rows(
        pictures=torch.tensor([t.picture for t in texts]),
        input_ids=_filled(ids, pad),
        at=_filled(at, 0),
        targets=_filled([list(t.answered) for t in texts], IGNORED),
        texts=numbers,
    )


def _filled(rows: list[list[int]], with_: int) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [with_] * (width - len(row)) for row in rows])


def look(
    model: ReferVLMForConditionalGeneration,
    input_ids: torch.Tensor,
    pixel_values: torch.Tensor,
    depth_values: torch.Tensor | None = None,
) -> Prefix:
    """Run the model over pictures.

    Args:
        model: the model.
        input_ids: [B, P] the marks of the pictures' tokens, nothing else.
        pixel_values: [B, 3, H, W].
        depth_values: the same of depth pictures.

    Raises:
        ValueError: while gradients are checkpointed, which leaves no cache; see `packing.share`.
    """
    cache = DynamicCache()
    out = model(
        input_ids=input_ids, pixel_values=pixel_values, depth_values=depth_values,
        past_key_values=cache, use_cache=True, logits_to_keep=1,
    )  # fmt: skip
    if not cache.layers:
        raise ValueError("look: gradient checkpointing leaves no cache; packing.share needs none")
    return Prefix(
        keys=[layer.keys for layer in cache.layers],
        values=[layer.values for layer in cache.layers],
        pointed=out.pointed,
        features=out.features,
        depth_features=out.depth_features,
    )


def say(
    model: ReferVLMForConditionalGeneration, prefix: Prefix, chunks: Sequence[Rows]
) -> Iterator[tuple[Rows, ReferVLMOutput]]:
    """Run the model over texts, each behind its picture.

    Yields:
        Each batch with what the model gives for it: logits [R, K, V] and scores [R, K, N].
    """
    for rows in chunks:
        device = prefix.keys[0].device
        which = rows.pictures.to(device)
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(zip(prefix.keys, prefix.values, strict=True)):
            cache.update(keys[which], values[which], layer)
        before, count = prefix.keys[0].shape[2], rows.input_ids.shape[1]
        seen = torch.ones(count, before + count, dtype=torch.bool).tril(before)
        bias = torch.zeros(1, 1, *seen.shape, dtype=model.dtype)
        bias = bias.masked_fill(~seen, torch.finfo(model.dtype).min)
        positions = torch.arange(before, before + count, device=device)[None]
        out: ReferVLMOutput = model(
            input_ids=rows.input_ids.to(device),
            attention_mask=bias.to(device),
            position_ids=positions,
            past_key_values=cache,
            pointed=None if prefix.pointed is None else prefix.pointed.of(which),
            logits_to_keep=rows.at.to(device),
            use_cache=True,
        )
        yield rows, out
