"""The policy's loss over the tokens that it wrote, of a whole batch or of parts of it.

    totals = count(mask)                # of the whole batch: all parts, all processes
    for part in parts:                  # whole rows, however many
        found = policy_loss(part, totals, settings)
        found.loss.backward()           # adds up to the gradient of the whole batch
        sums = added([sums, found.sums])
    print(means(sums))

A row is one answer. Every token's loss is divided by what `totals` holds, never by the size of the
part, so it does not matter how a batch is cut. Each of several processes takes its own rows and
everybody's totals, and sums go through `added` or an all-reduce. Where a wrapper averages gradients
over W processes (DDP, FSDP), call `backward` on W times the loss.

Sources: GRPO arXiv 2402.03300, eq. 3 and 4; DAPO 2503.14476, eq. 8 to 12; Dr. GRPO 2503.20783;
dual clip 1912.09729, eq. 5; k3 http://joschu.net/blog/kl-approx.html; truncated importance sampling
https://fengyao.notion.site/off-policy-rl; corrected KL 2512.02556, eq. 7.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from refergym.agents.rft.errors import LossError
from refergym.assets.records import Record


class LossSettings(Record, frozen=True, kw_only=True):
    """What the loss is made of."""

    mean: Literal["tokens", "answers", "length"]
    """over all tokens of the batch (DAPO) | over each answer's tokens, then over answers (GRPO) |
    over answers, of the sum of each answer's tokens over `length` (Dr. GRPO)"""
    length: int
    """tokens, > 0; the longest answer allowed. Of mean=length alone"""
    clip_low: float
    """in [0, 1]: a token's ratio below 1 - this is not pushed down further"""
    clip_high: float
    """>= 0: one above 1 + this is not pushed up further"""
    dual_clip: float | None
    """> 1 + clip_high: a bad token's ratio counts as this much at most; None: as it is"""
    kl: float
    """>= 0, weight of the KL divergence to the reference"""
    kl_corrected: bool
    """multiplies k3 by the ratio, so that its gradient is that of KL(learner || reference); False:
    as GRPO was published, the gradient of k3 alone"""
    truncate: float | None
    """> 0, cap of learner / sampler, by which a token is weighted; None: not weighted"""
    entropy: float
    """>= 0, weight of the mean entropy of tokens, which is sought"""

    def __post_init__(self) -> None:
        """Refuse settings without meaning."""
        if self.mean not in ("tokens", "answers", "length"):
            raise LossError(f"mean: expected tokens, answers or length, got {self.mean!r}")
        if self.length <= 0:
            raise LossError(f"length: expected > 0 tokens, got {self.length}")
        if not 0 <= self.clip_low <= 1:
            raise LossError(f"clip_low: expected in [0, 1], got {self.clip_low}")
        for name in ("clip_high", "kl", "entropy"):
            if not 0 <= getattr(self, name) < math.inf:
                raise LossError(f"{name}: expected >= 0, got {getattr(self, name)}")
        if self.dual_clip is not None and not self.dual_clip > 1 + self.clip_high:
            raise LossError(
                f"dual_clip: expected > 1 + clip_high = {1 + self.clip_high}, got {self.dual_clip}"
            )
        if self.truncate is not None and not self.truncate > 0:
            raise LossError(f"truncate: expected > 0, got {self.truncate}")


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Answers of a batch or of a part of it. What the mask leaves out may be anything, even NaN."""

    now: torch.Tensor
    """[B, T] log-probability of each token by the learner, with its gradient"""
    mask: torch.Tensor
    """[B, T] bool, True where the model wrote the token"""
    advantages: torch.Tensor
    """[B] of each answer, or [B, T] of each token"""
    old: torch.Tensor | None = None
    """[B, T] as `now`, before the first step on this batch; None: this is the first step"""
    sampled: torch.Tensor | None = None
    """[B, T] by the sampler, as it drew the tokens, at the same temperature"""
    reference: torch.Tensor | None = None
    """[B, T] by the model to stay near to"""
    entropy: torch.Tensor | None = None
    """[B, T] nats, of the learner's distribution there; with its gradient where it is sought"""


class Totals(Record, frozen=True, kw_only=True):
    """Size of a whole batch: all parts of all processes."""

    tokens: int
    """that the model wrote"""
    answers: int
    """with at least one such token"""


@dataclass(frozen=True, kw_only=True)
class PolicyLoss:
    """Loss of a part of a batch."""

    loss: torch.Tensor
    """[] this part's share: those of all parts add up to the batch's loss"""
    sums: dict[str, torch.Tensor]
    """[] float64 each, over this part's tokens; `means` says what they are"""


def count(mask: torch.Tensor) -> Totals:
    """Count a batch by its mask [B, T]."""
    return Totals(tokens=int(mask.sum()), answers=int(mask.any(-1).sum()))


def policy_loss(tokens: Tokens, totals: Totals, settings: LossSettings) -> PolicyLoss:
    """Return the loss of answers and what is to be known about it.

    Args:
        tokens: of a batch, or of some of its rows.
        totals: of the whole batch.
        settings: of the loss.

    Raises:
        LossError: if a tensor is missing or has another shape, or if the totals cannot be right.
    """
    _check(tokens, totals, settings)
    mask = tokens.mask.bool()
    now, advantage = _chosen(tokens.now, mask), _chosen(_spread(tokens.advantages, mask), mask)
    old = now.detach() if tokens.old is None else _chosen(tokens.old, mask).detach()
    ratio = (now - old).exp()
    low, high = 1 - settings.clip_low, 1 + settings.clip_high
    gain = torch.minimum(ratio * advantage, ratio.clamp(low, high) * advantage)
    flat = ratio.detach()
    sums = {
        "tokens": torch.ones_like(now.detach()),
        "ratio": flat,
        "clip_low": (flat < low) & (advantage < 0),
        "clip_high": (flat > high) & (advantage > 0),
    }
    if settings.dual_clip is not None:
        floor = settings.dual_clip * advantage
        gain = torch.where(advantage < 0, torch.maximum(gain, floor), gain)
        sums["clip_dual"] = (flat > settings.dual_clip) & (advantage < 0)
    if tokens.sampled is not None:
        apart = old - _chosen(tokens.sampled, mask).detach()
        sums["kl_sampler"] = k3(apart)
        if settings.truncate is not None:
            weight = apart.exp()
            gain = gain * weight.clamp(max=settings.truncate)
            sums["weight"] = weight.clamp(max=settings.truncate)
            sums["truncated"] = weight > settings.truncate
    cost = -gain
    if tokens.reference is not None:
        away = k3(_chosen(tokens.reference, mask).detach() - now)
        sums["kl_reference"] = away.detach()
        if settings.kl:
            cost = cost + settings.kl * (away * ratio if settings.kl_corrected else away)
    loss = (cost * _shares(mask, totals, settings)).sum()
    if tokens.entropy is not None:
        entropy = _chosen(tokens.entropy, mask)
        sums["entropy"] = entropy.detach()
        if settings.entropy:
            loss = loss - settings.entropy * entropy.sum() / totals.tokens
    return PolicyLoss(
        loss=loss, sums={name: v.sum(dtype=torch.float64) for name, v in sums.items()}
    )


def added(parts: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Add the sums of parts, of any number but 0; an empty one counts nothing."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: torch.stack([p[name] for p in parts if name in p]).sum(0) for name in names}


def means(sums: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """Return means over tokens, by name, and how many `tokens` there were.

    - ratio: learner now / learner before the first step
    - clip_low, clip_high, clip_dual: share of tokens whose gradient a clip took
    - kl_sampler: k3 of KL(sampler || learner before the first step)
    - weight, truncated: learner / sampler after the cap; share of tokens that it cut
    - kl_reference: k3 of KL(learner || reference)
    - entropy: nats
    """
    tokens = float(sums["tokens"])
    found = {name: float(v) / max(1.0, tokens) for name, v in sums.items() if name != "tokens"}
    return {"tokens": tokens, **found}


def k3(log_ratio: torch.Tensor) -> torch.Tensor:
    """Return an estimate of KL(p || q) that is never negative, unbiased for draws from p.

    Args:
        log_ratio: log q - log p of what was drawn.
    """
    return torch.expm1(log_ratio) - log_ratio


def _shares(mask: torch.Tensor, totals: Totals, settings: LossSettings) -> torch.Tensor | float:
    """Return what each chosen token's loss is multiplied with."""
    if settings.mean == "tokens":
        return 1 / totals.tokens
    if settings.mean == "length":
        return 1 / (totals.answers * settings.length)
    lengths = mask.sum(-1, keepdim=True).expand_as(mask)[mask]
    return 1 / (totals.answers * lengths)


def _chosen(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    chosen = values[mask]
    return chosen.float() if chosen.dtype in (torch.float16, torch.bfloat16) else chosen


def _spread(advantages: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return advantages if advantages.dim() > 1 else advantages[:, None].expand_as(mask)


def _check(tokens: Tokens, totals: Totals, settings: LossSettings) -> None:
    shape = tuple(tokens.now.shape)
    if len(shape) != 2:
        raise LossError(f"now: expected [B, T], got {list(shape)}")
    for name in ("mask", "advantages", "old", "sampled", "reference", "entropy"):
        found = getattr(tokens, name)
        allowed = (shape, shape[:1]) if name == "advantages" else (shape,)
        if found is not None and tuple(found.shape) not in allowed:
            raise LossError(f"{name}: expected {list(shape)} as now, got {list(found.shape)}")
    needs = {"reference": settings.kl, "sampled": settings.truncate, "entropy": settings.entropy}
    keys = {"reference": "kl", "sampled": "truncate", "entropy": "entropy"}
    for name, wanted in needs.items():
        if wanted and getattr(tokens, name) is None:
            raise LossError(f"{name}: needed for {keys[name]}={wanted}; give it or turn that off")
    here = count(tokens.mask)
    if here.tokens > totals.tokens or here.answers > totals.answers:
        raise LossError(
            f"totals: {totals.tokens} tokens in {totals.answers} answers, but this part alone has"
            f" {here.tokens} in {here.answers}; count the whole batch"
        )
    if not totals.tokens or not totals.answers:
        raise LossError("totals: no token was written by the model; leave this batch out")
