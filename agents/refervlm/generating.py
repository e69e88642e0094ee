"""Answers about a picture each: what several prompts share is run once, what is finished is left.

`generate` of transformers runs each prompt's picture, copies its cache for each token, and goes on
with all rows until the last one ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

from refergym.agents.refervlm.coordinates import Pointed
from refergym.agents.refervlm.modeling import ReferVLMForConditionalGeneration
from refergym.agents.refervlm.sharing import look
from refergym.agents.sampling import SeededSampler

ROOM = 64
"""tokens that a cache makes room for at a time"""
FULL = 0.75
"""rows are taken together when fewer than this share still write"""


class RoomyLayer(DynamicLayer):
    """A cache's layer with room ahead: it does not copy all that it holds for each new token."""

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add keys and values [B, heads, T, width]; return all that it holds."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
            self._rooms = (self.keys, self.values)
        before, count = self.keys.shape[2], key_states.shape[2]
        if before + count > self._rooms[0].shape[2]:
            self._rooms = (
                _roomier(self.keys, count + ROOM), _roomier(self.values, count + ROOM)
            )  # fmt: skip
        for room, new in zip(self._rooms, (key_states, value_states), strict=True):
            room[:, :, before : before + count] = new
        self.keys, self.values = (room[:, :, : before + count] for room in self._rooms)
        return self.keys, self.values

    def keep(self, rows: torch.Tensor) -> None:
        """Drop the other rows."""
        self._rooms = (self.keys, self.values) = self.keys[rows], self.values[rows]


def _roomier(held: torch.Tensor, more: int) -> torch.Tensor:
    rows, heads, count, width = held.shape
    room = held.new_empty(rows, heads, count + more, width)
    room[:, :, :count] = held
    return room


def answer(
    model: ReferVLMForConditionalGeneration,
    inputs: Mapping[str, torch.Tensor],
    sampler: SeededSampler,
    *,
    ends: Sequence[int],
    max_new_tokens: int,
) -> bool:
    """Let a model answer; the sampler keeps what it draws.

    Args:
        model: the model.
        inputs: of its processor, filled up at the left.
        sampler: draws the tokens.
        ends: tokens behind which nothing comes.
        max_new_tokens: of an answer at most.

    Returns:
        False, and nothing is done, where this does not fit: a prompt that does not begin with one
        picture (and its depth picture).
    """
    state = _begun(model, inputs)
    if state is None:
        return False
    ids = state.asked
    ended = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    last = torch.tensor(sorted(ends), device=ids.device)
    for _ in range(max_new_tokens):
        out = model(
            input_ids=ids, attention_mask=state.mask, position_ids=state.positions,
            past_key_values=state.cache, pointed=state.pointed, logits_to_keep=1, use_cache=True,
        )  # fmt: skip
        ids = sampler(ids, out.logits[:, -1]).argmax(-1, keepdim=True)
        ended |= torch.isin(ids[:, 0], last)
        writing = int((~ended).sum())
        if not writing:
            break
        if writing < FULL * len(ids):
            rows = (~ended).nonzero()[:, 0]
            ids, ended = ids[rows], ended[rows]
            sampler.keep(rows.tolist())
            state.keep(rows)
        state.grow()
    return True


@dataclass(kw_only=True)
class _Writing:
    """Rows that are written behind their pictures."""

    asked: torch.Tensor
    """[B, T] tokens behind the pictures, filled up at the left"""
    mask: torch.Tensor
    """[B, P + T]"""
    positions: torch.Tensor
    """[B, T]"""
    cache: DynamicCache
    pointed: Pointed | None

    def keep(self, rows: torch.Tensor) -> None:
        self.mask, self.positions = self.mask[rows], self.positions[rows]
        if self.pointed is not None:
            self.pointed = self.pointed.of(rows)
        for layer in self.cache.layers:
            assert isinstance(layer, RoomyLayer), "made so"
            layer.keep(rows)

    def grow(self) -> None:
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], 1)
        self.positions = self.positions[:, -1:] + 1


def _begun(
    model: ReferVLMForConditionalGeneration, inputs: Mapping[str, torch.Tensor]
) -> _Writing | None:
    """Go over the pictures; None if the prompts are of another form."""
    ids, mask = inputs["input_ids"], inputs["attention_mask"].bool()
    pixels, depths = inputs.get("pixel_values"), inputs.get("depth_values")
    config = model.config
    marks = [config.image_token_id] * config.image_tokens
    marks += [config.depth_token_id] * (config.image_tokens if depths is not None else 0)
    head = torch.tensor(marks, device=ids.device)
    if (
        pixels is None
        or len(pixels) != len(ids)
        or len(depths if depths is not None else ids) != len(ids)
    ):
        return None
    rows = [row[kept] for row, kept in zip(ids, mask, strict=True)]
    if any(len(r) <= len(head) or not bool((r[: len(head)] == head).all()) for r in rows):
        return None
    which, first = _groups(pixels, depths)
    prefix = look(
        model, head.expand(len(first), -1), pixels[first],
        None if depths is None else depths[first],
    )  # fmt: skip
    at = torch.tensor(which, device=ids.device)
    cache = DynamicCache()
    cache.layer_class_to_replicate = RoomyLayer
    for layer, (keys, values) in enumerate(zip(prefix.keys, prefix.values, strict=True)):
        cache.update(keys[at], values[at], layer)
    asked = [row[len(head) :] for row in rows]
    width = max(map(len, asked))
    pad = model.generation_config.pad_token_id or config.text_config.pad_token_id or 0
    told = ids.new_full((len(ids), width), pad)
    seen = ids.new_zeros(len(ids), len(head) + width)
    seen[:, : len(head)] = 1
    for k, row in enumerate(asked):
        told[k, width - len(row) :], seen[k, len(head) + width - len(row) :] = row, 1
    return _Writing(
        asked=told,
        mask=seen,
        positions=(seen.cumsum(1) - 1)[:, len(head) :],
        cache=cache,
        pointed=None if prefix.pointed is None else prefix.pointed.of(at),
    )


def _groups(pixels: torch.Tensor, depths: torch.Tensor | None) -> tuple[list[int], list[int]]:
    """Return for each row the number of its picture, and for each picture its first row."""
    known: dict[tuple[bytes, bytes], int] = {}
    which: list[int] = []
    first: list[int] = []
    for k in range(len(pixels)):
        depth = b"" if depths is None else _bytes(depths[k])
        key = (_bytes(pixels[k]), depth)
        if key not in known:
            known[key] = len(first)
            first.append(k)
        which.append(known[key])
    return which, first


def _bytes(picture: torch.Tensor) -> bytes:
    return picture.float().cpu().numpy().tobytes()
