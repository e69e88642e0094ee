"""Record what vLLM offers, as far as our policy calls it, for a test where it is not installed.

Run in an environment with vLLM, whenever that is brought up to date:

    python tests/agents/vllm_engine/record.py
"""

import dataclasses
import inspect
import json
from pathlib import Path

HERE = Path(__file__).parent
METHODS = {
    "LLM": ("generate", "collective_rpc", "reset_prefix_cache", "sleep", "wake_up"),
    "LLMEngine": ("reset_encoder_cache",),
    "ModelRegistry": ("get_supported_archs",),
    "Worker": ("reload_weights",),
    "GPUModelRunner": ("reload_weights",),
}


def parameters(function):
    """Name, kind and whether it has a default, of each parameter but self."""
    found = inspect.signature(function).parameters.values()
    return [[p.name, p.kind.name, p.default is not p.empty] for p in found if p.name != "self"]


def main():
    import vllm
    from vllm.engine.arg_utils import EngineArgs
    from vllm.outputs import CompletionOutput, RequestOutput
    from vllm.v1.engine.llm_engine import LLMEngine
    from vllm.v1.worker.gpu_model_runner import GPUModelRunner
    from vllm.v1.worker.gpu_worker import Worker

    classes = {
        "LLM": vllm.LLM, "LLMEngine": LLMEngine, "ModelRegistry": vllm.ModelRegistry,
        "Worker": Worker, "GPUModelRunner": GPUModelRunner,
    }  # fmt: skip
    modes = EngineArgs.__annotations__["logprobs_mode"]
    made = {
        "version": vllm.__version__,
        "methods": {
            name: {m: parameters(getattr(classes[name], m)) for m in methods}
            for name, methods in METHODS.items()
        },
        "engine": sorted(
            {n for n, *_ in parameters(vllm.LLM.__init__)}
            | {f.name for f in dataclasses.fields(EngineArgs)}
        ),
        "logprobs_modes": sorted(getattr(modes, "__args__", ())),
        "sampling": sorted(f for f in vllm.SamplingParams.__struct_fields__ if f[0] != "_"),
        "prompt": sorted(
            vllm.TokensPrompt.__annotations__ | vllm.inputs.TextPrompt.__annotations__
        ),
        "request_output": [n for n, *_ in parameters(RequestOutput.__init__)],
        "completion_output": [f.name for f in dataclasses.fields(CompletionOutput)],
        "architectures": sorted(vllm.ModelRegistry.get_supported_archs()),
    }
    (HERE / "vllm.json").write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
