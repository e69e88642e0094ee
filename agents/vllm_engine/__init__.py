"""Vision-language models on vLLM: tokens in and out, new weights between answers."""

from refergym.agents.vllm_engine.options import VLLMOptions
from refergym.agents.vllm_engine.policy import VLLMPolicy
from refergym.agents.vllm_engine.weights import WeightFolder

__all__ = ["VLLMOptions", "VLLMPolicy", "WeightFolder"]
