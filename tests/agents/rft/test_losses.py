"""The policy's loss against closed forms, and what it must not depend on."""

import math

import pytest

torch = pytest.importorskip("torch")

import hypothesis  # noqa: E402
from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from refergym.agents.rft.errors import LossError  # noqa: E402
from refergym.agents.rft.losses import (  # noqa: E402
    LossSettings,
    Tokens,
    Totals,
    added,
    count,
    k3,
    means,
    policy_loss,
)

PER_TOKEN = ("old", "sampled", "reference", "entropy")


def settings(**changes):
    return LossSettings(
        **{"mean": "tokens", "length": 10, "clip_low": 0.2, "clip_high": 0.28, "dual_clip": None,
           "kl": 0.0, "kl_corrected": False, "truncate": None, "entropy": 0.0, **changes}
    )  # fmt: skip


EVERYTHING = {"dual_clip": 2.0, "kl": 0.1, "truncate": 1.5, "entropy": 0.05}


def one(ratio, advantage, **changes):
    """Loss of one token, its gradient with respect to the ratio, and the means."""
    now = torch.tensor([[math.log(ratio)]], dtype=torch.float64, requires_grad=True)
    tokens = Tokens(
        now=now,
        mask=torch.ones(1, 1, dtype=torch.bool),
        advantages=torch.tensor([float(advantage)], dtype=torch.float64),
        old=torch.zeros(1, 1, dtype=torch.float64),
    )
    found = policy_loss(tokens, count(tokens.mask), settings(**changes))
    found.loss.backward()
    return found.loss.item(), now.grad.item() / ratio, means(found.sums)


def batch(seed=0, rows=5, longest=6, dtype=torch.float64):
    """Draw answers whose logits have a gradient; row 3 has nothing that the model wrote."""
    draw = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, longest, 7, generator=draw, dtype=dtype, requires_grad=True)
    words = torch.randint(0, 7, (rows, longest, 1), generator=draw)
    logs = logits.log_softmax(-1)
    now = logs.gather(-1, words).squeeze(-1)
    mask = torch.rand(rows, longest, generator=draw) < 0.6
    mask[3] = False

    def near():
        return now.detach() + 0.4 * torch.randn(rows, longest, generator=draw, dtype=dtype)

    return logits, Tokens(
        now=now, mask=mask, advantages=torch.randn(rows, generator=draw, dtype=dtype),
        old=near(), sampled=near(), reference=near(), entropy=-(logs.exp() * logs).sum(-1),
    )  # fmt: skip


def changed(tokens, **values):
    return Tokens(**{k: values.get(k, getattr(tokens, k)) for k in Tokens.__dataclass_fields__})


def part(tokens, rows):
    return Tokens(**{
        k: None if v is None else v[rows]
        for k, v in ((k, getattr(tokens, k)) for k in Tokens.__dataclass_fields__)
    })  # fmt: skip


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "slope"),
    [
        (1.1, 2, -2.2, -2),  # inside
        (1.27, 2, -2.54, -2),
        (1.5, 2, -2.56, 0),  # too likely already
        (0.5, 2, -1.0, -2),  # good and unlikely: always pushed
        (0.9, -2, 1.8, 2),
        (0.5, -2, 1.6, 0),  # unlikely enough
        (1.5, -2, 3.0, 2),  # bad and likely: always pushed
    ],
)
def test_the_clip_holds_back_what_has_gone_far_enough(ratio, advantage, loss, slope):
    found, gradient, shares = one(ratio, advantage)
    assert (found, gradient) == pytest.approx((loss, slope))
    assert shares["clip_high"] == (slope == 0 and advantage > 0)
    assert shares["clip_low"] == (slope == 0 and advantage < 0)
    assert shares["ratio"] == pytest.approx(ratio)


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "slope"),
    [(2.9, -2, 5.8, 2), (4, -2, 6, 0), (1000, -2, 6, 0), (4, 2, -2.56, 0), (0.5, -2, 1.6, 0)],
)
def test_dual_clip_bounds_what_a_bad_token_costs(ratio, advantage, loss, slope):
    found, gradient, shares = one(ratio, advantage, dual_clip=3.0)
    assert (found, gradient) == pytest.approx((loss, slope))
    assert shares["clip_dual"] == (ratio > 3 and advantage < 0)


@hypothesis.settings(max_examples=40)
@given(st.floats(0.01, 50), st.floats(-5, 5), st.floats(1.3, 8))
def test_dual_clip_only_lowers_losses_and_only_of_bad_tokens(ratio, advantage, cap):
    plain, bounded = one(ratio, advantage)[0], one(ratio, advantage, dual_clip=cap)[0]
    if advantage < 0 and ratio > cap:
        assert bounded == pytest.approx(-cap * advantage)
        assert bounded <= plain + 1e-9
    else:
        assert bounded == pytest.approx(plain)


def test_on_policy_the_gradient_is_reinforce_with_a_baseline():
    logits, tokens = batch()
    found = policy_loss(changed(tokens, old=None), count(tokens.mask), settings()).loss
    reinforce = -(tokens.advantages[:, None] * tokens.now)[tokens.mask].mean()
    (gradient,) = torch.autograd.grad(found, logits, retain_graph=True)
    (expected,) = torch.autograd.grad(reinforce, logits)
    torch.testing.assert_close(gradient, expected)
    assert (expected != 0).any()


def test_the_three_means():
    mask = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]]).bool()
    tokens = Tokens(now=torch.zeros(3, 4), mask=mask, advantages=torch.tensor([1.0, -3.0, 100.0]))
    found = {
        mean: policy_loss(tokens, count(mask), settings(mean=mean, length=8)).loss.item()
        for mean in ("tokens", "answers", "length")
    }
    assert found == pytest.approx(
        {"tokens": -(4 - 3) / 5, "answers": -(1 - 3) / 2, "length": -(4 / 8 - 3 / 8) / 2}
    )


def test_advantages_may_be_of_tokens():
    _, tokens = batch()
    of_rows = policy_loss(tokens, count(tokens.mask), settings()).loss
    spread = tokens.advantages[:, None].expand_as(tokens.now)
    same = policy_loss(changed(tokens, advantages=spread), count(tokens.mask), settings()).loss
    torch.testing.assert_close(same, of_rows)
    other = spread.clone()
    other[tokens.mask.nonzero()[0, 0], tokens.mask.nonzero()[0, 1]] += 1
    moved = policy_loss(changed(tokens, advantages=other), count(tokens.mask), settings()).loss
    assert moved != of_rows


def test_k3_by_hand():
    x = torch.tensor([0.0, math.log(2), -math.log(2)], dtype=torch.float64)
    assert k3(x).tolist() == pytest.approx([0, 1 - math.log(2), math.log(2) - 0.5])


@pytest.mark.parametrize("corrected", [True, False])
def test_kl_has_the_value_and_the_gradient_that_are_promised(corrected):
    """In the mean over all words, weighted by how likely each is: no sampling error."""
    logits = torch.tensor([0.3, -0.2, 1.0, 0.1], dtype=torch.float64, requires_grad=True)
    q = torch.tensor([-0.5, 0.4, 0.2, 0.9], dtype=torch.float64).log_softmax(-1)
    now = logits.log_softmax(-1)
    p = now.detach().exp()
    total = torch.zeros((), dtype=torch.float64)
    measured = 0.0
    for word in range(4):
        mask = torch.ones(1, 1, dtype=torch.bool)
        tokens = Tokens(
            now=now[word].view(1, 1), mask=mask, advantages=torch.zeros(1, dtype=torch.float64),
            reference=q[word].view(1, 1),
        )  # fmt: skip
        found = policy_loss(tokens, count(mask), settings(kl=1.0, kl_corrected=corrected))
        total = total + p[word] * found.loss
        measured += p[word].item() * means(found.sums)["kl_reference"]
    divergence = (now.exp() * (now - q)).sum()
    assert total.item() == pytest.approx(divergence.item())
    assert measured == pytest.approx(divergence.item())
    (gradient,) = torch.autograd.grad(total, logits, retain_graph=True)
    (reverse,) = torch.autograd.grad(divergence, logits, retain_graph=True)
    (forward,) = torch.autograd.grad(-(q.exp() * now).sum(), logits)
    torch.testing.assert_close(gradient, reverse if corrected else forward)


def test_weights_against_the_sampler_are_cut_and_have_no_gradient():
    mask = torch.ones(1, 3, dtype=torch.bool)
    now = torch.zeros(1, 3, requires_grad=True)
    tokens = Tokens(
        now=now, mask=mask, advantages=torch.ones(1), old=torch.zeros(1, 3),
        sampled=torch.tensor([[-math.log(4), math.log(2), 0]]),
    )  # fmt: skip
    found = policy_loss(tokens, count(mask), settings(truncate=3.0))
    found.loss.backward()
    assert found.loss.item() == pytest.approx(-(3 + 0.5 + 1) / 3)
    assert now.grad.tolist() == [pytest.approx([-3 / 3, -0.5 / 3, -1 / 3])]
    shares = means(found.sums)
    assert (shares["weight"], shares["truncated"]) == pytest.approx((1.5, 1 / 3))
    expected = (4 - 1 - math.log(4) + 0.5 - 1 + math.log(2)) / 3
    assert shares["kl_sampler"] == pytest.approx(expected)


def test_without_old_weights_are_of_the_learner_now():
    _, tokens = batch()
    same = changed(tokens, old=tokens.now.detach())
    bare = changed(tokens, old=None)
    found = [policy_loss(t, count(t.mask), settings(truncate=1.5)) for t in (same, bare)]
    torch.testing.assert_close(found[0].loss, found[1].loss)
    assert means(found[1].sums)["ratio"] == 1


def test_entropy_is_sought_in_the_mean_over_tokens():
    _, tokens = batch()
    for mean in ("tokens", "answers", "length"):
        plain, sought = (
            policy_loss(tokens, count(tokens.mask), settings(mean=mean, entropy=e))
            for e in (0.0, 0.3)
        )
        expected = tokens.entropy[tokens.mask].mean()
        torch.testing.assert_close(plain.loss - sought.loss, 0.3 * expected)
        assert means(plain.sums)["entropy"] == pytest.approx(expected.item())


@pytest.mark.parametrize("mean", ["tokens", "answers", "length"])
def test_what_the_model_did_not_write_changes_nothing(mean):
    _, tokens = batch()
    found = policy_loss(tokens, count(tokens.mask), settings(mean=mean, **EVERYTHING))
    (gradient,) = torch.autograd.grad(found.loss, tokens.now, retain_graph=True)
    assert (gradient[~tokens.mask] == 0).all()
    assert (gradient[tokens.mask] != 0).any()
    for value in (math.nan, -math.inf, 1e9):
        spoiled = {
            k: getattr(tokens, k).detach().masked_fill(~tokens.mask, value)
            for k in (*PER_TOKEN, "now")
        }
        now = spoiled["now"].requires_grad_()
        advantages = tokens.advantages.clone()
        advantages[3] = value  # of the row without a token
        other = policy_loss(
            changed(tokens, **spoiled, advantages=advantages),
            count(tokens.mask),
            settings(mean=mean, **EVERYTHING),
        )
        torch.testing.assert_close(other.loss, found.loss)
        (same,) = torch.autograd.grad(other.loss, now)
        torch.testing.assert_close(same[tokens.mask], gradient[tokens.mask])
        assert (same[~tokens.mask] == 0).all()
        assert means(other.sums) == pytest.approx(means(found.sums))


@pytest.mark.parametrize("mean", ["tokens", "answers", "length"])
@pytest.mark.parametrize(
    "cut", [[[0], [1], [2], [3], [4]], [[4, 0, 3], [2, 1]], [[3], [0, 1, 2, 4]]]
)
def test_parts_give_the_gradient_of_the_whole(mean, cut):
    whole_logits, whole = batch(dtype=torch.float32)
    chosen = settings(mean=mean, kl_corrected=True, **EVERYTHING)
    found = policy_loss(whole, count(whole.mask), chosen)
    found.loss.backward()
    logits, tokens = batch(dtype=torch.float32)
    totals = count(tokens.mask)
    parts = [policy_loss(part(tokens, rows), totals, chosen) for rows in cut]
    for p in parts:
        p.loss.backward(retain_graph=True)
    torch.testing.assert_close(logits.grad, whole_logits.grad, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(sum(p.loss for p in parts), found.loss, rtol=1e-6, atol=1e-6)
    assert means(added([p.sums for p in parts])) == pytest.approx(means(found.sums), rel=1e-6)


def test_totals_of_parts_add_up():
    mask = batch()[1].mask
    counted = [count(mask[rows]) for rows in ([0, 3], [1, 2, 4])]
    assert sum(c.tokens for c in counted) == count(mask).tokens == int(mask.sum())
    assert sum(c.answers for c in counted) == count(mask).answers == 4


def test_a_part_without_tokens_has_a_gradient_of_zero():
    logits, tokens = batch()
    found = policy_loss(part(tokens, [3]), count(tokens.mask), settings(**EVERYTHING))
    found.loss.backward()
    assert found.loss == 0
    assert (logits.grad == 0).all()
    assert means(found.sums)["tokens"] == 0


def test_the_gradient_is_that_of_finite_differences():
    _, tokens = batch()
    chosen = settings(mean="answers", kl_corrected=True, **{**EVERYTHING, "entropy": 0.0})

    def loss(now):
        return policy_loss(changed(tokens, now=now), count(tokens.mask), chosen).loss

    assert torch.autograd.gradcheck(loss, tokens.now.detach().requires_grad_())


def test_half_precision_is_computed_in_float32():
    _, tokens = batch(dtype=torch.float32)
    half = {k: getattr(tokens, k).detach().bfloat16() for k in (*PER_TOKEN, "now", "advantages")}
    full = {k: v.float() for k, v in half.items()}
    chosen = settings(**EVERYTHING)
    found, expected = (
        policy_loss(changed(tokens, **t), count(tokens.mask), chosen).loss for t in (half, full)
    )
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"old": torch.zeros(5, 5)}, r"old: expected \[5, 6\] as now, got \[5, 5\]"),
        ({"advantages": torch.zeros(6)}, "advantages: expected"),
        ({"reference": None}, "reference: needed for kl=0.1"),
        ({"sampled": None}, "sampled: needed for truncate=1.5"),
        ({"entropy": None}, "entropy: needed for entropy=0.05"),
    ],
)
def test_a_wrong_tensor_is_named(changes, text):
    _, tokens = batch()
    with pytest.raises(LossError, match=text):
        policy_loss(changed(tokens, **changes), count(tokens.mask), settings(**EVERYTHING))


def test_totals_that_cannot_be_the_whole_batch_s_are_refused():
    _, tokens = batch()
    with pytest.raises(LossError, match="count the whole batch"):
        policy_loss(tokens, count(tokens.mask[:2]), settings())
    empty = changed(tokens, mask=torch.zeros_like(tokens.mask))
    with pytest.raises(LossError, match="leave this batch out"):
        policy_loss(empty, Totals(tokens=0, answers=0), settings())


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"mean": "rows"}, "mean: expected tokens"),
        ({"length": 0}, "length: expected > 0"),
        ({"clip_low": 1.2}, "clip_low"),
        ({"clip_high": -0.1}, "clip_high"),
        ({"dual_clip": 1.2}, r"dual_clip: expected > 1 \+ clip_high = 1.28, got 1.2"),
        ({"kl": math.nan}, "kl"),
        ({"truncate": 0.0}, "truncate"),
        ({"entropy": -1.0}, "entropy"),
    ],
)
def test_settings_without_meaning_are_refused(changes, text):
    with pytest.raises(LossError, match=text):
        settings(**changes)
