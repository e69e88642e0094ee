"""Tiny vision-language models with random weights: ReferVLM, and one of each stock architecture."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as tf

from refergym.agents.prompts import ChatPrompter, PlainPrompter, Prompter
from refergym.agents.refervlm import (
    ReferVLMConfig,
    ReferVLMForConditionalGeneration,
    ReferVLMProcessor,
)
from refergym.agents.refervlm.vocabulary import COORDINATES, FORMS, build_tokenizer
from refergym.agents.vlm import TransformersPolicy
from refergym.envs.dialects.base import Dialect
from refergym.envs.dialects.qwen2_5_vl import Qwen25VL
from refergym.envs.dialects.roborefer import RoboRefer
from refergym.envs.types import Observation

WORDS = ["point at the red mug", "Step 1: [Position] [the mug]: [(0.250, 0.500)]", "pick it up"]
SIDE = 28
"""px of the pictures that models of one size see"""
SPREAD = 0.3
"""of random weights: wide enough that answers depend on what is asked and shown"""
TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": SPREAD,
}
VISION: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 7,
}
CHAT = (
    "{{% for turn in messages %}}{{{{ turn.role }}}}: {{% for part in turn.content %}}"
    "{{% if part.type == 'image' %}}{image}{{% else %}}{{{{ part.text }}}}{{% endif %}}"
    "{{% endfor %}}{{{{ '\n' }}}}{{% endfor %}}"
    "{{% if add_generation_prompt %}}assistant:{{% endif %}}"
)
"""a chat template; with the mark of a picture in place of {image}"""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A model and what a policy needs around it."""

    model: Any
    processor: Any
    prompter: Prompter
    dialect: Dialect

    def policy(self, **changes: Any) -> TransformersPolicy:
        """Make a policy of it."""
        parts = {k: getattr(self, k) for k in ("model", "processor", "prompter", "dialect")}
        return TransformersPolicy(**{"max_new_tokens": 8, **parts, **changes})

    def save(self, folder: Path) -> Path:
        """Write model and processor as a folder that loads, and return it."""
        self.model.save_pretrained(folder)
        self.processor.save_pretrained(folder)
        return folder


def make_tokenizer(*special: str) -> Any:
    """Learn the smallest tokenizer, with further special tokens."""
    tokenizer = build_tokenizer(WORDS, 8 + COORDINATES + len(FORMS) + 256 + 16)
    if special:
        tokenizer.add_tokens(list(special), special_tokens=True)
    return tokenizer


def text_config(tokenizer: Any) -> dict[str, Any]:
    """Return what describes a language model for a tokenizer."""
    ids = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    return {**TEXT, **ids, "bos_token_id": None, "vocab_size": len(tokenizer)}


def refervlm(
    *, depth: str = "dedicated", tower: str = "siglip", pointer: bool = True, seed: int = 0,
    downsample: int = 2,
) -> Part:  # fmt: skip
    """Make ours."""
    tokenizer = make_tokenizer()
    vision: dict[str, Any] = {"model_type": "siglip_vision_model", **VISION}
    size = SIDE
    if tower == "conv":
        size = 32
        vision = {
            "model_type": "refer_conv", "widths": [8, 16, 16], "blocks": 1, "hidden_size": 16,
            "image_size": size,
        }  # fmt: skip
    config = ReferVLMConfig(
        vision_config=vision,
        text_config={"model_type": "qwen2", "tie_word_embeddings": True, **text_config(tokenizer)},
        depth=depth,
        downsample=downsample,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        depth_token_id=tokenizer.convert_tokens_to_ids("<depth>"),
        coordinates=COORDINATES,
        coordinate_token_id=tokenizer.convert_tokens_to_ids("0.000"),
        pointer=pointer,
        initializer_range=SPREAD,
    )
    torch.manual_seed(seed)
    model = ReferVLMForConditionalGeneration(config).eval()
    images = tf.SiglipImageProcessorPil(size={"height": size, "width": size})
    processor = ReferVLMProcessor(images, tokenizer, image_tokens=config.image_tokens)
    seen = "<image>" if depth == "none" else "<image><depth>"
    prompter = PlainPrompter(template=seen + "{words}\n", depth=depth != "none")
    return Part(model=model, processor=processor, prompter=prompter, dialect=RoboRefer())


def qwen2_5_vl(*, head: int = 8) -> Part:
    """Make a Qwen2.5-VL; its pictures keep their shape.

    Args:
        head: width of an attention head; vLLM has none below 32.
    """
    marks = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    tokenizer = make_tokenizer(*marks)
    start, end, image, video = tokenizer.convert_tokens_to_ids(list(marks))
    width = TEXT["num_attention_heads"] * head
    config = tf.Qwen2_5_VLConfig(
        text_config={
            **text_config(tokenizer),
            "hidden_size": width,
            "max_position_embeddings": 2048,
            "rope_parameters": {
                "rope_type": "default", "mrope_section": [head // 8, head // 8, head // 4],
            },
        },
        vision_config={
            "depth": 2, "hidden_size": 2 * head, "intermediate_size": 24, "num_heads": 2,
            "out_hidden_size": width, "patch_size": 7, "window_size": 28,
            "fullatt_block_indexes": [1], "initializer_range": SPREAD,
        },
        image_token_id=image, video_token_id=video, vision_start_token_id=start,
        vision_end_token_id=end,
    )  # fmt: skip
    images = tf.Qwen2VLImageProcessorPil(
        patch_size=7, size={"shortest_edge": 28 * 28, "longest_edge": 56 * 56}
    )
    template = CHAT.format(image="".join(marks[k] for k in (0, 2, 1)))
    if find_spec("torchvision"):
        videos = tf.Qwen2VLVideoProcessor(patch_size=7)
        processor = tf.Qwen2_5_VLProcessor(images, tokenizer, videos, chat_template=template)
    else:
        processor = _QwenPictures(images, tokenizer, chat_template=template)
    return _part(tf.Qwen2_5_VLForConditionalGeneration, config, processor, dialect=Qwen25VL())


def idefics3() -> Part:
    """Make an Idefics3 (SmolVLM's architecture); its pictures are cut into tiles."""
    tiles = [f"<row_{r}_col_{c}>" for r in (1, 2) for c in (1, 2)]
    marks = ("<fake_token_around_image>", "<end_of_utterance>", "<global-img>", *tiles)
    tokenizer = make_tokenizer(*marks)
    config = tf.Idefics3Config(
        text_config={"model_type": "llama", **text_config(tokenizer)},
        vision_config={**VISION, "initializer_range": SPREAD},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )
    images = tf.Idefics3ImageProcessorPil(
        size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}
    )
    processor = tf.Idefics3Processor(
        images, tokenizer, image_seq_len=4, chat_template=CHAT.format(image="<image>")
    )
    return _part(tf.Idefics3ForConditionalGeneration, config, processor)


def paligemma() -> Part:
    """Make a PaliGemma; it has no chat template, and sees its prompt in both directions."""
    tokenizer = make_tokenizer("<bos>")
    tokenizer.bos_token = "<bos>"
    images = tf.SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    images.image_seq_length = (SIDE // 7) ** 2
    processor = tf.PaliGemmaProcessor(images, tokenizer)
    config = tf.PaliGemmaConfig(
        text_config={"model_type": "gemma", "head_dim": 8, **text_config(tokenizer)},
        vision_config={"model_type": "siglip_vision_model", "vision_use_head": False, **VISION},
        image_token_index=processor.image_token_id,
        projection_dim=TEXT["hidden_size"],
        hidden_size=TEXT["hidden_size"],
        vocab_size=len(tokenizer),
    )
    made = _part(tf.PaliGemmaForConditionalGeneration, config, processor)
    return replace(made, prompter=PlainPrompter(template="<image>{words}"))


def llava() -> Part:
    """Make a LLaVA."""
    tokenizer = make_tokenizer()
    config = tf.LlavaConfig(
        text_config={"model_type": "llama", **text_config(tokenizer)},
        vision_config={"model_type": "clip_vision_model", **VISION},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=(SIDE // 7) ** 2,
    )
    images = tf.CLIPImageProcessorPil(
        size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
    )
    processor = tf.LlavaProcessor(
        images, tokenizer, patch_size=7, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=CHAT.format(image="<image>\n"),
    )  # fmt: skip
    return _part(tf.LlavaForConditionalGeneration, config, processor)


KINDS: dict[str, Callable[[], Part]] = {
    "refervlm": refervlm,
    "qwen2_5_vl": qwen2_5_vl,
    "idefics3": idefics3,
    "paligemma": paligemma,
    "llava": llava,
}
"""a new architecture is a new line here"""


def observations(
    count: int, *, seed: int = 0, size: tuple[int, int] = (48, 40)
) -> list[Observation]:
    """Make observations of noise, whose instructions are of different lengths.

    Args:
        count: how many.
        seed: of the noise.
        size: px (width, height).
    """
    rng = np.random.default_rng(seed)
    width, height = size
    return [
        Observation(
            rgb=rng.integers(0, 256, (height, width, 3), np.uint8),
            depth=rng.uniform(0.3, 2.0, (height, width)).astype(np.float32),
            intrinsics=np.eye(3),
            instruction="point at " + "the red mug beside " * k + f"cup {k}",
            holding=0,
            event=0,
            feedback="",
        )
        for k in range(count)
    ]


class _QwenPictures(tf.Qwen2_5_VLProcessor):
    """The processor without its part for videos, which needs torchvision."""

    def __init__(
        self, image_processor: Any = None, tokenizer: Any = None, chat_template: str | None = None
    ) -> None:
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
        tf.ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)


def _part(kind: Any, config: Any, processor: Any, dialect: Dialect | None = None) -> Part:
    torch.manual_seed(0)
    model = kind(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and "norm" not in name:
                weight.normal_(0, SPREAD)
    return Part(
        model=model,
        processor=processor,
        prompter=ChatPrompter(),
        dialect=dialect or RoboRefer(),
    )
