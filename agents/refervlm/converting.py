"""Published checkpoints of RoboRefer and NVILA made into folders that `from_pretrained` loads.

The published form, as RoboRefer's code saves it (github.com/Zhoues/RoboRefer,
llava/model/llava_arch.py): `config.json` beside the folders llm, vision_tower, mm_projector,
depth_tower and depth_projector, each with its own `config.json` and safetensors.

This has never been run on the real weights: it is checked on names, shapes and values of small
models written in that form.
"""

import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from transformers import AutoTokenizer, SiglipImageProcessor

from refergym.agents.errors import ConversionError
from refergym.agents.refervlm.configuration import ReferVLMConfig
from refergym.agents.refervlm.modeling import ReferVLMForConditionalGeneration
from refergym.agents.refervlm.naming import FOLDERS, is_unused, matched
from refergym.agents.refervlm.processing import DEPTH, IMAGE, ReferVLMProcessor
from refergym.agents.refervlm.published import config_of_published, folders_of, read_json

log = logging.getLogger(__name__)
INDEX = "model.safetensors.index.json"
EMBEDDINGS, OUTPUT = "llm/model.embed_tokens.weight", "llm/lm_head.weight"
TABLES = ("language_model.model.embed_tokens.weight", "language_model.lm_head.weight")
"""ours that get a row for each token that the published ones have none for"""


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What was written."""

    folder: Path
    parameters: int
    files: int
    """with weights"""


def convert(source: str | Path, out: str | Path, shard: float = 1e9) -> Converted:
    """Convert a folder, one file of weights in memory at a time.

    Args:
        source: the published folder.
        out: a new folder.
        shard: bytes of weights in a file, about.

    Raises:
        ConversionError: in one line, if something is missing, left over or does not fit.
    """
    source, out = Path(source), Path(out)
    if out.exists():
        raise ConversionError(f"{out}: exists already")
    weights = _Weights(source)
    tokenizer = _tokenizer(source / FOLDERS["language_model"])
    config = config_of_published(source, tokenizer, weights.shape(EMBEDDINGS)[0])
    with torch.device("meta"):
        model = ReferVLMForConditionalGeneration(config)
    ours = {name: tuple(p.shape) for name, p in model.named_parameters()}
    found = matched(ours, weights.read(is_tied=config.tie_word_embeddings), TABLES)
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    tensors = ((name, weights.tensor(found[name], shape[0])) for name, shape in ours.items())
    files = _write(tensors, part, shard)
    config.dtype = weights.dtype
    config.architectures = [type(model).__name__]
    config.save_pretrained(part)
    model.generation_config.save_pretrained(part)
    _processor(source, config, tokenizer).save_pretrained(part)
    os.replace(part, out)
    return Converted(folder=out, parameters=sum(p.numel() for p in model.parameters()), files=files)


class _Weights:
    """The published weights by "folder/name"."""

    def __init__(self, source: Path) -> None:
        self._files: dict[str, Path] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        for folder in folders_of(source).values():
            for file in _files(folder):
                for name, shape in _shapes(file).items():
                    key = f"{folder.name}/{name}"
                    if key in self._files:
                        raise ConversionError(f"{file}: {name} stands in another file too")
                    self._files[key], self._shapes[key] = file, shape
        self.dtype = self.tensor(EMBEDDINGS).dtype

    def shape(self, key: str) -> tuple[int, ...]:
        if key not in self._shapes:
            raise ConversionError(f"weights: 1 missing ({key})")
        return self._shapes[key]

    def read(self, *, is_tied: bool) -> dict[str, tuple[int, ...]]:
        """Return the shapes of what is to be used."""
        unused = [key for key in self._shapes if is_unused(key)]
        if is_tied and OUTPUT in self._shapes:
            if not torch.equal(self.tensor(OUTPUT), self.tensor(EMBEDDINGS)):
                raise ConversionError(f"{OUTPUT}: differs from the embeddings that it is tied to")
            unused.append(OUTPUT)
        if unused:
            log.info("%d weights that nothing reads are left out, as %s", len(unused), unused[0])
        return {key: shape for key, shape in self._shapes.items() if key not in unused}

    def tensor(self, key: str, rows: int | None = None) -> torch.Tensor:
        """Return a weight, with rows of zeros added where there are fewer."""
        self.shape(key)
        file = self._files[key]
        with safe_open(file, framework="pt") as opened:
            found: torch.Tensor = opened.get_tensor(key.partition("/")[2])
        missing = 0 if rows is None else rows - len(found)
        if missing > 0:
            found = torch.cat([found, found.new_zeros(missing, *found.shape[1:])])
        return found


def _files(folder: Path) -> list[Path]:
    index = folder / INDEX
    if index.exists():
        names = sorted(set(read_json(index).get("weight_map", {}).values()))
        files = [folder / name for name in names]
    else:
        files = [folder / "model.safetensors"]
    for file in files:
        if not file.is_file():
            raise ConversionError(f"{file}: missing")
    return files


def _shapes(file: Path) -> dict[str, tuple[int, ...]]:
    try:
        with safe_open(file, framework="pt") as opened:
            return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as e:
        raise ConversionError(f"{file}: no safetensors: {_line(e)}") from e


def _tokenizer(folder: Path) -> Any:
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        # transformers makes an empty one where there is none
        raise ConversionError(f"{folder}: no tokenizer.json or vocab.json")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, LookupError, TypeError) as e:
        raise ConversionError(f"{folder}: no tokenizer: {_line(e)}") from e
    tokenizer.add_tokens(
        [t for t in (IMAGE, DEPTH) if t not in tokenizer.get_vocab()], special_tokens=True
    )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _processor(source: Path, config: ReferVLMConfig, tokenizer: Any) -> ReferVLMProcessor:
    side = config.picture_size
    folder = source / FOLDERS["rgb_tower"]
    try:
        pictures = SiglipImageProcessor.from_pretrained(
            folder, size={"height": side, "width": side}
        )
    except (OSError, ValueError) as e:
        raise ConversionError(f"{folder}: no processor of pictures: {_line(e)}") from e
    return ReferVLMProcessor(pictures, tokenizer, image_tokens=config.image_tokens)


def _write(tensors: Iterator[tuple[str, torch.Tensor]], folder: Path, shard: float) -> int:
    """Write weights in files of about `shard` bytes; return how many."""
    written: list[list[str]] = []
    held: dict[str, torch.Tensor] = {}
    total = size = 0

    def flush() -> None:
        written.append(list(held))
        save_file(held, folder / _numbered(len(written)), metadata={"format": "pt"})
        held.clear()

    for name, tensor in tensors:
        if held and size + tensor.nbytes > shard:
            flush()
            size = 0
        held[name] = tensor.contiguous()
        size, total = size + tensor.nbytes, total + tensor.nbytes
    flush()
    count = len(written)
    for k in range(1, count + 1):
        (folder / _numbered(k)).rename(folder / _numbered(k, count))
    if count > 1:
        where = {n: _numbered(k, count) for k, names in enumerate(written, 1) for n in names}
        index: Mapping[str, Any] = {"metadata": {"total_size": total}, "weight_map": where}
        (folder / INDEX).write_text(json.dumps(index, indent=2))
    return count


def _numbered(number: int, count: int = 0) -> str:
    if count == 1:
        return "model.safetensors"
    return f"model-{number:05d}-of-{count:05d}.safetensors"


def _line(error: BaseException) -> str:
    return f"{' '.join(str(error).split()):.200}"
