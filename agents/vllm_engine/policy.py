"""VLLMPolicy: a vision-language model on vLLM, by the contract of TransformersPolicy."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import torch

from refergym.agents.errors import EngineError
from refergym.agents.policy import Answer
from refergym.agents.prompts import Prompt, Prompter, joined
from refergym.agents.vllm_engine.options import VLLMOptions
from refergym.agents.vllm_engine.support import described, engine_for, logprobs_mode
from refergym.agents.vllm_engine.weights import WeightFolder
from refergym.agents.vllm_engine.worker import FolderWeights
from refergym.agents.vlm import DTYPES, load_processor, resolved, seen_sizes
from refergym.assets.seeding import generator
from refergym.envs.dialects.base import Dialect, Several
from refergym.envs.types import Observation

EXTENSION = f"{FolderWeights.__module__}.{FolderWeights.__qualname__}"


class VLLMPolicy:
    """Generates an answer in words to each observation; vLLM batches them.

    Log-probabilities are those of TransformersPolicy: of the whole distribution at the
    temperature. Draws depend on the seed alone, but are not those of TransformersPolicy.

    Attributes:
        dialect: how the model writes points.
        several: how its points are to be read.
        version: of the weights; 0 are those that were loaded.
    """

    privileged = False

    def __init__(
        self,
        *,
        llm: Any,
        processor: Any,
        weights: WeightFolder,
        prompter: Prompter,
        dialect: Dialect,
        ends: Sequence[int] = (),
        several: Several = "first",
        name: str = "vlm",
        temperature: float = 0.0,
        top_p: float = 1.0,
        max_new_tokens: int = 512,
        seen_size: tuple[int, int] | None = None,
    ) -> None:
        """Take an engine that runs; `load` makes one.

        Args:
            llm: a vllm.LLM whose `logprobs_mode` is `logprobs_mode(temperature, top_p)`.
            processor: of transformers, of the same model.
            weights: takes new weights to it.
            prompter: makes its prompts.
            dialect: how it writes points.
            ends: tokens that end an answer, beside the tokenizer's own.
            several: which of several points counts.
            name: in results.
            temperature: 0 is greedy.
            top_p: nucleus.
            max_new_tokens: of an answer at most.
            seen_size: px (width, height) of the picture as the model's dialect counts it; None
                takes what the processor makes of the observation's.

        Raises:
            ValueError: if a number is out of range.
        """
        if max_new_tokens < 1:
            raise ValueError(f"max_new_tokens: expected >= 1, got {max_new_tokens}")
        logprobs_mode(temperature, top_p)  # its errors now, not at the first answer
        if getattr(processor.image_processor, "do_center_crop", False):
            raise EngineError(
                "engine: this model's processor cuts pictures at the edges, where points could be;"
                " use policy.engine=transformers, which resizes them instead"
            )
        self.name = name
        self.dialect = dialect
        self.several = several
        self.version = 0
        self._llm, self._weights = llm, weights
        self._processor, self._prompter = processor, prompter
        self._temperature, self._top_p = temperature, top_p
        self._most, self._size = max_new_tokens, seen_size
        tokenizer = processor.tokenizer
        tokenizer.padding_side = "left"
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._tokenizer = tokenizer
        self._ends = sorted({*ends, tokenizer.eos_token_id} - {None})
        self._is_asleep = False

    @classmethod
    def load(
        cls,
        path: str,
        *,
        options: VLLMOptions,
        dtype: str = "auto",
        temperature: float = 0.0,
        top_p: float = 1.0,
        **kwargs: Any,
    ) -> Self:
        """Start an engine on a model.

        Args:
            path: a folder that `save_pretrained` wrote, or a name on the Hugging Face hub.
            options: what vLLM is told.
            dtype: "auto", "float32", "bfloat16", "float16".
            temperature: as in the class.
            top_p: as in the class.
            kwargs: as in the class.

        Raises:
            ValueError: in one line, if the engine cannot run it.
            MissingExtra: if vLLM is not installed.
        """
        if dtype not in DTYPES:
            raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
        mode = logprobs_mode(temperature, top_p)
        path = resolved(path)
        processor = load_processor(path)
        config, ends = described(path)
        llm_kind = engine_for(path, config)
        weights = WeightFolder(config, options.weights_folder)
        try:
            llm = llm_kind(
                model=path, dtype=dtype, logprobs_mode=mode, generation_config="vllm",
                limit_mm_per_prompt={"image": 1, "video": 0}, worker_extension_cls=EXTENSION,
                **options.arguments(),
            )  # fmt: skip
        except (ValueError, RuntimeError, OSError) as e:
            text = f"{' '.join(str(e).split()):.300}"
            raise EngineError(f"engine: vllm cannot start on {path!r}: {text}") from e
        return cls(
            llm=llm, processor=processor, weights=weights, ends=ends, temperature=temperature,
            top_p=top_p, **kwargs,
        )  # fmt: skip

    def act(
        self,
        observations: Sequence[Observation],
        *,
        seeds: Sequence[int],
        truths: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Answer]:
        """Answer each observation; see Policy.act."""
        return self._answer(observations, seeds, [""] * len(observations))

    def continue_from(
        self, observations: Sequence[Observation], begins: Sequence[str], *, seeds: Sequence[int]
    ) -> list[Answer]:
        """Go on from the begin of each answer; see ContinuingPolicy.continue_from."""
        found = self._answer(observations, seeds, begins)
        return [replace(a, text=b + a.text) for b, a in zip(begins, found, strict=True)]

    def update_weights(self, weights: Mapping[str, torch.Tensor], *, version: int) -> None:
        """Go on with new weights, and forget everything that was computed with the old ones.

        No answer may be under way. An engine that sleeps wakes up.

        Args:
            weights: the whole `state_dict` of the model in transformers.
            version: of the weights, greater than the last.

        Raises:
            EngineError: if the version is not newer, or a weight is missing, unknown or of another
                shape; the old weights then stay.
        """
        if version <= self.version:
            raise EngineError(f"version: expected > {self.version}, got {version}")
        with self._weights.written(weights) as folder:
            if self._is_asleep:
                self._llm.wake_up(tags=["weights"])
            self._llm.collective_rpc("load_folder", args=(folder,))
        if self._is_asleep:
            self._llm.wake_up()
            self._is_asleep = False
        # what vLLM keeps of prompts and of pictures is found by their content alone, whatever the
        # weights were; the workers' part of the latter is gone by now, the scheduler's is not
        if not self._llm.reset_prefix_cache():
            raise EngineError("weights: changed while answers were under way; wait for them first")
        self._llm.llm_engine.reset_encoder_cache()
        self.version = version

    def sleep(self) -> None:
        """Free the GPU's memory until `update_weights`; the weights are dropped with it."""
        self._llm.sleep(level=2)
        self._is_asleep = True

    def _answer(
        self, observations: Sequence[Observation], seeds: Sequence[int], begins: Sequence[str]
    ) -> list[Answer]:
        from vllm import SamplingParams

        if not observations:
            return []
        if self._is_asleep:
            raise EngineError("engine: vllm sleeps; update_weights wakes it up")
        prompts = [self._prompter(o, self.dialect, self._processor) for o in observations]
        said = [self._tokenizer.encode(b, add_special_tokens=False) for b in begins]
        asked, sizes = self._read(prompts)
        requests = [
            {
                "prompt_token_ids": [*self._tokenizer.encode(p.text), *begin],
                "multi_modal_data": {"image": _pictures(p)},
            }
            for p, begin in zip(prompts, said, strict=True)
        ]
        parameters = [
            SamplingParams(
                temperature=self._temperature, top_p=self._top_p, seed=_engine_seed(seed),
                max_tokens=self._most, logprobs=0, stop_token_ids=self._ends, detokenize=False,
            )
            for seed in seeds
        ]  # fmt: skip
        outputs = self._llm.generate(requests, parameters, use_tqdm=False)
        expected = [(*a, *b) for a, b in zip(asked, said, strict=True)]
        return [self._answer_of(*row) for row in zip(outputs, expected, sizes, strict=True)]

    def _read(
        self, prompts: Sequence[Prompt]
    ) -> tuple[list[tuple[int, ...]], list[tuple[int, int]]]:
        """Return the tokens that a learner makes of each prompt, and the size of its picture."""
        if any(p.depths for p in prompts):
            raise EngineError("prompter.depth: vllm takes no depth pictures; set it to false")
        inputs = dict(self._processor(**joined(prompts), padding=True, return_tensors="pt"))
        asked = [
            tuple(row[mask.bool()].tolist())
            for row, mask in zip(inputs["input_ids"], inputs["attention_mask"], strict=True)
        ]
        return asked, seen_sizes(inputs, prompts, self._processor)

    def _answer_of(self, output: Any, asked: tuple[int, ...], size: tuple[int, int]) -> Answer:
        if tuple(output.prompt_token_ids) != asked:
            given = len(output.prompt_token_ids)
            raise EngineError(
                f"prompt: vllm made {given} tokens of it, and the model's processor {len(asked)} or"
                " others: what it answers could not be learned from; use policy.engine=transformers"
            )
        said = output.outputs[0]
        tokens = tuple(int(t) for t in said.token_ids)
        text = self._tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return Answer(
            text=text,
            tokens=tokens,
            logprobs=tuple(
                float(row[token].logprob) for row, token in zip(said.logprobs, tokens, strict=True)
            ),
            prompt_tokens=asked,
            image_size=self._size or size,
        )


def _pictures(prompt: Prompt) -> list[Any]:
    from PIL import Image

    return [Image.fromarray(i) for i in prompt.images]


def _engine_seed(seed: int) -> int:
    """Mix a seed: torch's generator on a CPU takes the lower 32 bits alone."""
    return int(generator(seed, "tokens").integers(2**63))
