"""A tiny model with samples, and a learner of it."""

from typing import Any

import numpy as np
import vlm_parts

from refergym.agents.rft.learner import Learning, RftLearner
from refergym.agents.rft.likelihood import Likelihood
from refergym.agents.rft.losses import LossSettings
from refergym.agents.rft.sample import Sample

LEARNING: dict[str, Any] = {
    "lr": 1e-3, "warmup": 0, "weight_decay": 0.0, "clip": 1e9, "epochs": 1, "minibatches": 1,
    "budget": 10**6, "learns": (), "lora": 0, "checkpointing": False, "spread": "copies",
}  # fmt: skip
LOSS: dict[str, Any] = {
    "mean": "tokens", "length": 16, "clip_low": 0.2, "clip_high": 0.28, "dual_clip": None,
    "kl": 0.0, "kl_corrected": True, "truncate": 2.0, "entropy": 0.0,
}  # fmt: skip


def samples(part: vlm_parts.Part, count: int = 6) -> list[Sample]:
    """Let a model answer, two answers about each picture, with advantages of both signs."""
    seen = vlm_parts.observations(-(-count // 2), seed=2)
    shown = [seen[k // 2] for k in range(count)]
    answers = part.policy(temperature=1.0).act(shown, seeds=range(count))
    worth = np.random.default_rng(0).normal(size=count)
    return [
        Sample(
            observation=o, prompt_tokens=a.prompt_tokens, tokens=a.tokens, logprobs=a.logprobs,
            advantage=float(w),
        )
        for o, a, w in zip(shown, answers, worth, strict=True)
    ]  # fmt: skip


def learner(
    part: vlm_parts.Part,
    loss: dict[str, Any] | None = None,
    seed: int = 0,
    reference: Any = None,
    **changes: Any,
) -> RftLearner:
    """Make one that learns at once and unclipped, unless told otherwise."""
    likelihood = Likelihood(
        processor=part.processor, prompter=part.prompter, dialect=part.dialect,
        entropy_learns=bool((loss or {}).get("entropy")),
    )  # fmt: skip
    return RftLearner(
        part.model, likelihood, Learning(**{**LEARNING, **changes}),
        LossSettings(**{**LOSS, **(loss or {})}), seed, reference,
    )  # fmt: skip
