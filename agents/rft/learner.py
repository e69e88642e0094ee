"""The learner of reinforcement fine-tuning: steps of AdamW on samples, saved and resumed bitwise.

In several processes (torch.distributed) each is given all samples and takes its own of their parts;
what is divided by is always the whole batch, so that n processes do what one does. Weights are held
whole by each of them, or spread over them (FSDP2, arXiv 2304.11277).
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
import torch
from torch.distributed.checkpoint import state_dict as whole

from refergym.agents.rft.errors import RftError
from refergym.agents.rft.likelihood import Likelihood, Likely
from refergym.agents.rft.losses import (
    LossSettings,
    Tokens,
    Totals,
    added,
    means,
    policy_loss,
)
from refergym.agents.rft.sample import Sample
from refergym.agents.rft.spreading import (
    WHOLE,
    add_gradients,
    clipped,
    full_weights,
    gathered,
    is_alone,
    processes,
    rank,
    reduced,
    shard,
)
from refergym.agents.sft import adapters
from refergym.assets.records import Record
from refergym.assets.seeding import generator

Sums = dict[str, torch.Tensor]
Whole = Annotated[int, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]


class Learning(Record, frozen=True, kw_only=True):
    """How a learner steps."""

    lr: Positive
    """learning rate after the warm-up"""
    warmup: Whole
    """steps until there"""
    weight_decay: Annotated[float, msgspec.Meta(ge=0)]
    """of AdamW"""
    clip: Positive
    """greatest norm of a gradient"""
    epochs: Count
    """times that a batch is gone over"""
    minibatches: Count
    """steps of an epoch"""
    budget: Count
    """tokens of prompts and answers that are run at once, at most"""
    learns: tuple[str, ...]
    """parts of the model, by how their names begin; empty lets all learn"""
    lora: Whole
    """rank of LoRA in the language model; 0 has none"""
    checkpointing: bool
    """gradient checkpointing: less memory, a third more time"""
    spread: Literal["copies", "shards"]
    """of the weights over processes: each holds all of them | a share (FSDP2)"""


class RftLearner:
    """Trains a model on what it sampled.

    Attributes:
        model: that learns; the policy may share it.
        step: batches that were learned from.
    """

    def __init__(
        self,
        model: Any,
        likelihood: Likelihood,
        learning: Learning,
        loss: LossSettings,
        seed: int = 0,
        reference: Any = None,
    ) -> None:
        """Make the optimiser, and keep a copy of the model where the loss has a reference.

        Args:
            model: that learns.
            likelihood: of its answers.
            learning: how it steps.
            loss: what for.
            seed: of the order of minibatches, and of what adapters begin with.
            reference: the model that training began with, where it is not this one; it is copied.

        Raises:
            RftError: if no part of the model has a name that is to learn.
        """
        self.step = 0
        self._likelihood, self._settings, self._loss, self._seed = likelihood, learning, loss, seed
        self._reference = None
        if loss.kl:
            begun = model if reference is None else reference
            self._reference = copy.deepcopy(begun).eval().requires_grad_(False)
        if learning.checkpointing:
            model.activation_checkpointing_enable()
        if learning.lora:
            torch.manual_seed(seed)
            adapters.add_lora(model, learning.lora)
        adapters.choose_learned(model, learning.learns)
        if not any(p.requires_grad for p in model.parameters()):
            raise RftError(f"learns: the model has no part {', '.join(learning.learns)}")
        if learning.spread == "shards":
            shard(model)
            if self._reference is not None:
                shard(self._reference)
        self.model = model
        self._learned = [p for p in model.parameters() if p.requires_grad]
        # apart, since AdamW does not go over shards and others in one pass
        groups = [[p for p in self._learned if is_alone(p) is alone] for alone in (False, True)]
        self._optimiser = torch.optim.AdamW(
            [{"params": group} for group in groups if group],
            lr=learning.lr,
            betas=(0.9, 0.99),
            weight_decay=learning.weight_decay,
        )

    @property
    def is_spread(self) -> bool:
        """Whether each process holds a share of the weights alone."""
        return self._settings.spread == "shards"

    def learn(self, samples: Sequence[Sample]) -> dict[str, float]:
        """Learn from a batch: `epochs` times `minibatches` steps of the optimiser.

        Args:
            samples: the same in each process.

        Returns:
            Means over tokens, as `losses.means` names them; the last "loss" and "norm".
            A step whose gradient is not finite changes no weight.

        Raises:
            RftError: if there is nothing to learn from.
        """
        samples = [s for s in samples if s.tokens]
        if not samples:
            raise RftError("samples: none with tokens; a batch needs at least one answer")
        self.model.train(self._settings.checkpointing)
        rng = generator(self._seed, "minibatches", self.step)
        rounds = self._settings.epochs * self._settings.minibatches
        old = self._old(samples) if rounds > 1 else None
        parts: list[Sums] = []
        loss = norm = 0.0
        for _ in range(self._settings.epochs):
            order = rng.permutation(len(samples)) if self._settings.minibatches > 1 else None
            for chosen in _split(len(samples), self._settings.minibatches, order):
                sums, loss = self._gradient(samples, chosen, old)
                norm = self._move()
                parts.append(sums)
        self.step += 1
        return {**means(added(parts)), "loss": loss, "norm": norm}

    def state(self) -> dict[str, Any]:
        """Return all that going on needs beside the model: tensors, whole, on the CPU.

        The main process's is the state; of shards the others' is not.
        """
        kept = {}
        if self._settings.lora:
            held = full_weights(self.model)
            kept = adapters.kept_state(self.model, held) if held else {}
        return {
            "step": self.step,
            "optimiser": self._of_optimiser(),
            "torch": torch.get_rng_state(),
            "adapters": kept,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave, in any number of processes; the weights are loaded before.

        Raises:
            RftError: if the adapters are others.
        """
        kept = state["adapters"]
        if self._settings.lora:
            whole.set_model_state_dict(
                self.model,
                dict(kept),
                options=whole.StateDictOptions(full_state_dict=True, strict=False),
            )
        if state["optimiser"]:
            whole.set_optimizer_state_dict(
                self.model, self._optimiser, dict(state["optimiser"]), options=WHOLE
            )
        self.step = int(state["step"])
        torch.set_rng_state(state["torch"])

    def _of_optimiser(self) -> dict[str, Any]:
        # asked ahead of its first step torch would have it take one, which counts
        if not self._optimiser.state:
            return {}
        found: dict[str, Any] = whole.get_optimizer_state_dict(
            self.model, self._optimiser, options=WHOLE
        )
        return found

    def weights(self) -> dict[str, torch.Tensor]:
        """Return the weights that a policy takes, whole, adapters added.

        Of shards all processes must ask together, and the main one alone is told.
        """
        held = full_weights(self.model)
        merged = adapters.merged_state(self.model, held) if held else None
        return held if merged is None else merged

    def _gradient(
        self, samples: Sequence[Sample], chosen: Sequence[int], old: torch.Tensor | None
    ) -> tuple[Sums, float]:
        """Run some of the samples forwards and backwards."""
        totals = Totals(tokens=sum(len(samples[k].tokens) for k in chosen), answers=len(chosen))
        sums: list[Sums] = []
        loss = torch.zeros((), dtype=torch.float64)
        for part, counts in self._own(samples, chosen):
            shown = [samples[k] for k in part]
            reference = self._reference_of(shown)
            cost: Any = 0.0
            for likely in self._likelihood(self.model, shown):
                tokens = _tokens(likely, shown)
                if not counts:
                    cost = cost + 0.0 * likely.logprobs.sum()
                    continue
                if old is not None:
                    tokens["old"] = _rows(old, [part[n] for n in likely.numbers], likely)
                if reference is not None:
                    tokens["reference"] = _rows(reference, likely.numbers, likely)
                found = policy_loss(Tokens(**tokens), totals, self._loss)
                cost = cost + found.loss
                sums.append(found.sums)
            if counts:
                loss += cost.detach().double().cpu()
            # FSDP2 takes the mean over processes
            (cost * (processes() if self.is_spread else 1)).backward()
        return _over_processes(added(sums) if sums else {}, loss)

    def _move(self) -> float:
        """Take a step of the optimiser; returns the norm of the gradient."""
        settings = self._settings
        add_gradients(self._learned, is_spread=self.is_spread)
        norm = clipped(self._learned, settings.clip)
        share = min(1.0, (self.step + 1) / max(1, settings.warmup))
        for group in self._optimiser.param_groups:
            group["lr"] = settings.lr * share
        if bool(torch.isfinite(norm)):
            self._optimiser.step()
        self._optimiser.zero_grad()
        return float(norm)

    def _old(self, samples: Sequence[Sample]) -> torch.Tensor:
        """Return log-probabilities [N, T] before the first step on a batch, in every process."""
        found = torch.zeros(len(samples), max(len(s.tokens) for s in samples))
        with torch.no_grad():
            for part, counts in self._own(samples, range(len(samples))):
                for likely in self._likelihood(self.model, [samples[k] for k in part]):
                    rows = torch.tensor([part[n] for n in likely.numbers])
                    if counts:
                        found[rows, : likely.logprobs.shape[1]] = likely.logprobs.cpu()
        return reduced(found.to(self._learned[0].device)).cpu()

    def _own(
        self, samples: Sequence[Sample], chosen: Sequence[int]
    ) -> Iterator[tuple[list[int], bool]]:
        """Yield this process's parts.

        Where weights are spread all must run as many as any: False marks one that only fills up.
        """
        parts = parts_of(samples, chosen, self._settings.budget)
        for first in range(0, len(parts), processes()):
            k = first + rank()
            if k < len(parts):
                yield parts[k], True
            elif self.is_spread:
                yield parts[first][:1], False

    def _reference_of(self, shown: Sequence[Sample]) -> torch.Tensor | None:
        if self._reference is None:
            return None
        found = torch.zeros(len(shown), max(len(s.tokens) for s in shown))
        with torch.no_grad():
            for likely in self._likelihood(self._reference, shown):
                rows = torch.tensor(likely.numbers)
                found[rows, : likely.logprobs.shape[1]] = likely.logprobs.cpu()
        return found


def parts_of(samples: Sequence[Sample], chosen: Sequence[int], budget: int) -> list[list[int]]:
    """Cut samples, in their order, into parts of `budget` tokens at most, but one sample at least.

    Args:
        samples: all.
        chosen: numbers of those to cut.
        budget: tokens of prompt and answer.
    """
    parts: list[list[int]] = []
    room = 0
    for k in chosen:
        if not parts or samples[k].length > room:
            parts.append([])
            room = budget
        parts[-1].append(k)
        room -= samples[k].length
    return parts


def _split(count: int, parts: int, order: Any) -> Iterator[list[int]]:
    numbers = list(range(count)) if order is None else [int(k) for k in order]
    size = -(-count // parts)
    for k in range(0, count, size):
        yield numbers[k : k + size]


def _tokens(likely: Likely, shown: Sequence[Sample]) -> dict[str, Any]:
    sampled = torch.zeros_like(likely.logprobs)
    for row, n in enumerate(likely.numbers):
        sampled[row, : len(shown[n].logprobs)] = torch.tensor(shown[n].logprobs)
    advantages = torch.tensor([shown[n].advantage for n in likely.numbers])
    return {
        "now": likely.logprobs,
        "mask": likely.mask,
        "advantages": advantages.to(likely.logprobs),
        "sampled": sampled,
        "entropy": likely.entropy,
    }


def _rows(table: torch.Tensor, numbers: Sequence[int], like: Likely) -> torch.Tensor:
    width = like.logprobs.shape[1]
    return table[torch.tensor(list(numbers)), :width].to(like.logprobs)


def _over_processes(sums: Sums, loss: torch.Tensor) -> tuple[Sums, float]:
    """Add up what processes found."""
    told = gathered(({k: float(v) for k, v in sums.items()}, float(loss)))
    every = [{k: torch.tensor(v, dtype=torch.float64) for k, v in s.items()} for s, _ in told if s]
    return added(every), sum(part for _, part in told)
