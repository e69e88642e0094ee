"""Which engine runs a vision-language model: transformers, or vLLM for big ones."""

from collections.abc import Mapping
from typing import Any

from refergym.agents.policy import ContinuingPolicy

ENGINES = ("transformers", "vllm")


def vlm_policy(
    *, engine: str, vllm: Mapping[str, Any], device: str, batch: int, **kwargs: Any
) -> ContinuingPolicy:
    """Make the policy of a model on one of the engines; both answer by the same contract.

    Args:
        engine: one of `ENGINES`.
        vllm: fields of `VLLMOptions`; of engine vllm alone.
        device: of engine transformers alone.
        batch: of engine transformers alone; vLLM batches by itself.
        kwargs: what both engines take, as in `TransformersPolicy.load`.

    Raises:
        ValueError: in one line, if it can't be made.
    """
    if engine == "transformers":
        from refergym.agents.vlm import TransformersPolicy

        return TransformersPolicy.load(device=device, batch=batch, **kwargs)
    if engine == "vllm":
        from refergym.agents.vllm_engine import VLLMOptions, VLLMPolicy

        return VLLMPolicy.load(options=VLLMOptions.of(vllm), **kwargs)
    raise ValueError(f"engine: expected one of {', '.join(ENGINES)}, got {engine!r}")
