"""Likelihood: log-probabilities of sampled tokens are those that the sampler gave them."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import vlm_parts  # noqa: E402

from refergym.agents.rft.likelihood import Likelihood  # noqa: E402
from refergym.agents.rft.sample import Sample  # noqa: E402

# of PaliGemma's processor
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")
SEEDS = [3, 4, 5, 6]


@pytest.fixture(scope="module", params=sorted(set(vlm_parts.KINDS) - {"refervlm"}))
def stock(request):
    return vlm_parts.KINDS[request.param]()


@pytest.fixture(scope="module", params=["dedicated", "shared", "none"])
def ours(request):
    return vlm_parts.refervlm(depth=request.param)


def sampled(part, observations, temperature=1.0, **changes):
    policy = part.policy(temperature=temperature, **changes)
    answers = policy.act(observations, seeds=SEEDS[: len(observations)])
    return [
        Sample(
            observation=o, prompt_tokens=a.prompt_tokens, tokens=a.tokens, logprobs=a.logprobs,
            advantage=1.0,
        )
        for o, a in zip(observations, answers, strict=True)
    ]  # fmt: skip


def likely(part, samples, temperature=1.0, **changes):
    """Return for each sample its log-probabilities, and the entropies beside them."""
    likelihood = Likelihood(
        processor=part.processor, prompter=part.prompter, dialect=part.dialect,
        temperature=temperature, **changes,
    )  # fmt: skip
    found = {}
    for out in likelihood(part.model, samples):
        for row, number in enumerate(out.numbers):
            mask = out.mask[row]
            assert int(mask.sum()) == len(samples[number].tokens)
            found[number] = out.logprobs[row][mask], out.entropy[row][mask]
    assert sorted(found) == list(range(len(samples)))
    return [found[k] for k in range(len(samples))]


def shown():
    """Return observations of which two share a picture."""
    one, other = vlm_parts.observations(2, seed=1)
    return [one, other, {**one, "instruction": "pick it up"}, one]


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_ours_are_the_samplers(ours, temperature):
    samples = sampled(ours, shown(), temperature)
    for sample, (logprobs, _) in zip(samples, likely(ours, samples, temperature), strict=True):
        np.testing.assert_allclose(logprobs.detach(), sample.logprobs, atol=1e-4)


def test_those_of_other_architectures_are_the_samplers(stock):
    samples = sampled(stock, shown()[:3])
    for sample, (logprobs, _) in zip(samples, likely(stock, samples), strict=True):
        np.testing.assert_allclose(logprobs.detach(), sample.logprobs, atol=1e-4)


def test_another_temperature_is_another_likelihood(ours):
    samples = sampled(ours, shown(), 1.0)
    for sample, (logprobs, _) in zip(samples, likely(ours, samples, 0.5), strict=True):
        assert np.abs(logprobs.detach().numpy() - sample.logprobs).max() > 0.1


def test_gradients_of_shared_pictures_are_those_of_single_ones(ours):
    samples = sampled(ours, shown())

    def gradient(parts):
        ours.model.zero_grad()
        for part in parts:
            sum(logprobs.sum() for logprobs, _ in likely(ours, part)).backward()
        return {n: p.grad.clone() for n, p in ours.model.named_parameters() if p.grad is not None}

    together, single = gradient([samples]), gradient([[s] for s in samples])
    assert together.keys() == single.keys()
    for name, value in single.items():
        torch.testing.assert_close(together[name], value, rtol=1e-3, atol=1e-3, msg=name)


def test_entropy_is_that_of_the_whole_distribution(ours):
    samples = sampled(ours, shown()[:1])
    [(_, entropy)] = likely(ours, samples)
    vocabulary = ours.model.config.text_config.vocab_size
    assert bool((entropy > 0).all())
    assert bool((entropy < np.log(vocabulary)).all())
    [(_, cold)] = likely(ours, samples, 0.05)
    assert float(cold.sum()) < float(entropy.sum())


def test_it_may_be_taught(ours):
    samples = sampled(ours, shown()[:1])
    [(_, fixed)] = likely(ours, samples)
    [(_, taught)] = likely(ours, samples, entropy_learns=True)
    assert not fixed.requires_grad
    assert taught.requires_grad
    torch.testing.assert_close(fixed, taught.detach())


def test_a_prompt_that_comes_out_otherwise_is_refused(stock):
    [sample] = sampled(stock, shown()[:1])
    wrong = replace(sample, prompt_tokens=sample.prompt_tokens[:-1])
    with pytest.raises(ValueError, match="prompts come out otherwise"):
        likely(stock, [wrong])
