"""A published checkpoint's configuration (VILA's, as RoboRefer extends it) made into ours.

Source: github.com/Zhoues/RoboRefer: llava/model/configuration_llava.py, llava_arch.py,
multimodal_encoder/vision_encoder.py, multimodal_projector/base_projector.py.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from refergym.agents.errors import ConversionError
from refergym.agents.refervlm.configuration import Depth, ReferVLMConfig
from refergym.agents.refervlm.naming import FOLDERS
from refergym.agents.refervlm.processing import DEPTH, IMAGE

DOWNSAMPLE = {"mlp_downsample": 2, "mlp_downsample_2x2_fix": 2, "mlp_downsample_3x3_fix": 3}
"""the projectors that ours can be; the first two differ in names alone"""
SIDELONG = (
    "_attn_implementation_autoset", "_name_or_path", "architectures", "auto_map", "dtype",
    "model_max_length", "tokenizer_model_max_length", "tokenizer_padding_side", "torch_dtype",
    "transformers_version",
)  # fmt: skip
"""keys of a part that say nothing about its shape or its sums"""


def folders_of(source: Path) -> dict[str, Path]:
    """Return where each of our parts is.

    Raises:
        ConversionError: if one is missing.
    """
    depth = _depth(read_json(source / "config.json"))
    parts = dict(FOLDERS)
    if depth != "dedicated":
        del parts["depth_tower"]
    if depth == "none":
        del parts["depth_projector"]
    for name in parts.values():
        if not (source / name).is_dir():
            raise ConversionError(f"{source / name}: missing; expected a folder")
    return {part: source / name for part, name in parts.items()}


def config_of_published(source: Path, tokenizer: Any, rows: int) -> ReferVLMConfig:
    """Make our configuration.

    Args:
        source: the published folder.
        tokenizer: of it, with our marks added.
        rows: tokens that the published tables hold; those behind them are never said.

    Raises:
        ConversionError: if the model is of a kind that ours cannot be.
    """
    whole = read_json(source / "config.json")
    folders = folders_of(source)
    parts = {name: read_json(folder / "config.json") for name, folder in folders.items()}
    vision, text = _plain(parts["rgb_tower"]), _plain(parts["language_model"])
    kinds = {parts[p].get("mm_projector_type") for p in parts if p.endswith("_projector")}
    kind = kinds.pop()
    if kinds or kind not in DOWNSAMPLE:
        raise ConversionError(
            f"{source}: mm_projector_type: expected one of {', '.join(DOWNSAMPLE)} for all, got"
            f" {', '.join(sorted(map(str, {kind, *kinds})))}"
        )
    feature = whole.get("mm_vision_select_feature", "cls_patch")
    if feature != "cls_patch":
        raise ConversionError(f"mm_vision_select_feature: expected cls_patch, got {feature}")
    image, depth = tokenizer.convert_tokens_to_ids([IMAGE, DEPTH])
    size = max(rows, max(tokenizer.get_vocab().values()) + 1)
    tied = text.get("tie_word_embeddings", False)
    return ReferVLMConfig(
        vision_config={**vision, "vision_use_head": False},
        text_config={**text, "vocab_size": size, "tie_word_embeddings": tied,
                     "pad_token_id": tokenizer.pad_token_id},
        depth=_depth(whole),
        downsample=DOWNSAMPLE[kind],
        scales=_scales(whole, int(vision["image_size"])),
        select_layer=whole.get("mm_vision_select_layer", -2),
        image_token_id=image,
        depth_token_id=depth,
        unsaid=sorted(set(range(rows, size)) - {image, depth}),
        tie_word_embeddings=tied,
    )  # fmt: skip


def read_json(file: Path) -> dict[str, Any]:
    """Read a file.

    Raises:
        ConversionError: if it is missing or no JSON object.
    """
    try:
        found = json.loads(file.read_text())
    except OSError as e:
        raise ConversionError(f"{file}: {e.strerror or e}") from e
    except ValueError as e:
        raise ConversionError(f"{file}: not JSON: {e}") from e
    if not isinstance(found, dict):
        raise ConversionError(f"{file}: expected an object, got a {type(found).__name__}")
    return found


def _plain(part: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in part.items() if k not in SIDELONG}


def _depth(whole: Mapping[str, Any]) -> Depth:
    if not whole.get("enable_depth"):
        return "none"
    return "dedicated" if whole.get("use_depth_tower") else "shared"


def _scales(whole: Mapping[str, Any], side: int) -> int:
    if not (whole.get("dynamic_s2") or whole.get("s2")):
        return 1
    given = sorted(int(s) for s in str(whole.get("s2_scales", "")).split(",") if s.strip())
    last = whole.get("s2_resize_output_to_scale_idx", 0)
    if given != [side * k for k in range(1, len(given) + 1)] or last not in (-1, len(given) - 1):
        raise ConversionError(
            f"s2_scales: expected multiples of {side} px, the features resized to the last; got"
            f" {given}, s2_resize_output_to_scale_idx {last}"
        )
    return len(given)
