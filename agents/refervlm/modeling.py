"""ReferVLM: an RGB tower, a depth tower, a projector each, and a causal language model.

Each picture stands in the text as `<image>` tokens, and its depth picture as `<depth>` tokens right
behind them; both are replaced by what towers and projectors see. Without depth pictures there are
no depth tokens: that is how it works on RGB alone.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM, GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers.cache_utils import Cache
from transformers.utils import ModelOutput

from refergym.agents.refervlm.configuration import ReferVLMConfig
from refergym.agents.refervlm.coordinates import Coordinates, Pointed, Pointer
from refergym.agents.refervlm.towers import Projector, build_tower, see

IGNORED = -100
"""label of tokens that the loss leaves out"""
NEVER = -1e4
"""logit of what is never said; finite in every precision, and its probability is 0 in all"""


@dataclass
class ReferVLMOutput(ModelOutput):
    """What a forward pass gives.

    Attributes:
        loss: mean negative log-likelihood over the labels, where there are any.
        logits: [B, T, V].
        past_key_values: the cache.
        pointed: the last picture of each text, as the pointer goes over it.
        scores: [B, T, N] of the pointer, before its softmax.
        features: [I, N, C] what the RGB tower saw in the pictures, before the projector.
        depth_features: [D, N, C] the same of the depth pictures.
    """

    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    past_key_values: Cache | None = None
    pointed: Pointed | None = None
    scores: torch.Tensor | None = None
    features: torch.Tensor | None = None
    depth_features: torch.Tensor | None = None


class ReferVLMForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """The model; see the module."""

    config_class = ReferVLMConfig
    main_input_name = "input_ids"
    base_model_prefix = "language_model"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _no_split_modules = ["Qwen2DecoderLayer", "SiglipEncoderLayer"]  # noqa: RUF012
    _tied_weights_keys: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, config: ReferVLMConfig) -> None:
        """Build towers, projectors and the language model."""
        super().__init__(config)
        _check_vocabulary(config)
        vision, text = config.vision_config, config.text_config
        assert isinstance(vision, PreTrainedConfig), "made by the config"
        assert isinstance(text, PreTrainedConfig), "made by the config"
        self.rgb_tower = build_tower(vision)
        widths = (config.seen_width, text.hidden_size, config.downsample)
        self.rgb_projector = Projector(*widths)
        if config.depth == "dedicated":
            self.depth_tower = build_tower(vision)
        if config.depth != "none":
            self.depth_projector = Projector(*widths)
        self.language_model = AutoModelForCausalLM.from_config(text)
        if config.coordinates:
            sizes = (config.coordinates, config.side, text.hidden_size)
            self.coordinates = Coordinates(*sizes)
            if config.pointer:
                self.pointer = Pointer(*sizes)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the table of embeddings."""
        table: nn.Module = self.language_model.get_input_embeddings()
        return table

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace it."""
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """Return the output layer."""
        layer: nn.Module = self.language_model.get_output_embeddings()
        return layer

    def init_depth_from_rgb(self) -> None:
        """Give the depth tower the RGB tower's weights, as RoboRefer begins.

        Raises:
            ValueError: without a depth tower of its own.
        """
        if self.config.depth != "dedicated":
            raise ValueError(f"depth: expected 'dedicated', got {self.config.depth!r}")
        self.depth_tower.load_state_dict(self.rgb_tower.state_dict())

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        pixel_values: torch.Tensor | None = None,
        depth_values: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        labels: torch.Tensor | None = None,
        pointed: Pointed | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **kwargs: Any,
    ) -> ReferVLMOutput:
        """Run the model.

        Args:
            input_ids: [B, T]; `image_tokens` image tokens for each picture, and as many depth
                tokens for each depth picture.
            pixel_values: [I, 3, H, W], all pictures of the batch in the order of the text.
            depth_values: [D, 3, H, W], relative inverse depth.
            attention_mask: [B, T], 0 for padding.
            position_ids: [B, T].
            past_key_values: the cache.
            labels: [B, T], IGNORED where the loss leaves out.
            pointed: as a former pass gave them, while generating.
            logits_to_keep: how many positions from the end get logits, 0 for all; or the
                positions [K], or [B, K] for each row its own.
            kwargs: further arguments of the language model.

        Raises:
            ValueError: if pictures and tokens do not belong together.
        """
        if input_ids is None:
            raise ValueError("input_ids: expected a tensor [B, T], got None")
        embeds, features, depth_features = self._embed(input_ids, pixel_values, depth_values)
        wanted = kwargs.pop("output_hidden_states", None)
        outputs = self.language_model.model(
            inputs_embeds=embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            output_hidden_states=wanted,
            **kwargs,
        )
        states = outputs.last_hidden_state
        if self.config.pointer and pixel_values is not None:
            pointed = self._pointed(input_ids, states)
        logits, scores = self._logits(_kept(states, logits_to_keep), pointed)
        loss = None
        if labels is not None:
            loss = nn.functional.cross_entropy(
                logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED
            )
        return ReferVLMOutput(
            loss=loss, logits=logits, past_key_values=outputs.past_key_values, pointed=pointed,
            scores=scores, features=features, depth_features=depth_features,
        )  # fmt: skip

    def see(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Return what the RGB tower sees, [I, N, C].

        Raises:
            ValueError: if the pictures are not of its size.
        """
        self._check_size(pixel_values, "pixel_values")
        return self._seen(self.rgb_tower, pixel_values)

    def see_depth(self, depth_values: torch.Tensor) -> torch.Tensor:
        """Return what is seen in depth pictures, [D, N, C].

        Raises:
            ValueError: without a depth tower, or if they are not of its size.
        """
        if self.config.depth == "none":
            raise ValueError("depth_values: this model has no depth tower (depth: none)")
        tower = self.depth_tower if self.config.depth == "dedicated" else self.rgb_tower
        self._check_size(depth_values, "depth_values")
        return self._seen(tower, depth_values)

    def _seen(self, tower: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
        return see(tower, pictures.to(self.dtype), self.config.scales, self.config.select_layer)

    def _embed(
        self,
        input_ids: torch.Tensor,
        pixel_values: torch.Tensor | None,
        depth_values: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        embeds = self.get_input_embeddings()(input_ids)
        config = self.config
        if config.coordinates:
            first, count = config.coordinate_token_id, config.coordinates
            is_number = (input_ids >= first) & (input_ids < first + count)
            table = self.coordinates.embeddings().to(embeds.dtype)
            index = (input_ids - first).clamp(0, count - 1)
            embeds = embeds + torch.where(is_number[..., None], table[index], 0.0)
        features = depth_features = None
        if pixel_values is not None:
            features = self.see(pixel_values)
            tokens = self._placed(self.rgb_projector(features))
            embeds = _filled(embeds, input_ids == config.image_token_id, tokens, "image")
        else:
            _check_none(input_ids, config.image_token_id, "image")
        if depth_values is not None:
            depth_features = self.see_depth(depth_values)
            tokens = self._placed(self.depth_projector(depth_features))
            embeds = _filled(embeds, input_ids == config.depth_token_id, tokens, "depth")
        else:
            _check_none(input_ids, config.depth_token_id, "depth")
        return embeds, features, depth_features

    def _check_size(self, pictures: torch.Tensor, name: str) -> None:
        size = self.config.picture_size
        if tuple(pictures.shape[-2:]) != (size, size):
            height, width = pictures.shape[-2:]
            raise ValueError(
                f"{name}: expected pictures of {size} x {size} px, got {width} x {height}"
            )

    def _placed(self, tokens: torch.Tensor) -> torch.Tensor:
        if not self.config.coordinates:
            return tokens
        return tokens + self.coordinates.places().to(tokens.dtype)

    def _pointed(self, input_ids: torch.Tensor, states: torch.Tensor) -> Pointed:
        """Let the pointer go over each text's last picture."""
        n = self.config.image_tokens
        is_image = input_ids == self.config.image_token_id
        last = is_image.cumsum(1) > is_image.sum(1, keepdim=True) - n
        return self.pointer.over(states[is_image & last].view(len(states), n, -1))

    def _logits(
        self, states: torch.Tensor, pointed: Pointed | None
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        logits = self.language_model.lm_head(states)
        config, scores = self.config, None
        if config.coordinates:
            first, last = (
                config.coordinate_token_id,
                config.coordinate_token_id + config.coordinates,
            )
            said = states @ self.coordinates.rows().to(states.dtype).T
            if config.pointer and pointed is not None:
                likely, scores = self.pointer(states, pointed)
                said = said + likely.to(said.dtype)
            logits = torch.cat(
                [logits[..., :first], logits[..., first:last] + said, logits[..., last:]], -1
            )
        # marks of pictures are never said: read again, they would ask for a picture each
        never = [config.image_token_id, config.depth_token_id, *(config.unsaid or ())]
        marks = torch.tensor(never, device=logits.device)
        return logits.index_fill_(-1, marks, NEVER), scores

    def answer(self, inputs: dict[str, Any], sampler: Any, **kwargs: Any) -> bool:
        """Answer faster than `generate` where that can be done; see `generating.answer`."""
        from refergym.agents.refervlm.generating import answer

        return answer(self, inputs, sampler, **kwargs)

    def prepare_inputs_for_generation(
        self, input_ids: torch.Tensor, **kwargs: Any
    ) -> dict[str, Any]:
        """Leave the pictures out behind the first pass: the cache holds them."""
        pictures = {k: kwargs.pop(k, None) for k in ("pixel_values", "depth_values")}
        is_first = kwargs.pop("is_first_iteration", False) or not kwargs.get("use_cache", True)
        pointed = kwargs.pop("pointed", None)
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(
            input_ids, is_first_iteration=is_first, **kwargs
        )
        inputs["pointed"] = pointed
        if is_first:
            inputs |= pictures
        return inputs

    def _update_model_kwargs_for_generation(
        self, outputs: ModelOutput, model_kwargs: dict[str, Any], **kwargs: Any
    ) -> dict[str, Any]:
        updated: dict[str, Any] = super()._update_model_kwargs_for_generation(
            outputs, model_kwargs, **kwargs
        )
        updated["pointed"] = getattr(outputs, "pointed", None)
        return updated


def _kept(states: torch.Tensor, keep: int | torch.Tensor) -> torch.Tensor:
    if isinstance(keep, int):
        return states[:, -keep:] if keep else states
    if keep.ndim == 1:
        return states[:, keep]
    return states.gather(1, keep[..., None].expand(-1, -1, states.shape[-1]))


def _check_vocabulary(config: ReferVLMConfig) -> None:
    text = config.text_config
    assert isinstance(text, PreTrainedConfig), "made by the config"
    first, count = config.coordinate_token_id, config.coordinates
    if first + count > text.vocab_size:
        raise ValueError(
            f"coordinates: tokens {first} to {first + count - 1} are not in a vocabulary"
            f" of {text.vocab_size}"
        )
    for key in ("image_token_id", "depth_token_id"):
        if not 0 <= getattr(config, key) < text.vocab_size:
            raise ValueError(
                f"{key}: {getattr(config, key)} is not in a vocabulary of {text.vocab_size}"
            )


def _check_none(input_ids: torch.Tensor, mark: int, name: str) -> None:
    # while generating nothing is looked at: marks are never said, and a look waits for the device
    if input_ids.shape[1] > 1 and (count := int((input_ids == mark).sum())):
        raise ValueError(f"input_ids: {count} {name} tokens for 0 pictures")


def _filled(
    embeds: torch.Tensor, where: torch.Tensor, tokens: torch.Tensor, name: str
) -> torch.Tensor:
    """Put tokens [I, N, width] where a mask [B, T] says."""
    count, given = int(where.sum()), tokens.shape[0] * tokens.shape[1]
    if count != given:
        raise ValueError(
            f"input_ids: {count} {name} tokens for {tokens.shape[0]} pictures of {tokens.shape[1]}"
        )
    return embeds.masked_scatter(where[..., None], tokens.to(embeds.dtype))
