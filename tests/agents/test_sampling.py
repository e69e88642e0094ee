import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from refergym.agents.sampling import SeededSampler  # noqa: E402

LOGITS = torch.tensor([2.0, 1.0, 0.5, 0.0, -0.5, -1.0, -3.0, -float("inf")])
ASKED = torch.zeros((1, 1), dtype=torch.long)
DRAWS = 4000


def draws(logits, seeds, steps=1, **kwargs):
    """Draw as `generate` does: the greatest of what the sampler returns. [B, steps]."""
    sampler = SeededSampler(seeds, **kwargs)
    scores = logits.expand(len(seeds), -1) if logits.ndim == 1 else logits
    tokens = [sampler(ASKED, scores).argmax(-1) for _ in range(steps)]
    assert torch.equal(sampler.tokens(), torch.stack(tokens, -1))
    return torch.stack(tokens, -1), sampler


def chi_square(tokens, probabilities):
    """Return the statistic over its 99.9 % point: above 1 they are of another distribution."""
    from scipy.stats import chi2

    seen = probabilities > 0
    counts = np.bincount(tokens.numpy().ravel(), minlength=len(probabilities))
    assert counts[~seen].sum() == 0
    expected = probabilities[seen] * counts.sum()
    statistic = ((counts[seen] - expected) ** 2 / expected).sum()
    return statistic / chi2.ppf(0.999, seen.sum() - 1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_of_many_seeds_follow_the_softmax(temperature):
    tokens, _ = draws(LOGITS, range(DRAWS), temperature=temperature)
    assert chi_square(tokens, (LOGITS / temperature).softmax(-1).numpy()) < 1
    assert chi_square(tokens, (LOGITS / temperature / 1.3).softmax(-1).numpy()) > 1


def test_draws_of_one_seed_follow_the_softmax():
    tokens, _ = draws(LOGITS, [5], steps=DRAWS)
    assert chi_square(tokens, LOGITS.softmax(-1).numpy()) < 1
    before, after = tokens[0, :-1], tokens[0, 1:]
    assert abs(np.corrcoef(before, after)[0, 1]) < 0.05


def test_top_p_draws_among_the_likeliest_alone():
    probabilities = LOGITS.softmax(-1)
    kept = probabilities.cumsum(-1) - probabilities < 0.8
    assert 1 < kept.sum() < 5
    tokens, _ = draws(LOGITS, range(DRAWS), top_p=0.8)
    cut = torch.where(kept, probabilities, 0.0)
    assert chi_square(tokens, (cut / cut.sum()).numpy()) < 1


def test_a_narrow_top_p_is_greedy():
    tokens, _ = draws(LOGITS, range(50), top_p=1e-6)
    assert set(tokens.ravel().tolist()) == {0}


def test_temperature_zero_takes_the_likeliest_whatever_the_seed():
    tokens, sampler = draws(LOGITS, range(50), temperature=0.0)
    assert set(tokens.ravel().tolist()) == {0}
    assert sampler.log_probabilities()[0, 0] == pytest.approx(LOGITS.log_softmax(-1)[0].item())


def test_a_seed_draws_the_same_in_every_batch_and_row():
    scores = torch.randn((3, 50), generator=torch.Generator().manual_seed(0))
    together, _ = draws(scores, [7, 8, 9], steps=6)
    turned, _ = draws(scores.flip(0), [9, 8, 7], steps=6)
    assert torch.equal(together, turned.flip(0))
    for k, seed in enumerate([7, 8, 9]):
        alone, _ = draws(scores[k : k + 1], [seed], steps=6)
        assert torch.equal(alone[0], together[k])


def test_seeds_differ_over_their_whole_range():
    wide = torch.zeros(1000)
    seeds = [0, 1, 2**31, 2**32, 2**32 + 1, 2**62, 2**63 - 1]
    tokens, _ = draws(wide, seeds, steps=4)
    assert len({tuple(row) for row in tokens.tolist()}) == len(seeds)


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_log_probabilities_are_of_the_drawn_tokens_at_the_temperature_before_top_p(temperature):
    tokens, sampler = draws(LOGITS, range(20), steps=3, temperature=temperature, top_p=0.9)
    expected = (LOGITS / (temperature or 1.0)).log_softmax(-1)[tokens]
    found = sampler.log_probabilities()
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)


def test_half_precision_logits_give_float32_log_probabilities():
    tokens, sampler = draws(LOGITS.bfloat16(), [1], temperature=1.0)
    expected = LOGITS.bfloat16().float().log_softmax(-1)[tokens]
    torch.testing.assert_close(sampler.log_probabilities(), expected)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"temperature": -1.0}, "temperature: expected >= 0, got -1.0"),
        ({"temperature": float("nan")}, "temperature: expected >= 0, got nan"),
        ({"top_p": 0.0}, r"top_p: expected in \(0, 1\], got 0.0"),
        ({"top_p": 1.5}, r"top_p: expected in \(0, 1\], got 1.5"),
    ],
)
def test_arguments_out_of_range_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        SeededSampler([0], **kwargs)
