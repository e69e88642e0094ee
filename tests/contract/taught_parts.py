"""A tiny ReferVLM that is being taught, and a batch of lessons with made-up pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import vlm_parts

from refergym.agents.sft.learner import STATE
from refergym.agents.sft.objective import Pictures
from refergym.agents.sft.preparing import Recipe, Taught, prepare

CATEGORIES, COLOURS = ("cup", "mug"), ("red", "blue")
WEIGHTS = {"words": 1.0, "coordinates": 1.0, "pointer": 0.5, "dense": 0.25, "spread": 0.01}


def recipe(init: Path | None, **changes: Any) -> Recipe:
    """Begin with a folder that `save` made."""
    return Recipe(**{
        "size": {}, "init": None if init is None else str(init), "depth": None,
        "depth_from_rgb": False,
        "lora": 0, "checkpointing": False, "weights": WEIGHTS, "categories": CATEGORIES,
        "colours": COLOURS, "seed": 3, **changes,
    })  # fmt: skip


def taught(init: Path, *, steps: int = 8, learning: Any = None, **changes: Any) -> Taught:
    """Make ready to be taught."""
    rest = {"steps": steps, "lr": 3e-3, **(learning or {})}
    return prepare(recipe(init, **changes), tuple, **rest)


def save(folder: Path, **changes: Any) -> Path:
    """Write a model to begin with."""
    made = vlm_parts.refervlm(**changes)
    made.save(folder)
    return folder


def pictures(seed: int = 0, count: int = 3, side: int = vlm_parts.SIDE) -> Pictures:
    """Make a batch: a thing in each picture, questions about all but the last."""
    rng = np.random.default_rng(seed)
    ids = np.full((count, side, side), -1)
    ids[:, 3:17, 5:20] = 0
    questions = []
    for k in range(count - 1):
        point = f"[(0.{rng.integers(100, 999)}, 0.250)]"
        questions.append([(f"point at the {'red ' * k}mug", point), ("where?", "no")])
    return Pictures(
        rgb=rng.integers(0, 256, (count, side, side, 3), np.uint8),
        disparity=rng.integers(0, 256, (count, side, side), np.uint8),
        ids=ids,
        names=[[("mug", "red")]] * count,
        questions=[*questions, []],
    )


def joined(*batches: Pictures) -> Pictures:
    """Make one batch of several."""
    pixels = ("rgb", "disparity", "ids")
    arrays = {k: np.concatenate([getattr(b, k) for b in batches]) for k in pixels}
    lists = {k: [x for b in batches for x in getattr(b, k)] for k in ("names", "questions")}
    return Pictures(**arrays, **lists)


def gradients(folder: Path) -> list[torch.Tensor]:
    """Return the gradients of the first step, from the optimiser in a checkpoint."""
    state = torch.load(folder / STATE, weights_only=True)["optimiser"]
    decay = state["param_groups"][0]["betas"][0]
    return [moments["exp_avg"] / (1 - decay) for _, moments in sorted(state["state"].items())]
