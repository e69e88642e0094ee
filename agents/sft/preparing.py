"""A model made ready to be taught: new or loaded, with its heads and its learner."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch

from refergym.agents.refervlm import ReferVLMForConditionalGeneration
from refergym.agents.refervlm.sizes import new_model
from refergym.agents.sft.adapters import add_lora
from refergym.agents.sft.learner import Learner, heads_of
from refergym.agents.sft.losses import Weights
from refergym.agents.sft.objective import Objective


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a training begins with."""

    size: Mapping[str, Any]
    """of a new model, as in configs/model"""
    init: str | None
    """folder of a model to begin with"""
    depth: str | None
    """how that model sees depth from now on (`ReferVLMConfig.depth`); None leaves it"""
    depth_from_rgb: bool
    """begin with the RGB tower's weights in the depth tower"""
    lora: int
    """rank in the language model; 0 has none"""
    checkpointing: bool
    weights: Mapping[str, float]
    """of the loss"""
    categories: Sequence[str]
    colours: Sequence[str]
    seed: int


@dataclass(frozen=True, kw_only=True)
class Taught:
    """What is being taught."""

    objective: Objective
    processor: Any
    learner: Learner


def prepare(recipe: Recipe, texts: Callable[[], Sequence[str]], **learning: Any) -> Taught:
    """Make model, objective and learner.

    Args:
        recipe: what to begin with.
        texts: that a tokenizer is learned from; called where one is.
        learning: arguments of the learner.

    Raises:
        ValueError: in one line, if something does not fit or cannot be loaded.
    """
    unknown = sorted(set(recipe.weights) - {field.name for field in fields(Weights)})
    if unknown:
        raise ValueError(f"weights: the loss has no part {unknown[0]!r}")
    if recipe.init is None and recipe.depth is not None:
        raise ValueError("depth: it is init's that changes; a new model's is model.depth")
    if recipe.init is None:
        asked = texts() if recipe.size["tokenizer"] is None else ()
        model, processor = new_model(recipe.size, asked, recipe.seed)
    else:
        model, processor = _loaded(recipe.init)
        if recipe.depth is not None and recipe.depth != model.config.depth:
            model = _with_depth(model, recipe.depth, recipe.seed)
    if recipe.depth_from_rgb:
        model.init_depth_from_rgb()
    if recipe.checkpointing:
        model.activation_checkpointing_enable()
    if recipe.lora:
        torch.manual_seed(recipe.seed)  # of the adapters
        add_lora(model, recipe.lora)
    torch.manual_seed(recipe.seed)  # of the heads
    objective = Objective(
        model, processor, recipe.categories, recipe.colours, Weights(**recipe.weights)
    )
    if recipe.init is not None:
        heads = heads_of(recipe.init, objective)
        objective.load_state_dict(heads, strict=False)
    learner = Learner(objective, seed=recipe.seed, **learning)
    return Taught(objective=objective, processor=processor, learner=learner)


def _loaded(path: str) -> tuple[ReferVLMForConditionalGeneration, Any]:
    from refergym.agents.vlm import load_model

    model, processor = load_model(path, dtype="float32")
    if not isinstance(model, ReferVLMForConditionalGeneration):
        raise ValueError(f"init: {path!r} is a {type(model).__name__}; expected a ReferVLM")
    return model, processor


def _with_depth(
    model: ReferVLMForConditionalGeneration, depth: str, seed: int
) -> ReferVLMForConditionalGeneration:
    """Return a model that sees depth otherwise, with all weights of another that fit."""
    config = copy.deepcopy(model.config)
    config.depth = depth
    torch.manual_seed(seed)  # of what is new
    made = ReferVLMForConditionalGeneration(config)
    kept = made.state_dict().keys() & model.state_dict().keys()
    made.load_state_dict({k: v for k, v in model.state_dict().items() if k in kept}, strict=False)
    made.generation_config = model.generation_config
    return made
