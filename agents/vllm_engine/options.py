"""What vLLM itself is told; defaults stand in configs/policy/vlm.yaml."""

from collections.abc import Mapping
from typing import Any, Self

from refergym.agents.errors import EngineError
from refergym.assets.records import Record, convert


class VLLMOptions(Record, frozen=True, kw_only=True):
    """Settings of one vLLM engine."""

    tensor_parallel_size: int
    """GPUs that share each layer"""
    gpu_memory_utilization: float
    """share of a GPU's memory that the engine may fill, in (0, 1]; of the machine's on a CPU"""
    kv_cache_gib: float | None
    """GiB for keys and values; None takes what is left of the share"""
    max_model_len: int
    """tokens of prompt, pictures and answer together at most"""
    max_num_seqs: int
    """answers that are generated together at most"""
    enforce_eager: bool
    """no compilation and no CUDA graphs: starts sooner, answers slower"""
    prefix_caching: bool
    """whether answers to one prompt share what it costs to read"""
    sleep_mode: bool
    """whether `sleep` frees the GPU's memory for a learner on the same one"""
    weights_folder: str | None
    """where new weights are handed over; every worker must see it. None takes shared memory"""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Take the values of a config.

        Raises:
            EngineError: naming the key that is wrong.
        """
        try:
            made = convert(dict(values), cls, error=EngineError)
        except EngineError as e:
            raise EngineError(f"vllm.{e}") from e
        made._check()
        return made

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `vllm.LLM`."""
        cache = self.kv_cache_gib
        return {
            "tensor_parallel_size": self.tensor_parallel_size,
            "gpu_memory_utilization": self.gpu_memory_utilization,
            "kv_cache_memory_bytes": None if cache is None else int(cache * 2**30),
            "max_model_len": self.max_model_len,
            "max_num_seqs": self.max_num_seqs,
            "enforce_eager": self.enforce_eager,
            "enable_prefix_caching": self.prefix_caching,
            "enable_sleep_mode": self.sleep_mode,
        }

    def _check(self) -> None:
        for key in ("tensor_parallel_size", "max_model_len", "max_num_seqs"):
            if getattr(self, key) < 1:
                raise EngineError(f"vllm.{key}: expected >= 1, got {getattr(self, key)}")
        if not 0 < self.gpu_memory_utilization <= 1:
            given = self.gpu_memory_utilization
            raise EngineError(f"vllm.gpu_memory_utilization: expected in (0, 1], got {given}")
        if self.kv_cache_gib is not None and not self.kv_cache_gib > 0:
            raise EngineError(f"vllm.kv_cache_gib: expected > 0, got {self.kv_cache_gib}")
