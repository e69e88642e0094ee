"""What a batch of lessons costs: one module, so that it can be spread over devices as a whole."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from refergym.agents.refervlm import ReferVLMForConditionalGeneration
from refergym.agents.refervlm.modeling import IGNORED, ReferVLMOutput
from refergym.agents.refervlm.packing import share
from refergym.agents.refervlm.sharing import Rows, Text, rows_of
from refergym.agents.sft.dense import DenseHead, DenseTargets, dense_targets
from refergym.agents.sft.losses import Weights, answer_loss, pointer_loss

PROMPT = "{}\n"
"""how a question stands behind the pictures"""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Pictures of a batch, and what is asked about them."""

    rgb: NDArray[np.uint8]
    """[B, H, W, 3]"""
    disparity: NDArray[np.uint8]
    """[B, H, W]: relative inverse depth, near is bright"""
    ids: NDArray[np.integer]
    """[B, H, W]: index of the object in names, < 0 for none"""
    names: Sequence[Sequence[tuple[str, str]] | None]
    """for each picture (category, colour) of its objects; None where that is not known"""
    questions: Sequence[Sequence[tuple[str, str]]]
    """for each picture (words, answer) pairs; none at all: only what towers see is taught"""


class Objective(nn.Module):
    """A model with the heads that teach its towers; a forward pass gives the loss of a batch."""

    def __init__(
        self,
        model: ReferVLMForConditionalGeneration,
        processor: Any,
        categories: Sequence[str],
        colours: Sequence[str],
        weights: Weights,
    ) -> None:
        """Take the model.

        Args:
            model: the model.
            processor: its processor.
            categories: that towers learn to tell apart.
            colours: the same; depth says nothing about them.
            weights: of the loss.
        """
        super().__init__()
        self.model, self.weights, self._tokenizer = model, weights, processor.tokenizer
        self._pad = processor.tokenizer.pad_token_id or 0
        width = model.config.seen_width
        self.rgb_head = DenseHead(width, categories, colours)
        if model.config.depth == "dedicated":
            self.depth_head = DenseHead(width, categories)

    def collate(self, pictures: Pictures, with_depth: bool) -> dict[str, Any]:
        """Make tensors of a batch; those of the forward pass."""
        config = self.model.config
        grey = np.repeat(pictures.disparity[..., None], 3, -1)
        made: dict[str, Any] = {
            "pixel_values": pixels(torch.from_numpy(pictures.rgb)),
            "depth_values": pixels(torch.from_numpy(grey)) if with_depth else None,
        }
        if self.weights.dense:
            made["shown"] = dense_targets(
                pictures.ids, pictures.names, self.rgb_head, config.seen_side
            )
        if any(pictures.questions):
            made["rows"] = rows_of(self._texts(pictures.questions), self._pad)
            n = config.image_tokens
            marks = [config.image_token_id] * n + [config.depth_token_id] * (n * with_depth)
            made["marks"] = torch.tensor([marks] * len(pictures.rgb))
        return made

    def forward(self, batch: Mapping[str, Any]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the loss of a batch that `collate` made, and its parts."""
        device, weights = self.model.device, self.weights
        rgb = batch["pixel_values"].to(device)
        depth = None if batch["depth_values"] is None else batch["depth_values"].to(device)
        loss = rgb.new_zeros(())
        parts: dict[str, torch.Tensor] = {}
        if "rows" in batch:
            rows = batch["rows"]
            shared = share(self.model, batch["marks"].to(device), rgb, depth, rows)
            loss, parts = self._said(shared.answers, rows)
            seen, seen_depth = shared.features, shared.depth_features
        else:
            seen = self.model.see(rgb)
            seen_depth = None if depth is None else self.model.see_depth(depth)
        if "shown" in batch:
            shown: DenseTargets = batch["shown"].to(device)
            assert seen is not None, "pictures were looked at"
            cost, right = self.rgb_head.loss(seen, shown)
            loss = loss + weights.dense * cost
            parts |= right
            if seen_depth is not None and self.model.config.depth == "dedicated":
                cost, right = self.depth_head.loss(seen_depth, shown)
                loss = loss + weights.dense * cost
                parts |= {f"depth_{name}": value for name, value in right.items()}
        return loss, parts

    def _texts(self, questions: Sequence[Sequence[tuple[str, str]]]) -> list[Text]:
        encode = self._tokenizer
        end = encode.eos_token_id
        return [
            Text(
                picture=k,
                asked=encode(PROMPT.format(words), add_special_tokens=False).input_ids,
                answered=[*encode(answer, add_special_tokens=False).input_ids, end],
            )
            for k, pairs in enumerate(questions)
            for words, answer in pairs
        ]

    def _said(
        self, answers: Iterable[tuple[Rows, ReferVLMOutput]], chunks: Sequence[Rows]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the mean loss of all tokens that are to be said, and its parts."""
        total = torch.zeros((), device=self.model.device)
        parts: dict[str, torch.Tensor] = {}
        tokens = sum(int((rows.targets != IGNORED).sum()) for rows in chunks)
        for rows, out in answers:
            targets = rows.targets.to(total.device)
            assert out.logits is not None, "what a forward pass gives"
            loss, found = answer_loss(out.logits, targets, self.model.config, self.weights)
            if out.scores is not None and self.weights.pointer:
                looked = pointer_loss(out.scores, targets, self.model.config)
                loss = loss + self.weights.pointer * looked
                found["pointer"] = looked.detach()
            share = int((rows.targets != IGNORED).sum()) / tokens
            total = total + share * loss
            for name, value in found.items():
                parts[name] = parts.get(name, 0.0) + share * value
        return total, parts


def pixels(pictures: torch.Tensor) -> torch.Tensor:
    """Return pictures [B, H, W, 3] uint8 as a tower takes them: [B, 3, H, W] in [-1, 1]."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
