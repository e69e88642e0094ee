"""Configurations of ReferVLM and of the convolutional tower that its small sizes see with."""

from typing import Any, Literal

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig

Depth = Literal["dedicated", "shared", "none"]


@strict
class ConvTowerConfig(PreTrainedConfig):
    """A small convolutional backbone: stages that halve the picture, then residual blocks."""

    model_type = "refer_conv"

    num_channels: int = 3
    widths: list[int] | None = None
    """channels of each stage; each halves the picture"""
    blocks: int = 3
    """residual blocks behind the stages"""
    hidden_size: int = 160
    image_size: int = 128
    """px, width and height"""
    initializer_range: float = 0.02

    def __post_init__(self, **kwargs: Any) -> None:
        """Fill what depends on others."""
        self.widths = [24, 48, 96, 128] if self.widths is None else self.widths
        super().__post_init__(**kwargs)

    @property
    def patch_size(self) -> int:
        """Px that one token stands for, along each side."""
        return int(2 ** len(self.widths or []))


@strict
class ReferVLMConfig(PreTrainedConfig):
    """RGB tower, depth tower, one projector each, causal language model.

    Attributes:
        vision_config: of the RGB tower; the depth tower is of the same kind, with its own weights.
        text_config: of the language model.
        depth: "dedicated" (a tower and a projector of its own), "shared" (the RGB tower sees the
            depth picture too; a projector of its own) or "none" (no depth tokens).
        downsample: how many tokens along each side become one before the projector (2 or 3).
        scales: at how many sizes a tower sees a picture (S2, arXiv 2403.13043): whole, in 2 x 2
            tiles, in 3 x 3, each tile as large as the tower's pictures; their features stand side
            by side.
        select_layer: which of the tower's hidden states is seen, as -2 for the last but one; None
            takes its output.
        image_token_id: stands in the text for each token of a picture.
        depth_token_id: the same for its depth picture.
        coordinates: how many tokens say a coordinate: k stands for k / coordinates. 0 has none of
            them; else their embeddings follow from Fourier features of the value.
        coordinate_token_id: the first of them.
        pointer: whether an attention over the picture's tokens adds to the coordinates' logits.
        unsaid: further tokens that are never said.
    """

    model_type = "refer_vlm"
    sub_configs = {"vision_config": AutoConfig, "text_config": AutoConfig}  # noqa: RUF012

    vision_config: dict[str, Any] | PreTrainedConfig | None = None
    text_config: dict[str, Any] | PreTrainedConfig | None = None
    depth: Depth = "dedicated"
    downsample: int = 2
    scales: int = 1
    select_layer: int | None = None
    image_token_id: int = 1
    depth_token_id: int = 2
    coordinates: int = 0
    coordinate_token_id: int = 0
    pointer: bool = False
    unsaid: list[int] | None = None
    tie_word_embeddings: bool = True

    def __post_init__(self, **kwargs: Any) -> None:
        """Make the parts' configurations of what describes them, and check that they fit."""
        self.vision_config = _part(self.vision_config, "siglip_vision_model")
        self.text_config = _part(self.text_config, "qwen2")
        if self.downsample not in (1, 2, 3):
            raise ValueError(f"downsample: expected 1, 2 or 3, got {self.downsample}")
        if self.scales < 1:
            raise ValueError(f"scales: expected >= 1, got {self.scales}")
        if self.select_layer is not None and self._vision.model_type == "refer_conv":
            raise ValueError("select_layer: a refer_conv tower has no hidden states")
        if self.pointer and not self.coordinates:
            raise ValueError("pointer: needs coordinates")
        super().__post_init__(**kwargs)

    @property
    def picture_size(self) -> int:
        """Px that a picture must have, width and height."""
        return int(self._vision.image_size * self.scales)

    @property
    def seen_side(self) -> int:
        """Tokens along each side of what a tower sees, before the projector."""
        return int(self._vision.image_size // self._vision.patch_size * self.scales)

    @property
    def seen_width(self) -> int:
        """Width of these tokens."""
        return int(self._vision.hidden_size * self.scales)

    @property
    def side(self) -> int:
        """Tokens along each side of a picture, after the projector."""
        return -(-self.seen_side // self.downsample)

    @property
    def image_tokens(self) -> int:
        """Tokens that a picture takes, and its depth picture too."""
        return self.side**2

    @property
    def _vision(self) -> PreTrainedConfig:
        assert isinstance(self.vision_config, PreTrainedConfig), "made in __post_init__"
        return self.vision_config


def _part(given: Any, default: str) -> PreTrainedConfig:
    if isinstance(given, PreTrainedConfig):
        return given
    plain = dict(given or {})
    return AutoConfig.for_model(plain.pop("model_type", default), **plain)
