"""A small model written as RoboRefer publishes its own, by the modules that its code saves."""

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
import transformers as tf
import vlm_parts
from safetensors.torch import save_file
from torch import nn

SIDE = vlm_parts.SIDE
MARKS = ("<vila/sentinel>", "<vila/video>")
TEXT = {**vlm_parts.TEXT, "rope_theta": 30000.0}


class Joined(nn.Module):
    """Squares of tokens as one, each token's channels together, row by row."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        batch, count, width = tokens.shape
        side, k = int(count**0.5), self.factor
        grid = tokens.transpose(1, 2).reshape(batch, width, side, side)
        grid = nn.functional.pad(grid, (0, -side % k, 0, -side % k))
        columns = nn.functional.unfold(grid, k, stride=k)
        columns = columns.view(batch, width, k * k, -1).transpose(1, 2)
        return columns.reshape(batch, k * k * width, -1).transpose(1, 2)


def projector(before: int, width: int, kind: str) -> nn.Sequential:
    """Make a projector as llava/model/multimodal_projector/base_projector.py numbers it."""
    if kind == "mlp_downsample_3x3_fix":
        return nn.Sequential(
            Joined(3), nn.LayerNorm(9 * before), nn.Linear(9 * before, 3 * before), nn.GELU(),
            nn.LayerNorm(3 * before), nn.Linear(3 * before, width), nn.GELU(),
            nn.Linear(width, width),
        )  # fmt: skip
    return nn.Sequential(
        Joined(2), nn.LayerNorm(4 * before), nn.Linear(4 * before, width), nn.GELU(),
        nn.Linear(width, width),
    )  # fmt: skip


class Published:
    """The modules, and where they were written."""

    def __init__(
        self, folder: Path, kind: str = "mlp_downsample_3x3_fix", *, tied: bool = True,
        depth: str = "dedicated", scales: int = 1, shard: str = "60KB",
    ) -> None:  # fmt: skip
        self.folder, self.scales = folder, scales
        torch.manual_seed(0)
        self.tokenizer = vlm_parts.make_tokenizer("<|endoftext|>", *MARKS)
        rows = len(self.tokenizer) - len(MARKS)  # as published: no rows for these
        vision = tf.SiglipVisionConfig(**vlm_parts.VISION, vision_use_head=False)
        text = tf.Qwen2Config(
            **TEXT, vocab_size=rows, tie_word_embeddings=tied, bos_token_id=None,
            eos_token_id=self.tokenizer.eos_token_id,
        )  # fmt: skip
        llm = tf.Qwen2ForCausalLM(text).bfloat16()
        self.towers = {"vision_tower": self._tower(vision)}
        width = scales * vision.hidden_size
        self.projectors = {"mm_projector": projector(width, text.hidden_size, kind).bfloat16()}
        if depth == "dedicated":
            self.towers["depth_tower"] = self._tower(vision)
        if depth != "none":
            self.projectors["depth_projector"] = projector(width, text.hidden_size, kind).bfloat16()
        llm.save_pretrained(folder / "llm", max_shard_size=shard)
        # loaded, since bfloat16() also rounds the frequencies of positions
        self.llm = tf.Qwen2ForCausalLM.from_pretrained(folder / "llm", dtype="auto").eval()
        self.tokenizer.save_pretrained(folder / "llm")
        for name, tower in self.towers.items():
            weights = {f"vision_model.{k}": v for k, v in tower.state_dict().items()}
            write(folder / name, weights, tower.config.to_dict())
            tf.SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE}).save_pretrained(
                folder / name
            )
        for name, made in self.projectors.items():
            weights = {f"layers.{k}": v for k, v in made.state_dict().items()}
            write(
                folder / name, weights, {"mm_projector_type": kind, "model_type": "v2l_projector"}
            )
        self.configure(
            enable_depth=depth != "none", use_depth_tower=depth == "dedicated",
            dynamic_s2=scales > 1, s2_scales=",".join(str(SIDE * k) for k in range(1, scales + 1)),
            s2_resize_output_to_scale_idx=-1, mm_vision_select_layer=-2,
            mm_vision_select_feature="cls_patch",
        )  # fmt: skip

    def configure(self, **keys: Any) -> None:
        """Set keys of config.json."""
        file = self.folder / "config.json"
        before = json.loads(file.read_text()) if file.exists() else {"model_type": "llava_llama"}
        file.write_text(json.dumps({**before, **keys}))

    def seen(self, pictures: torch.Tensor, part: str = "") -> torch.Tensor:
        """Return what the language model gets of pictures, of one scale."""
        tower, made = (
            ("depth_tower", "depth_projector") if part else ("vision_tower", "mm_projector")
        )
        states = self.towers[tower](pictures, output_hidden_states=True).hidden_states[-2]
        out: torch.Tensor = self.projectors[made](states)
        return out

    @staticmethod
    def _tower(config: Any) -> Any:
        return tf.SiglipVisionModel(config).eval().bfloat16()


def write(folder: Path, weights: dict[str, torch.Tensor], config: dict[str, Any]) -> None:
    """Write a part."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = OrderedDict((k, v.contiguous()) for k, v in weights.items())
    save_file(whole, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, default=str))
