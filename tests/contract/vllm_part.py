"""A stand-in for vLLM that knows its recorded names alone, and no use out of order."""

import importlib
import inspect
import json
import types
from dataclasses import dataclass
from pathlib import Path

RECORDED = json.loads((Path(__file__).parents[1] / "agents/vllm_engine/vllm.json").read_text())
"""by tests/agents/vllm_engine/record.py"""


def bound(kind, method, args, kwargs):
    """Bind a call to a recorded signature; TypeError as Python itself raises it."""
    found = [
        inspect.Parameter(
            name, inspect._ParameterKind[how],
            default=None if has_default else inspect.Parameter.empty,
        )
        for name, how, has_default in RECORDED["methods"][kind][method]
    ]  # fmt: skip
    return inspect.Signature(found).bind(*args, **kwargs).arguments


def known(what, names):
    unknown = set(names) - set(RECORDED[what])
    if unknown:
        raise TypeError(f"vllm {RECORDED['version']}: {what} has no {sorted(unknown)}")


class SamplingParams:
    def __init__(self, **kwargs):
        known("sampling", kwargs)
        vars(self).update(kwargs)


class ModelRegistry:
    @staticmethod
    def get_supported_archs():
        return RECORDED["architectures"]


@dataclass
class Logprob:
    logprob: float


class LLM:
    """Says fixed tokens; what it is asked, told and given is kept."""

    def __init__(self, model, **kwargs):
        known("engine", kwargs)
        assert kwargs["logprobs_mode"] in RECORDED["logprobs_modes"]
        self.model, self.started = model, kwargs
        self.say, self.log = [7, 8, 9], []
        self.loaded, self.requests, self.parameters = None, [], []
        self.is_asleep, self.stale = False, set()
        self.busy = False
        self.llm_engine = types.SimpleNamespace(reset_encoder_cache=self._reset_encoder_cache)
        self.processor = None

    def generate(self, *args, **kwargs):
        given = bound("LLM", "generate", args, kwargs)
        assert not self.is_asleep, "generate while asleep"
        assert not self.stale, f"generate from stale {self.stale}"
        self.requests, self.parameters = given["prompts"], given["sampling_params"]
        assert len(self.requests) == len(self.parameters)
        return [self._output(*row) for row in zip(self.requests, self.parameters, strict=True)]

    def _output(self, request, parameters):
        known("prompt", request)
        tokens = []
        for token in request["prompt_token_ids"]:
            count = self._places(request) if token == self.processor.image_token_id else 1
            tokens += [token] * count
        said = []
        for token in self.say[: parameters.max_tokens]:
            said.append(token)
            if token in parameters.stop_token_ids:
                break
        completion = {
            "token_ids": said, "logprobs": [{1: Logprob(-9.0), t: Logprob(-0.5)} for t in said]
        }  # fmt: skip
        known("completion_output", completion)
        output = {
            "prompt_token_ids": tokens, "outputs": [types.SimpleNamespace(**completion)],
        }  # fmt: skip
        known("request_output", output)
        return types.SimpleNamespace(**output)

    def _places(self, request):
        images = self.processor.image_processor
        grid = images(request["multi_modal_data"]["image"], return_tensors="pt")["image_grid_thw"]
        return int(grid.prod()) // images.merge_size**2

    def collective_rpc(self, *args, **kwargs):
        given = bound("LLM", "collective_rpc", args, kwargs)
        assert not self.is_asleep or "weights" in self.awake, "weights loaded while asleep"
        module, _, name = self.started["worker_extension_cls"].rpartition(".")
        extension = getattr(importlib.import_module(module), name)
        assert given["method"] not in RECORDED["methods"]["Worker"]
        worker = type("Worker", (extension,), {"reload_weights": self._reload_weights})()
        getattr(worker, given["method"])(*given.get("args", ()), **(given.get("kwargs") or {}))
        self.stale = {"prefix", "encoder"}
        self.log.append(given["method"])
        return [None]

    def _reload_weights(self, *args, **kwargs):
        bound("Worker", "reload_weights", args, kwargs)
        read = bound("GPUModelRunner", "reload_weights", args, kwargs)
        self.loaded = dict(read["weights_iterator"])

    def reset_prefix_cache(self, *args, **kwargs):
        bound("LLM", "reset_prefix_cache", args, kwargs)
        self.stale -= {"prefix"}
        return not self.busy

    def _reset_encoder_cache(self, *args, **kwargs):
        bound("LLMEngine", "reset_encoder_cache", args, kwargs)
        self.stale -= {"encoder"}

    def sleep(self, *args, **kwargs):
        bound("LLM", "sleep", args, kwargs)
        assert self.started["enable_sleep_mode"], "sleep without enable_sleep_mode"
        self.is_asleep, self.awake = True, set()
        self.log.append("sleep")

    def wake_up(self, *args, **kwargs):
        tags = bound("LLM", "wake_up", args, kwargs).get("tags")
        assert self.is_asleep, "wake_up while awake"
        self.awake |= set(tags or ("weights", "kv_cache"))
        self.is_asleep = self.awake != {"weights", "kv_cache"}
        self.log.append(f"wake_up {tags}")
