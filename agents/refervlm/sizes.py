"""ReferVLM by its size: what configs/model holds, made into a model and its processor."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from transformers import AutoTokenizer, SiglipImageProcessorPil

from refergym.agents.refervlm.configuration import ReferVLMConfig
from refergym.agents.refervlm.modeling import ReferVLMForConditionalGeneration
from refergym.agents.refervlm.processing import DEPTH, IMAGE, ReferVLMProcessor
from refergym.agents.refervlm.vocabulary import build_tokenizer


def new_model(
    size: Mapping[str, Any], texts: Iterable[str], seed: int
) -> tuple[ReferVLMForConditionalGeneration, ReferVLMProcessor]:
    """Make a model with random weights.

    Args:
        size: as in configs/model.
        texts: that a tokenizer is learned from, where the size names none.
        seed: of the weights.

    Raises:
        ValueError: if a value is wrong.
    """
    given = dict(size)
    vocabulary, name = given.pop("vocabulary"), given.pop("tokenizer")
    if name is None:
        tokenizer = build_tokenizer(texts, vocabulary)
    else:
        tokenizer = AutoTokenizer.from_pretrained(name)
        tokenizer.add_tokens([IMAGE, DEPTH], special_tokens=True)
    config = config_of(given, tokenizer)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = ReferVLMForConditionalGeneration(config)
    side = config.picture_size
    pictures = SiglipImageProcessorPil(size={"height": side, "width": side})
    return model, ReferVLMProcessor(pictures, tokenizer, image_tokens=config.image_tokens)


def config_of(size: Mapping[str, Any], tokenizer: Any) -> ReferVLMConfig:
    """Return the configuration of a size with a tokenizer.

    Args:
        size: as in configs/model, without `vocabulary` and `tokenizer`.
        tokenizer: knows the marks of pictures, and the coordinates where there are any.
    """
    given = {**size, "vision_config": dict(size["vision_config"])}
    text = dict(size["text_config"])
    text.setdefault("vocab_size", len(tokenizer))
    text |= {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
             "bos_token_id": None}  # fmt: skip
    text.setdefault("tie_word_embeddings", True)
    first = tokenizer.convert_tokens_to_ids(f"{0:.3f}") if given["coordinates"] else 0
    return ReferVLMConfig(
        **{**given, "text_config": text},
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE),
        depth_token_id=tokenizer.convert_tokens_to_ids(DEPTH),
        coordinate_token_id=first,
        tie_word_embeddings=text["tie_word_embeddings"],
    )
