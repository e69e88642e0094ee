"""How likely a model says what was sampled: tokens in, log-probabilities of those very tokens out.

Nothing is decoded and encoded again: what stands behind the pictures are the tokens of the prompt
and of the answer as the sampler recorded them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from refergym.agents.continuing import begun
from refergym.agents.prompts import Prompt, Prompter, joined
from refergym.agents.refervlm import ReferVLMForConditionalGeneration
from refergym.agents.refervlm.packing import share
from refergym.agents.refervlm.sharing import Text, rows_of
from refergym.agents.rft.sample import Sample
from refergym.envs.dialects.base import Dialect


@dataclass(frozen=True, kw_only=True)
class Likely:
    """What a model thinks of answers."""

    numbers: tuple[int, ...]
    """[R] which of the samples"""
    logprobs: torch.Tensor
    """[R, K] float32, of each token; 0 where nothing was said"""
    entropy: torch.Tensor
    """[R, K] nats of the distribution that each token was drawn from"""
    mask: torch.Tensor
    """[R, K] bool: where something was said"""


@dataclass(frozen=True, kw_only=True)
class Likelihood:
    """Log-probabilities of sampled answers under a model that may learn.

    Attributes:
        processor: of the model.
        prompter: makes its prompts, as for the sampler.
        dialect: the same.
        temperature: of the sampler; probabilities are those at this temperature.
        chunks: answers about a batch of pictures are run in so many parts (ReferVLM).
        entropy_learns: whether the entropy has a gradient.
    """

    processor: Any
    prompter: Prompter
    dialect: Dialect
    temperature: float = 1.0
    chunks: int = 2
    entropy_learns: bool = False

    def __call__(self, model: Any, samples: Sequence[Sample]) -> Iterator[Likely]:
        """Go over answers, in parts.

        Args:
            model: as the policy has it, or wrapped for several devices.
            samples: none empty.

        Raises:
            ValueError: if prompts come out otherwise than the sampler's.
        """
        prompts = [self.prompter(s.observation, self.dialect, self.processor) for s in samples]
        if isinstance(model, ReferVLMForConditionalGeneration):
            marks = [_marks(p, model.config) for p in prompts]
            same = marks[0] is not None and all(m == marks[0] for m in marks)
            begins = same and all(_begins(s, marks[0]) for s in samples)
            if begins:
                yield from self._shared(model, samples, prompts, marks[0] or [])
                return
        yield self._each(model, samples, prompts)

    def _shared(
        self,
        model: ReferVLMForConditionalGeneration,
        samples: Sequence[Sample],
        prompts: Sequence[Prompt],
        marks: list[int],
    ) -> Iterator[Likely]:
        """Run each picture once for all answers about it."""
        which, first = _same_pictures(prompts)
        shown = [prompts[k] for k in first]
        seen = self.processor.pictures([p.images[0] for p in shown])
        depths = [d for p in shown for d in p.depths]
        texts = [
            Text(picture=which[k], asked=s.prompt_tokens[len(marks) :], answered=s.tokens)
            for k, s in enumerate(samples)
        ]
        rows = rows_of(texts, self.processor.tokenizer.pad_token_id or 0, self.chunks)
        made = share(
            model,
            torch.tensor([marks] * len(first), device=model.device),
            seen.to(model.device, model.dtype),
            self.processor.pictures(depths).to(model.device, model.dtype) if depths else None,
            rows,
        )
        for part, out in made.answers:
            assert out.logits is not None, "what a forward pass gives"
            targets = part.targets.to(out.logits.device)
            yield self._likely(part.texts, out.logits, targets)

    def _each(self, model: Any, samples: Sequence[Sample], prompts: Sequence[Prompt]) -> Likely:
        """Run each prompt with its answer, as any model of transformers takes them."""
        tokenizer = getattr(self.processor, "tokenizer", self.processor)
        tokenizer.padding_side = "left"
        inputs = dict(self.processor(**joined(prompts), padding=True, return_tensors="pt"))
        inputs.pop("labels", None)
        for row, mask, sample in zip(
            inputs["input_ids"], inputs["attention_mask"].bool(), samples, strict=True
        ):
            if tuple(row[mask].tolist()) != sample.prompt_tokens:
                raise ValueError("samples: their prompts come out otherwise than the sampler's")
        inputs = begun(inputs, [list(s.tokens) for s in samples], tokenizer.pad_token_id or 0)
        longest = max(len(s.tokens) for s in samples)
        device, dtype = next((p.device, p.dtype) for p in model.parameters())
        moved = {
            k: v.to(device, dtype if v.is_floating_point() else None) for k, v in inputs.items()
        }
        logits = model(**moved, use_cache=False).logits[:, -longest - 1 : -1]
        targets = torch.full((len(samples), longest), -100, device=device)
        for k, sample in enumerate(samples):
            targets[k, longest - len(sample.tokens) :] = torch.tensor(sample.tokens)

        # what fills up stands at the left; what was said first is to stand first
        def turned(rows: torch.Tensor) -> torch.Tensor:
            shifts = [len(s.tokens) - longest for s in samples]
            return torch.stack([r.roll(n, 0) for r, n in zip(rows, shifts, strict=True)])

        return self._likely(range(len(samples)), turned(logits), turned(targets))

    def _likely(
        self, numbers: Sequence[int], logits: torch.Tensor, targets: torch.Tensor
    ) -> Likely:
        mask = targets >= 0
        every = (logits.float() / self.temperature).log_softmax(-1)
        logprobs = every.gather(-1, targets.clamp_min(0)[..., None])[..., 0]
        with torch.set_grad_enabled(self.entropy_learns and torch.is_grad_enabled()):
            entropy = -(every.exp() * every).sum(-1)
        return Likely(
            numbers=tuple(numbers),
            logprobs=torch.where(mask, logprobs, 0.0),
            entropy=torch.where(mask, entropy, 0.0),
            mask=mask,
        )


def _marks(prompt: Prompt, config: Any) -> list[int] | None:
    """Return the tokens of a prompt's picture; None if it has not just one."""
    if len(prompt.images) != 1 or len(prompt.depths) > 1:
        return None
    n = config.image_tokens
    return [config.image_token_id] * n + [config.depth_token_id] * (n * len(prompt.depths))


def _begins(sample: Sample, marks: list[int] | None) -> bool:
    return marks is not None and list(sample.prompt_tokens[: len(marks)]) == marks


def _same_pictures(prompts: Sequence[Prompt]) -> tuple[list[int], list[int]]:
    """Return for each prompt the number of its picture, and for each picture its first prompt."""
    known: dict[tuple[bytes, ...], int] = {}
    which: list[int] = []
    first: list[int] = []
    for k, prompt in enumerate(prompts):
        key = tuple(np.ascontiguousarray(p).tobytes() for p in (*prompt.images, *prompt.depths))
        if key not in known:
            known[key] = len(first)
            first.append(k)
        which.append(known[key])
    return which, first
