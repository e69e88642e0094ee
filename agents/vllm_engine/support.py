"""Which models and which ways to draw vLLM is able to run as ours are run."""

from typing import Any

from refergym.agents.errors import EngineError, MissingExtra
from refergym.agents.refervlm import ReferVLMConfig
from refergym.agents.sampling import SeededSampler


def logprobs_mode(temperature: float, top_p: float) -> str:
    """Return vLLM's mode that gives log-probabilities of the whole distribution as it is drawn.

    Raises:
        ValueError: if a number is out of range.
        EngineError: if vLLM has none: it divides by the temperature and cuts in one go.
    """
    SeededSampler((), temperature, top_p)  # the same ranges
    if temperature in (0, 1):
        return "raw_logprobs"
    if top_p == 1:
        return "processed_logprobs"
    raise EngineError(
        f"top_p: with temperature {temperature:g} vllm gives no log-probabilities of the whole"
        f" distribution; set top_p or temperature to 1, got {top_p:g}"
    )


def described(path: str) -> tuple[Any, list[int]]:
    """Return a checkpoint's configuration, and the tokens that it says end an answer."""
    from transformers import AutoConfig, GenerationConfig

    config = AutoConfig.from_pretrained(path)
    try:
        ends = GenerationConfig.from_pretrained(path).eos_token_id
    except OSError:  # it has none of its own
        ends = getattr(config.get_text_config(), "eos_token_id", None)
    return config, [ends] if isinstance(ends, int) else list(ends or ())


def engine_for(path: str, config: Any) -> Any:
    """Return vLLM's engine, if it knows the model.

    Raises:
        EngineError: naming what runs the model instead.
        MissingExtra: if vLLM is not installed.
    """
    instead = "use policy.engine=transformers"
    if config.model_type == ReferVLMConfig.model_type:
        raise EngineError(f"engine: vllm has no ReferVLM ({path!r}); {instead}")
    try:
        from vllm import LLM, ModelRegistry
    except ImportError as e:
        raise MissingExtra("needs the extra vllm: pip install 'refergym[vllm]'") from e
    kinds = list(config.architectures or ())
    if not set(kinds) & set(ModelRegistry.get_supported_archs()):
        named = ", ".join(kinds) or "a model without architecture"
        raise EngineError(f"engine: vllm does not know {named} ({path!r}); {instead}")
    return LLM
