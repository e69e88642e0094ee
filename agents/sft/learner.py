"""The learner of supervised fine-tuning: one step at a time, saved and resumed bitwise.

In several processes each takes its own of a step's batches: number k is of process k modulo their
number. Gradients are averaged over all of them, and all draw the same random numbers, so that n
processes do what one does that accumulates n times as many batches.
"""

import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from refergym.agents import folders
from refergym.agents.sft.adapters import choose_learned, kept_state, merged_state, restore
from refergym.agents.sft.losses import schedule
from refergym.agents.sft.objective import Objective, Pictures

STATE = "trainer.pt"
BROKEN = (OSError, RuntimeError, ValueError, LookupError, EOFError, pickle.UnpicklingError)
"""what torch raises about a file that is damaged, or another one"""
MODEL = "model."
TOWERS = ("rgb_tower", "depth_tower")


class Learner:
    """Trains a ReferVLM on batches of lessons.

    Attributes:
        step: how many steps were taken.
        batches: of a step, those of all processes together.
    """

    def __init__(
        self,
        objective: Objective,
        *,
        steps: int,
        lr: float = 1e-3,
        tower_lr: float = 0.3,
        weight_decay: float = 0.05,
        warmup: float = 0.03,
        floor: float = 0.0,
        clip: float = 1.0,
        accumulate: int = 1,
        with_depth: float = 0.5,
        learns: Sequence[str] = (),
        precision: str = "no",
        seed: int = 0,
    ) -> None:
        """Make the optimiser.

        Args:
            objective: the model with what it is taught by.
            steps: in all, for the schedule.
            lr: learning rate.
            tower_lr: of the towers, times that.
            weight_decay: of AdamW.
            warmup: share of the steps.
            floor: share of the learning rate that is left at the end.
            clip: greatest norm of a gradient.
            accumulate: batches of each process for a step of the optimiser.
            with_depth: share of the batches that have their depth pictures.
            learns: parts of the model, by how their names begin; empty lets all learn. Beside
                adapters the language model's own weights never do.
            precision: "no", "bf16" or "fp16", as accelerate calls it.
            seed: of what is drawn.

        Raises:
            ValueError: if no part of the model has such a name.
        """
        from accelerate import Accelerator, DistributedDataParallelKwargs

        model = objective.model
        choose_learned(model, learns)
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        unknown = [x for x in learns if not any(n.startswith(x) for n, _ in named)]
        if unknown:
            raise ValueError(f"learns: the model has no part {unknown[0]!r}")
        self.step = 0
        self.objective = objective
        self._steps, self._warmup, self._floor, self._clip = steps, warmup, floor, clip
        self._with_depth = with_depth
        self._rng = torch.Generator().manual_seed(seed)
        towers = [p for n, p in named if n.startswith(TOWERS)]
        others = [p for n, p in named if not n.startswith(TOWERS)]
        others += [p for n, p in objective.named_parameters() if not n.startswith(MODEL)]
        self._learned = [*towers, *others]
        self._rates = [lr * tower_lr, lr]
        # a batch without depth pictures leaves the depth tower alone
        spread = DistributedDataParallelKwargs(find_unused_parameters=True)
        self.accelerator = Accelerator(mixed_precision=precision, kwargs_handlers=[spread])
        optimiser = torch.optim.AdamW(
            [{"params": towers}, {"params": others}], lr=lr, betas=(0.9, 0.98),
            weight_decay=weight_decay,
        )  # fmt: skip
        self._accumulate = accumulate
        self.batches = accumulate * self.accelerator.num_processes
        self._module: nn.Module
        self._module, self._optimiser = self.accelerator.prepare(objective, optimiser)

    @property
    def is_done(self) -> bool:
        """Whether all steps were taken."""
        return self.step >= self._steps

    def learn(self, pictures: Sequence[Pictures]) -> dict[str, float]:
        """Take one step.

        Args:
            pictures: as many batches as `batches` says, the same in each process.

        Returns:
            The loss and its parts, means over those batches that have them; "norm" of the
            gradient, and "tokens" that were taught. A step whose gradient is not finite changes
            no weight.

        Raises:
            ValueError: if the number of batches is another.
        """
        if len(pictures) != self.batches:
            raise ValueError(f"pictures: expected {self.batches} batches, got {len(pictures)}")
        self._module.train()
        told: list[dict[str, float]] = []
        depths = [self._draws_depth() for _ in pictures]
        own = slice(self.accelerator.process_index, None, self.accelerator.num_processes)
        for batch, with_depth in zip(pictures[own], depths[own], strict=True):
            made = self.objective.collate(batch, with_depth)
            loss, parts = self._module(made)
            self.accelerator.backward(loss / self._accumulate)
            count = sum(int((rows.targets >= 0).sum()) for rows in made.get("rows", ()))
            told.append({k: float(v) for k, v in {"loss": loss.detach(), **parts}.items()})
            told[-1]["tokens"] = count
        norm = self.accelerator.clip_grad_norm_(self._learned, self._clip)
        share = schedule(self.step, self._steps, self._warmup, self._floor)
        for group, rate in zip(self._optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * share
        # a scaler passes over such a step itself, and must hear of it
        if self.accelerator.scaler is not None or bool(torch.isfinite(torch.as_tensor(norm))):
            self._optimiser.step()
        self._optimiser.zero_grad()
        self.step += 1
        return {
            **_means(self._of_all(told)),
            "norm": float(norm or 0.0),
            "lr": self._rates[1] * share,
        }

    def save(self, folder: Path, processor: Any, extra: Mapping[str, Any] | None = None) -> None:
        """Write the model, its processor and all that going on needs, in one piece.

        The main process alone does; see `folders.replace`.

        Args:
            folder: replaced as a whole.
            processor: of the model.
            extra: JSON that `load` gives back.
        """
        if not self.accelerator.is_main_process:
            return
        model = self.objective.model
        heads = {n: v for n, v in self.objective.state_dict().items() if not n.startswith(MODEL)}
        scaler = self.accelerator.scaler
        state = {
            "step": self.step,
            "optimiser": self._optimiser.state_dict(),
            "heads": heads,
            "adapters": kept_state(model),
            "rng": self._rng.get_state(),
            "torch": torch.get_rng_state(),
            "scaler": None if scaler is None else scaler.state_dict(),
            "extra": json.dumps(dict(extra or {})),
        }

        def fill(part: Path) -> None:
            model.save_pretrained(part, state_dict=merged_state(model))
            processor.save_pretrained(part)
            torch.save(state, part / STATE)

        folders.replace(folder, fill)

    def load(self, folder: Path) -> dict[str, Any]:
        """Go on from what `save` wrote; the model's own weights are loaded by its class.

        Returns:
            What `save` was given as `extra`.

        Raises:
            ValueError: if the folder holds no such state, or one of another training.
        """
        try:
            state = _state(folder)
            self._optimiser.load_state_dict(state["optimiser"])
            self.objective.load_state_dict(state["heads"], strict=False)
            restore(self.objective.model, state.get("adapters", {}))
            if self.accelerator.scaler is not None and state["scaler"] is not None:
                self.accelerator.scaler.load_state_dict(state["scaler"])
        except BROKEN as e:
            raise ValueError(f"{folder}: cannot go on from here: {_line(e)}") from e
        self.step = int(state["step"])
        self._rng.set_state(state["rng"])
        torch.set_rng_state(state["torch"])
        extra: dict[str, Any] = json.loads(state["extra"])
        return extra

    def _of_all(self, told: list[dict[str, float]]) -> list[dict[str, float]]:
        from accelerate.utils import gather_object

        found: list[dict[str, float]] = gather_object(told)
        return found

    def _draws_depth(self) -> bool:
        if self.objective.model.config.depth == "none":
            return False
        return float(torch.rand((), generator=self._rng)) < self._with_depth


def heads_of(folder: str | Path, objective: Objective) -> dict[str, torch.Tensor]:
    """Return the weights of the heads that `save` wrote, those that fit an objective.

    Raises:
        ValueError: if the file is damaged.
    """
    if not (Path(folder) / STATE).exists():
        return {}
    try:
        found: dict[str, torch.Tensor] = _state(Path(folder))["heads"]
    except BROKEN as e:
        raise ValueError(f"{Path(folder) / STATE}: cannot be read: {_line(e)}") from e
    own = objective.state_dict()
    return {n: v for n, v in found.items() if n in own and own[n].shape == v.shape}


def _state(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(folder / STATE, map_location="cpu", weights_only=True)
    return found


def _means(told: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each value over the batches that have it; of tokens the sum."""
    found: dict[str, list[float]] = {}
    for batch in told:
        for name, value in batch.items():
            found.setdefault(name, []).append(value)
    means = {name: sum(values) / len(values) for name, values in found.items()}
    return {**means, "tokens": sum(found["tokens"])}


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
