"""Losses, gradients and advantages against those of TRL, recorded by record_trl.py."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from refergym.agents.rft.advantages import Credit, Trajectory, advantages  # noqa: E402
from refergym.agents.rft.losses import (  # noqa: E402
    LossSettings,
    Tokens,
    count,
    means,
    policy_loss,
)

RECORDED = json.loads((Path(__file__).parent / "trl.json").read_text())
CASES = RECORDED["cases"]
NAMES = [
    "-".join(
        str(case[k]) for k in ("scene", "loss_type", "old", "beta", "corrected", "delta", "cap")
    )
    for case in CASES
]
MEANS = {"grpo": "answers", "bnpo": "tokens", "dapo": "tokens", "dr_grpo": "length"}
"""what TRL's losses are called here; its two means over tokens differ only in parts of a batch"""
CLOSE = {"rtol": 1e-5, "atol": 1e-6}


def padded(rows):
    longest = RECORDED["longest"]
    return torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])


def likely(logits, words):
    logs = torch.as_tensor(logits).log_softmax(-1)
    said = logs.gather(-1, padded(words)[..., None]).squeeze(-1)
    return said, -(logs.exp() * logs).sum(-1)


def run(case):
    """Compute a recorded case: its logits with their gradient, the loss, and means."""
    scene = RECORDED["scenes"][case["scene"]]
    words = scene["words"]
    mask = padded(scene["wrote"] if case["masked"] else [[1] * len(w) for w in words]).bool()
    logits = torch.tensor(scene["now"], requires_grad=True)
    now, entropy = likely(logits, words)
    settings = LossSettings(
        mean=MEANS[case["loss_type"]],
        length=RECORDED["longest"],
        clip_low=case["epsilon"],
        clip_high=case["epsilon_high"],
        dual_clip=case["delta"],
        kl=case["beta"],
        kl_corrected=case["corrected"],
        truncate=case["cap"],
        entropy=case["entropy_coef"],
    )
    tokens = Tokens(
        now=now,
        mask=mask,
        advantages=torch.tensor(case["advantages"]),
        old=likely(scene["old"], words)[0] if case["old"] else None,
        sampled=padded(scene["sampled"]),
        reference=likely(scene["reference"], words)[0],
        entropy=entropy,
    )
    found = policy_loss(tokens, count(mask), settings)
    found.loss.backward()
    return logits, found.loss, means(found.sums)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_loss_and_gradient_are_trl_s(case):
    logits, loss, found = run(case)
    torch.testing.assert_close(loss.item(), case["loss"], **CLOSE)
    torch.testing.assert_close(logits.grad, torch.tensor(case["gradient"]), **CLOSE)
    theirs = {"entropy": "entropy"}
    if not case["corrected"]:  # TRL's is multiplied by the ratio
        theirs |= {"kl": "kl_reference"}
    if case["delta"] is None:  # TRL counts behind the cap
        theirs |= {"clip_ratio/low_mean": "clip_low", "clip_ratio/high_mean": "clip_high"}
    for name in theirs.keys() & case["metrics"].keys():
        assert found[theirs[name]] == pytest.approx(case["metrics"][name], abs=1e-5), name


@pytest.mark.parametrize("std", ["none", "group", "batch"])
def test_advantages_are_trl_s(std):
    credit = Credit(
        episode=1.0, turn=0.0, state=0.0, gamma=1.0, baseline="mean", std=std, eps=1e-4
    )  # fmt: skip
    cases = [case for case in CASES if case["scale_rewards"] == std]
    assert cases
    for case in cases:
        rewards = RECORDED["scenes"][case["scene"]]["rewards"]
        rows = [
            Trajectory(group=str(k // RECORDED["group"]), rewards=(reward,))
            for k, reward in enumerate(rewards)
        ]
        found = [turns[0] for turns in advantages(rows, credit).turns]
        assert found == pytest.approx(case["advantages"], abs=1e-5)


def test_every_branch_of_the_loss_was_recorded():
    found = [run(case)[2] for case in CASES]
    for name in ("clip_low", "clip_high", "clip_dual", "truncated"):
        shares = [f[name] for f in found if name in f]
        assert any(0 < share < 1 for share in shares), name
    assert {case["scale_rewards"] for case in CASES} == {"group", "batch", "none"}
    assert any(0 in row for scene in RECORDED["scenes"] for row in scene["wrote"])
