"""Sampling that depends on each request alone, and the log-probabilities of what was sampled."""

from collections.abc import Sequence

import numpy as np
import torch
from transformers import LogitsProcessor, TopPLogitsWarper

from refergym.assets.seeding import generator

TINY = 1e-30
"""a wait of 0 would make a token certain, one that is cut off too"""


class SeededSampler(LogitsProcessor):
    """Draws each row's tokens from a generator of its own.

    It adds Gumbel noise (minus the log of an exponential wait) to the logits, so that the greatest
    is a draw from the softmax (the Gumbel-max trick); `generate` then runs with `do_sample=False`.
    What is drawn for a row depends on its logits and its seed, not on the rest of the batch.

    It must be the last processor, so that what it returns is what `generate` takes the greatest of.
    """

    def __init__(self, seeds: Sequence[int], temperature: float = 1.0, top_p: float = 1.0) -> None:
        """Begin an answer.

        Args:
            seeds: one for each row.
            temperature: 0 takes the likeliest token, whatever the seeds.
            top_p: keeps the likeliest tokens that together have this probability.

        Raises:
            ValueError: if an argument is out of range.
        """
        if not temperature >= 0:
            raise ValueError(f"temperature: expected >= 0, got {temperature}")
        if not 0 < top_p <= 1:
            raise ValueError(f"top_p: expected in (0, 1], got {top_p}")
        self._temperature = temperature
        self._top = TopPLogitsWarper(top_p) if top_p < 1 else None
        # numpy's, the same on every device; torch's on the CPU takes 32 bits of a seed alone
        self._generators = [generator(seed, "tokens") for seed in seeds]
        self._count = len(seeds)
        self._rows = list(range(self._count))
        self._drawn: list[torch.Tensor] = []
        self._likely: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return logits whose greatest is the draw."""
        warm = scores.float() / (self._temperature or 1.0)
        drawn = warm
        if self._temperature > 0:
            kept = warm if self._top is None else self._top(input_ids, warm)
            size, kind = warm.shape[-1], np.float32
            waits = np.stack([g.standard_exponential(size, kind) for g in self._generators])
            drawn = kept - torch.from_numpy(waits).to(kept.device).clamp_min(TINY).log()
        token = drawn.argmax(-1, keepdim=True)
        # of each step only this is kept: logits of a long answer would fill the memory
        self._drawn.append(self._all(token))
        self._likely.append(self._all(warm.log_softmax(-1).gather(-1, token)))
        return drawn

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the rows; what the others drew so far stays, 0 comes behind it."""
        self._rows = [self._rows[k] for k in rows]
        self._generators = [self._generators[k] for k in rows]

    def _all(self, column: torch.Tensor) -> torch.Tensor:
        if len(self._rows) == self._count:
            return column
        whole = column.new_zeros(self._count, 1)
        whole[self._rows] = column
        return whole

    def tokens(self) -> torch.Tensor:
        """Return what was drawn so far, [B, T]."""
        return torch.cat(self._drawn, -1)

    def log_probabilities(self) -> torch.Tensor:
        """Return those of what was drawn so far [B, T], float32, at the temperature.

        They are of the whole distribution, before `top_p` cut it; temperature 0 counts as 1.
        """
        return torch.cat(self._likely, -1)
