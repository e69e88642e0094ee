"""Tiny Qwen-VL models for other people's trainers: a tokenizer of their marks, chats, pictures."""

from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
import transformers as tf
from PIL import Image

from refergym.agents.refervlm.vocabulary import COORDINATES, FORMS, build_tokenizer

MARKS = (
    "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>",
)  # fmt: skip
CALL = '<tool_call>\n{{"name": "answer", "arguments": {{"text": "{}"}}}}\n</tool_call>'
POINT = '[{{\\"point_2d\\": [{}, {}], \\"label\\": \\"it\\"}}]'
WORDS = [
    CALL.format(POINT.format(1, 2)),
    "Look at the picture and answer by calling the tool `answer`. You are a helpful assistant.",
    "Answer the question. The robot then acts on the point that the answer names.",
    "Your reasoning, if any, and the point in the form that was asked for.",
    '{"type": "function", "function": {"name": "answer", "description": "", "parameters": '
    '{"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}}}',
    "You may call one or more functions to assist with the user query. You are provided with "
    "function signatures within <tools></tools> XML tags: For each function call, return a json "
    "object with function name and arguments within <tool_call></tool_call> XML tags:",
]
TEXT: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2, "head_dim": 16, "tie_word_embeddings": False,
}  # fmt: skip
PATCH = 14


def tokenizer() -> Any:
    """Learn the smallest one that has Qwen's marks."""
    made = build_tokenizer(WORDS, 8 + COORDINATES + len(FORMS) + 256 + 500)
    made.add_tokens(list(MARKS), special_tokens=True)
    # of Qwen's tokenizer these are no special tokens: decoding leaves them in
    made.add_tokens(["<tool_call>", "</tool_call>"], special_tokens=False)
    made.eos_token = "<|im_end|>"
    return made


def model(kind: str, chat_template: str) -> tuple[Any, Any]:
    """Make a model and its processor.

    Args:
        kind: "qwen2_5_vl" or "qwen3_vl".
        chat_template: of the processor.
    """
    words = tokenizer()
    ids = dict(zip(MARKS, words.convert_tokens_to_ids(list(MARKS)), strict=True))
    shared: dict[str, Any] = {
        "image_token_id": ids["<|image_pad|>"], "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
    }  # fmt: skip
    text = {
        **TEXT, "vocab_size": len(words), "pad_token_id": words.pad_token_id, "bos_token_id": None,
        "eos_token_id": words.eos_token_id, "max_position_embeddings": 8192,
        "rope_parameters": {"rope_type": "default", "mrope_section": [4, 2, 2]},
    }  # fmt: skip
    vision: dict[str, Any] = {
        "depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2,
        "out_hidden_size": TEXT["hidden_size"], "patch_size": PATCH,
    }  # fmt: skip
    torch.manual_seed(0)
    if kind == "qwen3_vl":
        vision |= {"num_position_embeddings": 64, "deepstack_visual_indexes": [0]}
        config = tf.Qwen3VLConfig(text_config=text, vision_config=vision, **shared)
        made, processor = tf.Qwen3VLForConditionalGeneration(config), tf.Qwen3VLProcessor
    else:
        vision |= {"window_size": 4 * PATCH, "fullatt_block_indexes": [1]}
        config = tf.Qwen2_5_VLConfig(text_config=text, vision_config=vision, **shared)
        made, processor = tf.Qwen2_5_VLForConditionalGeneration(config), tf.Qwen2_5_VLProcessor
    images = tf.Qwen2VLImageProcessor if find_spec("torchvision") else tf.Qwen2VLImageProcessorPil
    least, most = (4 * PATCH) ** 2, (8 * PATCH) ** 2
    pictures = images(patch_size=PATCH, size={"shortest_edge": least, "longest_edge": most})
    return made, _processor(processor, pictures, words, ids, chat_template)


def taught(
    made: Any, processor: Any, prompts: list[list[dict[str, Any]]], answers: list[list[str]], *,
    steps: int, tools: list[Any] | None = None,
) -> float:  # fmt: skip
    """Teach a model answers by heart, and return the last loss.

    Args:
        made: the model.
        processor: its own.
        prompts: chats with pictures in them.
        answers: of each; one is drawn.
        steps: of AdamW.
        tools: as chats are shown them.
    """
    rng = np.random.default_rng(0)
    learner = torch.optim.AdamW(made.parameters(), 1e-2, weight_decay=0.0)
    made.train()
    loss = torch.tensor(0.0)
    for step in range(steps):
        k = step % len(prompts)
        asked = processor.apply_chat_template(
            [prompts[k]], tools=tools, add_generation_prompt=True, tokenize=True, return_dict=True,
            return_tensors="pt",
        )  # fmt: skip
        said = rng.choice(answers[k]) + "<|im_end|>"
        ids = processor.tokenizer(said, return_tensors="pt")["input_ids"]
        inputs = dict(asked)
        begun = inputs["input_ids"].shape[1]
        inputs["input_ids"] = torch.cat([inputs["input_ids"], ids], 1)
        for key, fill in (("attention_mask", 1), ("mm_token_type_ids", 0)):
            if key in inputs:
                inputs[key] = torch.cat([inputs[key], torch.full_like(ids, fill)], 1)
        labels = inputs["input_ids"].clone()
        labels[:, :begun] = -100
        loss = made(**inputs, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(made.parameters(), 1.0)
        learner.step()
        learner.zero_grad()
    made.eval()
    return float(loss.detach())


def picture(width: int = 64, height: int = 48) -> Image.Image:
    """Make a picture of noise."""
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))


def _processor(kind: Any, pictures: Any, words: Any, ids: Any, chat_template: str) -> Any:
    if find_spec("torchvision"):
        videos = tf.Qwen3VLVideoProcessor if "3VL" in kind.__name__ else tf.Qwen2VLVideoProcessor
        return kind(pictures, words, videos(patch_size=PATCH), chat_template=chat_template)

    class Pictures(kind):  # without its part for videos, which needs torchvision
        def __init__(self, image_processor=None, tokenizer=None, chat_template=None):
            for name, mark in (("image", "<|image_pad|>"), ("video", "<|video_pad|>"),
                               ("vision_start", "<|vision_start|>"),
                               ("vision_end", "<|vision_end|>")):  # fmt: skip
                setattr(self, f"{name}_token", mark)
                setattr(self, f"{name}_token_id", ids[mark])
            tf.ProcessorMixin.__init__(
                self, image_processor, tokenizer, chat_template=chat_template
            )

    Pictures.__name__ = kind.__name__
    return Pictures(pictures, words, chat_template=chat_template)
