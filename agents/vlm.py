"""TransformersPolicy: any vision-language model of transformers as a policy."""

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

try:
    import torch
except ImportError as e:
    raise ImportError("needs the extra vlm: pip install 'refergym[vlm]' (EXTRAS=vlm)") from e

from refergym.agents.continuing import begun
from refergym.agents.folders import digest
from refergym.agents.policy import Answer
from refergym.agents.prompts import PlainPrompter, Prompt, Prompter, joined
from refergym.agents.refervlm.processing import DEPTH
from refergym.agents.sampling import SeededSampler
from refergym.envs.dialects.base import Dialect, Several
from refergym.envs.types import Observation

log = logging.getLogger(__name__)
SHIPPED = "refergym:"
"""ahead of the name of a checkpoint that ships with the package"""
DTYPES = ("auto", "float32", "bfloat16", "float16")
NEUTRAL: dict[str, Any] = {
    "do_sample": False,
    "num_beams": 1,
    "temperature": None,
    "top_p": None,
    "top_k": None,
    "repetition_penalty": 1.0,
}
"""for `generate`: in place of what a checkpoint recommends; SeededSampler alone draws"""


class TransformersPolicy:
    """Generates an answer in words to each observation, a batch at once.

    The same observation and seed give the same answer whatever else is in the batch, as far as the
    kernels do: sums are rounded otherwise at other batch sizes, and two tokens that are as likely
    may change places.

    Attributes:
        dialect: how the model writes points.
        several: how its points are to be read.
        version: of its weights; stands in the records of episodes.
        weights: digest of the files that it was loaded from; empty where nobody knows.
    """

    privileged = False
    version = ""
    weights = ""

    def __init__(
        self,
        *,
        model: Any,
        processor: Any,
        prompter: Prompter,
        dialect: Dialect,
        several: Several = "first",
        name: str = "vlm",
        temperature: float = 0.0,
        top_p: float = 1.0,
        max_new_tokens: int = 512,
        batch: int = 16,
        seen_size: tuple[int, int] | None = None,
    ) -> None:
        """Take a model that is loaded; `load` makes one from a folder or a name.

        Args:
            model: of AutoModelForImageTextToText.
            processor: its processor.
            prompter: makes its prompts.
            dialect: how it writes points.
            several: which of several points counts.
            name: in results.
            temperature: 0 is greedy.
            top_p: nucleus.
            max_new_tokens: of an answer at most.
            batch: answers that are generated together at most.
            seen_size: px (width, height) of the picture as the model's dialect counts it; None
                takes what the processor makes of the observation's.

        Raises:
            ValueError: if a number is out of range.
        """
        for key, value in (("max_new_tokens", max_new_tokens), ("batch", batch)):
            if value < 1:
                raise ValueError(f"{key}: expected >= 1, got {value}")
        SeededSampler((), temperature, top_p)  # its errors now, not at the first answer
        self.name = name
        self.dialect = dialect
        self.several = several
        self._model = model.eval()
        self._processor = processor
        if isinstance(prompter, PlainPrompter) and getattr(model.config, "depth", "") == "none":
            prompter = prompter.without_depth(DEPTH)  # whatever the config says
        self._prompter = prompter
        self._temperature, self._top_p = temperature, top_p
        self._most, self._batch, self._size = max_new_tokens, batch, seen_size
        tokenizer = getattr(processor, "tokenizer", processor)
        tokenizer.padding_side = "left"
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._tokenizer = tokenizer
        ends = model.generation_config.eos_token_id
        known = {ends} if isinstance(ends, int) else set(ends or ())
        self._ends = sorted({*known, tokenizer.eos_token_id} - {None})
        _see_all(getattr(processor, "image_processor", None))

    @classmethod
    def load(cls, path: str, *, device: str = "cpu", dtype: str = "auto", **kwargs: Any) -> Self:
        """Load a model and its processor.

        Args:
            path: a folder that `save_pretrained` wrote, or a name on the Hugging Face hub.
            device: "cpu", "cuda", "cuda:1", ...
            dtype: "auto", "float32", "bfloat16", "float16".
            kwargs: as in the class.

        Raises:
            ValueError: in one line, if it can't be loaded.
        """
        model, processor = load_model(path, dtype)
        try:
            model = model.to(device)
        except (RuntimeError, AssertionError) as e:  # torch asserts that there is CUDA
            raise ValueError(f"device: {device!r} cannot be used: {_line(e)}") from e
        made = cls(model=model, processor=processor, **kwargs)
        made.version = made.weights = digest(Path(resolved(path)))
        return made

    @property
    def model(self) -> Any:
        """The model itself; whoever changes its weights changes the answers."""
        return self._model

    @property
    def processor(self) -> Any:
        """Its processor."""
        return self._processor

    @property
    def prompter(self) -> Prompter:
        """What makes its prompts."""
        return self._prompter

    @property
    def temperature(self) -> float:
        """At which it samples."""
        return self._temperature

    def at(self, temperature: float) -> Self:
        """Return a policy with the same model that samples at another temperature."""
        twin = copy.copy(self)
        twin._temperature = temperature
        return twin

    def act(
        self,
        observations: Sequence[Observation],
        *,
        seeds: Sequence[int],
        truths: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[Answer]:
        """Answer each observation; see Policy.act."""
        answers: list[Answer] = []
        for k in range(0, len(observations), self._batch):
            chunk = slice(k, k + self._batch)
            answers += self._answer(observations[chunk], seeds[chunk])
        return answers

    def continue_from(
        self, observations: Sequence[Observation], begins: Sequence[str], *, seeds: Sequence[int]
    ) -> list[Answer]:
        """Go on from the begin of each answer; see ContinuingPolicy.continue_from."""
        answers: list[Answer] = []
        for k in range(0, len(observations), self._batch):
            chunk = slice(k, k + self._batch)
            found = self._answer(observations[chunk], seeds[chunk], begins[chunk])
            answers += [
                replace(answer, text=begin + answer.text)
                for begin, answer in zip(begins[chunk], found, strict=True)
            ]
        return answers

    def _answer(
        self,
        observations: Sequence[Observation],
        seeds: Sequence[int],
        begins: Sequence[str] = (),
    ) -> list[Answer]:
        prompts = [self._prompter(o, self.dialect, self._processor) for o in observations]
        inputs = dict(self._processor(**joined(prompts), padding=True, return_tensors="pt"))
        inputs.pop("labels", None)  # PaliGemma's processor makes some
        if begins:
            said = [self._tokenizer.encode(b, add_special_tokens=False) for b in begins]
            inputs = begun(inputs, said, self._tokenizer.pad_token_id)
        inputs = {k: self._moved(v) for k, v in inputs.items()}
        sizes = seen_sizes(inputs, prompts, self._processor)
        sampler = SeededSampler(seeds, self._temperature, self._top_p)
        with torch.inference_mode():
            self._generate(inputs, sampler)
        tokens, likely = sampler.tokens().cpu(), sampler.log_probabilities().cpu()
        asked = [
            row[mask.bool()]
            for row, mask in zip(inputs["input_ids"], inputs["attention_mask"], strict=True)
        ]
        return [
            self._answer_of(*row) for row in zip(tokens, likely, asked, sizes, strict=True)
        ]  # fmt: skip

    def _generate(self, inputs: dict[str, Any], sampler: SeededSampler) -> None:
        own = getattr(self._model, "answer", None)
        if own is not None and own(inputs, sampler, ends=self._ends, max_new_tokens=self._most):
            return
        self._model.generate(
            **inputs, **NEUTRAL, max_new_tokens=self._most, logits_processor=[sampler],
            eos_token_id=self._ends or None, pad_token_id=self._tokenizer.pad_token_id,
        )  # fmt: skip

    def _answer_of(
        self,
        tokens: torch.Tensor,
        logprobs: torch.Tensor,
        asked: torch.Tensor,
        size: tuple[int, int],
    ) -> Answer:
        count = self._length(tokens)
        text = self._tokenizer.decode(
            tokens[:count], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return Answer(
            text=text,
            tokens=tuple(tokens[:count].tolist()),
            logprobs=tuple(logprobs[:count].tolist()),
            prompt_tokens=tuple(asked.tolist()),
            image_size=self._size or size,
        )

    def _moved(self, value: torch.Tensor) -> torch.Tensor:
        kind = self._model.dtype if value.is_floating_point() else None
        return value.to(self._model.device, kind)

    def _length(self, tokens: torch.Tensor) -> int:
        """Count what was written, the end token included."""
        for k, token in enumerate(tokens.tolist()):
            if token in self._ends:
                return k + 1
        return len(tokens)


def load_model(path: str, dtype: str = "auto") -> tuple[Any, Any]:
    """Load a model and its processor.

    Args:
        path: as in `TransformersPolicy.load`.
        dtype: the same.

    Raises:
        ValueError: in one line, if it can't be loaded.
    """
    from transformers import AutoModelForImageTextToText

    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(DTYPES)}, got {dtype!r}")
    processor = load_processor(path)
    path = resolved(path)
    with _one_line(path):
        model = AutoModelForImageTextToText.from_pretrained(path, dtype=dtype)
    return model, processor


def load_processor(path: str) -> Any:
    """Load a model's processor.

    Args:
        path: as in `TransformersPolicy.load`.

    Raises:
        ValueError: in one line, if it can't be loaded or takes no pictures.
    """
    from transformers import AutoProcessor

    path = resolved(path)
    with _one_line(path):
        processor = AutoProcessor.from_pretrained(path)
    if getattr(processor, "image_processor", None) is None:
        # transformers gives a tokenizer alone where a part of the processor cannot be made
        missing = "" if find_spec("torchvision") else "; it may need torchvision (of torch's build)"
        raise ValueError(f"path: {path!r} has no processor that takes pictures{missing}")
    return processor


def resolved(path: str) -> str:
    """Return the folder or the hub's name that a configured path means.

    Raises:
        ValueError: if it looks like a folder and there is none.
    """
    import refergym.agents.refervlm  # noqa: F401 - registers our own

    if path.startswith(SHIPPED):
        path = str(Path(__file__).parent / "checkpoints" / path.removeprefix(SHIPPED))
    if path.startswith((".", "/", "~")):
        path = str(Path(path).expanduser())
        if not Path(path).is_dir():
            raise ValueError(f"path: {path!r} is no folder")
    elif not Path(path).is_dir() and "/" in path and Path(path).parent.is_dir():
        raise ValueError(f"path: {path!r} is no folder, though {str(Path(path).parent)!r} is one")
    return path


@contextmanager
def _one_line(path: str) -> Iterator[None]:
    """Turn everything that loading can raise into a ValueError of one line."""
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, LookupError, RuntimeError, TypeError, ImportError,
            AttributeError, SafetensorError, StrictDataclassError) as e:  # fmt: skip
        kind = "folder" if Path(path).exists() else "name or folder"
        raise ValueError(f"path: {path!r} is no {kind} of a model: {_line(e)}") from e


def seen_sizes(
    inputs: Mapping[str, torch.Tensor], prompts: Sequence[Prompt], processor: Any
) -> list[tuple[int, int]]:
    """Return px (width, height) of each prompt's last picture, as the processor made it.

    Where it cut a picture into tiles, the picture's own: tiles have no pixels in common with it.
    """
    pictures = [i for p in prompts for i in p.images]
    own = [(i.shape[1], i.shape[0]) for i in pictures]
    grids, pixels = inputs.get("image_grid_thw"), inputs.get("pixel_values")
    if grids is not None:
        patch = int(processor.image_processor.patch_size)
        own = [(int(w) * patch, int(h) * patch) for _, h, w in grids.tolist()]
    elif pixels is not None and pixels.ndim == 4 and len(pixels) == len(pictures):
        own = [(pixels.shape[3], pixels.shape[2])] * len(pictures)
    last = -1
    sizes = []
    for prompt in prompts:
        last += len(prompt.images)
        sizes.append(own[last])
    return sizes


def _see_all(image_processor: Any) -> None:
    """Let a processor squeeze what it would cut off: points are shares of the whole picture."""
    if not getattr(image_processor, "do_center_crop", False):
        return
    crop = image_processor.crop_size
    image_processor.size = {"height": crop["height"], "width": crop["width"]}
    image_processor.do_center_crop = False
    log.warning(
        "%s cuts pictures at the edges, where points could be: it now resizes them to %s x %s px",
        type(image_processor).__name__, crop["width"], crop["height"],
    )  # fmt: skip


def _line(error: BaseException) -> str:
    return f"{' '.join(str(error).split()):.200}"
